//! The Python door: `weakref.finalize` as a native type, on the engine of `lastly-core`.
//!
//! A finalizer is one Python object with the engine's node inside it (`object`), and one
//! `weakref.ref` whose callback *is* the finalizer: so the interpreter calls it when the object
//! dies, by the same way on which a program calls it (`finalizer`). What it runs is kept as it
//! came, as a vectorcall (`callback`). The end of the program is `exit`, the time that it may take
//! `budget`, and its end by a signal `signals`. What went wrong is told in `report`, with the help of
//! `names` and `sites`; what runs on which thread is in `running`. What the engine asks of this door
//! is `door`; a callback that keeps its own object alive is noticed in `capture`; what others can do when
//! the process was killed is `actions`, with the help of `parameters`.
//!
//! # The interpreter's lock
//!
//! Every function here runs attached to an interpreter with a global lock, so alone. "Exactly once"
//! does not rely on it: who may take a callback out is settled by the engine's atomic word. The
//! engine's lists do, in place of a lock of their own. So where the global lock is off (a
//! free-threaded build that was told to keep it off) this module refuses to be imported, as it does
//! in a second interpreter of one process.
//!
//! # What never happens
//!
//! - A call into the interpreter while the engine holds a lock.
//! - A reference is given up while the engine holds a lock: that may run any code.
//! - A `Py` is dropped where PyO3 does not know that the thread is attached: see `attach`.

mod actions;
mod attach;
mod budget;
mod callback;
mod capture;
mod class;
mod cleaner;
mod door;
mod exit;
mod finalizer;
mod kept;
mod live;
mod names;
mod nesting;
mod object;
mod parameters;
mod pause;
mod pickle;
mod pressure;
mod report;
mod running;
mod signals;
mod sites;
mod slots;

/// What `lastly` is made of. Programs import `lastly`.
#[pyo3::pymodule(gil_used = true)]
mod _native {
    use pyo3::exceptions::PyImportError;
    use pyo3::ffi;
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::actions::{
        confirm, kill_process, protection, remove_file, remove_temporary_file,
        remove_temporary_tree, remove_tree, unguessable_name, unlink_shared_memory,
    };
    #[pymodule_export]
    use crate::budget::{set_budget, time_is_spent};
    #[pymodule_export]
    use crate::capture::{callback_of, names_of, set_capture_search};
    #[pymodule_export]
    use crate::cleaner::Cleaner;
    #[pymodule_export]
    use crate::live::{
        alive, alive_count, clear, details, end, is_recording, look, name, parts, table, totals,
    };
    #[pymodule_export]
    use crate::pause::Paused;
    #[pymodule_export]
    use crate::pressure::Pressure;
    #[pymodule_export]
    use crate::report::{Report, listen, reset_hook, set_hook};
    #[pymodule_export]
    use crate::signals::{
        after_fork_in_child, after_fork_in_parent, before_fork, begin_to_watch, check_signal,
        end_by, is_default, take_over,
    };
    #[pymodule_export]
    use crate::sites::record_sites;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        require_main_interpreter()?;
        require_global_lock(py)?;
        crate::report::begin();
        crate::budget::ask_environment();
        crate::sites::ask_environment(py);
        // What is made once is made now. A thread that made it with the first finalizer would let go
        // of the interpreter meanwhile; if another then forked, the child would wait for ever.
        crate::capture::Carriers::get(py)?;
        crate::actions::begin(module)?;
        let class = crate::class::class(py)?;
        crate::exit::says_registered(class);
        // The drain imports this. Imported then, it could be half imported by one thread when another
        // forks, and the child's drain would wait for it for ever.
        py.import("gc")?;
        // PyO3 keeps the names of these attributes.
        class.name()?;
        class.qualname()?;
        module.add("_remains", Bound::new(py, crate::exit::Remains)?)?;
        module.add("finalize", class)?;
        module.add("SelfReferenceWarning", py.get_type::<crate::capture::SelfReferenceWarning>())
    }

    /// There is one registry, and it holds objects of one interpreter.
    fn require_main_interpreter() -> PyResult<()> {
        // SAFETY: attached.
        let this = unsafe { ffi::PyInterpreterState_Get() };
        // SAFETY: as above.
        if this == unsafe { ffi::PyInterpreterState_Main() } {
            return Ok(());
        }
        let error = "lastly works in the main interpreter only, not in subinterpreters";
        Err(PyImportError::new_err(error))
    }

    /// The engine's lists are guarded by nothing else.
    fn require_global_lock(py: Python<'_>) -> PyResult<()> {
        // On free-threaded builds this import turned it on, unless the user forbids it.
        let is_on = match py.import("sys")?.getattr_opt("_is_gil_enabled")? {
            Some(ask) => ask.call0()?.is_truthy()?,
            None => true,
        };
        if is_on {
            return Ok(());
        }
        let error = "lastly needs the global interpreter lock: do not set PYTHON_GIL=0 or -X gil=0";
        Err(PyImportError::new_err(error))
    }
}
