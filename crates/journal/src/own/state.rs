//! What [`own`](super) keeps: the journal, its guard, and what is declared.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{geteuid, getpid, getuid};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::directory::Directory;
use crate::failure::Failure;
use crate::fork;
use crate::guard::{self, Guard};
use crate::identity::birth_clock;
use crate::log::{Closed, Log};
use crate::own::Protection;
use crate::owner::Owner;
use crate::record::{Entry, Header, Record};

pub(crate) struct Own {
    /// Whose this is. Another process is a child that no handler of forks has seen.
    pub(super) pid: i32,
    journal: Option<Journal>,
    /// What is declared and not over, by key.
    pub(super) declared: Option<HashMap<usize, Declared>>,
    pub(super) next: u64,
    /// How many stand in the journal that are not over: more than are in `declared`, as some are just
    /// being performed, or could not be.
    open: usize,
    pub(super) random: Random,
    handles_forks: bool,
    /// The guard's program, as the door says.
    program: Option<PathBuf>,
    pub(super) trouble: Trouble,
}

/// What does not work, and what of that was told.
pub(super) struct Trouble {
    no_journal: Option<String>,
    no_guard: Option<String>,
    /// A journal was to go, and did not.
    not_gone: Option<String>,
    /// When the last of it was found, and as which user.
    since: Option<(Instant, u32)>,
    is_told: bool,
}

/// After that time it is tried again: there may be room by then, or a descriptor.
const PATIENCE: Duration = Duration::from_secs(60);

struct Journal {
    directory: Directory,
    log: Log,
    header: Header,
    guard: Option<Guard>,
    /// Whether its name is on the disk.
    is_named: bool,
    /// Whether this process acts, for now, as another user than who began it, as it was last asked: what that one
    /// declares, the guard would refuse.
    is_of_another_user: bool,
}

#[derive(Debug)]
pub(super) struct Declared {
    pub(super) entry: Entry,
    /// Whether it is to stand in the journal.
    pub(super) is_wanted: bool,
    /// The number of the journal in which it stands.
    pub(super) written: Option<u128>,
    /// Whether it says there which file or process it is.
    pub(super) is_written_known: bool,
}

pub(super) fn pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

pub(super) fn random() -> io::Result<u128> {
    let mut bytes = [0; 16];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty())?;
    debug_assert_eq!(filled, bytes.len(), "so few come at once");
    Ok(u128::from_le_bytes(bytes))
}

/// Random numbers, asked for some at a time.
pub(super) struct Random {
    bytes: [u8; 256],
    /// How many of them are not used yet.
    left: usize,
}

impl Random {
    const fn new() -> Self {
        Self { bytes: [0; 256], left: 0 }
    }

    /// The next one. Where the system has none, it is one that others could guess.
    pub(super) fn next(&mut self) -> u128 {
        if self.left == 0 {
            // So many come at once, or none.
            _ = getrandom(&mut self.bytes, GetRandomFlags::empty());
            self.left = self.bytes.len();
        }
        let (rest, bytes) = self.bytes[..self.left].split_last_chunk().expect("a multiple");
        self.left = rest.len();
        u128::from_le_bytes(*bytes)
    }
}

impl Own {
    pub(super) const fn new() -> Self {
        Self {
            pid: 0,
            journal: None,
            declared: None,
            next: 1,
            open: 0,
            random: Random::new(),
            handles_forks: false,
            program: None,
            trouble: Trouble::new(),
        }
    }

    pub(super) fn map(&mut self) -> &mut HashMap<usize, Declared> {
        self.declared.get_or_insert_default()
    }

    /// Has a journal be there, if that is possible.
    pub(super) fn begin(&mut self) {
        if self.pid != pid() {
            self.forget();
        }
        if !self.handles_forks {
            self.handles_forks = fork::install().is_ok();
        }
        self.trouble.forget_in_time();
        self.see_to_journal();
        if self.journal.is_none() && self.trouble.no_journal.is_none() {
            match Journal::begin() {
                Ok(journal) => {
                    self.journal = Some(journal);
                    self.write_down_again();
                }
                Err(failure) => self.trouble.no_journal(failure.to_string()),
            }
        }
    }

    /// A journal in which nobody would find what it says goes, and what it says is written down again.
    fn see_to_journal(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        let user = journal.header.owner.user;
        journal.is_of_another_user = user != geteuid().as_raw();
        if journal.log.is_removed() {
            // Somebody has cleaned up.
            drop(self.lose_journal());
        } else if journal.is_of_another_user && user != getuid().as_raw() {
            // This process has given up rights, for good: it must not go on to hand them out.
            self.trouble = Trouble::new();
            self.abolish();
        }
    }

    /// Has a guard be there, if that is possible: after what is declared was written down, so that whoever
    /// sweeps from now on sees whose it is. True: it was found just now that there can be none, and who asks
    /// is to sweep in its place.
    pub(super) fn see_to_guard(&mut self) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        if self.trouble.no_guard.is_some()
            || journal.guard.as_ref().is_some_and(Guard::is_alive)
            || journal.is_of_another_user
        {
            return false;
        }
        drop(journal.guard.take());
        let started = guard::find(self.program.as_deref()).and_then(|program| {
            let Journal { directory, log, .. } = &*journal;
            Guard::start(&program, directory, log.name())
                .map_err(|error| format!("{}: {error}", program.display()))
        });
        match started {
            Ok(guard) => journal.guard = Some(guard),
            Err(why) => self.trouble.no_guard(why),
        }
        self.trouble.no_guard.is_some()
    }

    /// Adds records to the journal, if there is one.
    pub(super) fn write(&mut self, records: &[Record<'_>], sync: bool) -> io::Result<()> {
        let Some(journal) = &mut self.journal else {
            return Err(io::ErrorKind::NotFound.into());
        };
        journal.write(records, sync)
    }

    /// Writes an action down, if that is possible.
    pub(super) fn write_down(&mut self, declared: &mut Declared) {
        if self.journal.as_ref().is_some_and(|journal| journal.is_of_another_user) {
            let why = "this process acts as another user just now; declare before, or after";
            self.trouble.no_journal(why.to_owned());
            return;
        }
        let Declared { entry, written, is_written_known, .. } = declared;
        match self.write(&[Record::Declared(entry)], entry.synced) {
            Ok(()) => {
                *written = self.number();
                *is_written_known = entry.action.is_known();
                self.open += 1;
                if self.journal.is_some() {
                    self.trouble.no_journal = None;
                }
            }
            // Where there is no journal, it is known why.
            Err(_) if self.journal.is_none() => {}
            Err(error) => {
                self.trouble.no_journal(format!("cannot write the journal: {error}"));
            }
        }
    }

    /// What stood in a journal that had to go.
    fn write_down_again(&mut self) {
        let mut declared = self.declared.take();
        for declared in declared.iter_mut().flat_map(HashMap::values_mut) {
            if declared.is_wanted {
                self.write_down(declared);
            }
        }
        self.declared = declared;
    }

    /// Writes down that it is done. If that does not work, somebody will find that there is nothing to do.
    pub(super) fn note_done(&mut self, declared: &Declared) {
        if self.pid == pid() && self.stands(declared) {
            self.open -= 1;
            _ = self.write(&[Record::Done(declared.entry.id)], false);
            self.journal.iter_mut().for_each(Journal::shorten);
        }
    }

    /// Writes down that it is given up. What cannot be written, as the disk is full, must not be done all the
    /// same: then the journal goes, with all that it says, and the next declaration begins another. To be called
    /// by the process that declared it.
    pub(super) fn give_up(&mut self, declared: &mut Declared) {
        debug_assert_eq!(self.pid, pid(), "whose it is");
        declared.is_wanted = false;
        if !self.stands(declared) {
            return;
        }
        declared.written = None;
        self.open -= 1;
        let Entry { id, synced, .. } = declared.entry;
        if self.write(&[Record::Cancelled(id)], synced).is_ok() {
            self.journal.iter_mut().for_each(Journal::shorten);
        } else {
            self.abolish();
        }
    }

    /// Nothing must be done that stands in the journal. Its guard ends when it sees that.
    fn abolish(&mut self) {
        let Some(Journal { directory, log, guard, .. }) = self.lose_journal() else { return };
        if let Err(error) = log.abolish(&directory) {
            self.trouble.not_gone = Some(error.to_string());
        }
        drop(guard);
    }

    /// What stands in the journal stands nowhere any more.
    fn lose_journal(&mut self) -> Option<Journal> {
        self.open = 0;
        self.journal.take()
    }

    /// Whether it stands in the journal.
    pub(super) fn stands(&self, declared: &Declared) -> bool {
        declared.written.is_some() && declared.written == self.number()
    }

    pub(super) fn set_program(&mut self, program: Option<PathBuf>) {
        self.program = program;
        self.trouble.no_guard = None;
    }

    /// Whether paths mean what they meant when the journal was begun.
    pub(super) fn sees_the_same(&self) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.header.owner.sees_the_same())
    }

    /// The journal's number.
    pub(super) fn number(&self) -> Option<u128> {
        self.journal.as_ref().map(|journal| journal.header.number)
    }

    /// A journal in which nothing is left goes. Otherwise the guard sees to it, or a sweep.
    pub(super) fn end(&mut self) {
        if self.open > 0 {
            return;
        }
        if let Some(journal) = self.journal.take() {
            journal.remove();
        }
    }

    /// Nothing of this is this process's.
    pub(crate) fn forget(&mut self) {
        // What is closed here is this process's copies of the descriptors.
        drop(self.journal.take());
        drop(self.declared.take());
        self.open = 0;
        // What its parent will use is not for it.
        self.random = Random::new();
        self.trouble = Trouble::new();
        self.pid = pid();
    }
}

impl Journal {
    fn begin() -> Result<Self, Failure> {
        let directory = Directory::of_user()?;
        let owner = Owner::own().ok_or_else(|| {
            Failure::refusal("/proc does not tell who this process is: is it mounted?")
        })?;
        let header = Header { owner, number: random()?, begun: birth_clock(), file: (0, None) };
        let log = Log::begin(&directory, &header)
            .map_err(|error| Failure::with(&error, directory.path().display()))?;
        Ok(Self { directory, log, header, guard: None, is_named: false, is_of_another_user: false })
    }

    fn write(&mut self, records: &[Record<'_>], sync: bool) -> io::Result<()> {
        if !self.log.is_open() {
            self.keep_open()?;
        }
        self.log.add(records, sync)?;
        if sync && !self.is_named {
            // Its name, too; if that does not work, the next time.
            self.is_named = self.directory.sync().is_ok();
        }
        Ok(())
    }

    /// Leaves out what is done with, if that is most of it by now.
    fn shorten(&mut self) {
        if self.log.is_long() {
            // If that does not work, it stays long.
            _ = self.keep_open().and_then(|()| self.log.shorten(&self.directory));
            self.is_named = false;
        }
    }

    fn remove(mut self) {
        // Otherwise the guard does it, or a sweep.
        _ = self.keep_open().and_then(|()| self.log.remove(&self.directory));
    }

    /// Sees that the descriptors are its own: some programs close all they find.
    fn keep_open(&mut self) -> io::Result<()> {
        self.directory.keep_open()?;
        self.log.keep_open(&self.directory).map_err(|closed| match closed {
            Closed::Failed(error) => error,
            Closed::Gone => io::Error::other("somebody has removed it"),
            Closed::Locked => io::Error::other("somebody else has it open"),
            Closed::Untrusted(why) => io::Error::other(why),
        })
    }
}

impl Trouble {
    const fn new() -> Self {
        Self { no_journal: None, no_guard: None, not_gone: None, since: None, is_told: false }
    }

    fn no_journal(&mut self, why: String) {
        self.no_journal = Some(why);
        self.is_found();
    }

    fn no_guard(&mut self, why: String) {
        self.no_guard = Some(why);
        self.is_found();
    }

    fn is_found(&mut self) {
        self.since = Some((Instant::now(), geteuid().as_raw()));
    }

    fn forget_in_time(&mut self) {
        let is_over = |(since, user): (Instant, u32)| {
            since.elapsed() > PATIENCE || user != geteuid().as_raw()
        };
        if self.since.is_some_and(is_over) {
            (self.no_journal, self.no_guard, self.since) = (None, None, None);
        }
    }

    pub(super) fn protection(&self) -> Protection {
        match (&self.no_journal, &self.no_guard) {
            (Some(why), _) => Protection::Nothing(why.clone()),
            (None, Some(why)) => Protection::Sweep(why.clone()),
            (None, None) => Protection::Guard,
        }
    }

    pub(super) fn tell(&mut self) -> Option<String> {
        if let Some(why) = self.not_gone.take() {
            return Some(format!(
                "what this process has given up may be done all the same when it is dead, as its \
                 journal can neither be written nor be removed, which is to be done by hand: {why}"
            ));
        }
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
