//! The ledger: an account of what happened in a case, apart from the library.
//!
//! A file, to which each line is appended by one `write`. Who has written a line has done so before he goes
//! on. A process may be killed in the middle of a line; so each begins anew, and one that has come to its
//! end says so by its last word.
//!
//! ```text
//! declaring N KIND, declared N KIND        before and after; the same for all that follow
//! making N KIND, made N KIND
//! confirming …, confirmed …                it is known which one it is
//! keeping …, kept …                        it is given up: from now on it is to stay
//! calling …, called …                      the finalizer is called
//! dropping …, dropped …                    its object dies
//! remaking …, remade …                     another is made in its place, after it is gone
//! exchanging …, exchanged …                another is put in its place, while it is declared and known
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::resource::{Kind, Resource};

/// The last word of each line.
const WHOLE: &str = " .";

/// Where it is.
#[must_use]
pub fn path(folder: &Path) -> PathBuf {
    folder.join("ledger")
}

/// A ledger, to be written.
#[derive(Debug)]
pub struct Ledger(File);

impl Ledger {
    /// That of the case in this folder.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().append(true).create(true).open(path(folder))?))
    }

    /// Adds a line.
    pub fn note(&mut self, what: &str, resource: Resource) {
        let line = format!("\n{what} {} {}{WHOLE}", resource.number, resource.kind.word());
        let written = self.0.write(line.as_bytes());
        assert_eq!(written.ok(), Some(line.len()), "a ledger takes every line whole");
    }
}

/// The whole lines of a ledger: what happened, and to what.
#[must_use]
pub fn lines(text: &str) -> Vec<(&str, Resource)> {
    let whole = text.lines().filter_map(|line| line.strip_suffix(WHOLE));
    let read = |line: &'_ str| {
        let (number, kind) = line.split_once(' ')?;
        Some(Resource { number: number.parse().ok()?, kind: Kind::of_word(kind)? })
    };
    whole
        .map(|line| {
            let words = line.split_once(' ').and_then(|(what, rest)| Some((what, read(rest)?)));
            words.expect("a line of a ledger")
        })
        .collect()
}
