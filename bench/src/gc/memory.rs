//! What an object costs in memory, the allocator's overhead included.

use std::hint::black_box;

use super::child::ask;
use super::contenders::ALL;
use super::heap::Heap;
use super::{Effort, table};
use crate::memory::allocated;

pub(crate) fn table(effort: &Effort) {
    println!("### `Gc`: memory per object (bytes)\n");
    println!(
        "| | leaf: 16 bytes, no pointers | node: a `RefCell` with a pointer | added by becoming a suspect |"
    );
    println!("|---|---|---|---|");
    for contender in &ALL {
        let figures = ask(contender, "memory", &[effort.live]);
        let figures = figures.unwrap_or_else(|| vec![f64::NAN; 3]);
        table::row(contender.label, &figures, |bytes| table::cell(*bytes, 0));
    }
    println!();
}

pub(crate) fn run<H: Heap>(count: u64) -> Vec<f64> {
    H::only_when_told();
    let (leaves, leaf) = added(count, |_| H::leaf((1, 2)));
    let (nodes, node) = added(count, |_| H::node());
    let (_, suspect) = added(count, |index| drop(black_box(&nodes[index]).clone()));
    black_box((leaves, nodes));
    vec![leaf, node, suspect]
}

/// What it is given `count` times, and the bytes that were allocated for each.
fn added<R>(count: u64, make: impl FnMut(usize) -> R) -> (Vec<R>, f64) {
    let mut kept = Vec::with_capacity(count as usize);
    let before = allocated();
    kept.extend((0..count as usize).map(make));
    let bytes = allocated() - before;
    (kept, bytes as f64 / count as f64)
}
