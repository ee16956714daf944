//! The guard process of lastly, and the `lastly` command: what dead programs left behind, seen and swept.
//!
//! One program for both, so that there is one to ship. What is declared, and how it is done, is not here but
//! in `lastly-journal`: the guard waits, the command asks.

mod command;
mod guard;
mod process;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    // Before anything is read that a guard does not need.
    if arguments.next().is_some_and(|first| first == lastly_journal::guard::GUARD) {
        return guard::run(arguments);
    }
    command::run()
}
