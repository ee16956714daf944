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
//! still running then is [reported](crate::report) as unfinished, by name, and the program ends.
//!
//! # `exit` from a callback
//!
//! A callback, or the `Drop` of a value, may call [`std::process::exit`]: every callback that is
//! due still runs. **In the drain itself it may not**: the standard library aborts the process on
//! an `exit` inside an `exit`, and what the drain had yet to run is lost.
//!
//! # What does not get here
//!
//! `abort`, `_exit`, a signal's default action, `kill -9`, and any panic in a program built with
//! `panic = "abort"`. For such an end, call [`drain`] yourself where you can: in a panic hook, say.
//!
//! A child that is forked while another thread is inside `exit` inherits the standard library's note
//! that the process is ending: its own `exit` waits for ever. Let such a child end by `_exit`.
//!
//! Thread-locals of the main thread are destroyed before the hook runs, as are the locals of
//! `main` itself. Objects that live there die at that moment, in the language's order, not newest
//! first.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::REGISTRY;

/// How long the drain waits for callbacks that other threads are running.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(5);

static WAIT_NANOSECONDS: AtomicU64 = AtomicU64::new(DEFAULT_WAIT.as_secs() * 1_000_000_000);

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

/// Runs now, on this thread, what the end of the program would run, and shuts the door for good.
///
/// For programs that end in a way that does not get here. A second drain runs nothing; it waits, as
/// long as it would for a callback, for one that is going on on another thread.
///
/// To be followed by the end of the program: what is registered after it never runs, and what dies
/// after it leaks its function and arguments.
pub fn drain() {
    REGISTRY.drain(Duration::from_nanos(WAIT_NANOSECONDS.load(Relaxed)));
}

pub(crate) use hooks::install;

#[cfg(unix)]
mod hooks {
    use std::sync::Once;

    use lastly_core::{Registry, fork, sync};

    use crate::REGISTRY;
    use crate::entry::RustDoor;
    use crate::gc::{Collector, this_thread};

    static INSTALLED: Once = Once::new();

    /// Has the program run the drain at its end, and keep the registry whole across forks.
    #[inline]
    pub(crate) fn install() {
        if sync::MODELLED {
            return;
        }
        INSTALLED.call_once(|| {
            // SAFETY: the hook is a function of this object file. Should that be unloaded, the C
            // library runs the hook before.
            let failed = unsafe { libc::atexit(at_exit) } != 0;
            assert!(!failed, "lastly: no memory to register the exit hook");
            fork::install::<RustDoor>().expect("lastly: no memory to register the fork hooks");
        });
    }

    extern "C" fn at_exit() {
        this_thread(Collector::expect_no_end);
        super::drain();
    }

    impl fork::Resident for RustDoor {
        fn registry() -> &'static Registry<Self> {
            &REGISTRY
        }
    }
}

#[cfg(not(unix))]
compile_error!("lastly needs `atexit` as Unix has it; other platforms are not supported yet");
