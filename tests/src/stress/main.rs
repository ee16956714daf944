//! The stress run: rounds of processes that create, fork, thread and get signals at random moments,
//! with a ledger of their own as witness. `cargo xtask stress` runs it.
//!
//! A *round* is a few processes and some dozens of resources: a directory each, with an object whose
//! finalizer removes it. The *actors*, that is the threads of those processes, do what random numbers
//! say, and write into the *ledger* what they do. The *oracle* reads it when all are gone.
//!
//! What actors do depends on the seed, when they do it on the machine: to repeat a round is to try
//! again, many times.

mod actor;
mod history;
mod ledger;
mod oracle;
mod pauses;
mod random;
mod round;
mod run;
mod system;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Where the resources of a round are.
fn places(folder: &Path) -> PathBuf {
    folder.join("resources")
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse().expect("a number");
    match *words {
        ["actor", folder, seed] => actor::main(folder.into(), number(seed)),
        ["round", folder, seed, ref actor @ ..] => one(folder.as_ref(), number(seed), actor),
        ["run", folder, seed, first, rounds, ref actor @ ..] => {
            let rounds = (number(first), number(rounds));
            or_complain(run::run(folder.as_ref(), number(seed), rounds, actor))
        }
        _ => {
            eprintln!("run it by `cargo xtask stress`");
            ExitCode::from(2)
        }
    }
}

/// Plays one round; what came of it goes to stdout.
fn one(folder: &Path, seed: u64, actor: &[&str]) -> ExitCode {
    let command = || {
        let mut command = match actor {
            [] => Command::new(std::env::current_exe()?),
            [program, ..] => Command::new(program),
        };
        command.args(actor.get(1..).unwrap_or(&["actor"]));
        command.arg(folder).arg(seed.to_string());
        Ok(command)
    };
    or_complain(command().and_then(|command| round::play(folder, seed, command)).map(|verdict| {
        println!("{}", verdict.tally);
        verdict.wrongs.iter().for_each(|wrong| println!("{wrong}"));
        verdict.wrongs.is_empty()
    }))
}

fn or_complain(is_well: io::Result<bool>) -> ExitCode {
    match is_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the stress run itself failed: {error}");
            ExitCode::from(2)
        }
    }
}
