//! What a ledger tells of each process and of each resource. Times are the numbers of its lines.

use std::collections::BTreeMap;

use crate::ledger;
use crate::pauses::Pauses;
use crate::system::Status;

#[derive(Default)]
pub(crate) struct History<'a> {
    pub(crate) processes: BTreeMap<&'a str, Process<'a>>,
    pub(crate) resources: BTreeMap<&'a str, Resource<'a>>,
    pub(crate) cleaners: BTreeMap<&'a str, Cleaner<'a>>,
    pub(crate) barriers: Vec<Barrier<'a>>,
    pub(crate) pauses: Pauses<'a>,
    /// By the child: also those that have not happened, as the parent died before.
    pub(crate) forks: BTreeMap<&'a str, Fork<'a>>,
    /// Those that ended and had not said that they began.
    pub(crate) unbegun: Vec<(i32, Status)>,
}

pub(crate) struct Process<'a> {
    pub(crate) number: i32,
    pub(crate) began: usize,
    /// Nothing that it registers will ever run: it was forked when its parent was through its end.
    pub(crate) is_shut: bool,
    /// Whether signals end it in order: `taken`, `perhaps`, `not`. At first; and since when.
    pub(crate) signals_at_first: &'a str,
    pub(crate) installing: Option<usize>,
    pub(crate) installed: Option<usize>,
    pub(crate) has_budget: bool,
    pub(crate) signals: Vec<Signal>,
    pub(crate) ending: Option<Ending<'a>>,
    pub(crate) ended: Option<(usize, Status)>,
    pub(crate) reports: Reports,
}

pub(crate) struct Signal {
    pub(crate) at: usize,
    pub(crate) number: i32,
    /// How many of the process's ancestors were dead then, if it is known.
    pub(crate) dead: usize,
}

pub(crate) struct Ending<'a> {
    pub(crate) at: usize,
    pub(crate) way: &'a str,
    pub(crate) status: Status,
    pub(crate) dead: usize,
}

#[derive(Default, Clone, Copy)]
pub(crate) struct Reports {
    pub(crate) skipped: usize,
    pub(crate) late: usize,
    pub(crate) unfinished: usize,
    /// Said that not all could be told.
    pub(crate) incomplete: bool,
}

pub(crate) struct Fork<'a> {
    pub(crate) parent: &'a str,
    /// It has not happened before that.
    pub(crate) begin: usize,
    /// It has happened by then.
    pub(crate) end: Option<usize>,
}

pub(crate) struct Cleaner<'a> {
    pub(crate) limit: usize,
    /// When its backlog is full, who drops an object runs the callback himself.
    pub(crate) helps: bool,
    /// From then on it may be closed.
    pub(crate) closing: Option<usize>,
    /// From then on it is, in this process.
    pub(crate) closed: Option<(&'a str, usize)>,
}

/// Somebody waits for what was handed over to a cleaner.
pub(crate) struct Barrier<'a> {
    pub(crate) cleaner: &'a str,
    pub(crate) process: &'a str,
    pub(crate) thread: &'a str,
    /// However long it takes.
    pub(crate) is_patient: bool,
    pub(crate) begin: usize,
    pub(crate) end: Option<usize>,
    pub(crate) won: bool,
}

#[derive(Default)]
pub(crate) struct Resource<'a> {
    pub(crate) owner: &'a str,
    pub(crate) created: usize,
    pub(crate) registered: Option<Registered>,
    /// The cleaner that has made its finalizer.
    pub(crate) keeper: Option<&'a str>,
    /// Its object is a guard, which waits for nothing.
    pub(crate) is_guard: bool,
    pub(crate) hangs: bool,
    /// The end of the program may be told to pass over it.
    pub(crate) unwanted: bool,
    /// It was told.
    pub(crate) off: Option<usize>,
    pub(crate) acts: Vec<Act<'a>>,
    pub(crate) runs: Vec<Run<'a>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Registered {
    pub(crate) at: usize,
    /// By a callback of the drain.
    pub(crate) in_drain: bool,
}

/// A call, a death, a detach, a look.
pub(crate) struct Act<'a> {
    pub(crate) process: &'a str,
    pub(crate) what: &'a str,
    pub(crate) thread: &'a str,
    pub(crate) begin: usize,
    pub(crate) end: Option<usize>,
    pub(crate) won: bool,
}

/// The callback.
pub(crate) struct Run<'a> {
    pub(crate) process: &'a str,
    /// `drain`, the act, `turn` on a cleaner's thread, or `unpause`.
    pub(crate) cause: &'a str,
    pub(crate) begin: usize,
    pub(crate) done: Option<usize>,
    /// `own`, `dead` or `alive`.
    pub(crate) owner: &'a str,
    pub(crate) was_there: bool,
    pub(crate) thread: &'a str,
}

impl<'a> History<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        let mut history = Self::default();
        for (index, words) in ledger::lines(text).enumerate() {
            let at = index + 1;
            let known = history
                .of_process(at, &words)
                .or_else(|| history.of_waiting(at, &words))
                .or_else(|| history.of_resource(at, &words));
            if known.is_none() {
                return Err(format!("the ledger has a line that says nothing: {words:?}"));
            }
        }
        Ok(history)
    }

    fn of_process(&mut self, at: usize, words: &[&'a str]) -> Option<()> {
        match *words {
            ["began", path, number, _, signals_at_first, budget, door] => {
                let process = Process {
                    number: number.parse().ok()?,
                    began: at,
                    is_shut: door == "shut",
                    signals_at_first,
                    installing: None,
                    installed: None,
                    has_budget: budget == "budget",
                    signals: vec![],
                    ending: None,
                    ended: None,
                    reports: Reports::default(),
                };
                self.processes.insert(path, process);
                if let Some(fork) = self.forks.get_mut(path) {
                    fork.end.get_or_insert(at);
                }
            }
            ["forking", parent, child] => {
                self.forks.insert(child, Fork { parent, begin: at, end: None });
            }
            ["forked", _, child] => {
                self.forks.get_mut(child)?.end.get_or_insert(at);
            }
            ["budget", path] => self.processes.get_mut(path)?.has_budget = true,
            ["installing", path] => self.processes.get_mut(path)?.installing = Some(at),
            ["installed", path] => self.processes.get_mut(path)?.installed = Some(at),
            ["signal", path, number, dead] => {
                let number = number.parse().ok()?;
                let dead = dead.parse().unwrap_or(0);
                self.processes.get_mut(path)?.signals.push(Signal { at, number, dead });
            }
            ["ending", path, way, status, dead] => {
                let status = Status::parse(status)?;
                let dead = dead.parse().unwrap_or(0);
                let ending = Ending { at, way, status, dead };
                self.processes.get_mut(path)?.ending = Some(ending);
            }
            ["ended", number, status] => {
                let number = number.parse().ok()?;
                let status = Status::parse(status)?;
                let mut processes = self.processes.values_mut();
                match processes.find(|it| it.number == number && it.ended.is_none()) {
                    Some(one) => one.ended = Some((at, status)),
                    None => self.unbegun.push((number, status)),
                }
            }
            ["reported", path, problem] => {
                self.processes.get_mut(path)?.reports.count(problem);
            }
            _ => return None,
        }
        Some(())
    }

    /// What callbacks wait for.
    fn of_waiting(&mut self, at: usize, words: &[&'a str]) -> Option<()> {
        match *words {
            ["cleaner", name, _, limit, policy] => {
                let helps = policy == "help";
                let limit = limit.parse().ok()?;
                let cleaner = Cleaner { limit, helps, closing: None, closed: None };
                self.cleaners.insert(name, cleaner);
            }
            ["closing", name] => {
                self.cleaners.get_mut(name)?.closing.get_or_insert(at);
            }
            ["closed", name, process] => {
                self.cleaners.get_mut(name)?.closed = Some((process, at));
            }
            ["barrier", cleaner, process, thread, patience] => {
                let is_patient = patience == "patient";
                let (begin, end, won) = (at, None, false);
                let barrier = Barrier { cleaner, process, thread, is_patient, begin, end, won };
                self.barriers.push(barrier);
            }
            ["passed", _, process, thread, result] => {
                // The last that this thread has begun, as one may be inside another.
                let mut barriers = self.barriers.iter_mut().rev();
                let is_it = |it: &&mut Barrier<'_>| {
                    it.process == process && it.thread == thread && it.end.is_none()
                };
                let barrier = barriers.find(is_it)?;
                barrier.end = Some(at);
                barrier.won = result == "won";
            }
            ["pause", process, thread] => self.pauses.begin(process, thread, at),
            ["unpause", process, thread] => self.pauses.about_to_end(process, thread, at)?,
            ["unpaused", process, thread] => self.pauses.end(process, thread, at)?,
            _ => return None,
        }
        Some(())
    }

    fn of_resource(&mut self, at: usize, words: &[&'a str]) -> Option<()> {
        let name = words.get(1)?;
        let resource = self.resources.entry(name).or_default();
        match *words {
            ["created", _, owner] => {
                resource.owner = owner;
                resource.created = at;
            }
            ["registered", _, _, when] => {
                resource.registered = Some(Registered { at, in_drain: when == "drain" });
            }
            ["kept", _, keeper] => resource.keeper = Some(keeper),
            ["guard", _] => resource.is_guard = true,
            ["hangs", _] => resource.hangs = true,
            ["unwanted", _] => resource.unwanted = true,
            ["off", _] => resource.off = Some(at),
            ["begin", _, process, what, thread] => {
                let (begin, end, won) = (at, None, false);
                resource.acts.push(Act { process, what, thread, begin, end, won });
            }
            ["end", _, process, what, result] => {
                // Of two that are alike and go on at once it does not matter which ends.
                let mut acts = resource.acts.iter_mut();
                let act =
                    acts.find(|it| it.process == process && it.what == what && it.end.is_none())?;
                act.end = Some(at);
                act.won = result == "won";
            }
            ["running", _, process, cause, owner, place, thread] => {
                let (was_there, begin, done) = (place == "there", at, None);
                let run = Run { process, cause, begin, done, owner, was_there, thread };
                resource.runs.push(run);
            }
            ["done", _, process] => {
                let mut runs = resource.runs.iter_mut();
                runs.find(|it| it.process == process && it.done.is_none())?.done = Some(at);
            }
            _ => return None,
        }
        Some(())
    }
}

impl Resource<'_> {
    /// Whether this process may have given it back: also a detach that meets a look is done.
    pub(crate) fn may_be_given_back(&self, process: &str) -> bool {
        let of = |what: &'static str| {
            self.acts.iter().filter(move |it| it.process == process && it.what == what)
        };
        let meets = |act: &Act<'_>, look: &Act<'_>| {
            act.end.is_none_or(|end| look.begin < end) && look.end.is_none_or(|end| act.begin < end)
        };
        of("detach").any(|it| it.won || it.end.is_none() || of("peek").any(|look| meets(it, look)))
    }
}

impl Reports {
    /// One report, as the actor's hook tells of it.
    fn count(&mut self, problem: &str) {
        match problem {
            "skipped" => self.skipped += 1,
            "late" => self.late += 1,
            "unfinished" => self.unfinished += 1,
            _ => {}
        }
    }

    /// All that a process printed.
    pub(crate) fn count_in(&mut self, stderr: &str) {
        for line in stderr.lines().filter_map(|line| line.strip_prefix("lastly: ")) {
            if line.contains("was skipped: the end of the program was cut short") {
                self.skipped += 1;
            } else if line.contains("came too late to run") {
                self.late += 1;
            } else if line.contains("was not finished when the program ended") {
                self.unfinished += 1;
            } else if line.contains("cannot all be told") {
                self.incomplete = true;
            }
        }
    }
}

impl Process<'_> {
    /// Whether this signal, when it came, ended the process in order: `None` if nobody can tell.
    pub(crate) fn is_taken(&self, signal: &Signal) -> Option<bool> {
        match (self.signals_at_first, self.installing, self.installed) {
            _ if signal.number == libc::SIGKILL => Some(false),
            ("taken", _, _) => Some(true),
            ("not", None, _) => Some(false),
            ("not", _, Some(installed)) if installed < signal.at => Some(true),
            _ => None,
        }
    }
}
