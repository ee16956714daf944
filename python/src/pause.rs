//! `paused`: for a while, no callback runs on this thread. What it does is the engine's
//! (`lastly_core`, `pause`).

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use lastly_core::sync::thread_number;
use lastly_core::{Door, Pause};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::door::{PythonDoor, REGISTRY};
use crate::signals;

/// paused()
/// --
///
/// For a `with` block: no callback runs on this thread because its object dies; those that are due run
/// when the block ends, in the order in which the objects died.
///
/// So a lock that is taken in the block cannot be wanted by such a callback, on this thread, which
/// would wait for itself. Explicit calls do run; other threads are not concerned; blocks may be
/// nested. It also decorates functions. Do not await in it: it is the thread that is paused. A subclass
/// of `finalize` with a `__call__` of its own has that called at once, as ever.
#[pyclass(frozen, name = "paused", module = "lastly")]
pub(crate) struct Paused {
    /// How many blocks of this object the thread is in, and which thread it is.
    entered: AtomicU32,
    thread: AtomicU32,
}

#[pymethods]
impl Paused {
    #[new]
    fn new() -> Self {
        Self { entered: AtomicU32::new(0), thread: AtomicU32::new(0) }
    }

    fn __enter__(&self) -> PyResult<()> {
        // Relaxed, here and below: attached.
        let entered = self.entered.load(Relaxed);
        if entered > 0 && self.thread.load(Relaxed) != thread_number() {
            return Err(PyRuntimeError::new_err(
                "this pause has begun on another thread: make one for each, by lastly.paused()",
            ));
        }
        self.thread.store(thread_number(), Relaxed);
        self.entered.store(entered + 1, Relaxed);
        PythonDoor::pause(Pause::begin);
        Ok(())
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        let entered = self.entered.load(Relaxed);
        if entered == 0 || self.thread.load(Relaxed) != thread_number() {
            return Err(PyRuntimeError::new_err(
                "a pause ends on the thread on which it has begun, and once",
            ));
        }
        self.entered.store(entered - 1, Relaxed);
        REGISTRY.end_pause();
        if signals::is_due() {
            signals::end_if_due(py);
        }
        Ok(())
    }

    /// As a decorator: the whole function is such a block.
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        py.import("lastly._paused")?.call_method1("decorated", (function,))
    }
}

/// Whether this thread is paused.
pub(crate) fn is_on() -> bool {
    PythonDoor::pause(Pause::is_on)
}
