//! `cargo xtask test`: every test of every part, step by step.

use std::time::Instant;

use anyhow::Result;

use crate::checks::{self, Checked, PUBLISHED};
use crate::shell::{cargo, run};
use crate::{bench, crash, demo, interpreters, python, stress, wheels};

struct Step {
    name: String,
    run: Box<dyn Fn() -> Result<Checked>>,
}

impl Step {
    /// One that always runs.
    fn new(name: &str, run: impl Fn() -> Result<()> + 'static) -> Self {
        Self::that_may_lack(name, move || run().map(|()| Checked::Passed))
    }

    /// One that needs a tool.
    fn that_may_lack(name: &str, run: impl Fn() -> Result<Checked> + 'static) -> Self {
        Self { name: name.to_owned(), run: Box::new(run) }
    }

    /// One that needs a CPython.
    fn python(name: &str, run: impl Fn() -> Result<()> + 'static) -> Self {
        Self::that_may_lack(&format!("Python: {name}"), move || python::if_any(&run))
    }
}

fn steps() -> Vec<Step> {
    vec![
        Step::new("formatting", || run(&mut cargo(&["fmt", "--all", "--check"]))),
        Step::new("clippy", clippy),
        Step::new("tests", tests),
        Step::new("documentation", documentation),
        Step::new("loom: what two threads can do to each other", || checks::loom(3)),
    ]
}

/// All the tests on `python3`, and those that are quick on the oldest and the newest CPython; or
/// all on each.
fn python_steps(full: bool) -> Vec<Step> {
    let mut steps =
        vec![Step::python("formatting, lint", python::lint), Step::python("types", python::types)];
    let default = interpreters::default().map(|it| &it.version);
    let all = interpreters::all();
    for (index, interpreter) in all.iter().copied().enumerate() {
        let name = format!("tests on CPython {}", interpreter.version);
        let (name, selection) = if full || Some(&interpreter.version) == default {
            (name, vec![])
        } else if index == 0 || index + 1 == all.len() {
            (name + ", the quick ones", vec!["-m".into(), "not slow".into()])
        } else {
            continue;
        };
        steps.push(Step::python(&name, move || python::test(interpreter, &selection)));
    }
    steps.push(Step::python("CPython's own tests, the quick ones", move || quick_suites(full)));
    steps
}

fn long_steps() -> Vec<Step> {
    vec![
        Step::new("tests, optimized", || run(&mut cargo(&["test", "--release"]))),
        Step::new("ten million finalizers", ten_million),
        Step::new("loom, with another preemption", || checks::loom(4)),
        Step::new("stress", || stress::stress(None, 0, stress::ROUNDS, &[])),
        Step::python("stress", || stress::stress(None, 0, stress::ROUNDS, &stress::python()?)),
        Step::new("crash", || crash::crash(&crash::Amount::of_full())),
        Step::python("the source distribution, and what is built of it", wheels::wheels),
        Step::python("CPython's own tests, the long ones too", long_suites),
        Step::new("the benchmarks run", || bench::bench(true)),
        Step::that_may_lack("AddressSanitizer", checks::asan),
        Step::that_may_lack("valgrind", checks::valgrind),
        Step::that_may_lack("Miri", checks::miri),
        Step::that_may_lack("fuzzing", || checks::fuzz(60)),
        Step::that_may_lack("the oldest Rust", checks::msrv),
    ]
}

pub(crate) fn test(full: bool) -> Result<()> {
    println!("{}", interpreters::summary());
    let mut steps = steps();
    steps.extend(python_steps(full));
    steps.push(Step::new("the demo", demo::demo));
    if full {
        steps.extend(long_steps());
    }
    let mut lacking = 0;
    for (index, Step { name, run }) in steps.iter().enumerate() {
        println!("\n[{}/{}] {name}", index + 1, steps.len());
        let begin = Instant::now();
        match run() {
            Ok(Checked::Passed) => println!("[{name}: passed in {:.1?}]", begin.elapsed()),
            Err(error) => {
                println!("\n{} passed, 1 failed", index - lacking);
                return Err(error.context(format!("step {}, {name}", index + 1)));
            }
            Ok(Checked::Lacking(what)) => {
                println!("[{name}: NOT RUN, it needs {what}]");
                lacking += 1;
            }
        }
    }
    println!("\n{} passed, 0 failed, {lacking} skipped", steps.len() - lacking);
    Ok(())
}

/// Every crate, and the Python extension where there is a Python to ask for its layout.
fn clippy() -> Result<()> {
    let mut clippy =
        cargo(&["clippy", "--workspace", "--all-targets", "--features", "lastly/tracing"]);
    match interpreters::default() {
        Some(interpreter) => clippy.env("PYO3_PYTHON", &interpreter.program),
        None => clippy.args(["--exclude", "lastly-python"]),
    };
    run(clippy.args(["--", "--deny", "warnings"]))
}

/// Without the peers, and without the Python extension, which is tested from Python.
fn tests() -> Result<()> {
    let others = ["--exclude", "lastly-bench", "--exclude", "lastly-python"];
    run(cargo(&["test", "--workspace", "--features", "lastly/tracing"]).args(others))
}

fn documentation() -> Result<()> {
    let mut doc = cargo(&["doc", "--no-deps", "--features", "lastly/tracing"]);
    for package in PUBLISHED {
        doc.args(["--package", package]);
    }
    run(doc.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// On `python3`, or on each CPython.
fn quick_suites(each: bool) -> Result<()> {
    let only = if each { None } else { Some(python::default()?.version.as_str()) };
    python::cpython_suites(only, &["--quick".into()])
}

/// On `python3` only, as they take ten minutes; `cargo xtask cpython` runs them on each.
fn long_suites() -> Result<()> {
    python::cpython_suites(Some(&python::default()?.version), &[])
}

fn ten_million() -> Result<()> {
    let test = ["test", "--release", "--package", "lastly-tests", "--", "--ignored"];
    run(&mut cargo(&test))
}

/// The test that compares them can write them.
pub(crate) fn guarantees() -> Result<()> {
    let test = ["test", "--quiet", "--package", "lastly-tests", "--test", "matrix", "guarantees"];
    run(cargo(&test).env("LASTLY_WRITE_GUARANTEES", "1"))
}
