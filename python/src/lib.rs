//! The Python door: `weakref.finalize` as a native type, on the engine of `lastly-core`.
//!
//! A finalizer is one Python object with the engine's node inside it (`object`), and one
//! `weakref.ref` whose callback *is* the finalizer: so the interpreter calls it when the object
//! dies, by the same way on which a program calls it (`finalizer`). What it runs is kept as it
//! came, as a vectorcall (`callback`). The end of the program is `exit`; what the engine asks of
//! this door is `door`; a callback that keeps its own object alive is noticed in `capture`.
//!
//! # The interpreter's lock
//!
//! Every function here runs attached to the interpreter. On a build with a global lock that means
//! alone, but nothing relies on that for "exactly once": who may take a callback out is settled by
//! the engine's atomic word. Free-threaded builds are not tested; there, importing this module
//! turns the global lock on.
//!
//! # What never happens
//!
//! - A call into the interpreter while the engine holds a lock.
//! - A reference is given up while the engine holds a lock: that may run any code.
//! - A `Py` is dropped. These functions are entered from C, so PyO3 does not know that the thread
//!   is attached, and would put off the drop: each is bound to the interpreter first.

mod callback;
mod capture;
mod class;
mod door;
mod exit;
mod finalizer;
mod live;
mod object;
mod pickle;
mod slots;

/// What `lastly` is made of. Programs import `lastly`.
#[pyo3::pymodule(gil_used = true)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::live::{alive, alive_count, parts};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("finalize", crate::class::class(py)?)?;
        module.add("SelfReferenceWarning", py.get_type::<crate::capture::SelfReferenceWarning>())
    }
}
