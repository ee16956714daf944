//! `cargo xtask bench`: lastly beside its peers, in one run.
//!
//! Contenders take turns, round by round, so that a change of the machine's mood hits all of them;
//! each figure is the median over the rounds, and what counts is the ratio.

mod contenders;
mod declared;
mod drain;
mod gc;
mod growth;
mod handing_over;
mod measure;
mod memory;

use contenders::Contender;
use measure::{median, ratio, rounds};

/// How much to measure: as the README does, or just enough to see that it works.
struct Effort {
    rounds: usize,
    operations: u32,
    drained: u32,
    most_alive: u32,
    /// Actions declared in one round.
    declared: u32,
    /// Actions declared and cancelled in one process.
    pairs: u32,
    /// Files in a tree, and how often each contender removes one.
    tree: u32,
    trees: usize,
}

const FULL: Effort = Effort {
    rounds: 15,
    operations: 200_000,
    drained: 1_000_000,
    most_alive: 10_000_000,
    declared: 2_000,
    pairs: 1_000_000,
    tree: 100_000,
    trees: 5,
};
const QUICK: Effort = Effort {
    rounds: 3,
    operations: 2_000,
    drained: 10_000,
    most_alive: 10_000,
    declared: 200,
    pairs: 10_000,
    tree: 2_000,
    trees: 2,
};

impl Effort {
    fn is_full(&self) -> bool {
        self.pairs == FULL.pairs
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["drain-child", which, count] => drain::child(which, count),
        ["gc-child", contender, what, ref numbers @ ..] => {
            gc::child::child(contender, what, numbers)
        }
        [declared::CHILD, effort, process] => {
            declared::child(if effort == "full" { &FULL } else { &QUICK }, process);
        }
        _ => tables(&arguments),
    }
}

fn tables(arguments: &[&str]) {
    let (mut effort, mut gc_effort) = (FULL, gc::FULL);
    let (mut only, mut json) = (None, None);
    let mut rest = arguments.iter();
    while let Some(&argument) = rest.next() {
        match argument {
            "--quick" => (effort, gc_effort) = (QUICK, gc::QUICK),
            "--gc" | "--declared" => only = Some(argument),
            "--json" => json = rest.next(),
            _ => panic!("usage: lastly-bench [--quick] [--gc | --declared] [--json FILE]"),
        }
    }
    if only.is_none() {
        speed(&effort);
        memory::table(effort.drained.min(100_000));
        drain::table(&effort);
        growth::table(&effort);
        handing_over::table(&effort);
    }
    if only != Some("--gc") {
        declared::tables(&effort);
    }
    if only == Some("--declared") {
        return;
    }
    let charted = gc::tables(&gc_effort);
    if let Some(file) = json {
        std::fs::write(file, charted).expect("the file can be written");
    }
}

fn speed(effort: &Effort) {
    println!("### Register and fire, the object's birth and death included (ns)\n");
    println!(
        "| | the only thread | × rust-cc | one of several | × rust-cc | two at once | × the only |"
    );
    println!("|---|---|---|---|---|---|---|");
    let contenders = contenders::all();
    // First, while no other thread has registered; the order of creation then costs less.
    let only = rounds(effort.rounds, &contenders, |contender| contender.here(effort.operations));
    let two = rounds(effort.rounds, &contenders, |contender| contender.pair(effort.operations));
    let one = rounds(effort.rounds, &contenders, |contender| contender.alone(effort.operations));
    let [only_peer, one_peer] = [&only, &one].map(|figures| median(&figures[contenders::RUST_CC]));
    for (index, Contender { name, threads, .. }) in contenders.iter().enumerate() {
        let [only, one, two] = [&only, &one, &two].map(|figures| median(&figures[index]));
        let pair = match threads {
            true => format!("{two:.1} | {}", ratio(two, only)),
            false => "– | –".to_owned(),
        };
        let (by_only, by_one) = (ratio(only, only_peer), ratio(one, one_peer));
        println!("| {name} | {only:.1} | {by_only} | {one:.1} | {by_one} | {pair} |");
    }
    println!();
}
