//! What other processes have declared, who live, or may: that is theirs, whatever a dead one said of it.
//!
//! A service that was killed and started again uses the same names. What the first life declared, and
//! the second has taken over, must not go when somebody comes round to the first.

use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::actions::Action;
use crate::directory::{Directory, ENDING};
use crate::log::{self, Log};
use crate::owner::Life;

pub(crate) struct Others<'a> {
    directory: &'a Directory,
    /// Whether a free lock is taken for proof that nobody lives who is not seen from here.
    trust_locks: bool,
}

/// What somebody else has declared.
struct Other {
    journal: String,
    /// `None`: something that cannot be read here.
    action: Option<Box<dyn Action>>,
    /// Whether that lives for certain.
    lives: bool,
}

/// Who else has declared what an action is about. In the order of what is to be heeded first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claimed {
    ByNobody,
    /// By somebody who may live: on another machine, in another container.
    PerhapsByLiving,
    /// Something in it is a living one's.
    InPart,
    ByLiving,
}

impl<'a> Others<'a> {
    pub(crate) fn new(directory: &'a Directory, trust_locks: bool) -> Self {
        Self { directory, trust_locks }
    }

    /// Who has declared what this is about, in another journal than this.
    pub(crate) fn who_declared(&self, action: &dyn Action, journal: &str) -> Claimed {
        // Of a process, its end is all that anybody can have declared.
        let Some(path) = action.path() else { return Claimed::ByNobody };
        // Anew each time: a sweep may take long, and whoever starts meanwhile declares before it uses.
        let others = self.read().into_iter().filter(|other| other.journal != journal);
        others.map(|other| other.claims(path)).max().unwrap_or(Claimed::ByNobody)
    }

    fn read(&self) -> Vec<Other> {
        let mut actions = Vec::new();
        for name in self.directory.names(ENDING).unwrap_or_default() {
            let Ok(file) = Log::look_at(self.directory, &name, OFlags::RDONLY) else { continue };
            let is_free = || flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
            let Ok(Ok((reading, _))) = log::read_journal(&file) else {
                if !is_free() {
                    actions.push(Other { journal: name, action: None, lives: false });
                }
                continue;
            };
            let life = reading.header.owner.life();
            if life.is_dead() || life != Life::Alive && self.trust_locks && is_free() {
                continue;
            }
            let lives = life == Life::Alive;
            actions.extend(reading.entries.into_values().map(|entry| Other {
                journal: name.clone(),
                action: Some(entry.action),
                lives,
            }));
        }
        actions
    }
}

impl Other {
    fn claims(&self, path: &Path) -> Claimed {
        let Some(action) = &self.action else { return Claimed::PerhapsByLiving };
        match action.path() {
            Some(its) if its == path && self.lives => Claimed::ByLiving,
            Some(its) if its.starts_with(path) && self.lives => Claimed::InPart,
            Some(its) if its.starts_with(path) => Claimed::PerhapsByLiving,
            _ => Claimed::ByNobody,
        }
    }
}
