//! `cargo xtask bench`: the tables, and the charts of the README.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::shell::{cargo, root, run};
use crate::{interpreters, python};

/// What is compared with declared actions, beside CPython's own.
const PEERS: &[&str] = &["loky>=3.5,<4"];

pub(crate) fn bench(quick: bool) -> Result<()> {
    let rust_figures = python::folder("figures-of-gc.json");
    let figures = python::folder("figures.json");
    let quick_argument = || quick.then(|| OsString::from("--quick")).into_iter();
    let arguments = |json: &Path| quick_argument().chain(["--json".into(), json.into()]);
    let rust = ["run", "--quiet", "--profile", "bench", "--package", "lastly-bench", "--"];
    fs::create_dir_all(python::folder(""))?;
    run(cargo(&rust).args(arguments(&rust_figures)).env("LASTLY_GUARD", guard()?))?;
    let Some(interpreter) = interpreters::default() else {
        println!("No Python table, and no chart: {}.", interpreters::summary());
        return Ok(());
    };
    run(python::installed(interpreter)?.pip_install()?.args(PEERS))?;
    let arguments: Vec<OsString> = arguments(&figures).collect();
    python::program("bench/python/table.py", interpreter, &arguments)?;
    if quick {
        return Ok(());
    }
    let of_gc = "lastly's Gc beside the collected pointers of other crates";
    for (figures, chart, label) in [
        (figures, "bench/chart.svg", "lastly beside weakref.finalize and weakref.ref"),
        (rust_figures, "bench/gc-chart.svg", of_gc),
    ] {
        let arguments = [figures.into(), root().join(chart).into(), label.into()];
        python::program("bench/python/chart.py", interpreter, &arguments)?;
    }
    Ok(())
}

/// Builds the guard as the Python package has it.
fn guard() -> Result<PathBuf> {
    let target = python::folder("guard");
    let build = ["build", "--quiet", "--profile", "guard", "--package", "lastly-guard"];
    run(cargo(&build).args(["--bin", "lastly", "--target-dir"]).arg(&target))?;
    Ok(target.join("guard/lastly"))
}
