//! Checks that need a build of their own, and some a tool that not every machine has.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::interpreters;
use crate::shell::{cargo, cargo_of, output, root, run};

/// What came of a check that may lack its tool.
pub(crate) enum Checked {
    Passed,
    /// It did not run, for want of this.
    Lacking(String),
}

impl Checked {
    /// For a check that was asked for by name.
    pub(crate) fn or_complain(self) -> Result<()> {
        match self {
            Checked::Passed => Ok(()),
            Checked::Lacking(what) => bail!("this check needs {what}"),
        }
    }
}

/// The crates that others use.
pub(crate) const PUBLISHED: [&str; 5] =
    ["lastly", "lastly-core", "lastly-derive", "lastly-guard", "lastly-journal"];

/// The tests of the library itself, which all the checks run: API, panics, model, threads, drain.
const IT: [&str; 7] = ["test", "--package", "lastly", "--test", "it", "--test", "drain"];

/// With so many preemptions at most: each costs several times as long as the one before.
pub(crate) fn loom(preemptions: u32) -> Result<()> {
    let packages = ["--package", "lastly", "--package", "lastly-core"];
    let loom = [&["test", "--release", "--test", "loom"], &packages[..]].concat();
    // A target directory of its own: the flag concerns every crate.
    run(cargo(&loom)
        .env("RUSTFLAGS", "--cfg loom")
        .env("LASTLY_PREEMPTIONS", preemptions.to_string())
        .env("CARGO_TARGET_DIR", root().join("target/loom")))
}

pub(crate) fn asan() -> Result<Checked> {
    let Some(host) = host_of("nightly") else {
        return Ok(Checked::Lacking("a nightly toolchain".to_owned()));
    };
    // A named target, so that build scripts are built without the sanitizer.
    for tests in [&IT[..], &["test", "--package", "lastly-core", "--lib"]] {
        run(cargo_of("nightly", tests)
            .args(["--target", &host])
            .env("RUSTFLAGS", "-Zsanitizer=address --cfg lastly_slow")
            .env("CARGO_TARGET_DIR", root().join("target/asan")))?;
    }
    Ok(Checked::Passed)
}

pub(crate) fn valgrind() -> Result<Checked> {
    if output(Command::new("valgrind").arg("--version")).is_none() {
        return Ok(Checked::Lacking("valgrind".to_owned()));
    }
    // Definite and indirect leaks only: what a test leaks on purpose it keeps a pointer to.
    let runner = "valgrind --quiet --error-exitcode=9 --leak-check=full \
        --errors-for-leak-kinds=definite,indirect --show-leak-kinds=definite,indirect";
    run(cargo(&IT)
        .env("RUSTFLAGS", "--cfg lastly_slow")
        .env(runner_variable()?, runner)
        .env("CARGO_TARGET_DIR", root().join("target/valgrind")))?;
    Ok(Checked::Passed)
}

pub(crate) fn miri() -> Result<Checked> {
    if output(&mut cargo_of("nightly", &["miri", "--version"])).is_none() {
        return Ok(Checked::Lacking("a nightly toolchain with Miri".to_owned()));
    }
    let miri = [&["miri"], &IT[..]].concat();
    run(cargo_of("nightly", &miri)
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env("CARGO_TARGET_DIR", root().join("target/miri")))?;
    Ok(Checked::Passed)
}

/// What has the compiler count where a program goes, for libFuzzer; and look after memory. (As
/// `cargo fuzz` has it.)
const FUZZING: &str = "--cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-simplifycfg-branch-fold-threshold=0";

pub(crate) fn fuzz(seconds: u32) -> Result<Checked> {
    let Some(host) = host_of("nightly") else {
        return Ok(Checked::Lacking("a nightly toolchain".to_owned()));
    };
    if output(Command::new("c++").arg("--version")).is_none() {
        return Ok(Checked::Lacking("a C++ compiler, for libFuzzer".to_owned()));
    }
    for target in ["graph", "journal"] {
        fuzz_one(&host, target, seconds)?;
    }
    Ok(Checked::Passed)
}

fn fuzz_one(host: &str, target: &str, seconds: u32) -> Result<()> {
    // What reached something new is kept there, and is where the next time begins.
    let corpus = root().join("target/fuzz-corpus").join(target);
    std::fs::create_dir_all(&corpus).context("no room for what fuzzing finds")?;
    println!("fuzzing {target} for {seconds} seconds");
    let package = ["--package", "lastly-fuzz", "--bin", target, "--target", host];
    run(cargo_of("nightly", &[&["run", "--release"], &package[..]].concat())
        .env("RUSTFLAGS", FUZZING)
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        .env("CARGO_TARGET_DIR", root().join("target/fuzz"))
        .arg("--")
        .arg(&corpus)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix=target/fuzz-{target}-"))
        .args(["-max_len=1600", "-timeout=60", "-verbosity=0"])
        // Bytes are taken modulo: what they are compared with says nothing.
        .args(["-use_cmp=0", "-print_funcs=0", "-print_final_stats=1", "-rss_limit_mb=4096"]))
    .context("to see what it was: `cargo run --package lastly-fuzz --bin graph -- target/fuzz-…`")
}

pub(crate) fn msrv() -> Result<Checked> {
    let version = oldest_rust()?;
    let Some(mut cargo) = cargo_of_version(&version, &["check", "--locked"]) else {
        return Ok(Checked::Lacking(format!("Rust {version}, by rustup or in /usr/bin")));
    };
    for package in PUBLISHED {
        cargo.args(["--package", package]);
    }
    // The Python extension too, where there is a Python: pip builds it where there is no wheel.
    if let Some(interpreter) = interpreters::default() {
        cargo.args(["--package", "lastly-python"]).env("PYO3_PYTHON", &interpreter.program);
    }
    run(cargo.env("CARGO_TARGET_DIR", root().join("target/msrv")))?;
    Ok(Checked::Passed)
}

/// The oldest Rust that the manifest promises to support.
fn oldest_rust() -> Result<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    Ok(line.context("the manifest has no rust-version")?.trim_matches('"').to_owned())
}

/// A cargo of this very version: a toolchain of rustup's, or that of the system.
fn cargo_of_version(version: &str, arguments: &[&str]) -> Option<Command> {
    let is_it = |command: &mut Command| {
        output(command).is_some_and(|line| line.starts_with(&format!("cargo {version}.")))
    };
    if is_it(&mut cargo_of(version, &["--version"])) {
        return Some(cargo_of(version, arguments));
    }
    if !is_it(Command::new("/usr/bin/cargo").arg("--version")) {
        return None;
    }
    let mut command = Command::new("/usr/bin/cargo");
    command.args(arguments).current_dir(root()).env("RUSTC", "/usr/bin/rustc");
    Some(command)
}

/// The machine that a toolchain builds for, if there is such a toolchain.
fn host_of(toolchain: &str) -> Option<String> {
    let mut rustc = Command::new("rustup");
    rustc
        .args(["run", toolchain, "rustc", "--version", "--verbose"])
        .env_remove("RUSTUP_TOOLCHAIN");
    let version = output(&mut rustc)?;
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// The variable that names the program which runs tests.
fn runner_variable() -> Result<String> {
    let version = output(Command::new("rustc").args(["--version", "--verbose"]))
        .context("rustc does not run")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not tell its host")?.to_uppercase().replace('-', "_");
    Ok(format!("CARGO_TARGET_{host}_RUNNER"))
}
