//! `cargo xtask bench`.

use std::ffi::OsString;

use anyhow::Result;

use crate::shell::{cargo, run};
use crate::{interpreters, python};

pub(crate) fn bench(quick: bool) -> Result<()> {
    let arguments: Vec<OsString> = quick.then(|| "--quick".into()).into_iter().collect();
    let rust = ["run", "--quiet", "--profile", "bench", "--package", "lastly-bench", "--"];
    run(cargo(&rust).args(&arguments))?;
    match interpreters::default() {
        Some(interpreter) => python::program("bench/python/table.py", interpreter, &arguments),
        None => {
            println!("No Python table: {}.", interpreters::summary());
            Ok(())
        }
    }
}
