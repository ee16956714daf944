//! `cargo xtask bench`: the tables, and the chart of the README.

use std::ffi::OsString;

use anyhow::Result;

use crate::shell::{cargo, root, run};
use crate::{interpreters, python};

pub(crate) fn bench(quick: bool) -> Result<()> {
    let mut arguments: Vec<OsString> = quick.then(|| "--quick".into()).into_iter().collect();
    let rust = ["run", "--quiet", "--profile", "bench", "--package", "lastly-bench", "--"];
    run(cargo(&rust).args(&arguments))?;
    let Some(interpreter) = interpreters::default() else {
        println!("No Python table: {}.", interpreters::summary());
        return Ok(());
    };
    let figures = python::folder("figures.json");
    arguments.extend(["--json".into(), figures.clone().into()]);
    python::program("bench/python/table.py", interpreter, &arguments)?;
    if quick {
        return Ok(());
    }
    let chart = root().join("bench/chart.svg");
    python::program("bench/python/chart.py", interpreter, &[figures.into(), chart.into()])
}
