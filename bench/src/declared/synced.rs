//! What is to outlive the machine waits for the disk. So does this: a file that grows by as much.

use std::fs::{self, File};
use std::io::Write;
use std::time::Instant;

use lastly::{Watched, actions, finalize};

use super::parts::RECORD;
use super::registration::micros;
use super::{Scratch, quantile};
use crate::Effort;
use crate::measure::ratio;

pub(super) fn table(effort: &Effort, scratch: &Scratch) {
    println!("### Rust: declared through to the disk, and cancelled through to it (µs)\n");
    println!("| | p50 | p99 | × |\n|---|---|---|---|");
    let path = scratch.memory.join("stays");
    fs::write(&path, "x").expect("there is room");
    let mut bare = File::options()
        .append(true)
        .create(true)
        .open(scratch.disk.join("bare"))
        .expect("there is room");
    let object = Watched::new(0);
    let [mut declared, mut cancelled, mut written] = [const { Vec::<f64>::new() }; 3];
    for _ in 0..effort.declared.div_ceil(4) {
        let begin = Instant::now();
        let finalizer = finalize(&object, actions::synced::remove_file, path.clone());
        declared.push(micros(begin));
        let begin = Instant::now();
        finalizer.detach();
        cancelled.push(micros(begin));
        let begin = Instant::now();
        bare.write_all(&RECORD).and_then(|()| bare.sync_data()).expect("there is room");
        written.push(micros(begin));
    }
    fs::remove_file(path).expect("it is there");
    let base = quantile(&mut written, 0.5);
    for (name, mut figures) in [
        ("**lastly** `actions::synced::remove_file`, register", declared),
        ("… cancel", cancelled),
        ("`write` and `fdatasync` of as many bytes", written),
    ] {
        let p50 = quantile(&mut figures, 0.5);
        println!(
            "| {name} | {p50:.0} | {:.0} | {} |",
            quantile(&mut figures, 0.99),
            ratio(p50, base)
        );
    }
    println!();
}
