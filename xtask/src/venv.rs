//! Virtual environments, kept under `target/python` and made anew only when they must be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::interpreters::Interpreter;
use crate::shell::{root, run, said};

/// What would let a program see another Python, or lastly from elsewhere, or not at all.
const MISLEADING: [&str; 6] = [
    "LASTLY_INSTALL",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSAFEPATH",
    "PYTHONSTARTUP",
    "__PYVENV_LAUNCHER__",
];

/// Prints where the installed package is, and its native part.
const WHERE: &str = "
import lastly, lastly._native
print(lastly.__file__, lastly._native.__file__, sep='\\n')";

pub(crate) struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// The environment in this folder. pip is left to the user's configuration.
    pub(crate) fn of(
        interpreter: &Interpreter,
        folder: PathBuf,
        requirements: &[&str],
    ) -> Result<Self> {
        let venv = Self { folder };
        let Interpreter { full_version, program, .. } = interpreter;
        let recipe = format!("{} {full_version}\n{requirements:?}\n", program.display());
        // Written last, so that what is half made is made again.
        let label = venv.folder.join("made-from");
        if fs::read_to_string(&label).is_ok_and(|made_from| made_from == recipe) {
            return Ok(venv);
        }
        println!("  making {} with CPython {full_version}", venv.folder.display());
        run(Command::new(program).args(["-I", "-m", "venv", "--clear"]).arg(&venv.folder))?;
        if !requirements.is_empty() {
            run(venv.pip_install()?.args(requirements))?;
        }
        fs::write(label, recipe)?;
        Ok(venv)
    }

    /// The environment, made anew even if it is there.
    pub(crate) fn fresh(interpreter: &Interpreter, folder: PathBuf) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        Self::of(interpreter, folder, &[])
    }

    /// One of its programs, in an empty directory: nothing there can be imported by accident.
    pub(crate) fn program(&self, name: &str) -> Result<Command> {
        let elsewhere = root().join("target/python/elsewhere");
        fs::create_dir_all(&elsewhere)?;
        let mut command = Command::new(self.path(name));
        command.current_dir(elsewhere);
        for variable in MISLEADING {
            command.env_remove(variable);
        }
        Ok(command)
    }

    pub(crate) fn python(&self) -> Result<Command> {
        self.program("python")
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join("bin").join(program)
    }

    pub(crate) fn pip_install(&self) -> Result<Command> {
        let mut pip = self.python()?;
        pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]);
        Ok(pip)
    }

    /// Installs a wheel, unless the very same is installed.
    pub(crate) fn install(&self, wheel: &Path) -> Result<()> {
        let installed = self.folder.join("installed.whl");
        let bytes = fs::read(wheel)?;
        if fs::read(&installed).is_ok_and(|those| those == bytes) {
            return self.check();
        }
        run(self.pip_install()?.args(["--force-reinstall", "--no-deps"]).arg(wheel))?;
        self.check()?;
        fs::write(installed, bytes)?;
        Ok(())
    }

    /// Sees that what is imported is what was installed, not the source tree.
    pub(crate) fn check(&self) -> Result<()> {
        let places = said(self.python()?.args(["-c", WHERE]))?;
        let are_own = places.lines().all(|place| Path::new(place).starts_with(&self.folder));
        ensure!(are_own, "not the installed package is imported, but {places}");
        Ok(())
    }
}
