//! What GUARANTEES.md says about where something is tested: none of it may be gone.

use std::fs;
use std::path::Path;

use crate::table::root;

/// What a name in backticks is, by its shape or by what stands before it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// A program of `tests/src/scenes`.
    Scene,
    /// A module of `crates/lastly/tests/it`.
    It,
    /// A scenario, or a file of them, of `python/tests/differential`.
    Scenario,
    /// `cargo xtask` knows it.
    Command,
    /// A file of `python/tests`.
    PythonTest,
    Path,
    /// Where it says which test, and nothing else.
    Test,
    /// No test at all.
    Other,
}

#[test]
fn what_is_named_exists() {
    let text = fs::read_to_string(root().join("GUARANTEES.md")).expect("it is there");
    let names: Vec<_> = text.lines().flat_map(named).collect();
    let gone: Vec<_> = names.iter().filter(|(kind, name)| !exists(*kind, name)).collect();
    assert!(gone.is_empty(), "GUARANTEES.md names what is gone: {gone:#?}");
    for kind in [Kind::Scene, Kind::It, Kind::Scenario, Kind::Command, Kind::PythonTest] {
        assert!(names.iter().any(|it| it.0 == kind), "{kind:?}: there are some");
        assert!(!exists(kind, "gone"), "{kind:?}: what is gone is noticed");
    }
}

/// The names of a line.
fn named(line: &str) -> Vec<(Kind, &str)> {
    let last_column = if line.starts_with('|') {
        line.trim_end_matches([' ', '|']).rfind('|').unwrap_or(line.len())
    } else {
        line.len()
    };
    let (others, says_where) = line.split_at(last_column);
    let mut names = named_in(others, Kind::Other);
    names.extend(named_in(says_where, Kind::Test));
    names
}

/// `kind`: what a name is where nothing says so.
fn named_in(text: &str, mut kind: Kind) -> Vec<(Kind, &str)> {
    let by_default = kind;
    let mut names = Vec::new();
    let mut parts = text.split('`');
    while let (Some(before), Some(name)) = (parts.next(), parts.next()) {
        kind = by_shape(name).unwrap_or_else(|| by_text(before, kind, by_default));
        names.push((kind, name));
    }
    names
}

fn by_shape(name: &str) -> Option<Kind> {
    if name.starts_with("cargo xtask ") {
        Some(Kind::Command)
    } else if name.starts_with("test_") && name.ends_with(".py") {
        Some(Kind::PythonTest)
    } else {
        name.contains('/').then_some(Kind::Path)
    }
}

/// What a name is that tells nothing by itself.
fn by_text(before: &str, of_last: Kind, by_default: Kind) -> Kind {
    match before.trim().rsplit([' ', '(', '|']).next() {
        Some("scene" | "scenes") => Kind::Scene,
        Some("it" | "it:") => Kind::It,
        Some("d:") => Kind::Scenario,
        Some("," | "else:") => of_last,
        _ => by_default,
    }
}

fn exists(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Scene => says("tests/src/scenes", &format!("(\"{name}\", ")),
        Kind::It => {
            let it = root().join("crates/lastly/tests/it");
            it.join(name).is_dir() || it.join(format!("{name}.rs")).is_file()
        }
        Kind::Scenario => {
            let (file, scenario) = name.split_once('.').unwrap_or((name, ""));
            let file = format!("python/tests/differential/scenarios/{file}.py");
            says(&file, &format!("def {}", scenario.trim_end_matches('*')))
        }
        Kind::Command => {
            let words = name.strip_prefix("cargo xtask ").unwrap_or(name);
            let command = words.split(' ').next().expect("there is one");
            says(
                "xtask/src/main.rs",
                &format!(" Command::{}{}", command[..1].to_uppercase(), &command[1..]),
            )
        }
        Kind::PythonTest => {
            let (begin, end) = name.split_once('*').unwrap_or((name, ""));
            let tests = fs::read_dir(root().join("python/tests")).expect("it is there");
            let mut names = tests.map(|it| it.expect("readable").file_name());
            names.any(|it| {
                let it = it.to_string_lossy();
                if end.is_empty() { it == name } else { it.starts_with(begin) && it.ends_with(end) }
            })
        }
        Kind::Path => root().join(name).exists(),
        Kind::Test => says("tests/tests", &format!("fn {name}()")),
        Kind::Other => true,
    }
}

/// Whether this text stands in this file, or in a file of this directory.
fn says(path: &str, text: &str) -> bool {
    fn find(path: &Path, text: &str) -> bool {
        match fs::read_dir(path) {
            Ok(mut entries) => entries.any(|it| find(&it.expect("readable").path(), text)),
            Err(_) => fs::read_to_string(path).is_ok_and(|it| it.contains(text)),
        }
    }
    find(&root().join(path), text)
}
