//! Doing what a dead process left undone: the one way for the guard, the sweep, and who forces it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use crate::actions::{Born, NOT_IN_VIEW, Performed, Terms};
use crate::directory::Directory;
use crate::log::Log;
use crate::others::{Claimed, Others};
use crate::owner::Life;
use crate::record::{Entry, Reading, Record};

/// So often is something tried that does not work, before it is left to somebody who looks into it.
pub const ATTEMPTS: u32 = 10;

/// How long after it was declared something may have been made that is nevertheless taken for what was
/// declared, if nobody saw the owner die. In nanoseconds.
const SOON: i64 = 60_000_000_000;

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Performer {
    /// The guard, which has seen the owner die at this moment, in nanoseconds since 1970.
    Guard {
        /// When it died.
        died: i64,
    },
    /// A sweep. Where the machine was booted since, only what was written through to the disk is known
    /// to hold: the rest may have been cancelled. `unsynced`: that, too.
    Sweep {
        /// Also what was not written through to the disk before the machine was booted.
        unsynced: bool,
    },
    /// Somebody who says that it is to be done now.
    Force {
        /// Which entry.
        only: u64,
    },
}

/// What came of one entry.
#[derive(Debug)]
pub enum Fate {
    /// As it says.
    Performed(Performed),
    /// A boot of the machine has done it.
    EndedWithBoot,
    /// A living process has declared the same.
    TakenOver,
    /// Not now: it will be tried again. Why it did not work.
    Failed(String),
    /// Nobody tries again, until somebody forces it. Why.
    Stuck(String),
    /// It is not certain enough, for this reason. Only who is asked to force it does it.
    Unsure(&'static str),
}

impl Fate {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Performed(_) | Self::EndedWithBoot | Self::TakenOver)
    }
}

/// Why an entry is not performed though its owner is dead, before anything is tried.
pub(crate) fn doubt(entry: &Entry, life: Life, performer: Performer) -> Option<&'static str> {
    let unsynced = match performer {
        Performer::Force { .. } => return None,
        Performer::Sweep { unsynced } => unsynced,
        Performer::Guard { .. } => false,
    };
    (life.is_of_another_boot() && !entry.synced && !unsynced)
        .then_some("the machine was booted since, and it was not written through to the disk")
}

/// A journal whose owner is dead, locked by who does what is left of it.
pub(crate) struct Replay<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) log: Log,
    pub(crate) entries: BTreeMap<u64, Entry>,
    pub(crate) life: Life,
    /// Whether paths mean here what they meant to the owner.
    pub(crate) same_view: bool,
    pub(crate) others: &'a Others<'a>,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(
        directory: &'a Directory,
        log: Log,
        reading: Reading,
        life: Life,
        others: &'a Others<'a>,
    ) -> Self {
        let Reading { header, entries, .. } = reading;
        let same_view = header.owner.sees_the_same();
        Self { directory, log, entries, life, same_view, others }
    }

    /// Does what is left, what works on files before files, the newest first. `tell` hears of each.
    /// True: nothing is left, and the journal is gone.
    pub(crate) fn run(
        mut self,
        performer: Performer,
        tell: &mut dyn FnMut(&Entry, &Fate),
    ) -> io::Result<bool> {
        let mut order: Vec<(u8, Reverse<u64>)> = self
            .entries
            .values()
            .map(|entry| (entry.action.kind().rank, Reverse(entry.id)))
            .collect();
        order.sort_unstable();
        for (_, Reverse(id)) in order {
            let Some(mut entry) = self.entries.remove(&id) else { continue };
            let is_meant = match performer {
                Performer::Force { only } => only == id,
                _ => entry.stuck.is_none(),
            };
            let fate = if is_meant { Some(self.settle(&mut entry, performer)) } else { None };
            if let Some(fate) = &fate {
                tell(&entry, fate);
            }
            if !fate.is_some_and(|fate| fate.is_done()) {
                self.entries.insert(id, entry);
            }
        }
        if !self.entries.is_empty() {
            return Ok(false);
        }
        self.log.remove(self.directory)?;
        Ok(true)
    }

    /// Forgets one, undone.
    pub(crate) fn forget(mut self, id: u64) -> io::Result<()> {
        self.log.add(&[Record::Cancelled(id)], true)?;
        self.entries.remove(&id);
        if self.entries.is_empty() { self.log.remove(self.directory) } else { Ok(()) }
    }

    fn settle(&mut self, entry: &mut Entry, performer: Performer) -> Fate {
        if self.life.is_of_another_boot() && entry.action.ends_with_boot() {
            self.note(&Record::Done(entry.id));
            return Fate::EndedWithBoot;
        }
        if let Some(doubt) = doubt(entry, self.life, performer) {
            return Fate::Unsure(doubt);
        }
        let claimed = self.others.who_declared(entry, self.log.name());
        let is_forced = matches!(performer, Performer::Force { .. });
        if let Some(doubt) = claimed.doubt(is_forced) {
            return Fate::Unsure(doubt);
        }
        let mut terms = self.terms(entry, performer);
        // That is no attempt: however often, where it is seen it is to be done.
        if !is_forced && !entry.action.is_in_view(&terms) {
            return Fate::Unsure(NOT_IN_VIEW);
        }
        self.note(&Record::Claimed(entry.id));
        entry.attempts += 1;
        // It is another's now; but not what somebody had begun to remove before.
        terms.begun_only = claimed == Claimed::ByLiving;
        match entry.action.perform(&terms) {
            Ok(performed) => {
                self.note(&Record::Done(entry.id));
                if terms.begun_only { Fate::TakenOver } else { Fate::Performed(performed) }
            }
            Err(failure) if failure.refused || entry.attempts >= ATTEMPTS => {
                let reason = failure.to_string();
                self.note(&Record::Stuck(entry.id, &reason));
                entry.stuck = Some(reason.clone());
                Fate::Stuck(reason)
            }
            Err(failure) => Fate::Failed(failure.to_string()),
        }
    }

    /// Writes down what was done, for who comes later. If the disk is full, that one will find it done; and it
    /// may be what is done here that makes room.
    fn note(&mut self, record: &Record<'_>) {
        _ = self.log.add(std::slice::from_ref(record), false);
    }

    fn terms(&self, entry: &Entry, performer: Performer) -> Terms {
        let earliest = entry.declared;
        let born = match performer {
            // Nobody else has such a name.
            _ if entry.unguessable => None,
            Performer::Guard { died } => Some(Born { earliest, latest: died, until_death: true }),
            Performer::Sweep { .. } => {
                let latest = earliest.saturating_add(SOON);
                Some(Born { earliest, latest, until_death: false })
            }
            Performer::Force { .. } => None,
        };
        Terms {
            trash: trash(entry.trash),
            by_owner: false,
            same_view: self.same_view,
            // A journal alone is not believed that.
            was_ours: entry.unguessable,
            begun_only: false,
            same_boot: !self.life.is_of_another_boot(),
            same_numbers: self.life != Life::OtherContainer,
            born,
        }
    }
}

/// The name that belongs to such a number.
pub(crate) fn trash(number: u128) -> String {
    format!(".lastly-{number:032x}")
}
