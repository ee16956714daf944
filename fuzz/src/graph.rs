//! Bytes as a program with `Gc`s, run against the naive model that the tests use.
//!
//! `cargo xtask fuzz` builds this for libFuzzer, which makes up the bytes. Built plainly it runs
//! files that libFuzzer left, and shows what they mean: `cargo run --package lastly-fuzz --bin graph --
//! file…`
#![cfg_attr(fuzzing, no_main)]

#[path = "../../crates/lastly/tests/it/graph/mod.rs"]
mod graph;

use graph::{Step, record_reports, run};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(
    init: {
        record_reports();
        // libFuzzer's own hook aborts at each panic, and panics are part of the programs.
        std::panic::set_hook(Box::new(|_| ()));
    },
    |bytes: &[u8]| {
        if let Err(payload) = std::panic::catch_unwind(|| run(&Step::all_of(bytes))) {
            eprintln!("{}", graph::message(&*payload));
            std::process::abort();
        }
    }
);

#[cfg(not(fuzzing))]
fn main() {
    record_reports();
    for file in std::env::args().skip(1) {
        let bytes = std::fs::read(&file).expect("a file that libFuzzer left");
        let steps = Step::all_of(&bytes);
        println!("{file}: {steps:#?}");
        run(&steps);
    }
}
