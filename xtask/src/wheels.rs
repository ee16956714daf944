//! `cargo xtask wheels`: the package as published, from a clean copy of the sources.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::python::{default, folder, for_build, the_only, tool};
use crate::shell::{output, root, run, said};
use crate::venv::Venv;

/// What an installed package must do: its files are there, and the three ways to end work.
const SMOKE: &str = "
import lastly, pathlib
class Object: pass
package = pathlib.Path(lastly.__file__).parent
assert (package / 'py.typed').is_file() and (package / '_native.pyi').is_file()
dying, called, kept = Object(), Object(), Object()
lastly.finalize(dying, print, 'died')
lastly.finalize(kept, print, 'exit')
del dying
lastly.finalize(called, print, 'called')()";

pub(crate) fn wheels() -> Result<()> {
    let clean = folder("clean");
    copy_sources(&clean)?;
    // To cargo, what comes from a source distribution is older than anything it has built.
    remove(&folder("fresh-build"))?;
    let mut maturin = tool("maturin")?;
    maturin.args(["sdist", "--manifest-path"]).arg(clean.join("python/Cargo.toml"));
    maturin.arg("--out").arg(folder("sdist"));
    let sdist = the_only(&folder("sdist"), || said(&mut maturin))?;
    // From the source distribution, as pip does where there is no wheel; and from a checkout.
    for source in [sdist, clean.join("python")] {
        println!("  installing {}", source.display());
        install_and_try(&source)?;
    }
    Ok(())
}

fn install_and_try(source: &Path) -> Result<()> {
    let venv = Venv::fresh(default()?, folder("fresh"))?;
    let mut install = venv.pip_install()?;
    for_build(&mut install, folder("fresh-build"));
    run(install.arg(source))?;
    venv.check()?;
    let said = said(venv.python()?.args(["-c", SMOKE]))?;
    ensure!(said == "died\ncalled\nexit", "the installed package does not work: {said}");
    see_the_program(&venv)
}

/// It was built and brought along, for users to call and for the package to start.
fn see_the_program(venv: &Venv) -> Result<()> {
    let version = said(venv.program("lastly")?.arg("--version"))?;
    ensure!(version.starts_with("lastly "), "the program does not work: {version}");
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// Copies what git knows, and what it would be told next: nothing that was built.
fn copy_sources(to: &Path) -> Result<()> {
    let mut list = Command::new("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let files = output(&mut list).context("the clean copy needs git, and its checkout")?;
    remove(to)?;
    for file in files.split('\0').map(Path::new) {
        let (from, to) = (root().join(file), to.join(file));
        // What was deleted is still known.
        if from.is_file() {
            fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
            fs::copy(from, to)?;
        }
    }
    Ok(())
}
