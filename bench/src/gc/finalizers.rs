//! A cycle of two objects, with a callback for each.

use std::hint::black_box;

use super::child::{figure, time};
use super::contenders::{ALL, BY_HOOKS, Contender};
use super::heap::{Finalized, Heap, Hook, count_fired};
use super::{Effort, table};
use crate::measure::{medians, ratio};

/// Cycles per collection.
const PER: u64 = 1_000;

pub(crate) fn table(effort: &Effort) -> Vec<table::Group> {
    println!("### `Gc`: a 2-cycle with a callback for each object, {PER} per collection (ns)\n");
    println!(
        "| | a closure that the object is made with, run by its `Drop` | × best peer | finalizers: any number, added to a living object | × best peer |"
    );
    println!("|---|---|---|---|---|");
    let contenders: Vec<&Contender> = ALL.iter().chain([&BY_HOOKS]).collect();
    let figures = ["hooked", "finalized"].map(|what| {
        medians(effort.rounds, &contenders, |contender| {
            match what == "hooked" && contender.key == BY_HOOKS.key {
                true => f64::NAN,
                false => figure(contender, what, &[effort.budget, PER]),
            }
        })
    });
    let best = |column: &Vec<f64>| {
        let peers = contenders.iter().zip(column).filter(|(contender, _)| contender.is_peer());
        table::least(peers.map(|(_, figure)| *figure))
    };
    for (index, contender) in contenders.iter().enumerate() {
        let label = format!("{}{}", contender.label, by(contender));
        table::row(&label, &figures, |column| match column[index] {
            figure if figure.is_nan() => "– | –".to_owned(),
            figure => format!("{figure:.0} | {}", ratio(figure, best(column))),
        });
    }
    println!();
    let bars = figures[1][..ALL.len()].iter().copied();
    vec![table::group("a 2-cycle with a finalizer on each object", "ns", bars)]
}

/// What finalizers are made of.
fn by(contender: &Contender) -> &'static str {
    match contender.key {
        "lastly" => ", `finalize`",
        "rc" => ", broken by hand; a `Vec` of closures",
        "rust-cc" => ", `Cleaner`",
        _ => ", a `Vec` of closures",
    }
}

#[inline(never)]
pub(crate) fn hooked<H: Heap>(budget: u64, per: u64) -> f64 {
    measure::<H>(budget, per, |number| {
        let [first, second] = [number, number + 1].map(|number| H::hooked(Hook::new(number)));
        H::point_hooked(&first, Some(second.clone()));
        H::point_hooked(&second, Some(first.clone()));
        black_box((&first, &second));
        if H::BY_HAND {
            H::point_hooked(&first, None);
        }
    })
}

#[inline(never)]
pub(crate) fn finalized<F: Finalized>(budget: u64, per: u64) -> f64 {
    measure::<F::Heap>(budget, per, |number| {
        let (first, second) = (F::node(), F::node());
        F::point(&first, Some(second.clone()));
        F::point(&second, Some(first.clone()));
        F::add(&first, number);
        F::add(&second, number + 1);
        black_box((&first, &second));
        if F::Heap::BY_HAND {
            F::point(&first, None);
        }
    })
}

/// Nanoseconds for a cycle with two callbacks.
fn measure<H: Heap>(budget: u64, per: u64, cycle: impl Fn(u64)) -> f64 {
    H::only_when_told();
    let mut callbacks = 0;
    let figure = time(budget, || {
        for _ in 0..per {
            cycle(callbacks);
            callbacks += 2;
        }
        H::collect();
    });
    assert_eq!(count_fired(), callbacks, "each ran once");
    figure / per as f64
}
