//! Telling PyO3 that the thread is attached.
//!
//! The interpreter calls this crate past PyO3, which therefore does not know that the thread is
//! attached, and puts off the drop of every `Py` until it does: objects would live on for no reason
//! that a user could see. In what runs often no `Py` is dropped: each is bound to the interpreter
//! first, which costs nothing. What is rare, and may drop one inside PyO3 (errors above all), is done
//! under [`attached`].

use pyo3::prelude::*;

/// Runs `work` with PyO3 knowing that the thread is attached.
#[cold]
pub(crate) fn attached<R>(_py: Python<'_>, work: impl FnOnce() -> R) -> R {
    // SAFETY: the thread is attached, as `_py` proves.
    unsafe { Python::attach_unchecked(|_| work()) }
}
