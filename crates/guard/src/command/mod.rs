//! The command: `lastly status`, `lastly sweep`, `lastly force`.

mod force;
mod status;
mod sweep;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lastly_journal::{Directory, Failure};

/// What programs declared to be cleaned up, and what the dead ones left.
///
/// Each user has a directory of journals: $LASTLY_JOURNALS, or lastly/journals in $XDG_STATE_HOME
/// (~/.local/state).
#[derive(Parser)]
#[command(name = "lastly", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Shows what is declared: by whom, since when, and what is stuck
    Status(status::Arguments),
    /// Does what dead programs left; never what may still be in use
    Sweep(sweep::Arguments),
    /// Does what a sweep leaves alone: what is stuck, and what is not certain enough
    Force(force::Arguments),
}

pub(crate) fn run() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::Status(arguments) => status::run(&arguments),
        Verb::Sweep(arguments) => sweep::run(&arguments),
        Verb::Force(arguments) => force::run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lastly: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The directory, or `None` where there has never been one: that is told.
fn directory() -> Result<Option<Directory>, Failure> {
    let directory = Directory::of_user_if_there()?;
    if directory.is_none() {
        println!("Nothing was ever declared by this user.");
    }
    Ok(directory)
}
