//! Signals that end the program in order: see `lastly/_signals.py`.
//!
//! Who runs the end is the **main thread**, as objects of Python's may be bound to theirs. Python
//! calls [`end_by`] there, between two instructions. Before Python's own C handler stands the
//! engine's, which wakes a thread, the watcher. That sees to it that the program ends:
//!
//! - The main thread has a moment to begin. It does not come where it sits in C code that returns for
//!   no signal, or in a callback: then the end is run on another thread, beside it.
//! - Another signal cuts the end short, wherever it is run.
//!
//! How far it has come is one word ([`Stage`]), changed by threads that are attached only.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32};
use std::thread;
use std::time::{Duration, Instant};

use lastly_core::sync::thread_number;
use lastly_core::{Cause, End, ending, signals};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::attach::attached;
use crate::door::{self, PythonDoor, REGISTRY};
use crate::{class, exit, pause, running};

/// How long the main thread has to begin.
const GRACE: Duration = Duration::from_secs(1);

/// How far the end of the program has come.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    /// The program runs.
    Open,
    /// A thread drains, as the program ends by itself, or by hand.
    Exit,
    /// A thread drains, as a signal came. It ends the process after that.
    Signal,
    /// The drain is over, and the process may go on.
    Over,
}

static STAGE: AtomicU8 = AtomicU8::new(Stage::Open as u8);
/// The thread that drains.
static DRAINING: AtomicU32 = AtomicU32::new(0);

/// Whether a watcher is wanted here, and in forked children.
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// Whether SIGINT is to do as the others while the program ends.
static KEYBOARD: AtomicBool = AtomicBool::new(false);
/// The signal that ends this process, if one has come to the main thread's knowledge.
static NOTED: AtomicI32 = AtomicI32::new(0);
/// It came while the main thread was in a callback, and is due when that ends.
static DUE: AtomicBool = AtomicBool::new(false);
/// The drain was begun by a signal that the watcher has not seen: the first that it sees is another.
static UNSEEN: AtomicBool = AtomicBool::new(false);
/// Another thread cuts the end short, and ends the process.
static CUT: AtomicBool = AtomicBool::new(false);

fn stage() -> Stage {
    // SeqCst, here and for all of these: nothing in this file happens often.
    match STAGE.load(SeqCst) {
        0 => Stage::Open,
        1 => Stage::Exit,
        2 => Stage::Signal,
        _ => Stage::Over,
    }
}

fn enter(stage: Stage) {
    DRAINING.store(thread_number(), SeqCst);
    STAGE.store(stage as u8, SeqCst);
}

/// Refuses a signal that cannot lead to an end in order.
#[pyfunction]
pub(crate) fn check_signal(signal: i32) -> PyResult<()> {
    signals::check(signal).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Whether nothing but its default action awaits a signal: no handler of Python's, nor one of C code
/// that Python does not know of.
#[pyfunction]
pub(crate) fn is_default(signal: i32) -> PyResult<bool> {
    Ok(signals::is_default(signal)?)
}

/// Puts the engine's handler before Python's.
#[pyfunction]
pub(crate) fn take_over(signal: i32) -> PyResult<()> {
    Ok(signals::take_over(signal)?)
}

/// Starts the watcher, here and from now on in forked children, and sees to it that this process runs
/// the drain at its end. With `keyboard`, SIGINT is heeded as well while the program ends.
#[pyfunction]
pub(crate) fn begin_to_watch(py: Python<'_>, keyboard: bool) -> PyResult<()> {
    exit::prepare(class::class(py)?)?;
    signals::watch::<PythonDoor>()
        .map_err(|error| PyOSError::new_err(format!("lastly: no thread for signals: {error}")))?;
    INSTALLED.store(true, SeqCst);
    KEYBOARD.fetch_or(keyboard, SeqCst);
    Ok(())
}

/// Before a fork: the watcher ends, as Python warns of a fork beside other threads.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    py.detach(signals::stop);
}

/// After a fork, in the parent. Since 3.13, Python looks for threads after this: the watcher begins as
/// soon as the main thread goes on.
#[pyfunction]
pub(crate) fn after_fork_in_parent() {
    extern "C" fn later(_: *mut c_void) -> c_int {
        watch();
        0
    }
    // SAFETY: the function needs no argument.
    if unsafe { ffi::Py_AddPendingCall(Some(later), ptr::null_mut()) } != 0 {
        watch();
    }
}

/// After a fork, in the child.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    watch();
}

fn watch() {
    if INSTALLED.load(SeqCst) {
        // Without a thread to be had, the main thread still heeds signals where it can.
        _ = signals::watch::<PythonDoor>();
    }
}

/// In a new child, which has no second thread yet.
pub(crate) fn forked() {
    signals::forget();
    for flag in [&DUE, &UNSEEN, &CUT] {
        flag.store(false, SeqCst);
    }
    NOTED.store(0, SeqCst);
    // The drain of a parent's other thread does not go on here.
    let drains = matches!(stage(), Stage::Exit | Stage::Signal);
    if drains && DRAINING.load(SeqCst) != thread_number() {
        STAGE.store(Stage::Open as u8, SeqCst);
    }
}

/// Python's handler of the signals that were taken over. Python calls it in the main thread.
#[pyfunction]
pub(crate) fn end_by(py: Python<'_>, signal: i32, _frame: &Bound<'_, PyAny>) {
    NOTED.store(signal, SeqCst);
    if signals::arrived().is_none() {
        // The engine's handler does not stand before this: somebody has put this one back by itself,
        // or this is a child that was made past Python. So what comes next is another signal.
        UNSEEN.store(true, SeqCst);
        _ = signals::take_over(signal);
        watch();
    }
    match stage() {
        // Another one, which the watcher heeds; or the end comes when the drain is over.
        Stage::Exit => {}
        Stage::Signal if DRAINING.load(SeqCst) == thread_number() => {}
        Stage::Signal => wait_for_the_end(py),
        Stage::Open | Stage::Over if is_to_wait(py) => DUE.store(true, SeqCst),
        Stage::Open | Stage::Over => end_now(py, signal),
    }
}

/// Whether a callback of the main thread may have to be followed by the end.
#[inline]
pub(crate) fn is_due() -> bool {
    // Relaxed: set in the main thread, for itself.
    DUE.load(Relaxed)
}

/// Whether this thread is in the middle of something that comes first: a callback, or a pause.
fn is_to_wait(py: Python<'_>) -> bool {
    running::is_inside(py) || pause::is_on()
}

/// To be called when a callback has run, or a pause is over.
#[cold]
pub(crate) fn end_if_due(py: Python<'_>) {
    if !door::is_main_thread() || is_to_wait(py) {
        return;
    }
    DUE.store(false, SeqCst);
    match stage() {
        Stage::Exit => {}
        Stage::Signal => wait_for_the_end(py),
        Stage::Open | Stage::Over => attached(py, || end_now(py, NOTED.load(SeqCst))),
    }
}

/// Runs the end of the program on this thread, because this signal came.
fn end_now(py: Python<'_>, signal: i32) -> ! {
    let over = stage() == Stage::Over;
    enter(Stage::Signal);
    if !over {
        // What keeps it from running all is reported; the program ends in any case.
        if let Err(error) = exit::drain_for(py, Cause::Signal, End::Signal(signal)) {
            error.write_unraisable(py, None);
        }
    }
    die(py, signal)
}

/// Ends the process by a signal, when everything has run.
fn die(py: Python<'_>, signal: i32) -> ! {
    flush(py);
    if CUT.load(SeqCst) {
        wait_for_the_end(py);
    }
    End::Signal(signal).now()
}

/// Another thread ends the process.
fn wait_for_the_end(py: Python<'_>) -> ! {
    py.detach(|| {
        loop {
            thread::park();
        }
    })
}

/// Writes what is in the buffers of the standard streams. What fails has nobody to tell.
fn flush(py: Python<'_>) {
    for name in ["stdout", "stderr"] {
        let stream = py.import("sys").and_then(|sys| sys.getattr(name));
        _ = stream.and_then(|stream| stream.call_method0("flush"));
    }
}

/// The drain of a program that ends by itself, around `drain`. Ends the process if a signal came
/// meanwhile.
pub(crate) fn around_exit(py: Python<'_>, drain: impl FnOnce() -> PyResult<()>) -> PyResult<()> {
    match stage() {
        Stage::Open => {}
        // Of a thread that will end the process. Itself, it may call this in a callback.
        Stage::Signal if DRAINING.load(SeqCst) != thread_number() => wait_for_the_end(py),
        _ => return drain(),
    }
    enter(Stage::Exit);
    let drained = drain();
    enter(Stage::Over);
    match signals::arrived().unwrap_or_else(|| NOTED.load(SeqCst)) {
        0 => drained,
        signal => {
            enter(Stage::Signal);
            die(py, signal)
        }
    }
}

/// What [`lastly_core::fork::Resident::signalled`] asks for. Not attached.
pub(crate) fn signalled(signal: i32) {
    if UNSEEN.load(SeqCst) {
        ending::cut::<PythonDoor>(Cause::Signal, End::Signal(signal));
    }
    let grace = Instant::now() + GRACE;
    while Instant::now() < grace {
        if matches!(stage(), Stage::Exit | Stage::Signal) {
            leave_it_to_the_other();
        }
        thread::sleep(Duration::from_millis(1));
    }
    // Over: the main thread is on its way out, or in C code for good; there is nothing left to run.
    if stage() == Stage::Over || exit::is_over() {
        return;
    }
    Python::attach(|py| match stage() {
        Stage::Open => end_now(py, signal),
        Stage::Over => {}
        Stage::Exit | Stage::Signal => py.detach(|| leave_it_to_the_other()),
    });
}

/// The thread that drains ends the process.
fn leave_it_to_the_other() -> ! {
    loop {
        thread::park();
    }
}

/// What [`lastly_core::fork::Resident::cut`] asks for. Not attached.
pub(crate) fn cut(cause: Cause) {
    CUT.store(true, SeqCst);
    if exit::is_over() {
        return;
    }
    Python::attach(|py| {
        REGISTRY.cut(cause);
        flush(py);
    });
}

/// While it exists, SIGINT does as the signals that were taken over.
pub(crate) struct Keyboard<'py> {
    signals: Bound<'py, PyModule>,
    before: Bound<'py, PyAny>,
}

impl<'py> Keyboard<'py> {
    /// `None` where SIGINT is not wanted, or does something else than to raise KeyboardInterrupt.
    pub(crate) fn begin(py: Python<'py>) -> PyResult<Option<Self>> {
        if !KEYBOARD.load(SeqCst) || !door::is_main_thread() {
            return Ok(None);
        }
        let signals = py.import("_signal")?;
        let before = signals.call_method1("getsignal", (libc::SIGINT,))?;
        if !before.is(&signals.getattr("default_int_handler")?) {
            return Ok(None);
        }
        // That one has begun this very drain: the next is another.
        UNSEEN.fetch_or(exit::was_interrupted(py), SeqCst);
        let ours = py.import("lastly._native")?.getattr("end_by")?;
        signals.call_method1("signal", (libc::SIGINT, ours))?;
        lastly_core::signals::take_over(libc::SIGINT)?;
        Ok(Some(Self { signals, before }))
    }

    pub(crate) fn end(self) -> PyResult<()> {
        self.signals.call_method1("signal", (libc::SIGINT, self.before))?;
        Ok(())
    }
}
