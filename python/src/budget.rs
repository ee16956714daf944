//! The time that the end of the program may take, and how a callback is made to end when it is spent.
//!
//! The engine asks on a thread of its own ([`interrupt`]). Only the interpreter can stop what runs
//! Python code, and only in its main thread: so that is sent a signal that nobody uses, whose handler
//! raises [`TimeSpent`]. That ends what waits in the system, too. What does not heed it, the engine
//! ends, and the process with it.

use std::env;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64};
use std::thread;
use std::time::Duration;

use lastly_core::signals;
use pyo3::exceptions::{PyBaseException, PyValueError};
use pyo3::prelude::*;

use crate::{door, running};

pyo3::create_exception!(
    lastly,
    TimeSpent,
    PyBaseException,
    "The time that the end of the program may take is spent."
);

/// How long an interrupted callback may take to come to its end.
const GRACE: Duration = Duration::from_millis(500);

/// Whether the environment sets one: the engine knows which.
static FROM_OUTSIDE: AtomicBool = AtomicBool::new(false);

/// To be called when the module is imported. At the end, in a forked child, the lock of the environment
/// may be held by a thread that does not exist.
pub(crate) fn ask_environment() {
    FROM_OUTSIDE.store(env::var_os("LASTLY_EXIT_BUDGET").is_some(), Relaxed);
}

const UNLIMITED: u64 = u64::MAX;
static NANOSECONDS: AtomicU64 = AtomicU64::new(UNLIMITED);

/// Sets how long the end of the program may take, in seconds. None, as at first: as long as it takes.
#[pyfunction]
pub(crate) fn set_budget(seconds: Option<f64>) -> PyResult<()> {
    let nanoseconds = match seconds {
        None => UNLIMITED,
        Some(seconds) => match Duration::try_from_secs_f64(seconds) {
            Ok(budget) => u64::try_from(budget.as_nanos()).unwrap_or(UNLIMITED),
            Err(_) => {
                let error = format!("a budget is a number of seconds, or None; not {seconds}");
                return Err(PyValueError::new_err(error));
            }
        },
    };
    // Relaxed: a setting, that orders nothing.
    NANOSECONDS.store(nanoseconds, Relaxed);
    Ok(())
}

/// What the program has set.
pub(crate) fn own() -> Option<Duration> {
    match NANOSECONDS.load(Relaxed) {
        UNLIMITED => None,
        nanoseconds => Some(Duration::from_nanos(nanoseconds)),
    }
}

/// Nobody is to be interrupted.
const OFF: u8 = 0;
/// The main thread may be.
const READY: u8 = 1;
/// A thread is sending the signal.
const SENDING: u8 = 2;
/// It is sent.
const SENT: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(OFF);
static MAIN: AtomicU64 = AtomicU64::new(0);
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// While it exists, the callback that the drain is running can be interrupted.
pub(crate) struct Interruption<'py>(Bound<'py, PyModule>);

impl<'py> Interruption<'py> {
    /// `None` where there is no budget, or no way: off the main thread, or with every signal in use.
    pub(crate) fn begin(py: Python<'py>) -> PyResult<Option<Self>> {
        // Relaxed: set once, at the beginning.
        let has_budget = own().is_some() || FROM_OUTSIDE.load(Relaxed);
        if !has_budget || !door::is_main_thread() || STATE.load(SeqCst) != OFF {
            return Ok(None);
        }
        let module = py.import("_signal")?;
        let Some(signal) = unused(&module)? else { return Ok(None) };
        let handler = py.import("lastly._native")?.getattr("time_is_spent")?;
        module.call_method1("signal", (signal, handler))?;
        SIGNAL.store(signal, SeqCst);
        // SAFETY: it only tells which thread this is.
        MAIN.store(unsafe { libc::pthread_self() } as u64, SeqCst);
        STATE.store(READY, SeqCst);
        Ok(Some(Self(module)))
    }

    pub(crate) fn end(self) -> PyResult<()> {
        if STATE.compare_exchange(READY, OFF, SeqCst, SeqCst).is_err() {
            while STATE.load(SeqCst) == SENDING {
                thread::yield_now();
            }
        }
        // What was sent arrives with this, at the latest, and finds its handler.
        thread::yield_now();
        STATE.store(OFF, SeqCst);
        let signal = SIGNAL.load(SeqCst);
        // The one after the other: being ignored discards what may be blocked.
        for action in ["SIG_IGN", "SIG_DFL"] {
            self.0.call_method1("signal", (signal, self.0.getattr(action)?))?;
        }
        Ok(())
    }
}

/// A signal that nobody uses, looked for from the last real-time signal down.
fn unused(module: &Bound<'_, PyModule>) -> PyResult<Option<i32>> {
    let limit = |name| module.getattr_opt(name)?.map(|it| it.extract::<i32>()).transpose();
    let (Some(first), Some(last)) = (limit("SIGRTMIN")?, limit("SIGRTMAX")?) else {
        return Ok(None);
    };
    let default = module.getattr("SIG_DFL")?;
    for signal in (first..=last).rev() {
        let known = module.call_method1("getsignal", (signal,))?;
        if known.eq(&default)? && signals::is_default(signal)? {
            return Ok(Some(signal));
        }
    }
    Ok(None)
}

/// What [`lastly_core::fork::Resident::interrupt`] asks for. Not attached.
pub(crate) fn interrupt() -> Duration {
    if STATE.compare_exchange(READY, SENDING, SeqCst, SeqCst).is_err() {
        return Duration::ZERO;
    }
    let (main, signal) = (MAIN.load(SeqCst), SIGNAL.load(SeqCst));
    // SAFETY: that thread is in the drain until `end` finds that this is done.
    unsafe { libc::pthread_kill(main as libc::pthread_t, signal) };
    STATE.store(SENT, SeqCst);
    GRACE
}

/// Whether this exception is the one that interrupts.
pub(crate) fn is_spent(error: &PyErr, py: Python<'_>) -> bool {
    error.is_instance_of::<TimeSpent>(py)
}

/// Interrupts once more what this thread, the main one, is running.
pub(crate) fn interrupt_again() {
    // SAFETY: sends a signal to this thread, for which there is a handler while any is interrupted.
    unsafe { libc::raise(SIGNAL.load(SeqCst)) };
}

/// In a new child: the thread that interrupts is the parent's.
pub(crate) fn forked() {
    _ = STATE.compare_exchange(SENDING, SENT, SeqCst, SeqCst);
}

/// Python's handler of that signal.
#[pyfunction]
pub(crate) fn time_is_spent(
    py: Python<'_>,
    _signal: i32,
    _frame: &Bound<'_, PyAny>,
) -> PyResult<()> {
    // Not between two callbacks, nor in what tells of them; and not if somebody else has sent it.
    if STATE.load(SeqCst) >= SENDING && running::is_inside(py) {
        return Err(TimeSpent::new_err("the time that the end of the program may take is spent"));
    }
    Ok(())
}
