//! The crash run: `tests/src/crash` tells what it is.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell::{cargo, root, run};

/// How many canaries are around.
const CANARIES: &str = "1000";

/// Who is killed before each of its system calls; and with whom, one level deeper.
const COURSES: [&str; 5] = ["owner", "compaction", "launcher", "guard", "sweep"];
const DEEP_COURSES: [&str; 2] = ["owner-guard", "guard-sweep"];

/// How much of it.
#[derive(clap::Args)]
pub(crate) struct Amount {
    /// How many processes are killed at random moments.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) kills: u64,
    /// Where the random numbers begin; by itself, it is another one each time.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Kill again within the recovery, before each of its calls: some hours.
    #[arg(long)]
    pub(crate) deep: bool,
    /// Only before each so manieth call.
    #[arg(long, default_value_t = 1)]
    pub(crate) every: u64,
    /// Let somebody exchange what is being removed, for so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) race: Option<u32>,
    /// Have so many numbers of processes become another's (needs a namespace).
    #[arg(long, value_name = "N")]
    pub(crate) pids: Option<u32>,
}

impl Amount {
    /// What belongs to all tests.
    pub(crate) fn of_full() -> Self {
        Self { kills: 1_000, seed: None, deep: false, every: 1, race: None, pids: Some(60) }
    }
}

pub(crate) fn crash(amount: &Amount) -> Result<()> {
    let Amount { kills, seed, deep, every, race, pids } = amount;
    let crash = Crash::build()?;
    let seed = seed.unwrap_or_else(crate::stress::seed_of_this_moment).to_string();
    let deep = DEEP_COURSES.iter().filter(|_| *deep);
    for course in COURSES.iter().chain(deep) {
        crash.run(&["calls", course, &every.to_string()])?;
    }
    crash.run(&["kills", &seed, &kills.to_string()])?;
    if let Some(count) = pids {
        run(crash.command("pids").arg(count.to_string()))?;
    }
    if let Some(seconds) = race {
        let test = [
            "test",
            "--release",
            "--package",
            "lastly-journal",
            "--test",
            "it",
            "--",
            "--ignored",
            "races::",
        ];
        run(cargo(&test).env("LASTLY_RACE_SECONDS", seconds.to_string()))?;
    }
    Ok(())
}

/// The programs, built.
struct Crash {
    programs: PathBuf,
}

impl Crash {
    fn build() -> Result<Self> {
        let programs = ["--package", "lastly-guard", "--package", "lastly-tests", "--bin"];
        run(cargo(&["build", "--quiet"]).args(programs).args(["lastly", "--bin", "crash"]))?;
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| root().join("target"), PathBuf::from);
        Ok(Self { programs: target.join("debug") })
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(self.programs.join("crash"));
        let folder = self.programs.with_file_name("crash");
        command.args([verb.as_ref(), folder.as_os_str()]).arg(self.programs.join("lastly"));
        command
    }

    fn run(&self, what: &[&str]) -> Result<()> {
        println!("crash: {}", what.join(" "));
        run(self.command("run").args(["loud", CANARIES]).args(what))
    }
}
