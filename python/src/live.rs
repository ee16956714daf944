//! What is alive: the native side of `finalize._registry` (see `lastly/_registry.py`).

use std::borrow::Cow;

use pyo3::prelude::*;

use crate::class;
use crate::door::{self, REGISTRY};
use crate::finalizer::Finalizer;
use crate::names;

/// Every finalizer that is alive, oldest first.
#[pyfunction]
pub(crate) fn alive(py: Python<'_>) -> Vec<Bound<'_, PyAny>> {
    let nodes = REGISTRY.alive();
    let finalizers = nodes.into_iter().map(|node| {
        // SAFETY: `alive` took a hold for us.
        let finalizer = unsafe { door::bound(py, node) };
        // SAFETY: that hold ends here, and nothing is locked. It is not the last: there is ours.
        unsafe { <door::PythonDoor as lastly_core::Door>::release(node) };
        finalizer
    });
    finalizers.collect()
}

/// How many finalizers are alive.
#[pyfunction]
pub(crate) fn alive_count() -> usize {
    REGISTRY.count_alive()
}

/// Ends a finalizer unrun, also while its object is dying. False if it is none, or dead.
#[pyfunction]
pub(crate) fn end(finalizer: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(class::instance(finalizer)?.and_then(|finalizer| finalizer.take()).is_some())
}

/// Ends every finalizer unrun.
#[pyfunction]
pub(crate) fn clear(py: Python<'_>) {
    let all = alive(py);
    let mut contents = Vec::with_capacity(all.len());
    for finalizer in &all {
        // SAFETY: it is one.
        contents.push(unsafe { Finalizer::new(finalizer.as_borrowed()) }.take());
    }
    // Only now, when none is alive: what they held may be objects of others.
    drop(contents);
}

type Parts<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, u64);

/// Weak reference, function, arguments, keyword arguments of a finalizer, and its place in the order
/// of creation; `None` if it is dead.
#[pyfunction]
pub(crate) fn parts<'py>(finalizer: &Bound<'py, PyAny>) -> PyResult<Option<Parts<'py>>> {
    let Some(finalizer) = class::instance(finalizer)? else { return Ok(None) };
    let Some(content) = finalizer.content()? else { return Ok(None) };
    let [function, arguments, keywords] = content.callback.into_parts()?;
    Ok(Some((content.weakref, function, arguments, keywords, finalizer.index())))
}

type Details = (Option<String>, String, Option<String>, Option<f64>, bool, bool, u64);

/// What can be told of a live finalizer: the type of its object, its function, where it was created, how
/// many seconds ago, whether the end of the program will run it, whether its object has died and it
/// waits, and its place in the order of creation. `None` if it is dead.
#[pyfunction]
pub(crate) fn details(finalizer: &Bound<'_, PyAny>) -> PyResult<Option<Details>> {
    let Some(finalizer) = class::instance(finalizer)? else { return Ok(None) };
    let Some(content) = finalizer.content()? else { return Ok(None) };
    let of = finalizer.describe(&content);
    let object = (of.object != names::UNKNOWN).then(|| of.object.into_owned());
    let created = of.created.map(Cow::into_owned);
    let age = finalizer.age().map(|age| age.as_secs_f64());
    let (at_exit, waits) = (finalizer.at_exit(), finalizer.is_waiting());
    Ok(Some((object, of.function.into_owned(), created, age, at_exit, waits, finalizer.index())))
}
