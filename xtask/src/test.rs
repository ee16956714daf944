//! `cargo xtask test`: every test of every part, step by step.

use std::time::Instant;

use anyhow::Result;

use crate::checks::{self, Checked};
use crate::shell::{cargo, run};
use crate::{bench, demo};

struct Step {
    name: &'static str,
    run: fn() -> Result<Checked>,
}

/// A step that always runs.
macro_rules! step {
    ($name:literal, $run:expr) => {
        Step { name: $name, run: || $run.map(|()| Checked::Passed) }
    };
}

const STEPS: &[Step] = &[
    step!("formatting", run(&mut cargo(&["fmt", "--all", "--check"]))),
    step!("clippy", clippy()),
    step!("tests", run(&mut cargo(&["test", "--workspace", "--exclude", "lastly-bench"]))),
    step!("documentation", documentation()),
    step!("loom: what two threads can do to each other", checks::loom()),
    step!("the demo", demo::demo()),
];

const LONG_STEPS: &[Step] = &[
    step!("tests, optimized", run(&mut cargo(&["test", "--release"]))),
    step!("ten million finalizers", ten_million()),
    step!("the benchmarks run", bench::bench(true)),
    Step { name: "AddressSanitizer", run: checks::asan },
    Step { name: "valgrind", run: checks::valgrind },
    Step { name: "Miri", run: checks::miri },
    Step { name: "the oldest Rust", run: checks::msrv },
];

pub(crate) fn test(full: bool) -> Result<()> {
    let long = if full { LONG_STEPS } else { &[] };
    let steps: Vec<&Step> = STEPS.iter().chain(long).collect();
    let mut lacking = Vec::new();
    for (index, Step { name, run }) in steps.iter().enumerate() {
        println!("\n[{}/{}] {name}", index + 1, steps.len());
        let begin = Instant::now();
        match run() {
            Ok(Checked::Passed) => println!("[{name}: passed in {:.1?}]", begin.elapsed()),
            Err(error) => {
                println!("\n{} passed, 1 failed", index - lacking.len());
                return Err(error.context(format!("step {}, {name}", index + 1)));
            }
            Ok(Checked::Lacking(what)) => {
                println!("[{name}: NOT RUN, it needs {what}]");
                lacking.push(name);
            }
        }
    }
    println!("\n{} passed, 0 failed, {} skipped", steps.len() - lacking.len(), lacking.len());
    Ok(())
}

fn clippy() -> Result<()> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn documentation() -> Result<()> {
    let doc = ["doc", "--no-deps", "--package", "lastly", "--package", "lastly-core"];
    run(cargo(&doc).env("RUSTDOCFLAGS", "--deny warnings"))
}

fn ten_million() -> Result<()> {
    let test = ["test", "--release", "--package", "lastly-tests", "--", "--ignored"];
    run(&mut cargo(&test))
}
