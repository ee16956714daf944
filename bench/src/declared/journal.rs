//! The journal of a process that declares and cancels for ever: what it costs must not grow, nor the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lastly::{Finalizer, Watched, actions, finalize};

use super::Scratch;
use crate::Effort;
use crate::measure::{median, ratio};

/// How many are declared and stay so, beside.
const BESIDE: [u32; 3] = [0, 1_000, 100_000];

pub(super) fn table(effort: &Effort, scratch: &Scratch) {
    let journals = &scratch.journals();
    let pairs = effort.pairs;
    println!("### Rust: {pairs} declared and cancelled, in one process\n");
    println!(
        "| declared beside | the first tenth (µs a pair) | the last tenth | × | all | longest journal (KiB) | in the end |"
    );
    println!("|---|---|---|---|---|---|---|");
    let object = Watched::new(0);
    let path = scratch.memory.join("not-there");
    let declare = || finalize(&object, actions::remove_file, path.clone()).erase();
    let mut beside: Vec<Finalizer> = Vec::new();
    for count in BESIDE.into_iter().filter(|count| *count <= pairs) {
        beside.resize_with(count as usize, declare);
        let (mut tenths, mut longest) = (Vec::new(), 0);
        for _ in 0..10 {
            let begin = Instant::now();
            for n in 0..pairs / 10 {
                declare().detach();
                if n % 256 == 0 {
                    longest = longest.max(length(journals));
                }
            }
            tenths.push(begin.elapsed().as_secs_f64() * 1e6 / f64::from(pairs / 10));
        }
        let growth = ratio(tenths[9], tenths[0]);
        println!(
            "| {count} | {:.2} | {:.2} | {growth} | {:.2} | {} | {} |",
            tenths[0],
            tenths[9],
            median(&tenths),
            longest / 1024,
            length(journals) / 1024
        );
    }
    println!();
    beside.iter().for_each(|finalizer| _ = finalizer.detach());
}

/// How long this process's journal is.
fn length(journals: &Path) -> u64 {
    let own = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "journal");
    let mut files = fs::read_dir(journals).expect("it is there").flatten().map(|it| it.path());
    files.find(own).and_then(|journal| journal.metadata().ok()).map_or(0, |it| it.len())
}
