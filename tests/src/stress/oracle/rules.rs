//! The rules, but for those that look at one process alone.

use super::Trial;
use super::fate::Fate;
use crate::history::{Act, Fork, Process, Reports, Resource, Run};

impl<'a> Trial<'a> {
    pub(super) fn check_endings(&mut self) {
        let mut wrongs = vec![];
        for (number, status) in &self.history.unbegun {
            wrongs
                .push(format!("process {number} ended: {status}; it had not got out of its fork"));
        }
        for (path, process) in &self.history.processes {
            if self.fates[path] == Fate::Wrong {
                let Process { ending, ended, signals, .. } = process;
                let ended = ended.map_or("it did not".to_owned(), |it| it.1.to_string());
                let meant = ending
                    .as_ref()
                    .map_or("not to".to_owned(), |it| format!("by {}, with {}", it.way, it.status));
                let sent: Vec<_> = signals.iter().map(|it| it.number).collect();
                wrongs.push(format!("{path} ended: {ended}; was {meant}; got signals {sent:?}"));
            }
        }
        wrongs.into_iter().for_each(|it| self.complain(it));
    }

    /// A door is shut from the beginning only where that of the parent was, or was about to be.
    pub(super) fn check_doors(&mut self) {
        let mut wrongs = vec![];
        for (path, _) in self.history.processes.iter().filter(|(_, it)| it.is_shut) {
            let parent = self.history.forks.get(path).map(|it| it.parent);
            let may_be = parent.is_some_and(|parent| {
                let began = self.history.processes[path].began;
                self.history.processes[parent].is_shut || self.quiet_until(parent) < began
            });
            if !may_be {
                wrongs.push(format!("{path} began with a door that was shut"));
            }
        }
        wrongs.into_iter().for_each(|it| self.complain(it));
    }

    /// Who was not cut short has nothing to report on but what came too late. And what is reported as
    /// not having run has not.
    pub(super) fn check_reports(&mut self) {
        let mut wrongs = vec![];
        for (path, process) in &self.history.processes {
            let reports = process.reports;
            if matches!(self.fates[path], Fate::Drained { cut: false, .. }) {
                let (skipped, unfinished) = (reports.skipped, reports.unfinished);
                if skipped + unfinished > 0 {
                    wrongs.push(format!(
                        "{path} had time, and reports {skipped} as skipped, {unfinished} unfinished"
                    ));
                }
            }
            let resources = self.history.resources.values();
            let known = resources.filter(|it| is_same_or_below(path, it.owner));
            let has_run = |it: &&Resource<'_>| it.runs.iter().any(|run| run.process == *path);
            let not_run = known.filter(|it| !has_run(it)).count();
            if reports.skipped + reports.late > not_run {
                wrongs.push(format!(
                    "{path} reports {} as not run, but did not run only {not_run}",
                    reports.skipped + reports.late
                ));
            }
        }
        wrongs.into_iter().for_each(|it| self.complain(it));
    }

    pub(super) fn check_ends_in_order(&mut self) {
        let mut wrongs = vec![];
        for (path, process) in &self.history.processes {
            let Fate::Drained { since, cut, .. } = self.fates[path] else { continue };
            let own = self.history.resources.iter().filter(|(_, it)| it.owner == *path);
            let is_due = |it: &Resource<'_>| {
                let in_time =
                    it.registered.is_some_and(|it| it.at < since || (it.in_drain && !cut));
                let is_wanted = !it.unwanted || self.has_died_waiting(it, path, since);
                in_time && is_wanted && !it.may_be_given_back(path)
            };
            let done = |it: &Resource<'_>| {
                it.runs.iter().any(|run| run.process == *path && run.done.is_some())
            };
            let left: Vec<_> =
                own.filter(|(_, it)| is_due(it) && !done(it)).map(|(name, _)| *name).collect();
            let Reports { skipped, late, unfinished, .. } = process.reports;
            let reported = skipped + late + unfinished;
            let told = cut && (left.len() <= reported || process.reports.incomplete);
            if !left.is_empty() && !told {
                wrongs.push(format!(
                    "{path} ended in order, and left {left:?}; {reported} are reported"
                ));
            }
        }
        wrongs.into_iter().for_each(|it| self.complain(it));
    }

    /// Whether it had died by then, and waits: then it is the drain's, although it may be off.
    fn has_died_waiting(&self, resource: &Resource<'a>, process: &str, by: usize) -> bool {
        let acts = resource.acts.iter().filter(|it| it.process == process);
        let mut over = acts.filter(|it| it.end.is_some_and(|end| end < by));
        over.any(|act| self.waits(resource, act))
    }

    /// Not twice; not in the copies that a child acts on itself, which count apart.
    pub(super) fn check_count(&mut self, name: &str, resource: &Resource<'a>) {
        let counts = |run: &&Run<'_>| {
            let drained = run.cause == "drain" && !self.is_of_own_copy(resource, run);
            run.process == resource.owner || drained
        };
        let cleaners: Vec<_> =
            resource.runs.iter().filter(counts).map(|run| (run.process, run.cause)).collect();
        if cleaners.len() > 1 {
            self.complain(format!("{name} was cleaned more than once: {cleaners:?}"));
        }
        for (index, run) in resource.runs.iter().enumerate() {
            if resource.runs[..index].iter().any(|other| other.process == run.process) {
                self.complain(format!("{name} was cleaned more than once by {}", run.process));
            }
        }
    }

    pub(super) fn check_drains(&mut self, name: &str, resource: &Resource<'a>) {
        let given_back = resource
            .acts
            .iter()
            .any(|it| it.process == resource.owner && it.what == "detach" && it.won);
        let is_drains =
            |run: &&Run<'_>| run.cause == "drain" && !self.is_of_own_copy(resource, run);
        let runs: Vec<_> = resource.runs.iter().filter(is_drains).collect();
        for run in runs {
            let drainer = run.process;
            if given_back {
                self.complain(format!("{name} was given back, and cleaned by {drainer}"));
            }
            if run.owner == "alive" {
                self.complain(format!("{name} was cleaned by {drainer}, its owner alive"));
            }
            // The flag came in time: before the copy, or before anything that ends the process.
            let until = match self.first_fork(resource.owner, drainer) {
                Some(fork) => fork.begin,
                None => match self.fates[drainer] {
                    Fate::Drained { since, .. } => since,
                    _ => 0,
                },
            };
            // Whoever was left with it: it waits no less for that.
            let waits = |act: &Act<'_>| act.begin < run.begin && self.waits(resource, act);
            if resource.off.is_some_and(|off| off < until) && !resource.acts.iter().any(waits) {
                self.complain(format!("{name} is off, and was cleaned by {drainer}"));
            }
        }
    }

    /// What was called, or whose object died, before the process began to end, is cleaned.
    pub(super) fn check_acts(&mut self, name: &str, resource: &Resource<'a>) {
        let owner = resource.owner;
        let own: Vec<_> = resource.acts.iter().filter(|it| it.process == owner).collect();
        let is_due = own.iter().any(|it| matches!(it.what, "call" | "drop"));
        let ends: Option<Vec<usize>> = own.iter().map(|it| self.due(resource, it)).collect();
        let Some(last) = ends.and_then(|ends| ends.into_iter().max()) else { return };
        if resource.may_be_given_back(owner)
            || !is_due
            || self.history.processes[owner].is_shut
            || last > self.quiet_until(owner)
            || own.iter().any(|it| self.waits(resource, it)) && last > self.undisturbed_until(owner)
        {
            return;
        }
        let done = resource.runs.iter().any(|it| it.process == owner && it.done.is_some());
        if !done {
            self.complain(format!("{name} was called or its object died, and it is not cleaned"));
        }
    }

    /// Before this, nothing has begun to end the process.
    pub(super) fn quiet_until(&self, process: &str) -> usize {
        let process = &self.history.processes[process];
        let ending = process.ending.iter().map(|it| it.at);
        let signals = process.signals.iter().map(|it| it.at);
        ending.chain(signals).min().unwrap_or(usize::MAX)
    }

    pub(super) fn check_place(&mut self, name: &str, resource: &Resource<'a>) {
        let is_left = self.left.contains(name);
        if is_left && resource.runs.iter().any(|run| run.done.is_some()) {
            self.complain(format!("{name} was cleaned, and is still there"));
        }
        if !is_left && resource.runs.is_empty() && resource.created > 0 {
            self.complain(format!("{name} is gone, and nobody has cleaned it"));
        }
        if resource.runs.first().is_some_and(|run| !run.was_there) {
            self.complain(format!("{name} was gone before anybody cleaned it"));
        }
    }

    /// The fork by which a process descends from an ancestor: the ancestor's own.
    fn first_fork(&self, ancestor: &str, process: &str) -> Option<&Fork<'a>> {
        self.forks_down(ancestor, process).first().map(|(_, fork)| *fork)
    }

    /// The forks by which a process descends from an ancestor, and whom they made; the first first.
    fn forks_down(&self, ancestor: &str, process: &str) -> Vec<(&'a str, &Fork<'a>)> {
        let mut forks = vec![];
        let mut at = process;
        while at != ancestor {
            let Some((child, fork)) = self.history.forks.get_key_value(at) else { break };
            forks.push((*child, fork));
            at = fork.parent;
        }
        forks.reverse();
        forks
    }

    /// What ended without a drain is cleaned by its heir, and by nobody else.
    pub(super) fn check_heirs(&mut self) {
        let mut wrongs = vec![];
        let mut due = 0;
        for (name, resource) in &self.history.resources {
            let is_drains =
                |it: &&Run<'_>| it.cause == "drain" && !self.is_of_own_copy(resource, it);
            for run in resource.runs.iter().filter(is_drains) {
                let forks = self.forks_down(resource.owner, run.process);
                let mut reasons =
                    forks.iter().filter_map(|(child, fork)| self.why_not_heir(child, fork));
                if let Some(why) = reasons.next() {
                    wrongs.push(format!("{name} was cleaned by {}, but {why}", run.process));
                }
            }
            if let Some(heir) = self.must_inherit(resource) {
                due += 1;
                let is_his = |run: &Run<'_>| run.process == heir && run.done.is_some();
                if !resource.runs.iter().any(is_his) {
                    wrongs.push(format!("{heir} is the heir of {name}, and has not cleaned it"));
                }
            }
        }
        self.verdict.tally.due_to_heirs = due;
        wrongs.into_iter().for_each(|it| self.complain(it));
    }

    /// What rules it out that the child of this fork inherits from its parent.
    fn why_not_heir(&self, child: &str, fork: &Fork<'a>) -> Option<String> {
        let parent = fork.parent;
        let end = fork.end?;
        let is_later = |(path, other): &(&&str, &Fork<'a>)| {
            **path != child
                && other.parent == parent
                && other.begin > end
                && self.history.processes.contains_key(**path)
        };
        if let Some((later, _)) = self.history.forks.iter().find(is_later) {
            return Some(format!("{parent} has forked {later} after {child}"));
        }
        for (name, resource) in &self.history.resources {
            let is_older = resource.registered.is_some_and(|it| it.at < fork.begin);
            // An act on what is dead claims nothing.
            let ran = |act: &Act<'_>| {
                let runs = resource.runs.iter().filter(|it| it.process == parent);
                let is_of = |run: &&Run<'_>| {
                    let waited = matches!(run.cause, "turn" | "unpause");
                    run.cause == act.what || (waited && act.what == "drop")
                };
                runs.filter(is_of).any(|it| it.begin > act.begin)
            };
            let claims = |act: &Act<'_>| {
                let took = act.what == "detach" && act.won;
                act.process == parent && act.begin > end && (took || ran(act))
            };
            if is_older && resource.acts.iter().any(claims) {
                return Some(format!("{parent} has claimed {name} after the fork of {child}"));
            }
            let drained = |run: &Run<'_>| run.process == parent && run.cause == "drain";
            if resource.runs.iter().any(drained) && self.quiet_until(parent) > end {
                return Some(format!("{parent} has drained after the fork of {child}"));
            }
        }
        None
    }

    /// Who has to clean this, as its owner, and each between them, has ended without a drain.
    fn must_inherit(&self, resource: &Resource<'a>) -> Option<&'a str> {
        let registered = resource.registered.filter(|_| !resource.unwanted && !resource.hangs)?;
        let mut at = resource.owner;
        let mut generations = 0;
        loop {
            if self.fates[at] != Fate::Undrained || resource.acts.iter().any(|it| it.process == at)
            {
                break;
            }
            let children = self.history.forks.iter().filter(|(_, it)| it.parent == at);
            let (child, fork) = children.max_by_key(|(_, it)| it.begin)?;
            if !self.is_certain_heir(child, fork)
                || (at == resource.owner && registered.at > fork.begin)
            {
                return None;
            }
            at = child;
            generations += 1;
        }
        let Fate::Drained { since, dead, cut: false } = self.fates[at] else { return None };
        let touched = resource.acts.iter().any(|it| it.process == at);
        let all_dead = dead >= generations || self.waited_for(at, generations, since);
        (generations > 0 && !touched && all_dead).then_some(at)
    }

    /// Whether this child, the one whose fork began last, is certainly the heir.
    fn is_certain_heir(&self, child: &str, fork: &Fork<'a>) -> bool {
        let Some(end) = fork.end else { return false };
        let is_last = self.history.forks.iter().all(|(path, other)| {
            *path == child
                || other.parent != fork.parent
                || other.end.is_some_and(|end| end < fork.begin)
        });
        // What waits claims nothing yet.
        let may_wait = |resource: &Resource<'_>, act: &Act<'_>| {
            let is_over = |run: &Run<'_>| {
                run.process == act.process && run.done.is_some_and(|done| done < fork.begin)
            };
            self.waits(resource, act) && !resource.runs.iter().any(is_over)
        };
        let is_harmless = |resource: &Resource<'_>, act: &Act<'_>| {
            act.process != fork.parent
                || act.end.is_some_and(|end| end < fork.begin && !may_wait(resource, act))
                || resource.created > end
        };
        let mut resources = self.history.resources.values();
        let began = self.history.processes.contains_key(child);
        began && is_last && resources.all(|it| it.acts.iter().all(|act| is_harmless(it, act)))
    }

    /// Whether so many ancestors of a process, from the nearest on, were waited for before this.
    fn waited_for(&self, process: &str, generations: usize, before: usize) -> bool {
        let mut at = process;
        (0..generations).all(|_| {
            at = self.history.forks[at].parent;
            self.history.processes[at].ended.is_some_and(|(when, _)| when < before)
        })
    }
}

/// Whether the process is the other, or descends from it.
fn is_same_or_below(process: &str, other: &str) -> bool {
    process.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
