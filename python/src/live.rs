//! What is alive: the native side of `finalize._registry` (see `lastly/_registry.py`) and of
//! `lastly.live` (see `lastly/_live.py`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::ptr::NonNull;

use lastly_core::{CleanerState, Description, Door, Groups, Look, Node, Now, Slow};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyString, PyTuple};

use crate::actions;
use crate::class;
use crate::door::{self, PythonDoor, REGISTRY};
use crate::finalizer::Finalizer;
use crate::names;
use crate::object::BoundContent;

/// Every finalizer that is alive, oldest first.
#[pyfunction]
pub(crate) fn alive(py: Python<'_>) -> Vec<Bound<'_, PyAny>> {
    held(py).map(|(_, finalizer)| finalizer).collect()
}

/// The same, each with its node. Whoever takes them one by one may meet some that died meanwhile.
fn held(py: Python<'_>) -> impl Iterator<Item = (NonNull<Node>, Bound<'_, PyAny>)> {
    REGISTRY.alive().into_iter().map(move |node| {
        // SAFETY: `alive` took a hold for us.
        let finalizer = unsafe { door::bound(py, node) };
        // SAFETY: that hold ends here, and nothing is locked. It is not the last: there is ours.
        unsafe { PythonDoor::release(node) };
        (node, finalizer)
    })
}

/// How many finalizers are alive.
#[pyfunction]
pub(crate) fn alive_count() -> usize {
    REGISTRY.count_alive()
}

/// Ends a finalizer unrun, also while its object is dying. False if it is none, or dead.
#[pyfunction]
pub(crate) fn end(finalizer: &Bound<'_, PyAny>) -> PyResult<bool> {
    let content = class::instance(finalizer)?.and_then(|finalizer| finalizer.take());
    content.iter().for_each(actions::give_up);
    Ok(content.is_some())
}

/// Ends every finalizer unrun.
#[pyfunction]
pub(crate) fn clear(py: Python<'_>) {
    let contents = take_all(py);
    contents.iter().for_each(actions::give_up);
}

/// The same, as there is no program any more. What was declared is the guard's to do.
pub(crate) fn abandon(py: Python<'_>) {
    drop(take_all(py));
}

fn take_all(py: Python<'_>) -> Vec<BoundContent<'_>> {
    let all = alive(py);
    let mut contents = Vec::with_capacity(all.len());
    for finalizer in &all {
        // SAFETY: it is one.
        contents.extend(unsafe { Finalizer::new(finalizer.as_borrowed()) }.take());
    }
    // They are dropped when none is alive any more: what they held may be objects of others.
    contents
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
    let Some(Look { description, age, at_exit, waiting }) = finalizer.look_at() else {
        return Ok(None);
    };
    let object = known_object(&description).map(str::to_owned);
    let Description { function, created, .. } = description;
    let (created, age) = (created.map(Cow::into_owned), age.map(|age| age.as_secs_f64()));
    let index = finalizer.index();
    Ok(Some((object, function.into_owned(), created, age, at_exit, waiting, index)))
}

fn known_object(of: &Description) -> Option<&str> {
    (of.object != names::UNKNOWN).then_some(&of.object)
}

/// What can be told of all that is alive, oldest first: the finalizer, the type of its object, its
/// function, where it was created, how many seconds ago, whether the end of the program will run it,
/// and whether it waits.
#[pyfunction]
pub(crate) fn look<'py>(py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
    let mut texts = Texts { known: HashMap::new(), py };
    let mut rows = Vec::new();
    let now = Now::new();
    for (node, finalizer) in held(py) {
        // SAFETY: `finalizer` is a hold.
        let Some(look) = (unsafe { REGISTRY.look(node, now) }) else { continue };
        let of = &look.description;
        let row = [
            finalizer,
            texts.of(known_object(of)),
            texts.of(Some(&of.function)),
            texts.of(of.created.as_deref()),
            match look.age {
                Some(age) => PyFloat::new(py, age.as_secs_f64()).into_any(),
                None => py.None().into_bound(py),
            },
            PyBool::new(py, look.at_exit).to_owned().into_any(),
            PyBool::new(py, look.waiting).to_owned().into_any(),
        ];
        rows.push(PyTuple::new(py, row)?);
    }
    Ok(rows)
}

/// Texts for Python, each but once.
struct Texts<'py> {
    known: HashMap<String, Bound<'py, PyString>>,
    py: Python<'py>,
}

impl<'py> Texts<'py> {
    fn of(&mut self, text: Option<&str>) -> Bound<'py, PyAny> {
        let Some(text) = text else { return self.py.None().into_bound(self.py) };
        if let Some(known) = self.known.get(text) {
            return known.clone().into_any();
        }
        let new = PyString::new(self.py, text);
        self.known.insert(text.to_owned(), new.clone());
        new.into_any()
    }
}

/// Whether ages and durations are recorded.
#[pyfunction]
pub(crate) fn is_recording() -> bool {
    REGISTRY.is_recording()
}

type Counts = (u64, u64, u64, u64, u64, u64, u64, u64);
type SlowOne = (Option<String>, String, Option<String>, String, f64);
type Cleaner = (String, usize, usize, bool, u64);

/// How many finalizers there were, and what became of them: created, called, object died, exit, signal,
/// detached, failed, lost; the slowest callbacks, each with object, function, site, cause and seconds;
/// the cleaners, each with name, waiting, limit, running, handed over; and all of it in words.
#[pyfunction]
pub(crate) fn totals() -> (Counts, Vec<SlowOne>, Vec<Cleaner>, String) {
    let totals = REGISTRY.totals();
    let words = totals.to_string();
    let counts = (
        totals.created,
        totals.called,
        totals.object_died,
        totals.exit,
        totals.signal,
        totals.detached,
        totals.failed,
        totals.lost,
    );
    let slow = |Slow { description, cause, duration, .. }: &Slow| {
        let object = known_object(description).map(str::to_owned);
        let created = description.created.as_deref().map(str::to_owned);
        let function = description.function.to_string();
        (object, function, created, cause.to_string(), duration.as_secs_f64())
    };
    let cleaner = |state: &CleanerState| {
        let CleanerState { name, waiting, limit, running, handed, .. } = state;
        (name.to_string(), *waiting, *limit, *running, *handed)
    };
    let slowest = totals.slowest.iter().map(slow).collect();
    let cleaners = totals.cleaners.iter().map(cleaner).collect();
    (counts, slowest, cleaners, words)
}

type Row = (Option<String>, String, Option<String>, Option<f64>);

/// A table of finalizers: object, function, site and age of each.
#[pyfunction]
pub(crate) fn table(rows: Vec<Row>) -> String {
    let mut groups = Groups::default();
    for (object, function, created, age) in rows {
        let object = object.map_or(names::UNKNOWN.into(), Into::into);
        let created = created.map(Into::into);
        let age = age.and_then(|age| std::time::Duration::try_from_secs_f64(age).ok());
        groups.add(&Description { object, function: function.into(), created }, age);
    }
    groups.to_string()
}

/// What a type or a function is called in reports.
#[pyfunction]
pub(crate) fn name(of: &Bound<'_, PyAny>) -> String {
    names::of_function(of)
}
