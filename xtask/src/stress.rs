//! The stress run: `tests/src/stress` tells what it is.

use std::ffi::OsString;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::python;
use crate::shell::{cargo, root, run};

/// What `cargo xtask test --full` runs.
pub(crate) const ROUNDS: u64 = 300;

/// Plays rounds with this program as actor; with none, the one in Rust.
pub(crate) fn stress(seed: Option<u64>, first: u64, rounds: u64, actor: &[OsString]) -> Result<()> {
    let seed = seed.unwrap_or_else(seed_of_this_moment);
    let program = ["run", "--quiet", "--package", "lastly-tests", "--bin", "stress", "--", "run"];
    let numbers = [seed, first, rounds].map(|number| number.to_string());
    run(cargo(&program).arg(root().join("target/stress")).args(numbers).args(actor))
}

/// The actor in Python, on the installed package.
pub(crate) fn python() -> Result<Vec<OsString>> {
    let venv = python::installed(python::default()?)?;
    let actor = root().join("tests/stress/actor.py");
    Ok(vec![venv.path("python").into(), "-I".into(), actor.into()])
}

/// Short enough to be typed again.
pub(crate) fn seed_of_this_moment() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) % 1_000_000
}
