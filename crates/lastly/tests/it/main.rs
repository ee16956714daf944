//! What a user of the crate would notice, in one binary. The ends of the program are tested on
//! real processes, in the workspace's `tests` package.
#![cfg(not(loom))]

mod cleaners;
mod collections;
mod deferred;
mod finalizer;
mod gc;
mod graph;
mod injection;
mod known;
mod model;
mod nodes;
mod objects;
mod outcomes;
mod panics;
mod pauses;
mod permutations;
mod pressures;
mod random_graphs;
mod threads;
mod trace;

use std::sync::{Arc, Mutex, MutexGuard};

use lastly::report;

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, event: impl ToString) {
        self.0.lock().unwrap().push(event.to_string());
    }

    /// What happened since this was last asked.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A callback that says `event`.
    fn say(&self, event: &'static str) -> impl FnOnce(()) + Send + use<> {
        let log = self.clone();
        move |()| log.add(event)
    }
}

/// The reports made while this lives. There is one hook per process, so tests that need it take
/// turns.
struct Reports {
    log: Log,
    _turn: MutexGuard<'static, ()>,
}

impl Reports {
    fn record() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let log = Log::default();
        let to = log.clone();
        report::set_hook(move |report| {
            to.add(format!("{} ({}): {}", report.object, report.cause, report.problem));
        });
        Self { log, _turn: turn }
    }

    fn take(&self) -> Vec<String> {
        self.log.take()
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        report::reset_hook();
    }
}

/// A callback that panics, with a type that says nothing of it.
fn explode(message: &'static str) {
    std::panic::panic_any(message)
}

/// Runs `work` and gives the message of its panic.
fn panic_of<R>(work: impl FnOnce() -> R) -> String {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(_) => panic!("no panic"),
        Err(payload) => (*payload.downcast_ref::<&str>().expect("a plain message")).to_owned(),
    }
}
