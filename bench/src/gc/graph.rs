//! A random graph that comes and goes: what `single_threaded` of dumpster's own benchmarks does,
//! with the cells that a program of one thread would use.

use std::hint::black_box;

use fastrand::Rng;

use super::child::{ask, processor_time};
use super::contenders::{ALL, Collects, Contender};
use super::heap::{Heap, alive};
use super::{Effort, table};
use crate::measure::{median, ratio, rounds};

/// Those that do not collect by themselves are told to after so many operations, or only at the
/// end, as in dumpster's benchmark.
const EVERY: u64 = 10_000;

/// After so many operations it is looked how many objects there are.
const SAMPLE: u64 = 1_000;

const SEED: u64 = 12_345;

struct Row {
    contender: &'static Contender,
    every: u64,
}

/// Nanoseconds per operation, most objects at once, objects in the end.
type Figures = [f64; 3];

pub(crate) fn table(effort: &Effort) -> Vec<table::Group> {
    let pools = [50, effort.pool];
    println!("### `Gc`: a random graph, {} operations (ns per operation)\n", effort.operations);
    let columns = pools.map(|pool| format!("{pool} objects at first | × best peer | most at once"));
    println!("| | {} | left in the end |", columns.join(" | "));
    println!("|---|---|---|---|---|---|---|---|");
    let rows = all_rows();
    let figures = pools.map(|pool| measure(effort, &rows, pool));
    let best = figures.each_ref().map(|figures| {
        let peers = rows.iter().zip(figures).filter(|(row, _)| row.contender.is_peer());
        table::least(peers.map(|(_, [figure, ..])| *figure))
    });
    for (index, Row { contender, every }) in rows.iter().enumerate() {
        let when = match (contender.collects, every) {
            (Collects::ByItself, _) => String::new(),
            (Collects::Never, _) => ", leaking".to_owned(),
            (Collects::WhenTold, 0) => ", told to in the end".to_owned(),
            (Collects::WhenTold, every) => format!(", told to every {every}"),
        };
        let cells = [0, 1].map(|pool| {
            let [figure, most, _] = figures[pool][index];
            format!("{figure:.1} | {} | {most:.0}", ratio(figure, best[pool]))
        });
        let left = figures[0][index][2] + figures[1][index][2];
        println!("| {}{when} | {} | {left:.0} |", contender.label, cells.join(" | "));
    }
    println!();
    // Of those with two rows, the one that collects on the way.
    let bar = |contender: &Contender| {
        let row = rows.iter().rposition(|row| row.contender.key == contender.key);
        figures[0][row.expect("each has one")][0]
    };
    vec![table::group("a random graph, per operation", "ns", ALL.iter().map(bar))]
}

fn all_rows() -> Vec<Row> {
    let row = |contender: &'static Contender| match contender.collects {
        Collects::WhenTold => vec![Row { contender, every: 0 }, Row { contender, every: EVERY }],
        _ => vec![Row { contender, every: 0 }],
    };
    ALL.iter().flat_map(row).collect()
}

fn measure(effort: &Effort, rows: &[Row], pool: u64) -> Vec<Figures> {
    // They are the same in each round, but for the nanoseconds.
    let counts = std::cell::RefCell::new(vec![[f64::NAN; 2]; rows.len()]);
    let indices: Vec<usize> = (0..rows.len()).collect();
    let figures = rounds(effort.rounds, &indices, |&index| {
        let numbers = [pool, effort.operations, rows[index].every];
        let Some(figures) = ask(rows[index].contender, "graph", &numbers) else { return f64::NAN };
        counts.borrow_mut()[index] = [figures[1], figures[2]];
        figures[0]
    });
    let counts = counts.into_inner();
    figures.iter().zip(counts).map(|(all, [most, left])| [median(all), most, left]).collect()
}

#[inline(never)]
pub(crate) fn run<H: Heap>(pool: u64, operations: u64, every: u64) -> Vec<f64> {
    let mut random = Rng::with_seed(SEED);
    let mut held: Vec<H::Vertex> = (0..pool).map(|_| H::vertex()).collect();
    let mut most = 0;
    let begin = processor_time();
    for count in 1..=operations {
        operation::<H>(&mut random, &mut held);
        if count % SAMPLE == 0 {
            most = most.max(alive());
        }
        if every > 0 && count % every == 0 {
            H::collect();
        }
    }
    drop(held);
    H::collect();
    let took = processor_time() - begin;
    vec![took / operations as f64, most as f64, alive() as f64]
}

#[inline]
fn operation<H: Heap>(random: &mut Rng, held: &mut Vec<H::Vertex>) {
    if held.is_empty() {
        held.push(H::vertex());
        return;
    }
    match random.u8(0..4) {
        0 => held.push(H::vertex()),
        1 if held.len() > 1 => {
            let (from, to) = (random.usize(0..held.len()), random.usize(0..held.len()));
            let to = held[to].clone();
            H::edges(&held[from], |edges| edges.push(to));
        }
        1 => {}
        2 => drop(black_box(held.swap_remove(random.usize(0..held.len())))),
        _ => {
            let from = random.usize(0..held.len());
            // The edge dies while its object is borrowed, as in dumpster's benchmark.
            H::edges(&held[from], |edges| {
                if !edges.is_empty() {
                    edges.swap_remove(random.usize(0..edges.len()));
                }
            });
        }
    }
}
