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

/// Where files are made for this.
struct Scratch {
    /// On the disk that this program is on: so are the journals.
    disk: PathBuf,
    /// What is declared is here, so that the disk's moods are not in the figures.
    memory: PathBuf,
}

impl Scratch {
    fn of(process: u32) -> Self {
        let name = format!("lastly-bench-{process}");
        let program = std::env::current_exe().expect("it is known");
        let [disk, memory] =
            [program.as_path(), Path::new("/dev/shm/_")].map(|it| it.with_file_name(&name));
        Self { disk, memory }
    }

    fn journals(&self) -> PathBuf {
        self.disk.join("journals")
    }
}

pub(crate) fn tables(effort: &Effort) {
    let process = std::process::id();
    let scratch = Scratch::of(process);
    let remove = [&scratch.disk, &scratch.memory].map(|directory| {
        fs::create_dir(directory).expect("there is room");
        defer(fs::remove_dir_all, directory.clone())
    });
    let status = Command::new(std::env::current_exe().expect("it is known"))
        .args([CHILD, if effort.is_full() { "full" } else { "quick" }, &process.to_string()])
        .env("LASTLY_JOURNALS", scratch.journals())
        .status();
    drop(remove);
    assert!(status.is_ok_and(|it| it.success()), "the tables of declared actions failed");
}

pub(crate) fn child(effort: &Effort, process: &str) {
    let scratch = Scratch::of(process.parse().expect("a number"));
    match protection() {
        Protection::Guard => {}
        less => println!("*Measured without a guard: {less:?}*\n"),
    }
    trees::table(effort, &scratch);
    registration::table(effort, &scratch.memory);
    parts::table(effort, &scratch);
    synced::table(effort, &scratch);
    journal::table(effort, &scratch);
}

/// A portion of these figures is at most that.
fn quantile(figures: &mut [f64], portion: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() as f64 * portion).ceil() as usize - 1]
}
