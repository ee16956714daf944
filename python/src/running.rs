//! What is running, on whichever thread.
//!
//! A claim ends before its callback runs (see `finalizer::take`), so the engine cannot see what is
//! running. This table does: for reports of what the end of the program does not wait for, and to know
//! whether a signal met a thread inside a callback.
//!
//! The entries are not on the stacks: a thread may be gone without having returned, as daemon threads
//! are when the interpreter ends. Its entries then stay for good, and so does what they point to: a
//! thread that never returns never lets go of it.

use std::cell::UnsafeCell;
use std::ptr;

use lastly_core::sync::{Moment, thread_number};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::object::BoundContent;

/// Where a callback is in the table while it runs.
#[must_use = "it is running until `end`"]
pub(crate) struct Place(usize);

/// A callback that runs, for whoever wants to tell of it.
pub(crate) struct Running<'py> {
    pub(crate) finalizer: Bound<'py, PyAny>,
    pub(crate) function: Bound<'py, PyAny>,
    pub(crate) weakref: Bound<'py, PyAny>,
    pub(crate) since: Option<Moment>,
}

struct Entry {
    /// Null: the entry is free. Otherwise all three are held by the thread that runs the callback.
    finalizer: *mut ffi::PyObject,
    function: *mut ffi::PyObject,
    weakref: *mut ffi::PyObject,
    since: Option<Moment>,
    thread: u32,
    /// The next free entry, if this is free.
    next: usize,
}

struct Table {
    entries: Vec<Entry>,
    /// The first free entry; behind the last: there is none.
    free: usize,
}

struct Guarded(UnsafeCell<Table>);

// SAFETY: used only in `with`, by one thread at a time.
unsafe impl Sync for Guarded {}

static TABLE: Guarded = Guarded(UnsafeCell::new(Table { entries: Vec::new(), free: 0 }));

/// `work` calls nothing of the interpreter's: that might let another thread in.
#[inline]
fn with<R>(_py: Python<'_>, work: impl FnOnce(&mut Table) -> R) -> R {
    // SAFETY: attached, to an interpreter with a global lock, and until this returns nothing lets go
    // of that.
    work(unsafe { &mut *TABLE.0.get() })
}

/// This thread begins to run a callback. Until `end`, it holds all of it.
#[inline]
pub(crate) fn begin(
    finalizer: &Bound<'_, PyAny>,
    content: &BoundContent<'_>,
    since: Option<Moment>,
) -> Place {
    with(finalizer.py(), |table| {
        let place = table.free;
        if place == table.entries.len() {
            table.add();
        }
        let entry = &mut table.entries[place];
        table.free = entry.next;
        entry.finalizer = finalizer.as_ptr();
        entry.function = content.callback.function.as_ptr();
        entry.weakref = content.weakref.as_ptr();
        entry.since = since;
        entry.thread = thread_number();
        Place(place)
    })
}

/// It has run.
#[inline]
pub(crate) fn end(py: Python<'_>, place: Place) {
    with(py, |table| table.free(place.0));
}

impl Table {
    #[cold]
    fn add(&mut self) {
        let next = self.entries.len() + 1;
        let [finalizer, function, weakref] = [ptr::null_mut(); 3];
        self.entries.push(Entry { finalizer, function, weakref, since: None, thread: 0, next });
    }

    #[inline]
    fn free(&mut self, place: usize) {
        let entry = &mut self.entries[place];
        entry.finalizer = ptr::null_mut();
        entry.next = self.free;
        self.free = place;
    }

    fn in_use(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.finalizer.is_null())
    }
}

/// Whether this thread is inside a callback.
pub(crate) fn is_inside(py: Python<'_>) -> bool {
    let me = thread_number();
    with(py, |table| table.in_use().any(|entry| entry.thread == me))
}

/// What other threads are running.
pub(crate) fn elsewhere(py: Python<'_>) -> Vec<Running<'_>> {
    let me = thread_number();
    // SAFETY: an object; whoever runs the callback holds it. This adds one to a word: it is no call.
    let bind = |object| unsafe { Bound::from_borrowed_ptr(py, object) };
    let running = |entry: &Entry| Running {
        finalizer: bind(entry.finalizer),
        function: bind(entry.function),
        weakref: bind(entry.weakref),
        since: entry.since,
    };
    with(py, |table| table.in_use().filter(|entry| entry.thread != me).map(running).collect())
}

/// In a new child: of the threads, only this one is there.
pub(crate) fn forked(py: Python<'_>) {
    let me = thread_number();
    with(py, |table| {
        for place in 0..table.entries.len() {
            let entry = &table.entries[place];
            if !entry.finalizer.is_null() && entry.thread != me {
                table.free(place);
            }
        }
    });
}
