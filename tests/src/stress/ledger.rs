//! The ledger: what the processes of a round did, written down apart from the library that is tested.
//!
//! One file, to which all of them append, each line by one `write`. So the order of the lines is one
//! that happened: who has written a line has done so before he goes on. A process may be killed in
//! the middle of a line; so each begins anew, and one that has come to its end says so by its last word.
//!
//! ```text
//! began P PID START SIGNALS BUDGET DOOR   a process. SIGNALS: taken, perhaps or not; BUDGET: budget
//!                                    or none; DOOR: open or shut
//! forking P C, forked P C            before and after the fork of C
//! installing P, installed P          signals that end it in order
//! signal P NUMBER DEAD               about to be sent; by itself: DEAD ancestors, nearest first; or -
//! ending P WAY STATUS DEAD           about to end; STATUS: 0, 1, …; a signal: s9
//! ended PID STATUS                   it has been waited for
//! created R P, registered R P WHEN   before and after the registration; WHEN: drain or now
//! hangs R                            its callback never returns
//! unwanted R, off R                  it is about to be, and is, left out at exit
//! guard R                            its object is a guard, whose end waits for no pause
//! kept R C                           its finalizer is made by a cleaner
//! begin R P ACT T                    call, drop, detach, peek; T: the thread, a cleaner's has its name
//! end R P ACT RESULT                 RESULT: won or lost
//! running R P CAUSE OWNER PLACE T    the callback; OWNER: own, dead or alive; PLACE: there or gone.
//!                                    CAUSE: drain; the act; turn: it is a cleaner's thread's; unpause
//! done R P
//! cleaner C P LIMIT POLICY           it is made; POLICY: help or block
//! closing C, closed C P              before and after it is closed
//! barrier C P T PATIENCE             about to wait for what was handed over; PATIENCE: patient or hasty
//! passed C P T RESULT
//! pause P T                          it is paused, once more
//! unpause P T, unpaused P T          before and after the end of one
//! reported P PROBLEM                 skipped, late, unfinished, failed
//! ```

use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static FILE: OnceLock<File> = OnceLock::new();

/// The last word of each line.
const WHOLE: &str = " .";

pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("ledger")
}

/// Where the ends of a process's own output go: what the library reports, if nothing takes that.
pub(crate) fn stderr_of(folder: &Path, process: &str) -> PathBuf {
    folder.join(format!("stderr-{process}"))
}

/// Opens the ledger of the round in this folder, for this process and its children.
pub(crate) fn open(folder: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).create(true).open(path(folder))?;
    FILE.set(file).expect("opened once");
    Ok(())
}

pub(crate) fn append(line: Arguments<'_>) {
    let line = format!("\n{line}{WHOLE}");
    let written = FILE.get().expect("open").write(line.as_bytes());
    assert_eq!(written.ok(), Some(line.len()), "a ledger takes every line whole");
}

/// Writes a line into the ledger.
macro_rules! note {
    ($($line:tt)*) => {
        $crate::ledger::append(format_args!($($line)*))
    };
}
pub(crate) use note;

/// The whole lines of a ledger, by their words.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let whole = text.lines().filter_map(|line| line.strip_suffix(WHOLE));
    whole.map(|line| line.split(' ').collect())
}
