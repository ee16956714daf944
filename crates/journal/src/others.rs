//! What other processes have declared, who live, or may: that is theirs, whatever a dead one said of it.
//!
//! A service that was killed and started again uses the same names. What the first life declared, and
//! the second has taken over, must not go when somebody comes round to the first.

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
    action: Box<dyn Action>,
    /// Whether that lives for certain.
    lives: bool,
}

/// Who has declared the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    ByNobody,
    ByLiving,
    /// By somebody who may live: on another machine, in another container.
    PerhapsByLiving,
}

impl<'a> Others<'a> {
    pub(crate) fn new(directory: &'a Directory, trust_locks: bool) -> Self {
        Self { directory, trust_locks }
    }

    /// Who has declared the same, in another journal than this.
    pub(crate) fn who_declared(&self, action: &dyn Action, journal: &str) -> Claimed {
        // Anew each time: a sweep may take long, and whoever starts meanwhile declares before it uses.
        let others = self.read().into_iter();
        let same = |it: &Other| it.journal != journal && it.action.is_about_the_same(action);
        match others.filter(same).map(|other| other.lives).max() {
            None => Claimed::ByNobody,
            Some(true) => Claimed::ByLiving,
            Some(false) => Claimed::PerhapsByLiving,
        }
    }

    fn read(&self) -> Vec<Other> {
        let mut actions = Vec::new();
        for name in self.directory.names(ENDING).unwrap_or_default() {
            let Ok(file) = Log::look_at(self.directory, &name, OFlags::RDONLY) else { continue };
            let Ok(Ok((reading, _))) = log::read_journal(&file) else { continue };
            let life = reading.header.owner.life();
            let is_free = || flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
            if life.is_dead() || life != Life::Alive && self.trust_locks && is_free() {
                continue;
            }
            let lives = life == Life::Alive;
            let entries = reading.entries.into_values();
            actions.extend(entries.map(|it| Other {
                journal: name.clone(),
                action: it.action,
                lives,
            }));
        }
        actions
    }
}
