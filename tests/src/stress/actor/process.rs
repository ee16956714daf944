//! The process as its actors know it: one value, another one in each child.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use lastly::report::{self, Problem};
use lastly::{Cleaner, Finalizer, Watched, finalize};

use super::waiting::note_pauses;
use crate::ledger::{note, stderr_of};
use crate::system::{self, Identity};

/// What all processes of a round have in common.
pub(crate) struct Round {
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    /// How many processes there are so far.
    pub(crate) processes: &'static AtomicU32,
}

pub(crate) static ROUND: OnceLock<Round> = OnceLock::new();

pub(crate) fn round() -> &'static Round {
    ROUND.get().expect("set first")
}

const MOST_PROCESSES: u32 = 10;

/// A resource, and the handle of its finalizer.
pub(crate) type Handle = (String, Finalizer);

pub(crate) struct Process {
    /// `0.2.1`: the first child of the second child of the first.
    pub(crate) path: String,
    pub(crate) identity: Identity,
    /// The nearest first.
    pub(crate) ancestors: Vec<Identity>,
    /// Not a child that was forked while its parent was inside `exit`: there that hangs.
    pub(crate) may_exit: bool,
    /// Whether the time of its end is bounded.
    pub(crate) has_budget: AtomicBool,
    takes_reports: AtomicBool,
    signals: AtomicU8,
    ending: AtomicBool,
    resources: AtomicU32,
    children: AtomicU32,
    pub(crate) threads: AtomicU32,
    /// For every thread. Made anew in a child, where nobody would give back its lock.
    pub(crate) handles: Mutex<Vec<Handle>>,
    /// How many cleaners it has made.
    pub(crate) cleaners: AtomicU32,
    /// Where there is one: a child has its parent's.
    pub(crate) cleaner: Mutex<Option<Cleaner>>,
}

const SIGNALS: [&str; 3] = ["not", "perhaps", "taken"];

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

pub(crate) fn current() -> &'static Process {
    // SAFETY: set by `begin` before anything else; never freed.
    unsafe { CURRENT.load(SeqCst).as_ref() }.expect("begun")
}

impl Process {
    /// What this process is from now on.
    fn begin(path: String, parent: Option<&Process>) {
        let ancestors = parent.map_or_else(Vec::new, |it| {
            let own = std::iter::once(it.identity);
            own.chain(it.ancestors.iter().copied()).collect()
        });
        let signals = parent.map_or(0, |it| it.signals.load(SeqCst));
        let has_budget = parent.is_some_and(|it| it.has_budget.load(SeqCst));
        let may_exit = parent.is_none_or(|it| it.may_exit && !it.ending.load(SeqCst));
        let identity = Identity::own();
        let Identity { number, start } = identity;
        let budget = if has_budget { "budget" } else { "none" };
        let signals_at_first = SIGNALS[usize::from(signals)];
        let takes_reports = parent.is_some_and(|it| it.takes_reports.load(SeqCst));
        let door = if is_door_open(takes_reports) { "open" } else { "shut" };
        note!("began {path} {number} {start} {signals_at_first} {budget} {door}");
        let cleaner = parent.and_then(|it| it.cleaner.try_lock().ok()?.clone());
        let process = Self {
            path,
            identity,
            ancestors,
            may_exit,
            has_budget: has_budget.into(),
            takes_reports: takes_reports.into(),
            signals: signals.into(),
            ending: false.into(),
            resources: 0.into(),
            children: 0.into(),
            threads: 0.into(),
            handles: Mutex::default(),
            cleaners: 0.into(),
            cleaner: Mutex::new(cleaner),
        };
        CURRENT.store(Box::into_raw(Box::new(process)), SeqCst);
    }

    pub(crate) fn begin_root() {
        round().processes.store(1, SeqCst);
        Self::begin("0".to_owned(), None);
    }

    /// The name of one more resource.
    pub(crate) fn name_resource(&self) -> String {
        format!("{}-{}", self.path, self.resources.fetch_add(1, SeqCst))
    }

    /// How many of its ancestors are dead, before the first that is not.
    pub(crate) fn dead_ancestors(&self) -> usize {
        let mut nearest = self.ancestors.iter();
        // The parent's death is what this process sees of it.
        let is_orphan = nearest
            .next()
            .is_some_and(|it| std::os::unix::process::parent_id() != it.number.unsigned_abs());
        if is_orphan { 1 + nearest.take_while(|it| it.is_dead()).count() } else { 0 }
    }

    /// Whether this ancestor of the current process is dead.
    pub(crate) fn is_dead(&self, ancestor: Identity) -> bool {
        let of_parent = self.ancestors.first().filter(|it| it.number == ancestor.number);
        of_parent.map_or_else(|| ancestor.is_dead(), |_| self.dead_ancestors() > 0)
    }

    /// Whether it is the caller who ends the process, and not another already.
    pub(crate) fn begin_to_end(&self) -> bool {
        !self.ending.swap(true, SeqCst)
    }

    /// Has reports go into the ledger. If not, they go where all go by default.
    pub(crate) fn take_reports(&self) {
        self.takes_reports.store(true, SeqCst);
        take_reports();
    }

    /// Has signals end it in order.
    pub(crate) fn take_signals(&self) {
        if self.signals.compare_exchange(0, 1, SeqCst, SeqCst).is_ok() {
            note!("installing {}", self.path);
            lastly::signals::install().expect("signals can be taken over");
            note!("installed {}", self.path);
            self.signals.store(2, SeqCst);
        }
    }

    pub(crate) fn takes_no_signals(&self) -> bool {
        self.signals.load(SeqCst) == 0
    }

    pub(crate) fn has_taken_signals(&self) -> bool {
        self.signals.load(SeqCst) == 2
    }

    /// Sends itself a signal.
    pub(crate) fn send_itself(&self, signal: i32) {
        note!("signal {} {signal} {}", self.path, self.dead_ancestors());
        system::send(self.identity.number, signal);
    }
}

/// Whether anything that this new process registers will ever run.
fn is_door_open(takes_reports: bool) -> bool {
    // What is reported of this is nobody's.
    report::set_hook(|_| ());
    let is_open = finalize(&Watched::new(0), |()| (), ()).call().is_some();
    if takes_reports {
        take_reports()
    } else {
        report::reset_hook()
    }
    is_open
}

/// Has reports go into the ledger.
fn take_reports() {
    report::set_hook(|report| {
        let problem = match report.problem {
            Problem::Skipped => "skipped",
            Problem::TooLate => "late",
            Problem::Unfinished => "unfinished",
            _ => "failed",
        };
        note!("reported {} {problem}", current().path);
    });
}

/// How many threads are about to fork; and whether none is to any more.
static FORKING: AtomicU32 = AtomicU32::new(0);
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Has nobody fork when the drain is over. What the C library then forgets between the two halves of a
/// fork cannot be helped (see `fork` in the engine). To be called before the first finalizer.
pub(crate) fn end_forks_at_exit() {
    extern "C" fn end_forks() {
        IS_OVER.store(true, SeqCst);
        let deadline = Instant::now() + Duration::from_secs(1);
        while FORKING.load(SeqCst) > 0 && Instant::now() < deadline {
            thread::yield_now();
        }
    }
    // SAFETY: a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(end_forks) }, 0);
}

/// Forks, if the round may have one more process. The child's number; 0 in the child.
pub(crate) fn fork() -> Option<i32> {
    let is_one_more = |count| (count < MOST_PROCESSES).then_some(count + 1);
    round().processes.fetch_update(SeqCst, SeqCst, is_one_more).ok()?;
    let parent = current();
    let path = format!("{}.{}", parent.path, parent.children.fetch_add(1, SeqCst) + 1);
    note!("forking {} {path}", parent.path);
    FORKING.fetch_add(1, SeqCst);
    let number = if IS_OVER.load(SeqCst) { None } else { Some(system::fork()) };
    if number == Some(0) {
        FORKING.store(0, SeqCst);
    } else {
        FORKING.fetch_sub(1, SeqCst);
    }
    let number = number?;
    if number == 0 {
        let stderr = stderr_of(&round().folder, &path);
        let stderr = OpenOptions::new().append(true).create(true).open(stderr);
        system::send_stderr_to(&stderr.expect("the folder of the round is there"));
        Process::begin(path, Some(parent));
        note_pauses();
    } else {
        note!("forked {} {path}", parent.path);
    }
    Some(number)
}
