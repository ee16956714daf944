//! `Pressure`: a bound for what finalizers clean up, where their objects wait for the collector.
//!
//! What lies outside the memory, files, handles, the collector does not see: it may let thousands wait.
//! So each is a weight, and when the weights pass a bound, the next to be added first has the collector
//! run.
//!
//! If that helps, all is well. If the objects are really alive, no collection helps, and one for each new
//! object would cost more and more. So the bound moves: to twice what is left. Then the next collection
//! comes when as much has been added again, and what it costs, spread over those, is constant; and what
//! there is outside is never more than twice what is alive, or the limit. When that dies, the bound
//! falls again.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::kept;

/// Pressure(limit)
/// --
///
/// Bounds how much there is, of files for instance, that finalizers of dead objects are yet to clean up.
///
/// `finalize` makes an ordinary finalizer which counts as one, `finalize_sized` one which counts as so
/// many; as bytes, if the limit is one of bytes. They count as long as they are alive. One that would
/// pass the bound first has the collector run. The bound is the limit; while more than half of that is
/// really alive, it is twice what is.
#[pyclass(frozen, module = "lastly")]
pub(crate) struct Pressure {
    // Relaxed, all of them: attached.
    limit: usize,
    held: AtomicUsize,
    bound: AtomicUsize,
    collections: AtomicU64,
}

#[pymethods]
impl Pressure {
    #[new]
    fn new(limit: usize) -> PyResult<Self> {
        if limit == 0 {
            return Err(PyValueError::new_err("the limit of a pressure is 1 or more"));
        }
        let [held, bound] = [0, limit].map(AtomicUsize::new);
        Ok(Self { limit, held, bound, collections: AtomicU64::new(0) })
    }

    /// Ties a cleanup to an object, as `lastly.finalize` does; it weighs 1.
    #[pyo3(signature = (obj, func, /, *args, **kwargs), text_signature = "($self, obj, func, /, *args, **kwargs)")]
    fn finalize<'py>(
        slf: &Bound<'py, Self>,
        obj: &Bound<'py, PyAny>,
        func: Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::finalize_sized(slf, 1, obj, func, args, kwargs)
    }

    /// The same for something of this size: it weighs so much.
    #[pyo3(signature = (size, obj, func, /, *args, **kwargs), text_signature = "($self, size, obj, func, /, *args, **kwargs)")]
    fn finalize_sized<'py>(
        slf: &Bound<'py, Self>,
        size: usize,
        obj: &Bound<'py, PyAny>,
        func: Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        this.make_room(slf.py(), size)?;
        kept::make(slf.as_any(), || this.add(size), obj, func, args, kwargs)
    }

    /// What it was made with.
    #[getter]
    fn limit(&self) -> usize {
        self.limit
    }

    /// How much the finalizers weigh that are alive.
    #[getter]
    fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// How much they may, before the collector runs.
    #[getter]
    fn bound(&self) -> usize {
        self.bound.load(Relaxed)
    }

    /// How often it had the collector run.
    #[getter]
    fn collections(&self) -> u64 {
        self.collections.load(Relaxed)
    }

    fn __repr__(&self) -> String {
        format!("<lastly.Pressure: {} of {}>", self.held(), self.bound())
    }
}

impl Pressure {
    /// Runs the collector if there is no room for so much.
    fn make_room(&self, py: Python<'_>, size: usize) -> PyResult<()> {
        let wanted = || self.held().saturating_add(size);
        if wanted() <= self.bound() {
            return Ok(());
        }
        let gc = py.import("gc")?;
        self.collections.store(self.collections() + 1, Relaxed);
        // The young first: most garbage is, and if that is enough, the rest need not be looked at.
        for generation in 0..3 {
            gc.call_method1("collect", (generation,))?;
            if wanted() <= self.limit / 2 {
                self.bound.store(self.limit, Relaxed);
                return Ok(());
            }
        }
        self.bound.store(self.limit.max(wanted().saturating_mul(2)), Relaxed);
        Ok(())
    }

    /// So much is there. Gives back what it weighs: less, where the sum would be too great.
    fn add(&self, size: usize) -> usize {
        let weight = size.min(usize::MAX - self.held());
        self.held.store(self.held() + weight, Relaxed);
        weight
    }

    /// So much is gone; and the bound follows what is left.
    pub(crate) fn lift(&self, weight: usize) {
        let left = self.held().saturating_sub(weight);
        self.held.store(left, Relaxed);
        let bound = self.limit.max(left.saturating_mul(2));
        self.bound.store(bound.min(self.bound()), Relaxed);
    }
}
