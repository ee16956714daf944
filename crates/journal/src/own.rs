//! This process's own journal, for the doors.
//!
//! It is begun by the first declared action, and gone with the last one. A door names each by a *key*: the
//! address of its finalizer. In a forked child there is none of its parent's: **only the creator
//! performs**. A child that declares something begins a journal of its own.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::path::PathBuf;

use rustix::process::getpid;

use crate::actions::refused::Refused;
use crate::actions::{Action, Terms};
use crate::directory::Directory;
use crate::failure::Failure;
use crate::fork;
use crate::guard::{self, Guard};
use crate::identity::birth_clock;
use crate::lock::{Lock, Locked};
use crate::log::{Closed, Log};
use crate::owner::Owner;
use crate::record::{Entry, Header, Record};
use crate::replay;
use crate::sweep;

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

pub(crate) struct Own {
    /// Whose this is. Another process is a child that no handler of forks has seen.
    pid: i32,
    journal: Option<Journal>,
    /// What is declared and not over, by key. What is just being performed is not in it.
    declared: Option<HashMap<usize, Declared>>,
    /// How many stand in the journal that are not over.
    open: usize,
    next: u64,
    handles_forks: bool,
    /// The guard's program, as the door says.
    program: Option<PathBuf>,
    trouble: Trouble,
}

/// What does not work, and what of that was told.
#[derive(Default)]
struct Trouble {
    no_journal: Option<String>,
    no_guard: Option<String>,
    is_told: bool,
}

struct Journal {
    directory: Directory,
    log: Log,
    header: Header,
    guard: Option<Guard>,
}

#[derive(Debug)]
struct Declared {
    entry: Entry,
    /// Whether it stands in the journal.
    is_written: bool,
}

thread_local! {
    /// What the callback that is just being run has declared. Without a destructor, so that there are turns
    /// also when the program ends, and thread-locals that have one are gone.
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
    own.program = program;
    own.trouble.no_guard = None;
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
    let entry = Entry { id, action, declared, synced: sync, unguessable, attempts: 0, stuck: None };
    let written = own.write(&[Record::Declared(&entry)], sync);
    let is_written = written.is_ok();
    own.open += usize::from(is_written);
    own.map().insert(key, Declared { entry, is_written });
    own.note(written);
    own.trouble.tell()
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
        attempts: 0,
        stuck: None,
    };
    own.map().insert(key, Declared { entry, is_written: false });
}

/// What was declared before it was made is there by now: has it known which one it is.
///
/// # Errors
///
/// It is not what was declared. Then nothing has changed.
pub fn confirm(key: usize) -> Result<bool, Failure> {
    let mut own = lock();
    if own.pid != pid() {
        return Ok(false);
    }
    let Some(mut declared) = own.map().remove(&key) else { return Ok(false) };
    let confirmed = declared.entry.action.confirm();
    let mut written = Ok(());
    if matches!(confirmed, Ok(true)) && declared.is_written {
        let sync = declared.entry.synced;
        written = own.write(&[Record::Declared(&declared.entry)], sync);
    }
    own.map().insert(key, declared);
    written.map_err(|error| Failure::with(&error, "cannot write the journal"))?;
    confirmed
}

/// It is given up, undone.
pub fn cancel(key: usize) {
    let mut own = lock();
    if own.pid == pid() {
        if let Some(declared) = own.map().remove(&key) {
            own.strike(&declared, &Record::Cancelled(declared.entry.id));
        }
    }
}

/// Whether the third death is to do it, too. What the end of the program is to leave, the guard leaves.
pub fn set_at_exit(key: usize, on: bool) {
    let mut own = lock();
    if own.pid != pid() {
        return;
    }
    let Some(mut declared) = own.map().remove(&key) else { return };
    if on && !declared.is_written && declared.entry.id != 0 {
        own.begin();
        let written = own.write(&[Record::Declared(&declared.entry)], declared.entry.synced);
        declared.is_written = written.is_ok();
        own.open += usize::from(declared.is_written);
        own.note(written);
    } else if !on && declared.is_written {
        own.strike(&declared, &Record::Cancelled(declared.entry.id));
        declared.is_written = false;
    }
    own.map().insert(key, declared);
}

/// While this lives, the action that this thread performs next is the one with this key.
#[must_use]
pub fn turn(key: usize) -> TurnOf {
    let mut own = lock();
    let declared = if own.pid == pid() { own.map().remove(&key) } else { None };
    drop(own);
    TurnOf(exchange(declared.map_or(Turn::Inherited, Turn::Own)))
}

/// Makes this the turn of this thread. Gives back the one before.
fn exchange(turn: Turn) -> Turn {
    ManuallyDrop::into_inner(TURN.replace(ManuallyDrop::new(turn)))
}

/// See [`turn`]. What it holds is the turn around it.
pub struct TurnOf(Turn);

impl Drop for TurnOf {
    fn drop(&mut self) {
        let left = exchange(mem::replace(&mut self.0, Turn::None));
        // Not performed after all: it is given up.
        if let Turn::Own(declared) = left {
            lock().strike(&declared, &Record::Cancelled(declared.entry.id));
        }
    }
}

/// Performs an action: the one whose turn it is on this thread; if none is, what `otherwise` makes.
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
            let terms = Terms {
                trash: replay::trash(random()?, 0),
                same_boot: true,
                declared: i64::MIN,
                within: None,
            };
            otherwise()?.perform(&terms).map(|_| ())
        }
    }
}

fn perform_declared(declared: &Declared) -> Result<(), Failure> {
    let Declared { entry, .. } = declared;
    let journal = lock().journal.as_ref().map(|journal| journal.header.number);
    let terms = Terms {
        trash: replay::trash(journal.map_or_else(random, Ok)?, entry.id),
        same_boot: true,
        declared: entry.declared,
        within: None,
    };
    // Nothing is locked: this may take long.
    entry.action.perform(&terms)?;
    lock().strike(declared, &Record::Done(entry.id));
    Ok(())
}

/// What protects what this process declares. Begins its journal, and starts its guard, if need be.
pub fn protection() -> Protection {
    let mut own = lock();
    own.begin();
    let Trouble { no_journal, no_guard, .. } = &own.trouble;
    match (no_journal, no_guard) {
        (Some(why), _) => Protection::Nothing(why.clone()),
        (None, Some(why)) => Protection::Sweep(why.clone()),
        (None, None) => Protection::Guard,
    }
}

/// The end of the program has done what it does: a journal in which nothing is left goes.
pub fn end() {
    let mut own = lock();
    if own.pid == pid() && own.open == 0 {
        if let Some(Journal { directory, log, .. }) = own.journal.take() {
            // Otherwise the guard does it, or a sweep.
            _ = log.remove(&directory);
        }
    }
}

fn pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

fn random() -> io::Result<u128> {
    let mut bytes = [0; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    debug_assert_eq!(filled, bytes.len(), "so few come at once");
    Ok(u128::from_le_bytes(bytes))
}

impl Own {
    const fn new() -> Self {
        Self {
            pid: 0,
            journal: None,
            declared: None,
            open: 0,
            next: 1,
            handles_forks: false,
            program: None,
            trouble: Trouble { no_journal: None, no_guard: None, is_told: false },
        }
    }

    fn map(&mut self) -> &mut HashMap<usize, Declared> {
        self.declared.get_or_insert_default()
    }

    /// Has a journal and a guard be there, as far as that is possible.
    fn begin(&mut self) {
        if self.pid != pid() {
            self.forget();
        }
        if !self.handles_forks {
            self.handles_forks = fork::install().is_ok();
        }
        if self.journal.is_none() && self.trouble.no_journal.is_none() {
            match Journal::begin() {
                Ok(journal) => self.journal = Some(journal),
                Err(failure) => self.trouble.no_journal = Some(failure.to_string()),
            }
        }
        self.see_to_guard();
    }

    fn see_to_guard(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        if self.trouble.no_guard.is_some() || journal.guard.as_ref().is_some_and(Guard::is_alive) {
            return;
        }
        if let Some(dead) = journal.guard.take() {
            fork::close(dead.descriptor());
            mem::forget(dead);
        }
        let started = guard::find(self.program.as_deref()).and_then(|program| {
            let Journal { directory, log, .. } = &*journal;
            Guard::start(&program, directory, log.name())
                .map_err(|error| format!("{}: {error}", program.display()))
        });
        match started {
            Ok(guard) => journal.guard = Some(guard),
            Err(why) => {
                self.trouble.no_guard = Some(why);
                if guard::may_sweep() {
                    // What the guard would have done.
                    _ = sweep::sweep_at_start(&journal.directory);
                }
            }
        }
    }

    /// Adds records to the journal, if there is one.
    fn write(&mut self, records: &[Record<'_>], sync: bool) -> io::Result<()> {
        let Some(journal) = &mut self.journal else {
            return Err(io::ErrorKind::NotFound.into());
        };
        journal.write(records, sync)
    }

    /// Writes down that it is over, if it was written down at all.
    fn strike(&mut self, declared: &Declared, record: &Record<'_>) {
        if !declared.is_written || self.pid != pid() {
            return;
        }
        self.open -= 1;
        let is_given_up = matches!(record, Record::Cancelled(_));
        // What is done is gone, whatever the disk says of it; what was given up must not go.
        let sync = declared.entry.synced && is_given_up;
        let struck = self.write(std::slice::from_ref(record), sync);
        self.note(struck);
        if let Some(Journal { directory, log, .. }) = &mut self.journal {
            // If that does not work, it stays long.
            _ = log.shorten(directory);
        }
    }

    /// Notes what did not work.
    fn note(&mut self, written: io::Result<()>) {
        if let (Err(error), Some(_)) = (written, &self.journal) {
            self.trouble.no_journal = Some(format!("cannot write the journal: {error}"));
        }
    }

    /// Nothing of this is this process's.
    fn forget(&mut self) {
        if let Some(Journal { directory, log, guard, .. }) = self.journal.take() {
            fork::close(log.descriptor());
            guard.iter().for_each(|guard| fork::close(guard.descriptor()));
            // Whoever has their numbers by now has them.
            mem::forget((directory, log, guard));
        }
        // Not dropped: another thread of the parent may have been about to change it.
        mem::forget(self.declared.take());
        self.open = 0;
        self.trouble = Trouble::default();
        self.pid = pid();
    }
}

impl Journal {
    fn begin() -> Result<Self, Failure> {
        let directory = Directory::of_user()?;
        let owner = Owner::own().ok_or_else(|| {
            Failure::refusal("/proc does not tell who this process is: is it mounted?")
        })?;
        let header = Header { owner, number: random()?, begun: birth_clock() };
        let log = Log::begin(&directory, &header)
            .map_err(|error| Failure::with(&error, directory.path().display()))?;
        Ok(Self { directory, log, header, guard: None })
    }

    fn write(&mut self, records: &[Record<'_>], sync: bool) -> io::Result<()> {
        if !self.log.is_open() {
            match self.log.open_again(&self.directory) {
                Ok(()) => {}
                Err(Closed::Failed(error)) => return Err(error),
                Err(closed) => return Err(io::Error::other(format!("it is gone: {closed:?}"))),
            }
        }
        self.log.add(records, sync)
    }
}

impl Trouble {
    fn tell(&mut self) -> Option<String> {
        let what = match (&self.no_journal, &self.no_guard) {
            (Some(why), _) => format!(
                "declared actions of this process do not survive its death by kill -9, as they \
                 cannot be written down: {why}"
            ),
            (None, Some(why)) => format!(
                "declared actions of this process wait for the next sweep if it is killed, as \
                 there is no guard: {why}"
            ),
            (None, None) => return None,
        };
        (!mem::replace(&mut self.is_told, true)).then_some(what)
    }
}
