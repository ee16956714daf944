//! Finding what dead processes left: all journals of a user, one after the other.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, FlockOperation, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, flock, futimens,
    unlinkat,
};

use crate::actions::{NOT_IN_VIEW, Terms};
use crate::descriptor::Descriptor;
use crate::directory::{Directory, ENDING, NEW};
use crate::log::{self, Closed, Log};
use crate::others::Others;
use crate::owner::{Life, Owner};
use crate::record::{Entry, Reading, Unreadable};
use crate::replay::{Fate, Performer, Replay, doubt};

/// When somebody last began to sweep is this file's time. (Who sweeps locks the directory.)
const SWEEP: &str = "sweep";

/// What belongs to a journal that is only being made is younger.
const BEING_MADE: Duration = Duration::from_secs(10);

/// A program's start sweeps no more often than this.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// One journal, as it is found.
#[derive(Debug)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// What is known of it, or why nothing is done that it says.
    pub state: Result<Journal, Trouble>,
}

/// What a journal says.
#[derive(Debug)]
pub struct Journal {
    /// Unlike that of any other.
    pub number: u128,
    /// Whose it is.
    pub owner: Owner,
    /// What is known of that.
    pub life: Life,
    /// When it was begun, in nanoseconds since 1970.
    pub begun: i64,
    /// What is neither done nor cancelled, the oldest first.
    pub entries: Vec<Entry>,
}

/// Why nothing is done that a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Others may have written it, for this reason.
    Untrusted(&'static str),
    /// It cannot be read.
    Unreadable(Unreadable),
    /// The system refused.
    Failed(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted(why) => write!(f, "not trusted: {why}"),
            Self::Unreadable(Unreadable::Empty) => write!(f, "it is empty yet"),
            Self::Unreadable(Unreadable::Damaged { at }) => {
                write!(f, "damaged at byte {at}: nothing is done that it says")
            }
            Self::Unreadable(Unreadable::Foreign) => {
                write!(f, "written by another version of lastly: nothing is done that it says")
            }
            Self::Unreadable(Unreadable::Copied) => {
                write!(f, "a copy of another file: what it says may have been given up since")
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Journal {
    /// By what users name one of its entries.
    #[must_use]
    pub fn id_of(&self, entry: &Entry) -> String {
        format!("{:08x}-{}", (self.number >> 96) as u32, entry.id)
    }
}

/// What a sweep leaves alone though its owner is dead.
pub struct Doubts<'a> {
    others: Others<'a>,
    performer: Performer,
}

impl<'a> Doubts<'a> {
    /// Those of such a sweep.
    #[must_use]
    pub fn new(directory: &'a Directory, options: Options) -> Self {
        let Options { unsynced, trust_locks } = options;
        let others = Others::new(directory, trust_locks);
        Self { others, performer: Performer::Sweep { unsynced } }
    }

    /// Why it leaves this entry alone, if it does. `name`: that of its journal.
    #[must_use]
    pub fn of(&self, name: &str, journal: &Journal, entry: &Entry) -> Option<&'static str> {
        let terms = Terms {
            same_boot: !journal.life.is_of_another_boot(),
            same_view: journal.owner.sees_the_same(),
            ..Terms::of_owner(String::new())
        };
        let is_unseen = || !entry.action.is_in_view(&terms);
        doubt(entry, journal.life, self.performer)
            .or_else(|| self.others.who_declared(entry, name).doubt(false))
            .or_else(|| is_unseen().then_some(NOT_IN_VIEW))
    }
}

/// All journals, the oldest names first. Those that vanish meanwhile are left out.
///
/// # Errors
///
/// The directory cannot be read.
pub fn look(directory: &Directory) -> io::Result<Vec<Found>> {
    let names = directory.names(ENDING)?;
    let found = names.into_iter().filter_map(|name| {
        let state = look_at(directory, &name)?;
        Some(Found { name, state })
    });
    Ok(found.collect())
}

fn look_at(directory: &Directory, name: &str) -> Option<Result<Journal, Trouble>> {
    let read = || {
        let file = Log::look_at(directory, name, OFlags::RDONLY)?;
        Ok(log::read_journal(&file).map(|read| read.map(|(reading, _)| reading)))
    };
    let reading = match read() {
        Ok(Ok(Err(error))) => return Some(Err(Trouble::Failed(error.to_string()))),
        Ok(Ok(Ok(reading))) => Ok(reading),
        Ok(Err(unreadable)) => Err(unreadable),
        Err(Closed::Gone) => return None,
        Err(Closed::Untrusted(why)) => return Some(Err(Trouble::Untrusted(why))),
        Err(Closed::Locked) => return Some(Err(Trouble::Failed("it is locked".to_owned()))),
        Err(Closed::Failed(error)) => return Some(Err(Trouble::Failed(error.to_string()))),
    };
    Some(reading.map_err(Trouble::Unreadable).map(|Reading { header, entries, .. }| {
        let life = header.owner.life();
        let entries = entries.into_values().collect();
        Journal { number: header.number, owner: header.owner, life, begun: header.begun, entries }
    }))
}

/// What a sweep tells of, as it goes on.
pub enum Event<'a> {
    /// A journal, before anything is done with it.
    Journal(&'a Found),
    /// What came of an entry.
    Entry(&'a Entry, &'a Fate),
    /// A journal of a dead process that somebody else has locked: a child that it forked may still have
    /// it open. It is left for the next time.
    Locked(&'a Found),
    /// Something could not be done.
    Failed(String),
}

/// What is to be swept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Also what was not written through to the disk before the machine was booted.
    pub unsynced: bool,
    /// Take the lock alone for proof, where the owner was in another container: whoever has closed all its
    /// files, or has called `exec`, and lives on, counts as dead then.
    pub trust_locks: bool,
}

/// Does what all dead processes left. False: somebody else is at it.
///
/// # Errors
///
/// The directory cannot be read or written to.
pub fn sweep(
    directory: &Directory,
    options: Options,
    tell: &mut dyn FnMut(Event<'_>),
) -> io::Result<bool> {
    let lock = Descriptor::open_private(|| directory.open_file(".", OFlags::DIRECTORY))?;
    if flock(&*lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    // If the disk is full, the next one comes sooner.
    _ = touch(directory);
    let others = Others::new(directory, options.trust_locks);
    for found in look(directory)? {
        tell(Event::Journal(&found));
        if let Err(error) = sweep_one(directory, &found, options, &others, tell) {
            tell(Event::Failed(format!("{}: {error}", found.name)));
        }
    }
    remove_unfinished(directory)?;
    Ok(true)
}

/// The same, unless it was done a short time ago, or somebody else is at it.
///
/// # Errors
///
/// As for [`sweep`].
pub fn sweep_at_start(directory: &Directory, options: Options) -> io::Result<bool> {
    let last = directory.open_file(SWEEP, OFlags::RDONLY).and_then(|it| it.metadata()?.modified());
    if last.is_ok_and(|last| last.elapsed().is_ok_and(|age| age < INTERVAL)) {
        return Ok(false);
    }
    sweep(directory, options, &mut |_| ())
}

/// Notes when the last sweep began.
fn touch(directory: &Directory) -> io::Result<()> {
    let mark = directory.open_file(SWEEP, OFlags::CREATE | OFlags::RDWR)?;
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(mark, &Timestamps { last_access: omit, last_modification: now })?)
}

fn sweep_one(
    directory: &Directory,
    found: &Found,
    options: Options,
    others: &Others<'_>,
    tell: &mut dyn FnMut(Event<'_>),
) -> io::Result<()> {
    let life = match &found.state {
        Ok(journal) => journal.life,
        // It says nothing, and the one who was to write it is gone: its lock is free.
        Err(Trouble::Unreadable(Unreadable::Empty)) => {
            return remove_if_abandoned(directory, &found.name);
        }
        Err(_) => return Ok(()),
    };
    let is_due = life.is_dead() || life.is_dead_if_unlocked() && options.trust_locks;
    if !is_due {
        return Ok(());
    }
    let mut log = match Log::open(directory, &found.name, false) {
        Ok(log) => log,
        Err(Closed::Locked) => {
            tell(Event::Locked(found));
            return Ok(());
        }
        Err(Closed::Failed(error)) => return Err(error),
        Err(Closed::Gone | Closed::Untrusted(_)) => return Ok(()),
    };
    // Again: it was not locked before.
    let Ok(reading) = log.read() else { return Ok(()) };
    let performer = Performer::Sweep { unsynced: options.unsynced };
    let replay = Replay::new(directory, log, reading?, life, others);
    replay.run(performer, &mut |entry, fate| tell(Event::Entry(entry, fate)))?;
    Ok(())
}

/// Removes what was to become a journal and never did.
fn remove_unfinished(directory: &Directory) -> io::Result<()> {
    for name in directory.names(NEW)? {
        remove_if_abandoned(directory, &name)?;
    }
    Ok(())
}

fn remove_if_abandoned(directory: &Directory, name: &str) -> io::Result<()> {
    let opened = Descriptor::open_private(|| directory.open_file(name, OFlags::RDONLY));
    let Ok(file) = opened else { return Ok(()) };
    let age = SystemTime::now().duration_since(file.metadata()?.modified()?);
    let is_locked = flock(&*file, FlockOperation::NonBlockingLockExclusive).is_err();
    if is_locked || age.is_ok_and(|age| age < BEING_MADE) {
        return Ok(());
    }
    match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whose journal this is.
///
/// # Errors
///
/// It is not there, or cannot be trusted, or read.
pub fn owner_of(directory: &Directory, name: &str) -> io::Result<Owner> {
    match look_at(directory, name) {
        Some(Ok(journal)) => Ok(journal.owner),
        Some(Err(trouble)) => Err(io::Error::other(trouble.to_string())),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Waits until nobody has this journal, whose owner was seen to die at that moment, and does what it says. `tell` hears of
/// each entry. False: something is left.
///
/// # Errors
///
/// The journal cannot be read or written to.
pub fn replay(
    directory: &Directory,
    name: &str,
    (owner, died): (&Owner, i64),
    tell: &mut dyn FnMut(&Entry, &Fate),
) -> io::Result<bool> {
    let mut log = loop {
        match Log::open(directory, name, true) {
            Ok(log) => break log,
            Err(Closed::Locked) => {}
            Err(Closed::Gone) => return Ok(true),
            Err(Closed::Untrusted(why)) => return Err(io::Error::other(why)),
            Err(Closed::Failed(error)) => return Err(error),
        }
    };
    let Ok(reading) = log.read() else { return Ok(false) };
    let reading = reading?;
    // That one was seen to end. Another may have its number by now, and have started in the same tick of the clock.
    let is_seen = reading.header.owner == *owner;
    let life = if is_seen { Life::Dead } else { reading.header.owner.life() };
    if !life.is_dead() {
        return Ok(false);
    }
    let others = Others::new(directory, false);
    Replay::new(directory, log, reading, life, &others).run(Performer::Guard { died }, tell)
}

/// What somebody wants who forces an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Do it now.
    Perform,
    /// Forget it, undone.
    Forget,
}

/// Does one entry, or forgets it, though it is not proven that its owner is dead, or nobody tries
/// any more. Not if its owner is alive for all that is known.
///
/// # Errors
///
/// The owner is alive; the journal is locked, or cannot be read or written to.
pub fn force(
    directory: &Directory,
    found: &Found,
    id: u64,
    how: Force,
    tell: &mut dyn FnMut(&Entry, &Fate),
) -> io::Result<()> {
    let Ok(journal) = &found.state else {
        return Err(io::Error::other("the journal cannot be trusted, or read"));
    };
    if journal.life == Life::Elsewhere {
        let reason = "it belongs to another machine: force it there; if that is gone for good, \
             remove the journal by hand";
        return Err(io::Error::other(reason));
    }
    if journal.life == Life::Alive {
        let owner = &journal.owner;
        let reason = format!("its owner, {} ({}), is alive", owner.pid, owner.name);
        return Err(io::Error::other(reason));
    }
    let mut log = Log::open(directory, &found.name, false).map_err(|closed| match closed {
        Closed::Locked => io::Error::other("somebody has the journal open"),
        Closed::Gone => io::Error::other("it is gone"),
        Closed::Untrusted(why) => io::Error::other(why),
        Closed::Failed(error) => error,
    })?;
    let reading = log.read().map_err(|it| io::Error::other(format!("{it:?}")))??;
    if !reading.entries.contains_key(&id) {
        return Err(io::Error::other("it is gone"));
    }
    let others = Others::new(directory, false);
    let replay = Replay::new(directory, log, reading, journal.life, &others);
    match how {
        Force::Forget => replay.forget(id),
        Force::Perform => replay.run(Performer::Force { only: id }, tell).map(|_| ()),
    }
}
