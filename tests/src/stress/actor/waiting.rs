//! What callbacks wait for: the cleaner of a process, and the pauses of a thread.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use lastly::{Cleaner, Pause, WhenFull, paused};

use super::process::current;
use super::resource::as_cause;
use crate::ledger::note;
use crate::random::Random;
use crate::system;

/// What the names of cleaners begin with, which their threads have, too.
const CLEANER: &str = "cl-";

thread_local! {
    // Without destructors, as callbacks run when those of the main thread have run.
    static NAME: Cell<Option<&'static str>> = const { Cell::new(None) };
    /// How many pauses this thread is in.
    static PAUSES: Cell<usize> = const { Cell::new(0) };
}

/// What the ledger calls this thread: a cleaner's by the cleaner. A copy in a child has the same name.
pub(crate) fn thread_name() -> &'static str {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if let Some(name) = NAME.get() {
        return name;
    }
    let name = Some(system::thread_name()).filter(|name| name.starts_with(CLEANER));
    let name = name.unwrap_or_else(|| format!("t{}", COUNT.fetch_add(1, SeqCst)));
    let name = Box::leak(name.into_boxed_str());
    NAME.set(Some(name));
    name
}

/// Whether this is a cleaner's thread.
pub(crate) fn is_cleaners() -> bool {
    thread_name().starts_with(CLEANER)
}

/// The cleaner of this process, made now if there is none. `None`: another thread is at it.
pub(crate) fn a_cleaner(random: &mut Random) -> Option<Cleaner> {
    let mut cleaner = current().cleaner.try_lock().ok()?;
    Some(cleaner.get_or_insert_with(|| make(random)).clone())
}

fn make(random: &mut Random) -> Cleaner {
    let here = current();
    // No other of this round, and not too long for a thread.
    let count = here.cleaners.fetch_add(1, SeqCst);
    let name = format!("{CLEANER}{}-{count}", here.identity.number);
    let limit = 1 + random.below(5);
    let (policy, word) = [(WhenFull::Help, "help"), (WhenFull::Block, "block")][random.below(2)];
    note!("cleaner {name} {} {limit} {word}", here.path);
    Cleaner::builder(limit).name(name).when_full(policy).build()
}

/// Takes the process's cleaner away from it, if it has one. The next is another.
pub(crate) fn take_cleaner() -> Option<Cleaner> {
    current().cleaner.try_lock().ok()?.take()
}

/// Waits for what was handed over. In a callback not without a timeout: what is waited for could wait
/// for that.
pub(crate) fn barrier(random: &mut Random, timeout: Option<Duration>) {
    if let Some(cleaner) = a_cleaner(random) {
        let patience = if timeout.is_some() { "hasty" } else { "patient" };
        wait_for(&cleaner, patience, || cleaner.drain(timeout));
    }
}

/// Closes it, which waits for what was handed over.
pub(crate) fn close(cleaner: &Cleaner) {
    note!("closing {}", cleaner.name());
    let work = || {
        cleaner.clone().close();
        true
    };
    wait_for(cleaner, "patient", work);
    note!("closed {} {}", cleaner.name(), current().path);
}

fn wait_for(cleaner: &Cleaner, patience: &str, work: impl FnOnce() -> bool) {
    let (name, path, thread) = (cleaner.name(), &current().path, thread_name());
    note!("barrier {name} {path} {thread} {patience}");
    // The cleaner's own thread runs what waits, here.
    let result = if as_cause("turn", work) { "won" } else { "lost" };
    note!("passed {name} {path} {thread} {result}");
}

/// A pause of this thread, until it is dropped.
pub(crate) struct Paused(Option<Pause>);

impl Paused {
    pub(crate) fn begin() -> Self {
        PAUSES.set(PAUSES.get() + 1);
        note!("pause {} {}", current().path, thread_name());
        Self(Some(paused()))
    }

    /// Ends it as a panic would.
    pub(crate) fn unwind(self) {
        let work = AssertUnwindSafe(|| {
            let _pause = self;
            panic!("in a pause");
        });
        _ = catch_unwind(work);
    }

    /// The thread stays paused.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let (path, thread) = (&current().path, thread_name());
        note!("unpause {path} {thread}");
        PAUSES.set(PAUSES.get() - 1);
        as_cause("unpause", || drop(self.0.take()));
        note!("unpaused {path} {thread}");
    }
}

/// In a new child: its thread is still paused.
pub(crate) fn note_pauses() {
    for _ in 0..PAUSES.get() {
        note!("pause {} {}", current().path, thread_name());
    }
}
