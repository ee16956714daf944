//! The oracle: whether what a ledger tells is what is promised.
//!
//! It errs on the side of the library: what may have happened before or after something else is
//! held against nobody. What it demands of each round:
//!
//! 1. Of the process that created it and all drains, nobody cleans a resource that another has cleaned.
//! 2. No drain touches what a living process owns, was given back, or is off.
//! 3. What a process had registered when it began to end in order is cleaned; if that end was cut
//!    short, what is not is reported. What was called, or whose object died, is cleaned then and there.
//! 4. What a process left that ended otherwise is cleaned by its heir, and by nobody else.
//! 5. What waits for a cleaner or for the end of a pause is cleaned there, in the order of death: not
//!    before, and not by a child. When a barrier was held, what had been handed over is cleaned. What
//!    still waits when the end begins is the drain's, as what lives: also if it was not to run then.
//! 6. Every process ends as it was to, or by a signal that it was sent. Nothing else goes away.

mod fate;
mod rules;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_waiting;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::history::History;
use fate::Fate;

/// All that is known when a round is over.
pub(crate) struct Trial<'a> {
    pub(crate) history: History<'a>,
    fates: BTreeMap<&'a str, Fate>,
    /// The resources whose directories are there.
    left: BTreeSet<String>,
    verdict: Verdict,
}

/// What is wrong, and what there was.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) wrongs: Vec<String>,
    pub(crate) tally: Tally,
}

macro_rules! tally {
    ($($name:ident),*) => {
        /// How much of what there was.
        #[derive(Default, Clone, Copy)]
        pub(crate) struct Tally {
            $(pub(crate) $name: usize,)*
        }

        impl Tally {
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// As it displays itself.
            pub(crate) fn parse(line: &str) -> Option<Self> {
                let mut words = line.split(' ');
                let tally = Self { $($name: words.next()?.parse().ok()?,)* };
                words.next().is_none().then_some(tally)
            }
        }

        impl fmt::Display for Tally {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let numbers = [$(self.$name),*];
                f.write_str(&numbers.map(|number| number.to_string()).join(" "))
            }
        }
    };
}

tally!(
    processes,
    signals,
    resources,
    called,
    died,
    handed_over,
    paused,
    drained,
    inherited,
    due_to_heirs,
    reported,
    left
);

impl<'a> Trial<'a> {
    pub(crate) fn new(history: History<'a>, left: BTreeSet<String>) -> Self {
        let fates = history.processes.iter().map(|(path, it)| (*path, Fate::of(it))).collect();
        Self { history, fates, left, verdict: Verdict::default() }
    }

    pub(crate) fn judge(mut self) -> Verdict {
        self.check_endings();
        self.check_doors();
        self.check_reports();
        self.check_ends_in_order();
        let resources = std::mem::take(&mut self.history.resources);
        for (name, resource) in &resources {
            self.check_count(name, resource);
            self.check_drains(name, resource);
            self.check_acts(name, resource);
            self.check_place(name, resource);
        }
        self.history.resources = resources;
        self.check_waiting();
        self.check_heirs();
        self.count();
        self.verdict
    }

    fn complain(&mut self, wrong: String) {
        self.verdict.wrongs.push(wrong);
    }

    fn count(&mut self) {
        let mut tally = Tally {
            processes: self.history.processes.len(),
            signals: self.history.processes.values().map(|it| it.signals.len()).sum(),
            resources: self.history.resources.len(),
            left: self.left.len(),
            ..self.verdict.tally
        };
        for process in self.history.processes.values() {
            let reports = process.reports;
            tally.reported += reports.skipped + reports.late + reports.unfinished;
        }
        for run in self.history.resources.values().flat_map(|it| &it.runs) {
            *match (run.cause, run.owner) {
                ("drain", "own") => &mut tally.drained,
                ("drain", _) => &mut tally.inherited,
                ("drop", _) => &mut tally.died,
                ("turn", _) => &mut tally.handed_over,
                ("unpause", _) => &mut tally.paused,
                _ => &mut tally.called,
            } += 1;
        }
        self.verdict.tally = tally;
    }
}
