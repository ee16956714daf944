//! What went wrong with a cleanup, told in Python's ways, or to the program's own hook.
//!
//! All of it comes through the engine's one hook. Where the program has set none, a failure goes where
//! the original's goes: at object death to the interpreter, which calls `sys.unraisablehook`, at exit
//! to `sys.excepthook`. What did not run, or did not end, is told on `sys.stderr`.

use std::any::{Any, TypeId};
use std::cell::Cell;
use std::fmt::{self, Display};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lastly_core::sync::Moment;
use lastly_core::{Cause, Description, Node, Problem, Raised};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::attach::attached;
use crate::door::REGISTRY;
use crate::names::{self, UNKNOWN};
use crate::object::BoundContent;
use crate::running;

/// What is called with reports: Python's, or nothing.
type Listener = Mutex<Option<Py<PyAny>>>;

/// The program's hook. Under the lock nothing is called that might let another thread in.
static HOOK: Listener = Mutex::new(None);
/// Who is told besides; the same holds.
static LISTENER: Listener = Mutex::new(None);
/// Who wants to know how long callbacks take that are not the drain's: [`FOR_HOOK`], [`FOR_RECORD`].
static MEASURES: AtomicU8 = AtomicU8::new(0);

const FOR_HOOK: u8 = 1;
const FOR_RECORD: u8 = 2;

/// A cleanup that failed, did not run, or did not end. `str()` gives it in words.
#[pyclass(frozen, module = "lastly.report")]
pub(crate) struct Report {
    /// What made it run: "called", "object died", "exit" or "signal".
    #[pyo3(get)]
    cause: String,
    /// The type of the object, or None: of a dead object it is known only if sites are recorded.
    #[pyo3(get)]
    object: Option<String>,
    /// The function.
    #[pyo3(get)]
    function: String,
    /// Where the finalizer was created, if sites are recorded: "file:line in function".
    #[pyo3(get)]
    created: Option<String>,
    /// What went wrong: "raised", "unfinished", "too late" or "skipped".
    #[pyo3(get)]
    problem: &'static str,
    /// The exception, if one was raised.
    #[pyo3(get)]
    error: Option<Py<PyAny>>,
    /// For how many seconds it ran, or has been running, where that was measured.
    #[pyo3(get)]
    duration: Option<f64>,
    /// The finalizer's place in the order of creation, if its callback raised.
    #[pyo3(get)]
    index: Option<u64>,
    words: String,
}

#[pymethods]
impl Report {
    fn __str__(&self) -> &str {
        &self.words
    }

    fn __repr__(&self) -> String {
        format!("<lastly.report.Report: {}>", self.words)
    }

    /// An exception leads to its frames, and they to what the program does with reports.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.error)
    }
}

impl Report {
    fn new(
        report: &lastly_core::Report<'_>,
        exception: Option<&Exception>,
        py: Python<'_>,
    ) -> Self {
        let problem = match report.problem {
            Problem::Unfinished => "unfinished",
            Problem::TooLate => "too late",
            Problem::Skipped => "skipped",
            Problem::Unprotected(_) => "unprotected",
            _ => "raised",
        };
        Self {
            cause: report.cause.to_string(),
            object: (report.object != UNKNOWN).then(|| report.object.to_owned()),
            function: report.function.to_owned(),
            created: report.created.map(str::to_owned),
            problem,
            error: exception.map(|it| it.value(py).clone().into_any().unbind()),
            duration: report.duration.map(|duration| duration.as_secs_f64()),
            index: exception.map(|it| it.index),
            words: report.to_string(),
        }
    }
}

/// Calls this with each report from now on, in place of the default. What it raises is shown by
/// sys.unraisablehook, and the report as it would be by default.
#[pyfunction]
pub(crate) fn set_hook(hook: Bound<'_, PyAny>) -> PyResult<()> {
    require_callable(&hook)?;
    replace(Some(hook.unbind()));
    Ok(())
}

fn require_callable(hook: &Bound<'_, PyAny>) -> PyResult<()> {
    if hook.is_callable() {
        return Ok(());
    }
    let kind = names::of_type(&hook.get_type());
    let error = format!("a hook is called with each report; {kind} cannot be called");
    Err(PyTypeError::new_err(error))
}

/// Goes back to the default.
#[pyfunction]
pub(crate) fn reset_hook() {
    replace(None);
}

fn replace(hook: Option<Py<PyAny>>) {
    // Relaxed: a report more or less with a duration is all that hangs on it.
    match hook {
        Some(_) => MEASURES.fetch_or(FOR_HOOK, Relaxed),
        None => MEASURES.fetch_and(!FOR_HOOK, Relaxed),
    };
    let before = std::mem::replace(&mut *lock(&HOOK), hook);
    // Not under the lock: this may run any code.
    drop(before);
}

/// Calls this with each report from now on, besides the hook or the default, and before it; None ends
/// that. Gives back who was told before. What it raises is shown by sys.unraisablehook.
#[pyfunction]
pub(crate) fn listen(listener: Option<Bound<'_, PyAny>>) -> PyResult<Option<Py<PyAny>>> {
    listener.as_ref().map(require_callable).transpose()?;
    let listener = listener.map(Bound::unbind);
    Ok(std::mem::replace(&mut *lock(&LISTENER), listener))
}

fn lock(listener: &'static Listener) -> MutexGuard<'static, Option<Py<PyAny>>> {
    listener.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This moment, if somebody wants to know how long callbacks take that are not the drain's.
#[inline]
pub(crate) fn moment() -> Option<Moment> {
    // Relaxed: see `replace`.
    (MEASURES.load(Relaxed) != 0).then(Moment::now)
}

/// From now on the engine keeps when finalizers are created, and which callbacks take longest.
pub(crate) fn record() {
    MEASURES.fetch_or(FOR_RECORD, Relaxed);
    REGISTRY.record();
}

/// A callback that began at this moment, if that was asked for, has come to its end.
#[inline]
pub(crate) fn ran(
    cause: Cause,
    begun: Option<Moment>,
    node: NonNull<Node>,
    content: &BoundContent<'_>,
) {
    let describe = || {
        let BoundContent { callback, weakref } = content;
        attached(weakref.py(), || names::describe(node, &callback.function, weakref))
    };
    REGISTRY.ran(cause, begun, describe);
}

/// An exception, on its way through the engine.
struct Exception {
    error: PyErr,
    /// The place of its finalizer in the order of creation.
    index: u64,
    /// Whether somebody has been told.
    is_told: Cell<bool>,
}

impl Exception {
    fn value<'py>(&self, py: Python<'py>) -> &Bound<'py, pyo3::exceptions::PyBaseException> {
        let value = self.error.value(py);
        // As an `except` clause does; older interpreters keep the two apart.
        _ = value.setattr("__traceback__", self.error.traceback(py));
        value
    }
}

impl Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Raised for Exception {}

/// Reports a failure of this finalizer's callback. It is given back where nobody was told: then it is
/// for the interpreter to show.
#[cold]
pub(crate) fn failure(
    finalizer: &Bound<'_, PyAny>,
    error: PyErr,
    cause: Cause,
    of: &Description,
    begun: Option<Moment>,
) -> Option<PyErr> {
    // SAFETY: it was registered, or it would not have run; the reference is the hold.
    let index = unsafe { REGISTRY.index(node_of(finalizer)) };
    let exception = Exception { error, index, is_told: Cell::new(false) };
    REGISTRY.report(cause, of, Problem::Raised(&exception), begun);
    (!exception.is_told.get()).then_some(exception.error)
}

/// Reports what other threads are running. Nobody waits for it, as with the original.
pub(crate) fn running(py: Python<'_>, cause: Cause) {
    for running in running::elsewhere(py) {
        let node = node_of(&running.finalizer);
        let of = names::describe(node, &running.function, &running.weakref);
        REGISTRY.report(cause, &of, Problem::Unfinished, running.since);
    }
}

/// The engine's part of a finalizer.
pub(crate) fn node_of(finalizer: &Bound<'_, PyAny>) -> NonNull<Node> {
    // SAFETY: an object is never null.
    let memory = unsafe { NonNull::new_unchecked(finalizer.as_ptr().cast()) };
    // SAFETY: it is a finalizer.
    unsafe { crate::object::Memory::node(memory) }
}

/// To be called first when the module is imported.
pub(crate) fn begin() {
    REGISTRY.set_hook(|report| {
        // SAFETY: whoever reports through the engine is attached.
        let py = unsafe { Python::assume_attached() };
        attached(py, || tell(report, py));
    });
}

fn tell(report: &lastly_core::Report<'_>, py: Python<'_>) {
    let exception = exception_of(&report.problem);
    let told = |told| {
        if let Some(exception) = exception {
            exception.is_told.set(told);
        }
    };
    let call = |listener: &'static Listener| {
        let listener = lock(listener).as_ref().map(|listener| listener.clone_ref(py));
        let Some(listener) = listener else { return false };
        let called = listener.call1(py, (Report::new(report, exception, py),));
        let Err(error) = called else { return true };
        error.write_unraisable(py, Some(listener.bind(py)));
        false
    };
    call(&LISTENER);
    if call(&HOOK) {
        return told(true);
    }
    match exception {
        None => print(report, py),
        Some(exception) if matches!(report.cause, Cause::Exit | Cause::Signal) => {
            told(true);
            uncaught(exception, py);
        }
        // The interpreter's to show.
        Some(_) => {}
    }
}

fn exception_of<'a>(problem: &Problem<'a>) -> Option<&'a Exception> {
    let Problem::Raised(raised) = *problem else { return None };
    if Any::type_id(raised) != TypeId::of::<Exception>() {
        return None;
    }
    // SAFETY: its type is this one, as was asked just now.
    Some(unsafe { &*ptr::from_ref(raised).cast::<Exception>() })
}

/// Writes a report to `sys.stderr`, if there is one.
fn print(report: &lastly_core::Report<'_>, py: Python<'_>) {
    let stderr = py.import("sys").and_then(|sys| sys.getattr("stderr"));
    // One that is closed or full is no reason to fail.
    _ = stderr.and_then(|stderr| stderr.call_method1("write", (format!("{report}\n"),)));
}

/// Hands a failure to `sys.excepthook`, and a failure of that to `sys.unraisablehook`.
fn uncaught(exception: &Exception, py: Python<'_>) {
    let Exception { error, .. } = exception;
    let reported = py.import("sys").and_then(|sys| {
        let hook = sys.getattr("excepthook")?;
        let value = exception.value(py);
        let _handled = Handled::begin(error, py);
        hook.call1((error.get_type(py), value, error.traceback(py)))
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
