//! The end of the program, and what has to be prepared for it.
//!
//! The first finalizer of a process has `finalize._exitfunc` registered with the `atexit` module;
//! not the import, because programs fix their place among other exit handlers by a first
//! finalizer. A forked child does it again: `multiprocessing` forgets the parent's handlers (see
//! `lastly/_exit.py`).

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8};

use lastly_core::sync::Moment;
use lastly_core::{Cause, Claim, Description, End, Problem, Terms, ending, fork};
use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::attach::attached;
use crate::budget::{self, Interruption};
use crate::door::{PythonDoor, REGISTRY};
use crate::finalizer::{Finalizer, take};
use crate::report::{self, node_of};
use crate::signals::{self, Keyboard};
use crate::{actions, class, cleaner, live, names, nesting};

/// No finalizer was created yet.
const NEVER: u8 = 0;
/// This process runs the drain at its end.
const READY: u8 = 1;
/// The parent does.
const FORKED: u8 = 2;

// Relaxed, here and below: changed by threads that are attached to the interpreter, and in a child
// that has no second thread yet.
static PREPARED: AtomicU8 = AtomicU8::new(NEVER);
static FORK_HANDLERS: AtomicBool = AtomicBool::new(false);

/// Sees to it that this process runs the drain at its end.
#[inline]
pub(crate) fn prepare(class: &Bound<'_, PyType>) -> PyResult<()> {
    if PREPARED.load(Relaxed) == READY && says_registered(class) {
        return Ok(());
    }
    attached(class.py(), || prepare_now(class))
}

/// Whether the class still says that its function is registered. A program that has had `atexit`
/// forget it can ask for it again by setting the attribute to False.
#[inline]
pub(crate) fn says_registered(class: &Bound<'_, PyType>) -> bool {
    let py = class.py();
    let name = intern!(py, "_registered_with_atexit").as_ptr();
    // SAFETY: a class is alive as long as a reference to it.
    let attributes = unsafe { (*class.as_type_ptr()).tp_dict };
    // SAFETY: a class has a dictionary of its attributes; what is found there is not kept.
    let said = unsafe { ffi::PyDict_GetItemWithError(attributes, name) };
    // SAFETY: attached.
    said == unsafe { ffi::Py_True() }
}

#[cold]
fn prepare_now(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    if !FORK_HANDLERS.load(Relaxed) {
        fork::install::<PythonDoor>().map_err(|error| {
            PyMemoryError::new_err(format!("lastly: no fork handlers: {error}"))
        })?;
        FORK_HANDLERS.store(true, Relaxed);
    }
    // A program may have registered the function itself, and said so by this attribute. Of a child,
    // what its parent said is not true.
    let by_hand = class.getattr("_registered_with_atexit")?.is_truthy()?;
    if !by_hand || PREPARED.load(Relaxed) == FORKED {
        py.import("lastly._exit")?.call_method1("register", (class.getattr("_exitfunc")?,))?;
        class::class(py)?.setattr("_registered_with_atexit", true)?;
    }
    PREPARED.store(READY, Relaxed);
    Ok(())
}

/// In a new child.
pub(crate) fn forked() {
    if PREPARED.load(Relaxed) == READY {
        PREPARED.store(FORKED, Relaxed);
    }
}

/// Whether the interpreter is being taken down. Then nothing runs any more, also where the drain
/// never ran: what a callback uses may be gone.
#[inline]
pub(crate) fn is_over() -> bool {
    #[cfg(Py_3_13)]
    use ffi::Py_IsFinalizing;
    #[cfg(not(Py_3_13))]
    unsafe extern "C" {
        #[link_name = "_Py_IsFinalizing"]
        fn Py_IsFinalizing() -> std::ffi::c_int;
    }
    // SAFETY: it may be asked at any time.
    unsafe { Py_IsFinalizing() != 0 }
}

/// What is left when the interpreter takes its modules down. It is put into ours, and when it goes,
/// so does what live finalizers hold: of the original's they go with its module.
#[pyclass(frozen, module = "lastly._native")]
pub(crate) struct Remains;

impl Drop for Remains {
    fn drop(&mut self) {
        if is_over() {
            // SAFETY: objects die attached. (`Python::attach` would refuse: it is over.)
            live::abandon(unsafe { Python::assume_attached() });
        }
    }
}

/// The end of a program that ends by itself, or of its cleanups by hand.
pub(crate) fn drain(py: Python<'_>) -> PyResult<()> {
    attached(py, || signals::around_exit(py, || drain_for(py, Cause::Exit, end(py))))
}

/// The drain: newest first, with the collector off, as the original has it. If it takes longer than its
/// budget, and a callback does not return, the process ends like this.
///
/// Of other threads, it waits for those of cleaners only. When a program ends by itself, the interpreter
/// has joined all but daemon threads, and those it does not wait for either.
pub(crate) fn drain_for(py: Python<'_>, cause: Cause, end: End) -> PyResult<()> {
    let gc = py.import("gc")?;
    let enabled = gc.call_method0("isenabled")?.is_truthy()?;
    gc.call_method0("disable")?;
    let keyboard = shown(py, Keyboard::begin(py)).flatten();
    let interruption = shown(py, Interruption::begin(py)).flatten();
    let terms = Terms { cause, wait: cleaner::wait(), budget: budget::own(), last: false };
    ending::drain::<PythonDoor>(terms, end);
    _ = interruption.map(|interruption| shown(py, interruption.end()));
    _ = keyboard.map(|keyboard| shown(py, keyboard.end()));
    actions::end(py);
    // For those who read it: it is not what stops a later run.
    class::class(py)?.setattr("_shutdown", true)?;
    if enabled {
        gc.call_method0("enable")?;
    }
    Ok(())
}

/// What is done beside the drain must not keep it from running: where that fails, it is shown.
fn shown<T>(py: Python<'_>, result: PyResult<T>) -> Option<T> {
    result.map_err(|error| error.write_unraisable(py, None)).ok()
}

/// How the process is about to end, as far as can be known: the status of `sys.exit` cannot.
fn end(py: Python<'_>) -> End {
    if was_interrupted(py) {
        End::Signal(libc::SIGINT)
    } else {
        End::Status(i32::from(uncaught(py).is_some()))
    }
}

/// Whether a KeyboardInterrupt that nobody caught ends the program.
pub(crate) fn was_interrupted(py: Python<'_>) -> bool {
    let kind = uncaught(py);
    kind.is_some_and(|kind| kind.is_subclass_of::<PyKeyboardInterrupt>().unwrap_or(false))
}

/// The type of the exception that ends the program, if one does.
fn uncaught(py: Python<'_>) -> Option<Bound<'_, PyType>> {
    let kind = py.import("sys").ok()?.getattr_opt("last_type").ok()??;
    kind.cast_into().ok()
}

/// Runs what the drain has claimed, or a pause or a cleaner that is nobody's call. No failure stops the
/// others.
pub(crate) fn run(
    finalizer: &Bound<'_, PyAny>,
    claim: Claim<'_, PythonDoor>,
    cause: Cause,
    begun: Option<Moment>,
) {
    let py = finalizer.py();
    let outcome = if class::replaced_call(&finalizer.get_type()).is_some() {
        // That method wants to be called, and will come back for the claim.
        claim.give_back();
        let outcome = finalizer.call0().map(drop).map_err(|error| {
            let method = format!("{}.__call__", names::of_type(&finalizer.get_type()));
            (error, names::of_parts(node_of(finalizer), method, None))
        });
        // If it has not, it has had its turn all the same.
        // SAFETY: it is a finalizer, and this its own turn in the drain, so it was registered; the
        // reference is the hold.
        unsafe { REGISTRY.set_at_exit(node_of(finalizer), false) };
        if outcome.is_ok() {
            // It left undone what it declared, if it did: so does the guard.
            // SAFETY: it is a finalizer.
            unsafe { Finalizer::new(finalizer.as_borrowed()) }.set_declared(false);
        }
        outcome
    } else {
        let content = take(py, claim);
        let outcome = content.run(finalizer, begun).map(drop);
        report::ran(cause, begun, node_of(finalizer), &content);
        let outcome = outcome.map_err(|error| {
            let function = &content.callback.function;
            (error, names::describe(node_of(finalizer), function, &content.weakref))
        });
        nesting::let_go(content);
        outcome
    };
    if let Err((error, of)) = outcome {
        attached(py, || failed(finalizer, error, cause, &of, begun));
    }
}

fn failed(
    finalizer: &Bound<'_, PyAny>,
    error: PyErr,
    cause: Cause,
    of: &Description,
    begun: Option<Moment>,
) {
    let py = finalizer.py();
    if budget::is_spent(&error, py) {
        REGISTRY.report(cause, of, Problem::Unfinished, begun);
        // At once: the drain's own clock may be a moment behind that of who interrupts.
        return REGISTRY.cut(cause);
    }
    if let Some(untold) = report::failure(finalizer, error, cause, of, begun) {
        untold.write_unraisable(py, Some(finalizer));
    }
}
