//! A large component, strongly connected and alive: touched and collected, again and again.

use std::hint::black_box;

use fastrand::Rng;

use super::child::{figure, processor_time};
use super::contenders::{ALL, Collects, GC, LASTLY, RUST_CC};
use super::heap::Heap;
use super::{Effort, table};
use crate::measure::{medians, ratio};

/// Collections before those that count, and those. The first finds every object a suspect.
const BEFORE: u32 = 3;
const TIMES: u32 = 7;

/// So many objects inside have a pointer to them in the one that is held, to be touched by.
const INNER: usize = 64;

const SEED: u64 = 54_321;

pub(crate) fn table(effort: &Effort) -> Vec<table::Group> {
    println!(
        "### `Gc`: {} live objects, strongly connected, touched and collected again and again (ms)\n",
        effort.live
    );
    println!("| | in memory order | … touched inside | shuffled | … touched inside |");
    println!("|---|---|---|---|---|");
    let figures = [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[shuffled, inner]| {
        medians(effort.few, &ALL, |contender| match contender.collects {
            Collects::Never => f64::NAN,
            _ => figure(contender, "component", &[effort.live, shuffled, inner]),
        })
    });
    for (index, contender) in ALL.iter().enumerate() {
        if contender.collects != Collects::Never {
            table::row(contender.label, &figures, |column| table::cell(column[index], 2));
        }
    }
    for (name, peer) in [("rust-cc", RUST_CC), ("gc", GC)] {
        let cell = |column: &Vec<f64>| ratio(column[LASTLY], column[peer]);
        table::row(&format!("*lastly × {name}*"), &figures, cell);
    }
    println!();
    let title =
        format!("{} live objects, strongly connected, shuffled, touched, collected", effort.live);
    vec![table::group(&title, "ms", figures[2].iter().copied())]
}

/// Milliseconds per collection.
#[inline(never)]
pub(crate) fn run<H: Heap>(nodes: u64, shuffled: bool, inner: bool) -> f64 {
    H::only_when_told();
    let held = component::<H>(nodes as usize, shuffled);
    let touch = |turn: u32| {
        // The pointer that is dropped is not the last, so what it points to becomes a suspect.
        let touched = match inner {
            false => held.clone(),
            true => H::edges(&held, |edges| edges[edges.len() - 1 - turn as usize % INNER].clone()),
        };
        black_box(&touched);
    };
    let mut begin = 0.0;
    for turn in 0..BEFORE + TIMES {
        if turn == BEFORE {
            begin = processor_time();
        }
        touch(turn);
        H::collect();
    }
    let took = processor_time() - begin;
    std::mem::forget(black_box(held));
    took / f64::from(TIMES) / 1e6
}

/// A ring, and from each object one to three pointers to any others. The ring goes through the
/// objects in the order in which they were made, or in any.
fn component<H: Heap>(nodes: usize, shuffled: bool) -> H::Vertex {
    let mut random = Rng::with_seed(SEED);
    let mut order: Vec<usize> = (0..nodes).collect();
    if shuffled {
        random.shuffle(&mut order);
    }
    let mut next = vec![0; nodes];
    for (place, &from) in order.iter().enumerate() {
        next[from] = order[(place + 1) % nodes];
    }
    let mut all: Vec<H::Vertex> = (0..nodes).map(|_| H::vertex()).collect();
    for (from, next) in all.iter().zip(next) {
        let mut to = vec![all[next].clone()];
        to.extend((0..random.usize(1..4)).map(|_| all[random.usize(0..nodes)].clone()));
        H::edges(from, |edges| *edges = to);
    }
    let held = all.swap_remove(random.usize(0..nodes));
    let inner = (0..INNER).map(|_| all[random.usize(0..all.len())].clone());
    let inner: Vec<H::Vertex> = inner.collect();
    H::edges(&held, |edges| edges.extend(inner));
    held
}
