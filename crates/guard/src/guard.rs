//! The guard: it waits for the death of one process, does what that had declared, and ends.
//!
//! Whoever started it may be killed at any moment, with all that belongs to it. So it belongs to nobody:
//! its own session, no open files of its owner's, the root as its directory. It knows nothing but the name of a
//! journal, and reads that when it is time. If it is killed itself, its owner starts another at the next
//! declaration; if both are, there is the sweep. If the journal goes before its owner does, it ends too. When it is
//! done, it sweeps: what others left may have been held up only because its owner lived.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use lastly_journal::guard::{READY, options};
use lastly_journal::sweep::{Options, owner_of, replay, sweep_at_start};
use lastly_journal::{Directory, Owner};
use rustix::process::{setsid, umask};

use crate::process;

/// What does not work may work a moment later: what was killed lets go of its files. After that it is the
/// sweep's.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(200), Duration::from_secs(2)];

/// `lastly guard JOURNAL [sweep | trust-locks]`, with the directory of the journals as standard input, and a pipe as
/// standard output. Only the library starts it so.
pub(crate) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    process::close_others();
    let journal = arguments.next().and_then(|name| name.into_string().ok());
    let options = options(arguments.next().as_deref());
    let guarded = journal
        .ok_or_else(|| io::Error::other("the library starts this; there is nothing to see here"))
        .and_then(|journal| guard(&journal, options));
    match guarded {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lastly guard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn guard(journal: &str, options: Option<Options>) -> io::Result<()> {
    let directory =
        Directory::of_descriptor(File::from(io::stdin().as_fd().try_clone_to_owned()?))?;
    // Whatever it does from here on is its own.
    process::leave_parent()?;
    process::ignore_signals();
    setsid()?;
    env::set_current_dir("/")?;
    umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let ready = || {
        // If nobody listens any more, its owner is dead: that is what it waits for.
        _ = io::stdout().write_all(&[READY]).and_then(|()| io::stdout().flush());
        if let Some(options) = options {
            // Beside the wait, which must not be late.
            process::beside(|| _ = sweep_at_start(&directory, options));
        }
    };
    let owner = owner_of(&directory, journal)?;
    // What it was to guard may be gone before its owner is, who has begun another journal, with another guard.
    let is_over = || {
        let there = owner_of(&directory, journal);
        there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let Some(died) = owner.await_end(&io::stdout(), ready, is_over)? else { return Ok(()) };
    let performed = perform(&directory, journal, &owner, died);
    if let Some(options) = options {
        // What others left, and was held up as this owner lived.
        sweep_at_start(&directory, options)?;
    }
    performed
}

/// Does what the owner left. What does not work in the end is for the sweep.
fn perform(directory: &Directory, journal: &str, owner: &Owner, died: i64) -> io::Result<()> {
    for pause in PAUSES {
        // What fails altogether, as the disk is full, may work when something was done.
        if replay(directory, journal, (owner, died), &mut |_, _| ()).is_ok_and(|it| it) {
            return Ok(());
        }
        thread::sleep(pause);
    }
    replay(directory, journal, (owner, died), &mut |_, _| ()).map(drop)
}
