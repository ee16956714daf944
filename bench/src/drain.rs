//! The drain of many: each time in a new process, as it shuts the door for good.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use lastly::defer;

use crate::Effort;
use crate::contenders::{newest_by_hand, register_by_hand};
use crate::measure::{median, ratio, rounds};

const NAMES: [(&str, &str); 3] = [
    ("lastly", "**lastly**"),
    ("again", "**lastly**, each callback registering another"),
    ("by-hand", "registry by hand: `Mutex<BTreeMap>`"),
];

pub(crate) fn table(effort: &Effort) {
    let counts = [effort.drained / 10, effort.drained];
    println!("### Drain at exit, newest first (ns per callback)\n");
    println!("| | {} | {} | growth | × by hand |", counts[0], counts[1]);
    println!("|---|---|---|---|---|");
    let measure = |count| rounds(7, &NAMES, |(which, _)| run(which, count));
    let [small, large] = counts.map(measure);
    let by_hand = median(&large[2]);
    for (index, (_, name)) in NAMES.iter().enumerate() {
        let (small, large) = (median(&small[index]), median(&large[index]));
        let growth = ratio(large, small);
        println!("| {name} | {small:.1} | {large:.1} | {growth} | {} |", ratio(large, by_hand));
    }
    println!();
}

fn run(which: &str, count: u32) -> f64 {
    let program = std::env::current_exe().expect("a program knows its file");
    let child = Command::new(program).args(["drain-child", which, &count.to_string()]).output();
    let output = child.expect("it starts").stdout;
    String::from_utf8_lossy(&output).trim().parse().expect("the child prints a number")
}

/// In the child: registers, drains, and prints the nanoseconds per callback.
pub(crate) fn child(which: &str, count: &str) {
    let count: u32 = count.parse().expect("a number");
    for n in 0..count {
        match which {
            "lastly" => std::mem::forget(defer(|n| _ = black_box(n), n)),
            "again" => {
                let again = |n| std::mem::forget(defer(|n| _ = black_box(n), n));
                std::mem::forget(defer(again, n));
            }
            _ => _ = register_by_hand(Box::new(move || _ = black_box(n))),
        }
    }
    let begin = Instant::now();
    match which {
        "by-hand" => {
            while let Some(callback) = newest_by_hand() {
                callback();
            }
        }
        _ => lastly::exit::drain(),
    }
    let callbacks = if which == "again" { 2 * count } else { count };
    println!("{}", begin.elapsed().as_nanos() as f64 / f64::from(callbacks));
}
