//! Declared actions: what it costs to write them down, and to do them.
//!
//! In a process of its own, which has its journals beside this program, and nothing else registered. The guard
//! is the one that the environment names.

mod journal;
mod parts;
mod registration;
mod synced;
mod trees;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastly::actions::{Protection, protection};
use lastly::defer;

use crate::Effort;

/// What says that this process is that one.
pub(crate) const CHILD: &str = "declared-child";

pub(crate) fn tables(effort: &Effort) {
    let scratch = scratch();
    let remove = defer(|path| fs::remove_dir_all(path), scratch.clone());
    let status = Command::new(std::env::current_exe().expect("it is known"))
        .args([CHILD, if effort.is_full() { "full" } else { "quick" }])
        .arg(&scratch)
        .env("LASTLY_JOURNALS", scratch.join("journals"))
        .status();
    remove.call();
    assert!(status.is_ok_and(|it| it.success()), "the tables of declared actions failed");
}

/// A directory on the disk that this program is on.
fn scratch() -> PathBuf {
    let program = std::env::current_exe().expect("it is known");
    let name = format!("lastly-bench-{}", std::process::id());
    let scratch = program.with_file_name(name);
    fs::create_dir(&scratch).expect("there is room beside this program");
    scratch
}

pub(crate) fn child(effort: &Effort, scratch: &str) {
    let scratch = Path::new(scratch);
    match protection() {
        Protection::Guard => {}
        less => println!("*Measured without a guard: {less:?}*\n"),
    }
    registration::table(effort, scratch);
    parts::table(effort, scratch);
    synced::table(effort, scratch);
    journal::table(effort, &scratch.join("journals"));
    trees::table(effort, scratch);
}

/// A portion of these figures is at most that.
fn quantile(figures: &mut [f64], portion: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() - 1) as f64 * portion) as usize]
}
