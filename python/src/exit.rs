//! The end of the program, and what has to be prepared for it.
//!
//! The first finalizer of a process has `finalize._exitfunc` registered with the `atexit` module;
//! not the import, because programs fix their place among other exit handlers by a first
//! finalizer. A forked child does it again: `multiprocessing` forgets the parent's handlers (see
//! `lastly/_exit.py`).

use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::time::Duration;

use lastly_core::{Claim, Registry, fork};
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::attach::attached;
use crate::door::{PythonDoor, REGISTRY};
use crate::finalizer::take;
use crate::{class, live};

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

impl fork::Resident for PythonDoor {
    fn registry() -> &'static Registry<Self> {
        &REGISTRY
    }

    fn forked() {
        if PREPARED.load(Relaxed) == READY {
            PREPARED.store(FORKED, Relaxed);
        }
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
            live::clear(unsafe { Python::assume_attached() });
        }
    }
}

/// The drain: newest first, with the collector off, as the original has it.
///
/// It waits for no other thread. When it runs, the interpreter has joined all but daemon threads,
/// and those it does not wait for either.
pub(crate) fn drain(py: Python<'_>) -> PyResult<()> {
    let gc = py.import("gc")?;
    let enabled = gc.call_method0("isenabled")?.is_truthy()?;
    gc.call_method0("disable")?;
    REGISTRY.drain(Duration::ZERO);
    // For those who read it: it is not what stops a later run.
    class::class(py)?.setattr("_shutdown", true)?;
    if enabled {
        gc.call_method0("enable")?;
    }
    Ok(())
}

/// Runs what the drain has claimed. No failure stops the others.
pub(crate) fn run(finalizer: &Bound<'_, PyAny>, claim: Claim<'_, PythonDoor>) {
    let py = finalizer.py();
    let outcome = if class::replaced_call(&finalizer.get_type()).is_some() {
        // That method wants to be called, and will come back for the claim.
        claim.give_back();
        finalizer.call0().map(drop)
    } else {
        take(py, claim).run().map(drop)
    };
    if let Err(error) = outcome {
        attached(py, || report(error, py));
    }
}

/// Hands a failure to `sys.excepthook`, and a failure of that to `sys.unraisablehook`.
fn report(error: PyErr, py: Python<'_>) {
    let reported = py.import("sys").and_then(|sys| {
        let hook = sys.getattr("excepthook")?;
        // As an `except` clause does; older interpreters hand over the two apart.
        error.value(py).setattr("__traceback__", error.traceback(py))?;
        let _handled = Handled::begin(&error, py);
        hook.call1((error.get_type(py), error.value(py), error.traceback(py)))
    });
    if let Err(failure) = reported {
        failure.write_unraisable(py, None);
    }
}

/// While it exists, `sys.exc_info()` tells of an exception, as in an `except` clause.
struct Handled<'py> {
    before: [*mut ffi::PyObject; 3],
    _py: Python<'py>,
}

impl<'py> Handled<'py> {
    fn begin(error: &PyErr, py: Python<'py>) -> Self {
        let mut before = [ptr::null_mut(); 3];
        let [kind, value, traceback] = &mut before;
        // SAFETY: attached; three places to write to.
        unsafe { ffi::PyErr_GetExcInfo(kind, value, traceback) };
        let kind = error.get_type(py).into_ptr();
        let value = error.value(py).clone().into_ptr();
        let traceback = error.traceback(py).map_or(ptr::null_mut(), Bound::into_ptr);
        // SAFETY: attached; each is a reference of its own, or null.
        unsafe { ffi::PyErr_SetExcInfo(kind, value, traceback) };
        Self { before, _py: py }
    }
}

impl Drop for Handled<'_> {
    fn drop(&mut self) {
        let [kind, value, traceback] = self.before;
        // SAFETY: attached, as `_py` proves; the references are those that `begin` was given.
        unsafe { ffi::PyErr_SetExcInfo(kind, value, traceback) };
    }
}
