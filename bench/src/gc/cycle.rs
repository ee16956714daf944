//! A cycle of two objects: made, dropped, collected.

use std::hint::black_box;

use super::child::{figure, live, time};
use super::contenders::{ALL, Collects, Contender, LASTLY, RUST_CC};
use super::heap::Heap;
use super::{Effort, table};
use crate::measure::{medians, ratio};
use crate::memory::allocated;

/// Cycles per collection; none: when the contender thinks it is time.
const PER: [u64; 5] = [1, 100, 1_000, 10_000, 0];
/// The one that stands in the chart.
const CHARTED: usize = 2;

/// A peer whose collection of a single cycle takes more than so many times as long on a large heap
/// looks at the whole heap.
const SAME: f64 = 2.0;

/// Bytes that a cycle takes at least: two counts, two pointers, and what an allocator adds.
const SMALLEST: usize = 64;

/// By the number of cycles per collection, then by contender.
type Figures = [Vec<f64>; PER.len()];

pub(crate) fn tables(effort: &Effort) -> Vec<table::Group> {
    let heaps = [0, 10, effort.live];
    let figures = heaps.map(|live| measure(effort, live));
    let holds = |index: usize| {
        let [small, _, large] = figures.each_ref().map(|figures| figures[0][index]);
        ALL[index].is_peer() && large < SAME * small
    };
    let holding: Vec<usize> = (0..ALL.len()).filter(|index| holds(*index)).collect();
    for (live, figures) in heaps.iter().zip(&figures) {
        print(*live, figures, &holding);
    }
    let title = format!("a 2-cycle made, dropped, collected, beside {} live objects", effort.live);
    vec![table::group(&title, "ns", figures[2][CHARTED].iter().copied())]
}

fn measure(effort: &Effort, live: u64) -> Figures {
    PER.map(|per| {
        medians(effort.rounds, &ALL, |contender| {
            match contender.collects != Collects::ByItself && per == 0 {
                true => f64::NAN,
                false => figure(contender, "cycle", &[effort.budget, live, per]),
            }
        })
    })
}

fn print(live: u64, figures: &Figures, holding: &[usize]) {
    match live {
        0 => println!("### `Gc`: a 2-cycle made, dropped and collected, nothing else alive (ns)\n"),
        _ => println!("### `Gc`: the same beside {live} live objects (ns)\n"),
    }
    println!("| cycles per collection | 1 | 100 | 1000 | 10000 | by itself |");
    println!("|---|---|---|---|---|---|");
    for (index, Contender { label, collects, .. }) in ALL.iter().enumerate() {
        let by_hand = if *collects == Collects::Never { ", broken by hand" } else { "" };
        table::row(&format!("{label}{by_hand}"), figures, |column| table::cell(column[index], 0));
    }
    table::row("*lastly × rust-cc*", figures, |column| ratio(column[LASTLY], column[RUST_CC]));
    table::row("*lastly × the best peer that is the same on any heap*", figures, |column| {
        ratio(column[LASTLY], table::least(holding.iter().map(|peer| column[*peer])))
    });
    println!();
}

/// Nanoseconds for a cycle; not a number if the contender, left to itself, collects none.
#[inline(never)]
pub(crate) fn plain<H: Heap>(budget: u64, alive: u64, per: u64) -> f64 {
    let by_itself = per == 0;
    let per_batch = if by_itself { 1_000 } else { per };
    if !by_itself {
        H::only_when_told();
    }
    let alive = live::<H>(alive);
    let mut made = 0;
    let mut batch = || {
        (0..per_batch).for_each(|_| cycle::<H>());
        made += per_batch as usize;
        if !by_itself {
            H::collect();
        }
    };
    // What a collector needs for itself, it may keep.
    batch();
    H::collect();
    let before = allocated();
    let figure = time(budget, &mut batch);
    if by_itself && allocated().saturating_sub(before) > made * SMALLEST {
        return f64::NAN;
    }
    H::collect();
    let left = allocated().saturating_sub(before);
    assert!(left < 1 << 20, "{left} bytes are left");
    black_box(alive);
    figure / per_batch as f64
}

#[inline]
pub(crate) fn cycle<H: Heap>() {
    let (first, second) = (H::node(), H::node());
    H::point(&first, Some(second.clone()));
    H::point(&second, Some(first.clone()));
    black_box((&first, &second));
    if H::BY_HAND {
        H::point(&first, None);
    }
}
