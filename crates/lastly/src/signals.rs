//! Signals that end the program in order.
//!
//! Without this, a SIGTERM, or Ctrl-C, ends a program where it stands: nothing runs. With
//!
//! ```
//! lastly::signals::install()?;
//! # std::io::Result::Ok(())
//! ```
//!
//! once, early in `main`, the first such signal begins the exit drain, and when that is over **the
//! signal ends the process**, so that whoever started it sees what it would have seen: a program
//! killed by SIGTERM, not one that succeeded. Another signal during the drain ends the process at
//! once; what is running and what is skipped is [reported](crate::report).
//!
//! - **Only what would have ended the program is taken over.** A signal that is ignored (by `nohup`,
//!   say) stays ignored, one that has a handler keeps it.
//! - **No callback runs in a signal handler**, but on a thread of its own: also while the program's
//!   threads are blocked in a system call or wait for a lock, or compute. They go on meanwhile, as
//!   they do when another thread calls `exit`.
//! - The drain's [wait](crate::exit::set_wait) and [budget](crate::exit::set_budget) hold.
//! - A signal that comes while the program is ending anyway lets the drain finish, then ends the
//!   process.
//! - A forked child goes on to heed signals, and drains what is its own. What it starts by `exec` has
//!   the default actions back.
//!
//! # Limitations
//!
//! - Values on the stacks are not dropped, no other exit handlers run, and what is in buffers (of the
//!   C library, of `print!`, in a `BufWriter`) is not written: the program dies of a signal.
//! - A few calls that wait (`poll`, `epoll_wait`, `select`, `nanosleep`) return early, as interrupted,
//!   when a signal comes; the program goes on beside the drain.
//! - There is one more thread, which waits. A forked child has it too: where it must have but one
//!   thread (to enter a user namespace, say), fork before `install`.
//! - Signals that come within half a second of the first, before any callback has begun, count as one
//!   with it.
//! - A handler that is installed *after* this replaces it, or, chained, runs beside the drain. Install
//!   this last.
//! - As the first process of a container, a program cannot die of these signals: it ends with the
//!   status that a shell would tell, 143 after SIGTERM.
//! - SIGKILL, and what else `install_for` refuses, no program can answer.

use std::io;

use lastly_core::signals;

use crate::entry::RustDoor;
use crate::exit;

/// Has SIGTERM, SIGINT and SIGHUP end the program in order, and says which of them now do: not those
/// that are ignored, or have a handler.
///
/// # Errors
///
/// If the system refuses, or has no thread left. No signal is taken over then.
pub fn install() -> io::Result<Vec<i32>> {
    install_for(&signals::USUAL)
}

/// The same, for these signals.
///
/// # Errors
///
/// Also if one of them cannot end a program in order: no program can catch it, it tells of a fault, or
/// by default it does not end a program.
///
/// ```
/// # const SIGUSR1: i32 = 10;
/// assert_eq!(lastly::signals::install_for(&[SIGUSR1])?, [SIGUSR1]);
///
/// const SIGKILL: i32 = 9;
/// let error = lastly::signals::install_for(&[SIGKILL]).unwrap_err();
/// assert!(error.to_string().ends_with("no program can catch it"));
/// # std::io::Result::Ok(())
/// ```
pub fn install_for(signals: &[i32]) -> io::Result<Vec<i32>> {
    for signal in signals {
        signals::check(*signal)?;
    }
    exit::install();
    signals::watch::<RustDoor>()?;
    let mut ours = Vec::new();
    let mut taken = Vec::new();
    for signal in signals {
        if signals::is_default(*signal)? {
            if let Err(error) = signals::take_over(*signal) {
                taken.into_iter().for_each(signals::give_back);
                return Err(error);
            }
            taken.push(*signal);
        }
        if signals::is_taken_over(*signal)? && !ours.contains(signal) {
            ours.push(*signal);
        }
    }
    Ok(ours)
}
