//! The end of the program.
//!
//! The first finalizer registers a hook with the C library's `atexit`. So the drain runs on return
//! from `main`, on [`std::process::exit`] from any thread, and after a panic in `main`: newest
//! first, on the thread that ends the program. What callbacks register meanwhile runs next. Then
//! *the door is shut*: a later call returns nothing and runs nothing.
//!
//! # Callbacks that other threads are running
//!
//! The drain does not run them again, nor does it cut them short at once: when everything else has
//! run it waits for them, [five seconds](DEFAULT_WAIT) if not [set](set_wait) otherwise. What is
//! still running then is [reported](crate::report) as unfinished, by name, and the program ends. What
//! other threads register when the drain is over is reported as too late.
//!
//! # A time for all of it
//!
//! A callback that blocks for ever keeps the program from ending. With a [budget](set_budget), or
//! `LASTLY_EXIT_BUDGET=10` in the environment, the rest is skipped when the time is spent, and
//! reported by name, and the program ends with the status it had.
//!
//! # `exit` from a callback
//!
//! A callback, or the `Drop` of a value, may call [`std::process::exit`]: every callback that is
//! due still runs; also in a drain by hand, or for a signal. **In the drain of an `exit` it may not**:
//! the standard library aborts the process on an `exit` inside an `exit`, and what the drain had yet to
//! run is lost.
//!
//! # What does not get here
//!
//! `abort`, `_exit`, a signal that is not [taken over](crate::signals), `kill -9`, and any panic in a
//! program built with `panic = "abort"`. For such an end, call [`drain`] yourself where you can: in a
//! panic hook, say. What was [declared](crate::actions) is then done by others.
//!
//! A child that is forked while another thread is inside `exit` inherits the standard library's note
//! that the process is ending: its own `exit` waits for ever. So it may where the program's own
//! threads start or end just then, for a lock of the standard library's. Let such a child end by
//! `_exit`.
//!
//! Thread-locals of the main thread are destroyed before the hook runs, as are the locals of
//! `main` itself. Objects that live there die at that moment, in the language's order, not newest
//! first.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lastly_core::{End, sync};

use crate::REGISTRY;
use crate::entry::RustDoor;

/// How long the drain waits for callbacks that other threads are running.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(5);

static WAIT_NANOSECONDS: AtomicU64 = AtomicU64::new(DEFAULT_WAIT.as_secs() * 1_000_000_000);

/// Of the budget: none is set.
const UNLIMITED: u64 = u64::MAX;

static BUDGET_NANOSECONDS: AtomicU64 = AtomicU64::new(UNLIMITED);

/// Sets how long the drain waits for callbacks that other threads are running when everything else
/// has run.
///
/// With an unlimited wait, a program hangs if one of those callbacks never returns: one that calls
/// `exit` while another thread is in it, for instance.
pub fn set_wait(wait: Duration) {
    let nanoseconds = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
    // Relaxed: a setting, that orders nothing.
    WAIT_NANOSECONDS.store(nanoseconds, Relaxed);
}

/// Sets how long the drain may take, all in all. `None`, as at first: as long as it takes.
///
/// When the time is spent, what is running is [reported](crate::report) as unfinished, and what was yet
/// to run as skipped. A callback that is running just then may never return, so **the process ends
/// there and then**, with the status it had; exit handlers that were registered before the first
/// finalizer do not run, and what is in buffers is lost. (Other C libraries than glibc do not tell
/// that status: with them it is 1.) Between two callbacks, the program goes on to end.
///
/// Who runs the program may set this as well, in seconds, and has the last word:
/// `LASTLY_EXIT_BUDGET=2.5`, as it is when the first finalizer is created. Where the program has more
/// rights than who runs it, that is not heeded.
pub fn set_budget(budget: Option<Duration>) {
    let nanoseconds =
        budget.map_or(UNLIMITED, |budget| u64::try_from(budget.as_nanos()).unwrap_or(UNLIMITED));
    // Relaxed: a setting, that orders nothing.
    BUDGET_NANOSECONDS.store(nanoseconds, Relaxed);
}

/// Runs now, on this thread, what the end of the program would run, and shuts the door for good.
///
/// For programs that end in a way that does not get here. A second drain runs nothing; it waits, as
/// long as it would for a callback, for one that is going on on another thread.
///
/// To be followed by the end of the program: what is registered after it never runs, and what dies
/// after it leaks its function and arguments. If it takes longer than its [budget](set_budget), and
/// a callback does not return, it is that end: with status 1.
pub fn drain() {
    let terms = hooks::terms();
    if sync::MODELLED {
        // Without threads beside it.
        return REGISTRY.drain(&terms);
    }
    hooks::end(terms, End::Status(1));
}

pub(crate) use hooks::install;

mod hooks {
    use std::ffi::{c_int, c_void};

    use lastly_core::fork::{self, Once};
    use lastly_core::{Cause, Registry, Terms, ending, signals};

    use super::*;
    use crate::gc::{Collector, this_thread};

    static INSTALLED: Once = Once::new();

    /// Has the program run the drain at its end, and keep the registry whole across forks.
    #[inline]
    pub(crate) fn install() {
        if sync::MODELLED || INSTALLED.is_done() {
            return;
        }
        INSTALLED.call(|| {
            register().expect("lastly: no memory to register the exit hook");
            fork::install::<RustDoor>().expect("lastly: no memory to register the fork hooks");
        });
    }

    pub(super) fn terms() -> Terms {
        // Relaxed: settings, that order nothing.
        let budget = BUDGET_NANOSECONDS.load(Relaxed);
        Terms {
            cause: Cause::Exit,
            wait: Duration::from_nanos(WAIT_NANOSECONDS.load(Relaxed)),
            budget: (budget != UNLIMITED).then(|| Duration::from_nanos(budget)),
            last: false,
        }
    }

    /// Drains. What that has left undone and was written down, somebody else will do; if there is nothing,
    /// what it was written down in goes.
    pub(super) fn end(terms: Terms, end: End) {
        ending::drain::<RustDoor>(terms, end);
        lastly_journal::own::end();
    }

    fn at_exit(status: i32) {
        this_thread(Collector::expect_no_end);
        // A callback of a drain by hand, or for a signal, may have called `exit`: this goes on with it.
        let mut terms = Terms { last: true, ..terms() };
        let mut end = End::Status(status);
        if let Some(signal) = signals::arrived() {
            // It is that which ends the program.
            terms.cause = Cause::Signal;
            end = End::Signal(signal);
        }
        self::end(terms, end);
        // Also if it came meanwhile.
        if let Some(signal) = signals::arrived() {
            End::Signal(signal).now();
        }
    }

    impl fork::Resident for RustDoor {
        fn registry() -> &'static Registry<Self> {
            &REGISTRY
        }

        fn forked() {
            if signals::forget() {
                // Where no thread is to be had, signals do in this child what they do by default.
                _ = signals::watch::<Self>();
            }
        }

        fn signalled(signal: i32) {
            let terms = Terms { cause: Cause::Signal, ..terms() };
            end(terms, End::Signal(signal));
        }
    }

    /// Registers the exit hook with the C library, which runs it early if this object file is unloaded.
    ///
    /// As C++ does for its statics, because glibc tells such hooks the exit status; `atexit` does not.
    fn register() -> Result<(), c_int> {
        unsafe extern "C" {
            fn __cxa_atexit(
                hook: extern "C" fn(*mut c_void, c_int),
                argument: *mut c_void,
                object: *const c_void,
            ) -> c_int;
            static __dso_handle: u8;
        }
        extern "C" fn hook(_: *mut c_void, status: c_int) {
            // Other C libraries say nothing here, and then it is anything.
            at_exit(if cfg!(target_env = "gnu") { status } else { 1 });
        }
        let object = (&raw const __dso_handle).cast();
        // SAFETY: the hook is a function of this object file, whose handle this is.
        match unsafe { __cxa_atexit(hook, std::ptr::null_mut(), object) } {
            0 => Ok(()),
            error => Err(error),
        }
    }
}
