//! `cargo xtask bench`.

use anyhow::Result;

use crate::shell::{cargo, run};

pub(crate) fn bench(quick: bool) -> Result<()> {
    let mut command = cargo(&["run", "--quiet", "--profile", "bench", "--package", "lastly-bench"]);
    if quick {
        command.args(["--", "--quick"]);
    }
    run(&mut command)
}
