//! The Python door: built and installed as its users get it, and tested there, on each CPython found.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::checks::Checked;
use crate::interpreters::{self, Interpreter};
use crate::shell::{root, run, said};
use crate::venv::Venv;

/// What the tests need. A wide range: no pytest runs on all the CPythons that we support.
const FOR_TESTS: &[&str] = &["pytest>=8.2,<10", "pytest-xdist>=3.6,<4", "psycopg[binary]>=3.1,<4"];

/// What builds and checks. The formatter's range is narrow, as each minor version formats anew. The
/// types of pytest are those of its plugin.
const TOOLS: &[&str] = &[
    "maturin>=1.12.1,<2",
    "mypy>=1.18,<3",
    "pyright[nodejs]>=1.1.405,<2",
    "pytest>=8.2,<10",
    "ruff>=0.17,<0.18",
];

/// Where there is Python to format.
const SOURCES: [&str; 3] = ["python", "examples/python", "bench/python"];

/// CPython's own tests, with lastly in place.
pub(crate) const SUITES: &str = "python/tests/cpython_suites.py";

/// `cargo xtask python`: the tests on the chosen CPythons.
pub(crate) fn on_each(only: Option<&str>, arguments: &[OsString]) -> Result<()> {
    println!("{}", interpreters::summary());
    for interpreter in interpreters::chosen(only)? {
        println!("\nCPython {}", interpreter.version);
        test(interpreter, arguments)?;
    }
    Ok(())
}

/// Installs the package, and runs its tests with these further arguments.
pub(crate) fn test(interpreter: &Interpreter, arguments: &[OsString]) -> Result<()> {
    let venv = installed(interpreter)?;
    let python = root().join("python");
    // The program, not `python -m pytest`, which would make the current directory importable.
    let mut pytest = venv.program("pytest")?;
    pytest.arg("--config-file").arg(python.join("pyproject.toml"));
    pytest.arg("--rootdir").arg(&python).arg(python.join("tests"));
    let cache = folder(&interpreter.version).join("pytest");
    pytest.arg("--override-ini").arg(format!("cache_dir={}", cache.display()));
    // Most tests wait for a process of their own.
    pytest.args(["--numprocesses=auto", "--dist=worksteal"]);
    run(pytest.args(arguments))
}

/// `cargo xtask cpython`.
pub(crate) fn cpython_suites(only: Option<&str>, arguments: &[OsString]) -> Result<()> {
    for interpreter in interpreters::chosen(only)? {
        println!("\nCPython {}", interpreter.version);
        program(SUITES, interpreter, arguments)?;
    }
    Ok(())
}

/// `cargo xtask projects`: the tests of programs that use `weakref.finalize`, before and after.
pub(crate) fn projects(only: Option<&str>, arguments: &[OsString]) -> Result<()> {
    let one = only.map(|version| interpreters::chosen(Some(version))).transpose()?;
    let interpreter = one.map_or_else(default, |one| Ok(one[0]))?;
    program("python/tests/projects.py", interpreter, arguments)
}

/// Runs a program of ours on the installed package.
pub(crate) fn program(path: &str, interpreter: &Interpreter, arguments: &[OsString]) -> Result<()> {
    let venv = installed(interpreter)?;
    run(venv.python()?.arg(root().join(path)).args(arguments))
}

pub(crate) fn default() -> Result<&'static Interpreter> {
    interpreters::default().with_context(interpreters::summary)
}

/// Formatting and lint.
pub(crate) fn lint() -> Result<()> {
    let sources = SOURCES.map(|folder| root().join(folder));
    let sources = || sources.iter().filter(|folder| folder.exists());
    let config = root().join("python/pyproject.toml");
    for command in [&["format", "--check", "--quiet", "--diff"][..], &["check", "--quiet"]] {
        let mut ruff = tool("ruff")?;
        run(ruff.args(command).arg("--config").arg(&config).args(sources()))?;
    }
    Ok(())
}

/// The types: of the sources, of the samples, and of the stubs beside what is installed.
pub(crate) fn types() -> Result<()> {
    let tools = tools()?;
    tools.install(&build(default()?)?)?;
    let python = root().join("python");
    let config = python.join("pyproject.toml");
    // The samples apart, so that they see what is installed, `py.typed` included.
    for folder in ["lastly", "typing"] {
        let mut mypy = tool("mypy")?;
        run(mypy.arg("--config-file").arg(&config).arg(python.join(folder)))?;
    }
    for project in [&config, &python.join("typing")] {
        let mut pyright = tool("pyright")?;
        pyright.arg("--pythonpath").arg(tools.path("python"));
        run(pyright.arg("--project").arg(project))?;
    }
    // The native part alone has a stub; the other modules are their own.
    let mut stubtest = tools.python()?;
    stubtest.args(["-m", "mypy.stubtest", "lastly._native", "--mypy-config-file"]);
    run(stubtest.arg(&config))
}

/// The environment that has the package installed, as just built.
pub(crate) fn installed(interpreter: &Interpreter) -> Result<Venv> {
    let venv = Venv::of(interpreter, folder(&interpreter.version).join("venv"), FOR_TESTS)?;
    venv.install(&build(interpreter)?)?;
    Ok(venv)
}

/// Builds the wheel; quick if nothing has changed, as each version has its own build directory.
fn build(interpreter: &Interpreter) -> Result<PathBuf> {
    println!("  building the wheel for CPython {}", interpreter.version);
    let folder = folder(&interpreter.version);
    let wheels = folder.join("wheels");
    let mut maturin = tool("maturin")?;
    maturin.args(["build", "--quiet", "--compatibility", "linux", "--interpreter"]);
    maturin.arg(&interpreter.program).arg("--out").arg(&wheels);
    maturin.arg("--manifest-path").arg(root().join("python/Cargo.toml"));
    for_build(&mut maturin, folder.join("build"));
    // The program in it is the same for every CPython, and built once.
    maturin.env("LASTLY_GUARD_TARGET_DIR", self::folder("guard"));
    the_only(&wheels, || said(&mut maturin))
}

/// Keeps a build of the extension out of the way of others, and its wheel the same each time.
pub(crate) fn for_build(command: &mut Command, target: PathBuf) {
    // 1980: the oldest date that a wheel can say.
    command.env("CARGO_TARGET_DIR", target).env("SOURCE_DATE_EPOCH", "315532800");
}

/// The file that this makes in the folder.
pub(crate) fn the_only(folder: &Path, make: impl FnOnce() -> Result<String>) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    make()?;
    let first = fs::read_dir(folder)?.next().context("nothing was built")?;
    Ok(first?.path())
}

/// A tool, its cache kept with what is built.
pub(crate) fn tool(name: &str) -> Result<Command> {
    let mut tool = tools()?.program(name)?;
    tool.env("MYPY_CACHE_DIR", folder("mypy")).env("RUFF_CACHE_DIR", folder("ruff"));
    Ok(tool)
}

fn tools() -> Result<Venv> {
    Venv::of(default()?, folder("tools"), TOOLS)
}

pub(crate) fn folder(name: &str) -> PathBuf {
    root().join("target/python").join(name)
}

/// For a step that needs a CPython.
pub(crate) fn if_any(step: impl FnOnce() -> Result<()>) -> Result<Checked> {
    if interpreters::default().is_none() {
        return Ok(Checked::Lacking(format!("a supported CPython: {}", interpreters::summary())));
    }
    step().map(|()| Checked::Passed)
}
