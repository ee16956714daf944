//! The Python door, as the engine sees it.

use std::ptr::NonNull;

use lastly_core::{ByHost, Cause, Claim, Description, Door, Node, Registry};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::attach::attached;
use crate::exit;
use crate::finalizer::take;
use crate::object::Memory;

/// Every live finalizer of the interpreter.
pub(crate) static REGISTRY: Registry<PythonDoor> = Registry::new();

/// The shard of every node. The interpreter's lock lets one thread register at a time: more shards
/// would only have to be merged in the end.
pub(crate) const SHARD: u8 = 0;

pub(crate) struct PythonDoor;

// SAFETY: holds are the references that the interpreter counts; `untie` does nothing. Whoever calls
// the registry is attached to an interpreter with a global lock (on a build without one, importing
// this module turns it on).
unsafe impl Door for PythonDoor {
    type Exclusion = ByHost;

    unsafe fn run(claim: Claim<'_, Self>, cause: Cause) {
        // SAFETY: the engine calls this from a function of this crate, which is attached.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: whoever claims, or the registry, has a hold.
        let finalizer = unsafe { bound(py, claim.node()) };
        if cause == Cause::Exit {
            exit::run(&finalizer, claim);
        } else if let Err(error) = take(py, claim).run() {
            attached(py, || error.write_unraisable(py, Some(&finalizer)));
        }
    }

    unsafe fn discard(claim: Claim<'_, Self>) {
        // SAFETY: as above.
        let py = unsafe { Python::assume_attached() };
        drop(take(py, claim));
    }

    unsafe fn describe(_: NonNull<Node>) -> Description {
        Description { object: "an object", function: "a callback" }
    }

    unsafe fn retain(node: NonNull<Node>) {
        // SAFETY: this function's contract.
        let memory = unsafe { Memory::of(node) };
        // SAFETY: alive. This adds one to a word: it is no call.
        unsafe { ffi::Py_INCREF(memory.as_ptr().cast()) };
    }

    unsafe fn release(node: NonNull<Node>) {
        // SAFETY: this function's contract.
        let memory = unsafe { Memory::of(node) };
        // SAFETY: alive, and nothing is locked.
        unsafe { ffi::Py_DECREF(memory.as_ptr().cast()) };
    }

    unsafe fn untie(_: NonNull<Node>) -> bool {
        true
    }
}

/// The finalizer around a node.
///
/// # Safety
///
/// It is a node of this door, and alive.
pub(crate) unsafe fn bound(py: Python<'_>, node: NonNull<Node>) -> Bound<'_, PyAny> {
    // SAFETY: this function's contract.
    let memory = unsafe { Memory::of(node) };
    // SAFETY: alive, and it begins as an object does.
    unsafe { Bound::from_borrowed_ptr(py, memory.as_ptr().cast()) }
}
