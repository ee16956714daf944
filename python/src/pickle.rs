//! Copies: of a finalizer, a copy is a dead one, with what a subclass added.
//!
//! The interpreter copies instances of Python classes by itself, but not of native ones: it cannot
//! know what is in them. Here there is nothing in them that could be copied.

use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict};

use crate::{class, kept};

/// `__reduce_ex__`: as for a Python class. Older protocols than the second know only classes whose
/// instances hold nothing of their own.
pub(crate) fn reduce<'py>(
    this: &Bound<'py, PyAny>,
    protocol: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let protocol = protocol.extract::<i64>()?.max(2);
    let py = this.py();
    if kept::is_one(this) {
        // Of a class without a name of its own: a dead one of the other is the same.
        let class = class::class(py)?;
        let parts = (class.getattr("__new__")?, (class,));
        return Ok(parts.into_pyobject(py)?.into_any());
    }
    py.get_type::<PyAny>().call_method1("__reduce_ex__", (this, protocol))
}

/// `__getstate__`: the attributes that a subclass has room for.
pub(crate) fn state<'py>(this: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = this.py();
    let attributes = this.getattr_opt("__dict__")?.unwrap_or_else(|| py.None().into_bound(py));
    let names = py.import("copyreg")?.call_method1("_slotnames", (this.get_type(),))?;
    let slots = PyDict::new(py);
    for name in names.try_iter()? {
        let name = name?;
        if let Some(value) = this.getattr_opt(name.cast()?)? {
            slots.set_item(name, value)?;
        }
    }
    if slots.is_empty() {
        Ok(attributes)
    } else {
        Ok((attributes, slots).into_pyobject(py)?.into_any())
    }
}
