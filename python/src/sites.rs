//! Where finalizers were created, for reports; where somebody asked for it.
//!
//! It costs a look at the caller's frame and two strings a finalizer, so it is off by default, and
//! kept in a table beside the finalizers. An entry goes with its finalizer's memory.

use std::collections::HashMap;
use std::env;
use std::ptr::NonNull;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lastly_core::Node;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::door::REGISTRY;
use crate::{names, report};

/// Whether to record.
static ON: AtomicBool = AtomicBool::new(false);
/// Whether there is anything in the table, or was.
static USED: AtomicBool = AtomicBool::new(false);

/// Under the lock nothing is called that might let another thread in.
static SITES: Mutex<Option<HashMap<usize, Site>>> = Mutex::new(None);

/// What is known of a finalizer's creation.
#[derive(Clone)]
pub(crate) struct Site {
    /// `file:line in function`
    pub(crate) created: String,
    /// The type of the object, which will be dead.
    pub(crate) object: String,
}

/// Has reports say from now on where a finalizer was created, and the type of an object that is dead.
///
/// From the first time on, also keeps when finalizers are created, and which callbacks take longest: see
/// lastly.live.
///
/// It costs a look at the stack for each finalizer, about a microsecond: to create one and have its
/// object die takes three times as long. The environment can ask for it as well: LASTLY_SITES=1, and so
/// does -X dev.
#[pyfunction]
#[pyo3(signature = (on=true))]
pub(crate) fn record_sites(on: bool) {
    // Relaxed, here and below: changed and read by threads that are attached to the interpreter.
    ON.store(on, Relaxed);
    USED.fetch_or(on, Relaxed);
    if on {
        report::record();
    }
}

/// Does what the environment says; `-X dev` asks for it, too, and so does the report at exit.
pub(crate) fn ask_environment(py: Python<'_>) {
    let asked = env::var_os("LASTLY_SITES");
    let develops = || {
        let flags = py.import("sys").and_then(|sys| sys.getattr("flags"));
        flags.and_then(|flags| flags.getattr("dev_mode")?.is_truthy()).unwrap_or(false)
    };
    if REGISTRY.heed_environment() || asked.map_or_else(develops, |value| value == "1") {
        record_sites(true);
    }
}

#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

fn sites() -> MutexGuard<'static, Option<HashMap<usize, Site>>> {
    SITES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes down where this finalizer is being created: on the caller's line.
#[cold]
pub(crate) fn record(node: NonNull<Node>, object: &Bound<'_, PyAny>) {
    let created = caller(object.py()).unwrap_or_else(|| "an unknown place".to_owned());
    let site = Site { created, object: names::of_type(&object.get_type()) };
    sites().get_or_insert_default().insert(node.addr().get(), site);
}

/// What was taken down of it.
pub(crate) fn find(node: NonNull<Node>) -> Option<Site> {
    sites().as_ref()?.get(&node.addr().get()).cloned()
}

/// To be called when its memory goes.
#[inline]
pub(crate) fn forget(node: NonNull<Node>) {
    if USED.load(Relaxed) {
        forget_now(node);
    }
}

#[cold]
fn forget_now(node: NonNull<Node>) {
    if let Some(sites) = sites().as_mut() {
        sites.remove(&node.addr().get());
    }
}

/// Where the Python code is that called us.
fn caller(py: Python<'_>) -> Option<String> {
    // SAFETY: attached; a borrowed reference, or null.
    let frame = NonNull::new(unsafe { ffi::PyEval_GetFrame() })?;
    // SAFETY: it is running, so it is alive.
    let line = unsafe { ffi::PyFrame_GetLineNumber(frame.as_ptr()) };
    // SAFETY: as above.
    let code = unsafe { ffi::PyFrame_GetCode(frame.as_ptr()) };
    // SAFETY: a reference of our own; a frame has a code.
    let code = unsafe { Bound::from_owned_ptr(py, code.cast()) };
    let file = text(&code, "co_filename")?;
    // Qualified since Python 3.11.
    let function = text(&code, "co_qualname").or_else(|| text(&code, "co_name"))?;
    Some(format!("{file}:{line} in {function}"))
}

fn text(code: &Bound<'_, PyAny>, name: &str) -> Option<String> {
    let value = code.getattr(name).ok()?;
    Some(value.cast::<PyString>().ok()?.to_string_lossy().into_owned())
}
