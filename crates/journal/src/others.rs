//! What living processes have declared: that is theirs, whatever a dead one said of it.
//!
//! A service that was killed and started again uses the same names. What the first life declared, and
//! the second has taken over, must not go when somebody comes round to the first.

use std::cell::OnceCell;

use rustix::fs::OFlags;

use crate::actions::Action;
use crate::directory::{Directory, ENDING};
use crate::log::{self, Log};
use crate::record::Reading;

pub(crate) struct Others<'a> {
    directory: &'a Directory,
    /// Read when it is first asked for: few need it.
    actions: OnceCell<Vec<(String, Box<dyn Action>)>>,
}

impl<'a> Others<'a> {
    pub(crate) fn new(directory: &'a Directory) -> Self {
        Self { directory, actions: OnceCell::new() }
    }

    /// Whether somebody who may be alive has declared the same, in another journal than this.
    pub(crate) fn have_declared(&self, action: &dyn Action, journal: &str) -> bool {
        let actions = self.actions.get_or_init(|| self.read());
        actions.iter().any(|(name, other)| name != journal && other.is_about_the_same(action))
    }

    fn read(&self) -> Vec<(String, Box<dyn Action>)> {
        let mut actions = Vec::new();
        for name in self.directory.names(ENDING).unwrap_or_default() {
            let Ok(file) = Log::look_at(self.directory, &name, OFlags::RDONLY) else { continue };
            let Ok(bytes) = log::read_file(&file) else { continue };
            let Ok(reading) = Reading::of(&bytes) else { continue };
            if !reading.header.owner.life().is_dead() {
                let entries = reading.entries.into_values();
                actions.extend(entries.map(|entry| (name.clone(), entry.action)));
            }
        }
        actions
    }
}
