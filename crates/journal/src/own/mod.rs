//! This process's own journal, for the doors.
//!
//! It is begun by the first declared action, and gone with the last one. A door names each by a *key*: the
//! address of its finalizer, or of something that belongs to that one alone. In a forked child there is none of
//! its parent's: **only the creator performs**. A child that declares something begins a journal of its own.

mod state;

use std::cell::Cell;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::path::PathBuf;

use crate::actions::refused::Refused;
use crate::actions::{Action, NOT_IN_VIEW, Performed, Terms};
use crate::directory::Directory;
use crate::failure::Failure;
use crate::guard;
use crate::identity::birth_clock;
use crate::lock::{Lock, Locked};
use crate::record::{Entry, Record};
use crate::replay;
use crate::sweep;

use state::{Declared, Own, pid, random};

static OWN: Lock<Own> = Lock::new(Own::new());

/// How an action is written down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Through to the disk, so that it outlives the machine. Otherwise it outlives the process.
    pub sync: bool,
    /// Nobody else comes upon this name.
    pub unguessable: bool,
}

/// What protects the declared actions of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// A guard, and after it the sweep.
    Guard,
    /// The sweep only, for this reason.
    Sweep(String),
    /// Nothing but this process itself, for this reason.
    Nothing(String),
}

thread_local! {
    /// What the callback that is just being run has declared. Without a destructor: there are turns at the
    /// end of the program, too, when thread-locals that have one are gone.
    static TURN: Cell<ManuallyDrop<Turn>> = const { Cell::new(ManuallyDrop::new(Turn::None)) };
}

enum Turn {
    None,
    /// This.
    Own(Declared),
    /// It was another process's.
    Inherited,
}

pub(crate) fn lock() -> Locked<'static, Own> {
    OWN.lock()
}

pub(crate) fn unlock() {
    OWN.unlock();
}

/// In a forked child, which has the lock of its parent's.
pub(crate) fn forget_parent() {
    // SAFETY: taken before the fork, by the thread that this one is a copy of; `unlock` follows.
    let mut own = ManuallyDrop::new(unsafe { OWN.taken() });
    own.forget();
}

/// Where the guard's program is, if the environment does not say otherwise.
pub fn set_guard(program: Option<PathBuf>) {
    let mut own = lock();
    own.set_program(program);
}

/// Writes an action down, before the finalizer with this key is entered. `Some`: it is kept in this process
/// only, or there is no guard; told once. To be called when the door's own work can fail no more, or to
/// be followed by [`cancel`].
///
/// It never fails: what cannot be written down can still be done at the first two deaths.
#[must_use]
pub fn declare(key: usize, action: Box<dyn Action>, manner: Manner) -> Option<String> {
    let mut own = lock();
    own.begin();
    let id = own.next;
    own.next += 1;
    let Manner { sync, unguessable } = manner;
    let declared = birth_clock();
    let trash = own.random.next();
    let entry =
        Entry { id, action, declared, synced: sync, unguessable, trash, attempts: 0, stuck: None };
    let mut declared = Declared { entry, is_wanted: true, written: None, is_written_known: false };
    own.write_down(&mut declared);
    own.map().insert(key, declared);
    let is_to_sweep = own.see_to_guard();
    let told = own.trouble.tell();
    drop(own);
    if is_to_sweep {
        sweep_here();
    }
    told
}

/// What the guard would have done, had it been started. Nothing is locked: it may take long.
fn sweep_here() {
    let options = guard::options(guard::may_sweep().map(str::as_ref));
    if let (Some(options), Ok(Some(directory))) = (options, Directory::of_user_if_there()) {
        // What does not work will be tried by the next.
        _ = sweep::sweep_at_start(&directory, options);
    }
}

/// What is refused is not written down; its finalizer is this process's all the same, and fails when its
/// turn comes.
pub fn refuse(key: usize, failure: &Failure) {
    let action: Box<dyn Action> = Box::new(Refused(failure.to_string()));
    let mut own = lock();
    if own.pid != pid() {
        own.forget();
    }
    let entry = Entry {
        id: 0,
        action,
        declared: birth_clock(),
        synced: false,
        unguessable: false,
        trash: 0,
        attempts: 0,
        stuck: None,
    };
    own.map()
        .insert(key, Declared { entry, is_wanted: false, written: None, is_written_known: false });
}

/// What was declared before it was made is there by now: has it known which one it is.
///
/// # Errors
///
/// It is not what was declared, or that cannot be written down. Then the journal says what it said before.
pub fn confirm(key: usize) -> Result<bool, Failure> {
    let mut own = lock();
    if own.pid != pid() {
        return Ok(false);
    }
    let Some(mut declared) = own.map().remove(&key) else { return Ok(false) };
    let confirmed = declared.entry.action.confirm();
    let mut written = Ok(());
    if matches!(confirmed, Ok(true)) && !declared.is_written_known && own.stands(&declared) {
        let sync = declared.entry.synced;
        written = own.write(&[Record::Declared(&declared.entry)], sync);
        declared.is_written_known = written.is_ok();
    }
    own.map().insert(key, declared);
    written.map_err(|error| Failure::with(&error, "cannot write the journal"))?;
    confirmed
}

/// It is given up, undone. `Some`: that cannot be written down, nor the journal be removed.
#[must_use]
pub fn cancel(key: usize) -> Option<String> {
    let mut own = lock();
    if own.pid != pid() {
        return None;
    }
    let mut declared = own.map().remove(&key)?;
    own.give_up(&mut declared);
    own.trouble.tell()
}

/// Whether the third death is to do it, too. What the end of the program is to leave, the guard leaves. `Some`: as
/// for [`declare`] and [`cancel`].
#[must_use]
pub fn set_at_exit(key: usize, on: bool) -> Option<String> {
    let mut own = lock();
    if own.pid != pid() {
        return None;
    }
    let mut declared = own.map().remove(&key)?;
    if on && !own.stands(&declared) && declared.entry.id != 0 {
        declared.is_wanted = true;
        own.begin();
        own.write_down(&mut declared);
        _ = own.see_to_guard();
    } else if !on {
        own.give_up(&mut declared);
    }
    own.map().insert(key, declared);
    own.trouble.tell()
}

/// While this lives, the action that this thread performs next is the one with this key.
#[must_use]
pub fn turn(key: usize) -> TurnOf {
    let mut own = lock();
    let declared = if own.pid == pid() { own.map().remove(&key) } else { None };
    drop(own);
    TurnOf(exchange(declared.map_or(Turn::Inherited, Turn::Own)))
}

/// Makes this the turn of this thread, and gives back the one before.
fn exchange(turn: Turn) -> Turn {
    ManuallyDrop::into_inner(TURN.replace(ManuallyDrop::new(turn)))
}

/// See [`turn`]. What it holds is the turn around it.
pub struct TurnOf(Turn);

impl Drop for TurnOf {
    fn drop(&mut self) {
        let left = exchange(mem::replace(&mut self.0, Turn::None));
        // Not performed after all: it is given up.
        if let Turn::Own(mut declared) = left {
            let mut own = lock();
            if own.pid == pid() {
                own.give_up(&mut declared);
            }
        }
    }
}

/// Performs an action: the one whose turn it is on this thread; if none is, what `otherwise` makes. If that finds
/// that there is nothing to do, nothing is.
///
/// # Errors
///
/// It is not done. If it was declared, it still is: the guard will try again.
pub fn perform(
    otherwise: impl FnOnce() -> Result<Box<dyn Action>, Failure>,
) -> Result<(), Failure> {
    match exchange(Turn::None) {
        Turn::Inherited => Ok(()),
        Turn::Own(declared) => perform_declared(&declared),
        Turn::None => {
            let terms = Terms::of_owner(replay::trash(random()?));
            match otherwise() {
                // The directory it was in, or the process: it is as it should be.
                Err(failure) if failure.is_missing() => Ok(()),
                action => action?.perform(&terms).map(|_| ()),
            }
        }
    }
}

/// A name that nobody guesses, to put between others: 120 bits in 24 letters and digits.
///
/// # Errors
///
/// The system has no random numbers.
pub fn unguessable_name() -> io::Result<String> {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let number = random()?;
    let digit = |place| char::from(DIGITS[(number >> (5 * place)) as usize % DIGITS.len()]);
    Ok((0..24).map(digit).collect())
}

fn perform_declared(declared: &Declared) -> Result<(), Failure> {
    let Declared { entry, .. } = declared;
    let terms = Terms::of_owner(replay::trash(entry.trash));
    let terms = Terms { was_ours: entry.unguessable || entry.action.is_known(), ..terms };
    // Nothing is locked: this may take long.
    if entry.action.perform(&terms)? != Performed::Done {
        // By now, its path may mean something else to this process: that is not its end.
        let same_view = lock().sees_the_same();
        let is_in_view = entry.action.is_in_view(&Terms { same_view, ..terms });
        if !is_in_view && !same_view {
            return Err(Failure::with(&io::Error::other(NOT_IN_VIEW), entry.action.subject()));
        }
        // Another thread may be about to make it, as the end of the program does not wait for all. If so, it is
        // this one: the guard will see.
        if is_in_view && entry.unguessable && !entry.action.is_known() {
            return Ok(());
        }
    }
    lock().note_done(declared);
    Ok(())
}

/// What protects what this process declares. Begins its journal, and starts its guard, if need be.
pub fn protection() -> Protection {
    let mut own = lock();
    own.begin();
    _ = own.see_to_guard();
    own.trouble.protection()
}

/// The end of the program has done what it does: a journal in which nothing is left goes.
pub fn end() {
    let mut own = lock();
    if own.pid == pid() {
        own.end();
    }
}
