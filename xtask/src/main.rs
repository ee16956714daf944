//! The project's own commands: `cargo xtask` lists them.

mod bench;
mod checks;
mod crash;
mod demo;
mod interpreters;
mod python;
mod shell;
mod stress;
mod test;
mod venv;
mod wheels;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// The commands of the lastly project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the main job, in both languages: temporary directories, there before, gone after.
    Demo,
    /// Run every test of every part.
    Test {
        /// The long ones too: ten million finalizers, CPython's own tests, sanitizer, valgrind, the oldest Rust.
        #[arg(long)]
        full: bool,
    },
    /// Build the Python package, install it, and run its tests on each CPython found.
    Python(OnPython),
    /// Run CPython's own tests with lastly in place, on each CPython found.
    Cpython(OnPython),
    /// Run the tests of projects that use `weakref.finalize`, before and after (needs a network).
    Projects(OnPython),
    /// Build the source distribution from a clean copy, install what is built of it, and try it.
    Wheels,
    /// Write into GUARANTEES.md how programs end: from tests/matrix.json.
    Guarantees,
    /// Print the tables of docs/benchmarks.md: lastly beside its peers, in one run.
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
    /// Run random programs with `Gc`s against a model of them, then random journals, guided by what code they
    /// reach (needs a nightly toolchain and a C++ compiler).
    Fuzz {
        /// For how long, each.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Let processes create, fork, thread and get signals at random moments, and see that nothing is
    /// left, and nothing cleaned twice.
    Stress {
        /// Where the random numbers begin; by itself, it is another one each time.
        #[arg(long)]
        seed: Option<u64>,
        /// How many rounds.
        #[arg(long, default_value_t = 300)]
        rounds: u64,
        /// The number of the first round: to repeat one that has failed.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Programs in Python, on the CPython that `python3` is.
        #[arg(long)]
        python: bool,
    },
    /// Kill processes that have declared actions, their guards and sweeps: at random moments, and before
    /// each of their system calls. See that what they declared goes, and nothing else.
    Crash(crash::Amount),
    /// Build the libraries with the oldest Rust that they promise to support (needs it).
    Msrv,
}

#[derive(Args)]
struct OnPython {
    /// This one only, such as 3.13.
    #[arg(long, value_name = "VERSION")]
    only: Option<String>,
    /// For the program that runs the tests.
    #[arg(last = true)]
    arguments: Vec<OsString>,
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
        Command::Python(OnPython { only, arguments }) => {
            python::on_each(only.as_deref(), &arguments)
        }
        Command::Cpython(OnPython { only, arguments }) => {
            python::cpython_suites(only.as_deref(), &arguments)
        }
        Command::Projects(OnPython { only, arguments }) => {
            python::projects(only.as_deref(), &arguments)
        }
        Command::Wheels => wheels::wheels(),
        Command::Guarantees => test::guarantees(),
        Command::Bench { quick } => bench::bench(quick),
        Command::Loom => checks::loom(4),
        Command::Asan => checks::asan()?.or_complain(),
        Command::Valgrind => checks::valgrind()?.or_complain(),
        Command::Miri => checks::miri()?.or_complain(),
        Command::Fuzz { seconds } => checks::fuzz(seconds)?.or_complain(),
        Command::Stress { seed, rounds, first, python } => {
            let actor = if python { stress::python()? } else { vec![] };
            stress::stress(seed, first, rounds, &actor)
        }
        Command::Crash(amount) => crash::crash(&amount),
        Command::Msrv => checks::msrv()?.or_complain(),
    }
}
