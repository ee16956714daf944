//! The rules of what waits: for a cleaner's thread, or for the end of a pause.
//!
//! Most ask only what happened before anything began to end the process. From then on the drain may
//! have taken what is missed here.

use super::Trial;
use crate::history::{Act, Barrier, Resource, Run};

/// When what died is handed over to its cleaner, or is run: from the one moment on, by the other.
#[derive(Clone, Copy, PartialEq)]
struct Turn {
    begin: usize,
    end: usize,
}

impl<'a> Trial<'a> {
    pub(super) fn check_waiting(&mut self) {
        let mut wrongs = vec![];
        for (name, resource) in &self.history.resources {
            for run in self.early(resource) {
                let why = self.no_cause(resource, run).or_else(|| self.too_early(resource, run));
                wrongs
                    .extend(why.map(|why| format!("{name} was cleaned by {}, {why}", run.process)));
            }
            for act in resource.acts.iter().filter(|act| self.is_the_only(resource, act)) {
                let why = self.too_late(resource, act);
                wrongs.extend(why.map(|why| format!("{name}, of {}, {why}", act.process)));
            }
        }
        for barrier in &self.history.barriers {
            let Barrier { cleaner, process, is_patient, end, won, .. } = *barrier;
            if is_patient && !won && end.is_some_and(|end| end < self.undisturbed_until(process)) {
                wrongs.push(format!("{process} has not waited for {cleaner} to the end"));
            }
        }
        self.check_order(&mut wrongs);
        self.check_who_goes_on(&mut wrongs);
        self.check_order_of_drains(&mut wrongs);
        wrongs.into_iter().for_each(|it| self.complain(it));
    }

    /// The runs outside any drain.
    fn early<'r>(&self, resource: &'r Resource<'a>) -> impl Iterator<Item = &'r Run<'a>> {
        resource.runs.iter().filter(|run| run.begin < self.undisturbed_until(run.process))
    }

    /// Before this, nothing has begun to end the process, nor its parent when it was forked.
    pub(super) fn undisturbed_until(&self, process: &str) -> usize {
        let began = self.history.processes[process].began;
        let fork = self.history.forks.get(process);
        let is_disturbed = fork.is_some_and(|fork| self.undisturbed_until(fork.parent) < began);
        if is_disturbed { 0 } else { self.quiet_until(process) }
    }

    /// Whether the callback is not to run at once when this happens.
    pub(super) fn waits(&self, resource: &Resource<'a>, act: &Act<'_>) -> bool {
        let is_paused = || self.history.pauses.is_paused(act.process, act.thread, act.begin);
        act.what == "drop" && !resource.is_guard && (resource.keeper.is_some() || is_paused())
    }

    /// Whether the object died in this process before that moment, and the callback had to wait.
    pub(super) fn has_waited(&self, resource: &Resource<'a>, process: &str, at: usize) -> bool {
        let mut acts = resource.acts.iter().filter(|it| it.process == process && it.begin < at);
        acts.any(|act| self.waits(resource, act))
    }

    /// Whether this is a drain's, for a copy of the object that has died in the draining process.
    pub(super) fn is_of_own_copy(&self, resource: &Resource<'a>, run: &Run<'_>) -> bool {
        run.cause == "drain"
            && run.process != resource.owner
            && self.has_waited(resource, run.process, run.begin)
    }

    /// `None`: it does not come.
    fn turn(&self, act: &Act<'_>) -> Option<Turn> {
        let Act { process, thread, begin, .. } = *act;
        let (over, end) = self.history.pauses.over(process, thread, begin)?;
        Some(Turn { begin: over, end: end?.max(act.end?) })
    }

    /// From when on the callback has run, if nobody else has seen to it.
    pub(super) fn due(&self, resource: &Resource<'a>, act: &Act<'_>) -> Option<usize> {
        if !self.waits(resource, act) {
            return act.end;
        }
        let turn = self.turn(act)?;
        if resource.keeper.is_none() {
            return Some(turn.end);
        }
        let barriers = self.barriers(resource, act.process, turn);
        barriers.filter_map(|it| it.end).min()
    }

    /// Those that were held, of what had its turn before; but for one that the callback itself has made.
    fn barriers(
        &self,
        resource: &Resource<'a>,
        process: &str,
        turn: Turn,
    ) -> impl Iterator<Item = &Barrier<'a>> {
        self.history.barriers.iter().filter(move |it| {
            let is_its = resource.keeper == Some(it.cleaner) && it.process == process;
            let is_own = |run: &Run<'_>| {
                (run.process, run.thread) == (process, it.thread) && run.begin < it.begin
            };
            is_its && it.won && turn.end < it.begin && !resource.runs.iter().any(is_own)
        })
    }

    /// Nothing runs for which there is no reason in this process, nor where it has none.
    fn no_cause(&self, resource: &Resource<'a>, run: &Run<'_>) -> Option<String> {
        let Run { process, cause, thread, begin, .. } = *run;
        if cause == "drain" {
            return Some("as if the program ended".to_owned());
        }
        let act = match cause {
            "turn" | "unpause" => "drop",
            act => act,
        };
        let mut acts = resource.acts.iter().filter(|it| it.process == process && it.begin < begin);
        let Some(act) = acts.find(|it| it.what == act) else {
            return Some(format!("where there was no {act}"));
        };
        let here = act.thread == thread;
        let was_paused = self.history.pauses.is_paused(process, act.thread, act.begin);
        match cause {
            "turn" if resource.keeper != Some(thread) => Some(format!("on the thread of {thread}")),
            "turn" => self.was_closed(act, thread).then(|| format!("by {thread}, which is closed")),
            "unpause" => (!here || !was_paused).then(|| "at the end of another pause".to_owned()),
            _ => (!here && cause != "call").then(|| "on another thread".to_owned()),
        }
    }

    /// Whether the cleaner takes nothing any more when this has its turn.
    fn was_closed(&self, act: &Act<'_>, cleaner: &str) -> bool {
        let over = self.history.pauses.over(act.process, act.thread, act.begin);
        let closed = self.history.cleaners.get(cleaner).and_then(|it| it.closed);
        let here = closed.filter(|(process, _)| *process == act.process);
        over.zip(here).is_some_and(|((begin, _), (_, closed))| closed < begin)
    }

    /// Not in a pause; nor on the thread that drops the object, if its cleaner takes it.
    fn too_early(&self, resource: &Resource<'a>, run: &Run<'_>) -> Option<String> {
        let Run { process, cause, thread, begin, .. } = *run;
        if !matches!(cause, "drop" | "unpause") {
            return None;
        }
        if !resource.is_guard && self.history.pauses.is_paused(process, thread, begin) {
            return Some("in a pause".to_owned());
        }
        let keeper = resource.keeper?;
        let cleaner = &self.history.cleaners[keeper];
        let is_closed = cleaner.closing.is_some_and(|at| at < begin);
        let may_help = cleaner.helps || self.history.cleaners.contains_key(thread);
        let is_taken = may_help && self.may_have_waited(keeper, run) >= cleaner.limit;
        (!is_closed && !is_taken).then(|| format!("which {keeper} should have done"))
    }

    /// How many may have been in the backlog of a cleaner, beside this, when it was found full.
    fn may_have_waited(&self, keeper: &str, this: &Run<'_>) -> usize {
        let begin = |resource: &Resource<'_>, run: &Run<'_>| {
            let mut acts = resource.acts.iter().filter(|it| it.process == run.process);
            let act = acts.find(|it| it.what == "drop")?;
            Some(self.history.pauses.over(act.process, act.thread, act.begin)?.0)
        };
        let resources = || self.history.resources.values().filter(|it| it.keeper == Some(keeper));
        let its = resources().find(|it| it.runs.iter().any(|run| run.begin == this.begin));
        let since = its.and_then(|it| begin(it, this)).unwrap_or(this.begin);
        let may_be = |resource: &&Resource<'_>| {
            let died = |act: &Act<'_>| {
                let over = self.history.pauses.over(act.process, act.thread, act.begin);
                act.process == this.process
                    && act.what == "drop"
                    && over.is_some_and(|(over, _)| over < this.begin)
            };
            // It has left the backlog, or was never there.
            let had_left = |run: &Run<'_>| {
                run.process == this.process
                    && (run.begin == this.begin
                        || match run.cause {
                            "turn" => run.begin < since,
                            "drop" | "unpause" => run.done.is_some_and(|done| done < since),
                            _ => false,
                        })
            };
            resource.acts.iter().any(died) && !resource.runs.iter().any(had_left)
        };
        resources().filter(may_be).count()
    }

    /// Whether nobody but who has dropped the object had to do with the finalizer, here or before the
    /// fork. A copy in a child is the child's own.
    fn is_the_only(&self, resource: &Resource<'a>, act: &Act<'_>) -> bool {
        let is_above = |other: &str| act.process == other || is_below(act.process, other);
        let acts = resource.acts.iter().filter(|it| is_above(it.process)).count();
        let mut runs = resource.runs.iter().filter(|it| it.process != act.process);
        act.what == "drop"
            && acts == 1
            && resource.registered.is_some()
            && !runs.any(|it| is_above(it.process))
    }

    fn too_late(&self, resource: &Resource<'a>, act: &Act<'_>) -> Option<String> {
        let until = self.undisturbed_until(act.process);
        let mut runs = resource.runs.iter().filter(|it| it.process == act.process);
        let run = runs.next();
        let is_done = |by: usize| run.and_then(|it| it.done).is_some_and(|done| done <= by);
        if !self.waits(resource, act) {
            let is_late = act.end.is_some_and(|end| end < until && !is_done(end));
            return is_late.then(|| "was not cleaned when its object died".to_owned());
        }
        let turn = self.turn(act)?;
        if resource.keeper.is_none() {
            let is_late = turn.end < until && !is_done(turn.end);
            return is_late.then(|| "was not cleaned at the end of the pause".to_owned());
        }
        let is_late = |it: &&Barrier<'_>| it.end.is_some_and(|end| end < until && !is_done(end));
        let barrier = self.barriers(resource, act.process, turn).find(is_late)?;
        Some(format!("was handed over, and not cleaned when {} said so", barrier.cleaner))
    }

    /// A cleaner's thread, and the end of a pause, run callbacks in the order of death.
    fn check_order(&self, wrongs: &mut Vec<String>) {
        let mut runs = vec![];
        for (name, resource) in &self.history.resources {
            for run in self.early(resource).filter(|it| matches!(it.cause, "turn" | "unpause")) {
                let mut acts = resource.acts.iter().filter(|it| it.process == run.process);
                let Some(act) = acts.find(|it| it.what == "drop") else { continue };
                if let Some(turn) = self.turn(act) {
                    runs.push((run.begin, name, run, act, turn));
                }
            }
        }
        runs.sort_by_key(|it| it.0);
        for (index, (_, name, run, act, turn)) in runs.iter().enumerate() {
            let is_older = |act_of_other: &Act<'_>, turn_of_other: &Turn| {
                let same = turn == turn_of_other && act.thread == act_of_other.thread;
                let in_one_pause = same && act.end.is_some_and(|end| end < act_of_other.begin);
                turn.end < turn_of_other.begin || in_one_pause
            };
            let overtaker = runs[..index].iter().find(|(_, _, other, act_of_other, turn)| {
                let same = (other.process, other.cause, other.thread)
                    == (run.process, run.cause, run.thread);
                same && is_older(act_of_other, turn)
            });
            if let Some((_, other, ..)) = overtaker {
                wrongs.push(format!("{name} was cleaned after {other}, but died before it"));
            }
        }
    }

    /// When the drain has begun, a cleaner's thread has had what it runs.
    fn check_who_goes_on(&self, wrongs: &mut Vec<String>) {
        for path in self.history.processes.keys() {
            let resources = self.history.resources.values();
            let runs: Vec<_> = resources.flat_map(|it| &it.runs).collect();
            let runs_of = |cause: &'static str| {
                let of = move |it: &&&Run<'_>| it.process == *path && it.cause == cause;
                runs.iter().filter(of)
            };
            let Some(drain) = runs_of("drain").map(|it| it.begin).min() else { continue };
            for cleaner in self.history.cleaners.keys() {
                let late = |it: &&&Run<'_>| it.thread == *cleaner && it.begin > drain;
                let count = runs_of("turn").filter(late).count();
                if count > 1 {
                    wrongs.push(format!("{cleaner} has run {count} when {path} had begun to end"));
                }
            }
        }
    }

    /// A drain runs what the process has created itself, and had when it began, newest first.
    fn check_order_of_drains(&self, wrongs: &mut Vec<String>) {
        for path in self.history.processes.keys() {
            let until = self.quiet_until(path);
            let own = self.history.resources.iter().filter(|(_, it)| it.owner == *path);
            let mut runs: Vec<_> = own
                .filter_map(|(name, it)| {
                    let registered = it.registered.filter(|it| it.at < until)?.at;
                    let died = self.has_waited(it, path, until);
                    let run = it.runs.iter().find(|run| run.process == *path)?;
                    let is_due = run.cause == "drain" && (!it.unwanted || died);
                    is_due.then_some((run.begin, name, it.created, registered))
                })
                .collect();
            runs.sort_unstable();
            let mut oldest: Option<(usize, &str)> = None;
            for (_, name, created, registered) in runs {
                if let Some((_, other)) = oldest.filter(|(oldest, _)| created > *oldest) {
                    wrongs
                        .push(format!("{path} has cleaned {other} before {name}, which is newer"));
                }
                oldest = Some(oldest.map_or((registered, *name), |it| it.min((registered, name))));
            }
        }
    }
}

/// Whether the process descends from the other.
fn is_below(process: &str, other: &str) -> bool {
    process.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'))
}
