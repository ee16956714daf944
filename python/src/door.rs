//! The Python door, as the engine sees it.

use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::thread;
use std::time::Duration;

use lastly_core::fork::Resident;
use lastly_core::sync::Moment;
use lastly_core::{ByHost, Cause, Claim, Cleaner, Description, Door, Node, Pause, Registry};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::attach::attached;
use crate::finalizer::take;
use crate::object::Memory;
use crate::{actions, budget, cleaner, exit, kept, names, report, running, signals};

/// Every live finalizer of the interpreter.
pub(crate) static REGISTRY: Registry<PythonDoor> = Registry::new();

/// The shard of every node. The interpreter's lock lets one thread register at a time: more shards
/// would only have to be merged in the end.
pub(crate) const SHARD: u8 = 0;

pub(crate) struct PythonDoor;

thread_local! {
    // Constant and without a destructor, so that it can be used at any moment of a thread's life.
    static PAUSE: ManuallyDrop<Pause> = const { ManuallyDrop::new(Pause::new()) };
}

// SAFETY: holds are the references that the interpreter counts; `untie` does nothing. Whoever calls
// the registry is attached to an interpreter with a global lock (on a build without one, importing
// this module turns it on).
unsafe impl Door for PythonDoor {
    type Exclusion = ByHost;

    unsafe fn run(claim: Claim<'_, Self>, cause: Cause, begun: Option<Moment>) {
        // SAFETY: the engine calls this from a function of this crate, which is attached.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: whoever claims, or the registry, has a hold.
        let finalizer = unsafe { bound(py, claim.node()) };
        exit::run(&finalizer, claim, cause, begun);
    }

    unsafe fn discard(claim: Claim<'_, Self>) {
        // SAFETY: as above.
        let py = unsafe { Python::assume_attached() };
        actions::give_up(&take(py, claim));
    }

    unsafe fn describe(node: NonNull<Node>) -> Description {
        // SAFETY: as above.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: this function's contract.
        let memory = unsafe { Memory::of(node) };
        // SAFETY: no other code ever runs during a claim or a look, so there is none now; and this is
        // done with before any other does.
        let content = unsafe { Memory::content(memory) }.as_ref().map(|content| content.bind(py));
        let Some(content) = content else {
            return names::of_parts(node, "a callback".to_owned(), None);
        };
        attached(py, || names::describe(node, &content.callback.function, &content.weakref))
    }

    fn report_running(cause: Cause) {
        // SAFETY: as above.
        let py = unsafe { Python::assume_attached() };
        attached(py, || report::running(py, cause));
    }

    #[inline]
    fn pause<R>(look: impl FnOnce(&Pause) -> R) -> R {
        PAUSE.with(|pause| look(pause))
    }

    #[inline]
    unsafe fn cleaner<'a>(node: NonNull<Node>) -> Option<&'a Cleaner<Self>> {
        // SAFETY: this function's contract.
        unsafe { kept::cleaner(node) }
    }

    fn attached(work: impl FnOnce()) {
        // What it holds is let go of attached, or never.
        let work = ManuallyDrop::new(work);
        if !exit::is_over() {
            Python::try_attach(|_| ManuallyDrop::into_inner(work)());
        }
    }

    fn around_cleaner(name: &str, work: impl FnOnce()) {
        // SAFETY: as above.
        cleaner::thread(unsafe { Python::assume_attached() }, name, work);
    }

    fn detached(wait: impl FnOnce() + Send) {
        // SAFETY: as above.
        let py = unsafe { Python::assume_attached() };
        py.detach(wait);
    }

    /// Others need the interpreter for what is waited for.
    fn wait(round: u32) {
        // SAFETY: as above.
        let py = unsafe { Python::assume_attached() };
        let time = Duration::from_micros(if round < 20 { 50 } else { 1000 });
        py.detach(|| thread::sleep(time));
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

impl Resident for PythonDoor {
    fn registry() -> &'static Registry<Self> {
        &REGISTRY
    }

    fn forked() {
        exit::forked();
        // SAFETY: a forked child has one thread; where its parent's was attached, so is it, and where
        // it was not, no other is.
        running::forked(unsafe { Python::assume_attached() });
        budget::forked();
        signals::forked();
    }

    fn interrupt() -> Duration {
        budget::interrupt()
    }

    fn signalled(signal: i32) {
        signals::signalled(signal);
    }

    fn cut(cause: Cause) {
        signals::cut(cause);
    }
}

/// Whether this is the thread in which the interpreter handles signals.
pub(crate) fn is_main_thread() -> bool {
    unsafe extern "C" {
        safe fn _PyOS_IsMainThread() -> c_int;
    }
    _PyOS_IsMainThread() != 0
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
