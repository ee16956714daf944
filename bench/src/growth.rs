//! Cost as the number of live finalizers grows: flat, or it is a bug.

use std::hint::black_box;
use std::time::Instant;

use lastly::{Finalizer, Watched, finalize};

use crate::Effort;
use crate::measure::{median, ratio};

/// How many are created and ended, at random places, in one round.
const SAMPLE: u32 = 1_000;
const ROUNDS: usize = 9;

pub(crate) fn table(effort: &Effort) {
    println!("### Cost as live finalizers grow (ns; ended at random places in the order)\n");
    println!("| live | create | call | detach | create, × at 10 |");
    println!("|---|---|---|---|---|");
    let mut at_ten = None;
    let mut alive: Vec<Finalizer> = Vec::new();
    let object = Watched::new(1);
    let mut count = 10;
    while count <= effort.most_alive {
        while alive.len() < count as usize {
            alive.push(create(&object));
        }
        let figures: Vec<[f64; 3]> = (0..ROUNDS).map(|_| round(&object, &mut alive)).collect();
        let [create, call, detach] = [0, 1, 2]
            .map(|at| median(&figures.iter().map(|figure| figure[at]).collect::<Vec<_>>()));
        let base = *at_ten.get_or_insert(create);
        println!("| {count} | {create:.1} | {call:.1} | {detach:.1} | {} |", ratio(create, base));
        count *= 10;
    }
    println!();
    // Not to be run one by one at the end of this program.
    std::mem::forget((alive.drain(..).for_each(|finalizer| _ = finalizer.detach()), object));
}

fn create(object: &Watched<u8>) -> Finalizer {
    finalize(object, |n: u64| _ = black_box(n), 1).erase()
}

/// Replaces a sample twice: by new ones after a call, and after a detach. The sample is read once
/// before, so that what is measured is the work and not the memory's distance.
fn round(object: &Watched<u8>, alive: &mut [Finalizer]) -> [f64; 3] {
    let size = SAMPLE.min(alive.len() as u32);
    let places: Vec<usize> =
        (0..u64::from(size)).map(|n| (n * 2_654_435_761 % alive.len() as u64) as usize).collect();
    let mut figures = [0.0; 3];
    for end in [1, 2] {
        places.iter().for_each(|&place| _ = black_box(alive[place].is_alive()));
        figures[end] = per(size, || {
            for &place in &places {
                if end == 1 {
                    _ = alive[place].call();
                } else {
                    alive[place].detach();
                }
            }
        });
        let mut new = Vec::with_capacity(places.len());
        figures[0] = per(size, || new.extend(places.iter().map(|_| create(object))));
        places.iter().zip(new).for_each(|(&place, finalizer)| alive[place] = finalizer);
    }
    figures
}

fn per(count: u32, work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_nanos() as f64 / f64::from(count)
}
