//! An object's birth and death, and a pointer's.

use std::hint::black_box;

use super::child::{figure, time};
use super::contenders::{ALL, RC};
use super::heap::Heap;
use super::{Effort, table};
use crate::measure::{medians, ratio};

const WHAT: [&str; 3] = ["leaf", "node", "clone"];

pub(crate) fn table(effort: &Effort) {
    println!("### `Gc`: one object or pointer, made and dropped (ns)\n");
    println!(
        "| | leaf: 16 bytes, no pointers | × `Rc` | node: a `RefCell` with a pointer | × `Rc` | clone of a live pointer | × `Rc` |"
    );
    println!("|---|---|---|---|---|---|---|");
    let figures = WHAT.map(|what| {
        medians(effort.rounds, &ALL, |contender| figure(contender, what, &[effort.budget]))
    });
    for (index, contender) in ALL.iter().enumerate() {
        table::row(contender.label, &figures, |column| {
            format!("{:.1} | {}", column[index], ratio(column[index], column[RC]))
        });
    }
    println!();
}

#[inline(never)]
pub(crate) fn leaf<H: Heap>(budget: u64) -> f64 {
    let words = black_box((1, 2));
    time(budget, || _ = black_box(&H::leaf(words)))
}

#[inline(never)]
pub(crate) fn node<H: Heap>(budget: u64) -> f64 {
    time(budget, || _ = black_box(&H::node()))
}

#[inline(never)]
pub(crate) fn clone<H: Heap>(budget: u64) -> f64 {
    let (node, next) = (H::node(), H::node());
    H::point(&node, Some(next));
    time(budget, || _ = black_box(&black_box(&node).clone()))
}
