//! How the time of a collection grows: with the suspects and what they reach, not with the heap.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::child::figure;
use super::contenders::{ALL, Collects, Contender};
use super::cycle::cycle;
use super::heap::Heap;
use super::{Effort, table};
use crate::measure::medians;

pub(crate) fn tables(effort: &Effort) {
    let peers: Vec<&Contender> =
        ALL.iter().filter(|contender| contender.collects != Collects::Never).collect();
    println!("### `Gc`: a collection of one 2-cycle beside so many live objects (µs)\n");
    curve(effort, &peers, 2, |contender, live| {
        figure(contender, "cycle", &[effort.budget, live, 1]) / 1e3
    });
    println!("### `Gc`: a collection of so many 2-cycles (ns per cycle)\n");
    curve(effort, &peers, 0, |contender, suspects| {
        figure(contender, "suspects", &[effort.budget, suspects]) / suspects as f64
    });
}

fn curve(
    effort: &Effort,
    contenders: &[&Contender],
    digits: usize,
    measure: impl Fn(&Contender, u64) -> f64,
) {
    let labels: Vec<&str> = contenders.iter().map(|contender| contender.label).collect();
    println!("| | {} |\n|---{}|", labels.join(" | "), "|---".repeat(labels.len()));
    let mut count = 10;
    while count <= effort.most {
        let figures = medians(effort.few, contenders, |contender| measure(contender, count));
        table::row(&count.to_string(), &figures, |figure| table::cell(*figure, digits));
        count *= 10;
    }
    println!();
}

/// Nanoseconds for a collection of so many cycles. Making them is not measured; so those that collect
/// meanwhile, whatever they are told, have no figure.
#[inline(never)]
pub(crate) fn suspects<H: Heap>(budget: u64, suspects: u64) -> f64 {
    if !H::only_when_told() {
        return f64::NAN;
    }
    let (mut took, mut count) = (Duration::ZERO, 0_u32);
    let begin = Instant::now();
    let mut warm = false;
    while !warm || count == 0 || took < Duration::from_millis(budget) {
        (0..suspects).for_each(|_| cycle::<H>());
        let collection = Instant::now();
        H::collect();
        let collection = black_box(collection.elapsed());
        if warm {
            took += collection;
            count += 1;
        }
        warm = begin.elapsed() > Duration::from_millis(budget) / 4;
    }
    took.as_nanos() as f64 / f64::from(count)
}
