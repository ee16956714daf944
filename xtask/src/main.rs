//! The project's own commands: `cargo xtask` lists them.

mod bench;
mod checks;
mod demo;
mod shell;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The commands of the lastly project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the main job: temporary directories that are there before and gone after.
    Demo,
    /// Run every test of every part.
    Test {
        /// The long ones too: ten million finalizers, sanitizer, valgrind, the oldest Rust.
        #[arg(long)]
        full: bool,
    },
    /// Print the tables of the README: lastly beside its peers, in one run.
    Bench {
        /// Just enough to see that it works.
        #[arg(long)]
        quick: bool,
    },
    /// Explore the interleavings of the threads of the models, up to four preemptions.
    Loom,
    /// Run the tests under AddressSanitizer (needs a nightly toolchain).
    Asan,
    /// Run the tests under valgrind (needs valgrind).
    Valgrind,
    /// Run the tests under Miri (needs a nightly toolchain with it).
    Miri,
    /// Build the libraries with the oldest Rust that they promise to support (needs it).
    Msrv,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Demo => demo::demo(),
        Command::Test { full } => test::test(full),
        Command::Bench { quick } => bench::bench(quick),
        Command::Loom => checks::loom(),
        Command::Asan => checks::asan()?.or_complain(),
        Command::Valgrind => checks::valgrind()?.or_complain(),
        Command::Miri => checks::miri()?.or_complain(),
        Command::Msrv => checks::msrv()?.or_complain(),
    }
}
