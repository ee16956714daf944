//! `Gc` beside `Rc`, and beside the crates whose users may write cycles.
//!
//! One file for each table: what the child processes measure (see [`child`]), and how it is shown.

mod birth;
pub(crate) mod child;
mod component;
mod contenders;
mod curve;
mod cycle;
mod deep;
mod finalizers;
mod graph;
mod heap;
mod memory;
mod table;

/// How much to measure: as the README does, or just enough to see that it works.
pub(crate) struct Effort {
    /// Of the tables whose figures are short loops, and of the others.
    rounds: usize,
    few: usize,
    /// Milliseconds for which a short loop is repeated.
    budget: u64,
    /// Objects on a large heap, and in a large component.
    live: u64,
    /// How far the curves go, and how long the ring and the list are.
    most: u64,
    /// Operations on the random graph, and objects there are in a large one at first.
    operations: u64,
    pool: u64,
}

pub(crate) const FULL: Effort = Effort {
    rounds: 15,
    few: 7,
    budget: 10,
    live: 100_000,
    most: 1_000_000,
    operations: 1_000_000,
    pool: 10_000,
};

pub(crate) const QUICK: Effort = Effort {
    rounds: 1,
    few: 1,
    budget: 1,
    live: 1_000,
    most: 10_000,
    operations: 10_000,
    pool: 100,
};

/// Prints the tables. What the chart shows of them, in JSON.
pub(crate) fn tables(effort: &Effort) -> String {
    birth::table(effort);
    let mut groups = cycle::tables(effort);
    groups.extend(finalizers::table(effort));
    groups.extend(graph::table(effort));
    groups.extend(component::table(effort));
    curve::tables(effort);
    deep::table(effort);
    memory::table(effort);
    table::json(&groups)
}
