//! The guard process, and the `lastly` command.

use std::env::args_os;
use std::thread::park;

use clap::Parser;

/// What dead programs left behind, seen and swept.
#[derive(Parser)]
#[command(name = "lastly", version)]
struct Command {}

fn main() {
    // The guard is started by the library, always alike: it does without a parser.
    if args_os().nth(1).is_some_and(|command| command == "guard") {
        park();
    }
    let Command {} = Command::parse();
}
