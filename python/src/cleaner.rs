//! `Cleaner`: callbacks on a thread of their own. What it does is the engine's (`lastly_core`,
//! `cleaner`); here is what Python programs see of it, and what its thread is to the interpreter.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use lastly_core::{CleanerState, WhenFull};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::door::{PythonDoor, REGISTRY};
use crate::{exit, kept};

/// How long to wait before a look at the signals that came.
const SLICE: Duration = Duration::from_millis(100);

/// Cleaner(limit=1000, *, when_full="help", name=None)
/// --
///
/// Runs callbacks on a thread of its own when their objects die.
///
/// `limit` is how many may wait for that thread. When there are as many, `when_full` says what happens
/// to the next: "help", the thread that drops the object runs the callback itself, at once; or "block",
/// it waits until there is room.
///
/// So where it is full, what that thread holds locked is locked; one that blocks does not hear Ctrl-C,
/// and may wait for a lock of its own. Two cleaners whose callbacks drain each other wait for ever. The
/// end of the program runs what waits, and waits five seconds for the callback that the thread is in.
/// In a forked child, what waited is the parent's; a child that is forked in a callback and comes back
/// from it is at its end.
#[pyclass(frozen, module = "lastly")]
pub(crate) struct Cleaner(lastly_core::Cleaner<PythonDoor>);

#[pymethods]
impl Cleaner {
    #[new]
    #[pyo3(signature = (limit=1000, *, when_full="help", name=None))]
    fn new(py: Python<'_>, limit: usize, when_full: &str, name: Option<&str>) -> PyResult<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        if limit == 0 {
            return Err(PyValueError::new_err("the limit of a cleaner is 1 or more"));
        }
        let policy = match when_full {
            "help" => WhenFull::Help,
            "block" => WhenFull::Block,
            other => {
                let error = format!("when_full is 'help' or 'block', not {other:?}");
                return Err(PyValueError::new_err(error));
            }
        };
        py.import("lastly._cleaner")?.call_method0("prepare")?;
        let name = match name {
            Some(name) => name.to_owned(),
            // Relaxed: attached.
            None => format!("lastly-cleaner-{}", NUMBERS.fetch_add(1, Relaxed)),
        };
        Ok(Self(lastly_core::Cleaner::new(&REGISTRY, &name, limit, policy)))
    }

    /// Ties a cleanup to an object, as `lastly.finalize` does; but when the object dies, it is the
    /// cleaner's thread that runs it. An explicit call runs it where it is made.
    #[pyo3(signature = (obj, func, /, *args, **kwargs), text_signature = "($self, obj, func, /, *args, **kwargs)")]
    fn finalize<'py>(
        slf: &Bound<'py, Self>,
        obj: &Bound<'py, PyAny>,
        func: Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if slf.get().closed() {
            return Err(PyRuntimeError::new_err("this cleaner is closed: make another"));
        }
        kept::make(slf.as_any(), || 0, obj, func, args, kwargs)
    }

    /// Waits until every callback has run that waits now; for so many seconds at most. False: they have
    /// not, as the time is spent, or the program ends.
    ///
    /// In a callback on the cleaner's own thread it runs them there and then.
    #[pyo3(signature = (timeout=None))]
    fn drain(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let timeout = timeout.map(seconds).transpose()?;
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let last = self.0.handed();
        loop {
            let left = end.map_or(SLICE, |end| end.saturating_duration_since(Instant::now()));
            if self.0.drain_to(last, Some(left.min(SLICE))) {
                return Ok(true);
            }
            py.check_signals()?;
            // Over: also where the end of the program never ran what is left, and its thread is gone.
            let over = REGISTRY.is_ending() || exit::is_over();
            if over || end.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
        }
    }

    /// Takes nothing any more, and waits until what waits has run; for so many seconds at most. Whether
    /// it has. The finalizers that are alive then become ordinary ones.
    #[pyo3(signature = (timeout=None))]
    fn close(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        timeout.map(seconds).transpose()?;
        self.0.close();
        self.drain(py, timeout)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py, None).map(drop)
    }

    /// How many callbacks wait. One that was called meanwhile counts until its turn comes.
    #[getter]
    fn backlog(&self) -> usize {
        self.state().waiting
    }

    /// How many may.
    #[getter]
    fn limit(&self) -> usize {
        self.state().limit
    }

    /// Its name, and that of its thread.
    #[getter]
    fn name(&self) -> String {
        self.state().name.to_string()
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    fn __repr__(&self) -> String {
        let CleanerState { name, waiting, limit, .. } = self.state();
        let closed = if self.closed() { ", closed" } else { "" };
        format!("<lastly.Cleaner {name:?}: {waiting} of {limit}{closed}>")
    }
}

impl Cleaner {
    pub(crate) fn engine(&self) -> &lastly_core::Cleaner<PythonDoor> {
        &self.0
    }

    fn state(&self) -> CleanerState {
        self.0.state()
    }
}

fn seconds(timeout: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(timeout).map_err(|_| {
        PyValueError::new_err(format!("a timeout is a number of seconds, or None; not {timeout}"))
    })
}

/// How long the end of the program waits for the callback that a cleaner's thread is running.
pub(crate) fn wait() -> Duration {
    if REGISTRY.cleaners().is_empty() { Duration::ZERO } else { Duration::from_secs(5) }
}

/// What the thread of the cleaner of this name does; and what `threading` has to know of it.
pub(crate) fn thread(py: Python<'_>, name: &str, work: impl FnOnce()) {
    let told = |method, arguments: &Bound<'_, PyTuple>| {
        let told = py.import("lastly._cleaner").and_then(|it| it.call_method1(method, arguments));
        if let Err(error) = told {
            error.write_unraisable(py, None);
        }
    };
    if let Ok(name) = PyTuple::new(py, [name]) {
        told("thread_begins", &name);
    }
    work();
    told("thread_ends", &PyTuple::empty(py));
}
