//! The CPythons on this machine: `python3`, those with a version in their name, those of pyenv.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Result, ensure};

use crate::shell::{output, root};

/// The minor versions of Python 3 that the package supports: those of its PyO3.
const SUPPORTED: std::ops::RangeInclusive<u32> = 9..=15;

/// What a candidate is asked. One answer to a line.
const QUESTION: &str = "
import importlib.util, sys, sysconfig
print(sys.implementation.name)
print(sys.version_info[1])
print(bool(sysconfig.get_config_var('Py_GIL_DISABLED')))
print(importlib.util.find_spec('ensurepip') is not None)
print(sys.version.split()[0])
print(sys.executable)";

/// A CPython that the package supports.
pub(crate) struct Interpreter {
    /// Such as `3.13`.
    pub(crate) version: String,
    /// Such as `3.13.0`.
    pub(crate) full_version: String,
    pub(crate) program: PathBuf,
}

#[derive(Default)]
struct Found {
    /// In the order of search, one of each version.
    interpreters: Vec<Interpreter>,
    /// Versions, by the reason.
    passed_over: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Looked for once: each candidate is a program to start.
static FOUND: LazyLock<Found> = LazyLock::new(|| {
    let mut found = Found::default();
    for candidate in candidates() {
        found.consider(&candidate);
    }
    found
});

/// All of them, the oldest first.
pub(crate) fn all() -> Vec<&'static Interpreter> {
    let mut all: Vec<_> = FOUND.interpreters.iter().collect();
    all.sort_by_key(|it| minor(&it.version));
    all
}

/// The one for what needs only one: `python3`, if it is supported.
pub(crate) fn default() -> Option<&'static Interpreter> {
    FOUND.interpreters.first()
}

/// Those of this version, or all if none is named; at least one.
pub(crate) fn chosen(only: Option<&str>) -> Result<Vec<&'static Interpreter>> {
    let is_chosen = |it: &&Interpreter| only.is_none_or(|version| it.version == version);
    let chosen: Vec<_> = all().into_iter().filter(is_chosen).collect();
    ensure!(!chosen.is_empty(), "no CPython {}: {}", only.unwrap_or("at all"), summary());
    Ok(chosen)
}

/// What was found, in one line.
pub(crate) fn summary() -> String {
    let versions: Vec<_> = all().iter().map(|it| it.full_version.as_str()).collect();
    let mut line = match &versions[..] {
        [] => "none was found".to_owned(),
        versions => format!("found CPython {}", versions.join(", ")),
    };
    for (reason, versions) in &FOUND.passed_over {
        let versions: Vec<_> = versions.iter().map(String::as_str).collect();
        line += &format!("; passed over as {reason}: {}", versions.join(", "));
    }
    line
}

impl Found {
    /// Takes it, if it runs, is supported, and is the first of its version.
    fn consider(&mut self, candidate: &Path) {
        let mut question = Command::new(candidate);
        // From the root: pyenv lets a directory choose the version.
        question.args(["-I", "-c", QUESTION]).current_dir(root());
        let Some(answer) = output(&mut question) else { return };
        let [implementation, minor, free_threaded, ensurepip, full_version, program] =
            answer.lines().collect::<Vec<_>>()[..]
        else {
            return;
        };
        let Ok(minor) = minor.parse::<u32>() else { return };
        let reason = if implementation != "cpython" {
            "not CPython"
        } else if !SUPPORTED.contains(&minor) {
            "not supported"
        } else if free_threaded == "True" {
            "free-threaded"
        } else if ensurepip == "False" {
            "lacking ensurepip (Debian has it in python3-venv)"
        } else {
            return self.take(minor, full_version, program);
        };
        self.passed_over.entry(reason).or_default().insert(full_version.to_owned());
    }

    fn take(&mut self, minor: u32, full_version: &str, program: &str) {
        let version = format!("3.{minor}");
        if self.interpreters.iter().all(|it| it.version != version) {
            let (full_version, program) = (full_version.to_owned(), PathBuf::from(program));
            self.interpreters.push(Interpreter { version, full_version, program });
        }
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut candidates = vec![PathBuf::from("python3")];
    candidates.extend(SUPPORTED.map(|minor| PathBuf::from(format!("python3.{minor}"))));
    if let Some(pyenv) = output(Command::new("pyenv").arg("root")) {
        let versions = std::fs::read_dir(Path::new(&pyenv).join("versions"));
        let programs = versions.into_iter().flatten().flatten();
        let mut programs: Vec<_> = programs.map(|it| it.path().join("bin/python3")).collect();
        programs.sort();
        candidates.extend(programs);
    }
    candidates
}

fn minor(version: &str) -> u32 {
    version.trim_start_matches("3.").parse().unwrap_or(0)
}
