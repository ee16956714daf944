//! The class `finalize`, as it is made when the module is imported.
//!
//! It derives from the original: so `isinstance(f, weakref.finalize)` holds, installed or not, and
//! what a program may want that is not here is inherited.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

use crate::finalizer::Finalizer;
use crate::kept::{self, Kept};
use crate::object::{Memory, VECTORCALL_OFFSET};
use crate::slots;

static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The class.
pub(crate) fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    Ok(CLASS.get_or_try_init(py, || make(py))?.bind(py))
}

/// Any object as a finalizer, if it is one.
pub(crate) fn instance<'a, 'py>(
    object: &'a Bound<'py, PyAny>,
) -> PyResult<Option<Finalizer<'a, 'py>>> {
    // By its type: `isinstance` believes what an object says of itself, as a proxy does.
    let is_one = object.get_type().is_subclass(class(object.py())?)?;
    // SAFETY: it is an instance.
    Ok(is_one.then(|| unsafe { Finalizer::new(object.as_borrowed()) }))
}

/// What a class has in place of our `__call__`, if somebody has changed it there.
#[inline]
pub(crate) fn replaced_call(class: &Bound<'_, PyType>) -> Option<ffi::ternaryfunc> {
    // SAFETY: a class is alive as long as a reference to it.
    let slot = unsafe { (*class.as_type_ptr()).tp_call };
    slot.filter(|slot| *slot as usize != slots::call as ffi::ternaryfunc as usize)
}

const DOC: &CStr = c"finalize(obj, func, /, *args, **kwargs)\n--\n\n\
Run func(*args, **kwargs) exactly once: when obj dies, when the finalizer is called,
or when the program ends, newest first; whichever comes first.

It lives on without being referenced. Neither func nor an argument may own obj: then
obj could not die (see SelfReferenceWarning).";

/// Makes the class, and the one of finalizers that something else has a part in.
fn make(py: Python<'_>) -> PyResult<Py<PyType>> {
    let original = py.import("weakref")?.getattr("finalize")?;
    let flags = ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE;
    let class = make_one(&original, size_of::<Memory>(), flags as _, &mut slot_table())?;
    // There are no slot numbers for this, in the older versions; and nobody knows the class yet.
    // SAFETY: a class is alive as long as a reference to it.
    unsafe { (*class.as_type_ptr()).tp_vectorcall = Some(slots::construct) };
    for attribute in ["_registered_with_atexit", "_shutdown", "_dirty"] {
        class.setattr(attribute, false)?;
    }
    let mut slots = [slot(ffi::Py_tp_dealloc, kept::dealloc as ffi::destructor as _), END];
    let flags = ffi::Py_TPFLAGS_DEFAULT;
    let kept = make_one(&class, size_of::<Kept>(), flags as _, &mut slots)?;
    // It lives for ever.
    kept::is_class(kept.into_ptr().cast());
    Ok(class.unbind())
}

fn make_one<'py>(
    base: &Bound<'py, PyAny>,
    size: usize,
    flags: c_uint,
    slots: &mut [ffi::PyType_Slot],
) -> PyResult<Bound<'py, PyType>> {
    let bases = PyTuple::new(base.py(), [base])?;
    let mut spec = ffi::PyType_Spec {
        name: c"lastly.finalize".as_ptr(),
        basicsize: size as c_int,
        itemsize: 0,
        flags,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the slots are functions of the right types, and end with an empty one; what they
    // point to lives for ever.
    let class = unsafe { ffi::PyType_FromSpecWithBases(&mut spec, bases.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let class = unsafe { Bound::from_owned_ptr_or_err(base.py(), class) }?.cast_into::<PyType>()?;
    // SAFETY: nobody knows the class yet.
    let fields = unsafe { &mut *class.as_type_ptr() };
    // There are no slot numbers for these, in the older versions.
    fields.tp_vectorcall_offset = VECTORCALL_OFFSET as ffi::Py_ssize_t;
    fields.tp_flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
    Ok(class)
}

fn slot(slot: c_int, pfunc: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot, pfunc }
}

/// The last slot of a table.
const END: ffi::PyType_Slot = ffi::PyType_Slot { slot: 0, pfunc: ptr::null_mut() };

fn slot_table() -> Vec<ffi::PyType_Slot> {
    vec![
        slot(ffi::Py_tp_doc, DOC.as_ptr().cast_mut().cast()),
        slot(ffi::Py_tp_new, slots::new as ffi::newfunc as *mut c_void),
        slot(ffi::Py_tp_init, slots::init as ffi::initproc as *mut c_void),
        slot(ffi::Py_tp_dealloc, slots::dealloc as ffi::destructor as *mut c_void),
        // Instances are not known to the collector, though those of the original are. The slot has
        // the class not inherit that, and serves subclasses whose instances are.
        slot(ffi::Py_tp_traverse, slots::traverse as ffi::traverseproc as *mut c_void),
        slot(ffi::Py_tp_free, ffi::PyObject_Free as ffi::freefunc as *mut c_void),
        slot(ffi::Py_tp_call, slots::call as ffi::ternaryfunc as *mut c_void),
        slot(ffi::Py_tp_repr, slots::repr as ffi::reprfunc as *mut c_void),
        slot(ffi::Py_tp_methods, methods().leak().as_mut_ptr().cast()),
        slot(ffi::Py_tp_getset, attributes().leak().as_mut_ptr().cast()),
        END,
    ]
}

fn methods() -> Vec<ffi::PyMethodDef> {
    let method =
        |name: &CStr, function: ffi::PyCFunction, flags: c_int, doc: &CStr| ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: function },
            ml_flags: flags,
            ml_doc: doc.as_ptr(),
        };
    vec![
        method(c"detach", slots::detach, ffi::METH_NOARGS, DETACH_DOC),
        method(c"peek", slots::peek, ffi::METH_NOARGS, PEEK_DOC),
        method(c"_exitfunc", slots::exitfunc, ffi::METH_NOARGS | ffi::METH_CLASS, EXITFUNC_DOC),
        method(c"__getstate__", slots::getstate, ffi::METH_NOARGS, GETSTATE_DOC),
        method(c"__reduce_ex__", slots::reduce, ffi::METH_O, REDUCE_DOC),
        ffi::PyMethodDef::zeroed(),
    ]
}

const DETACH_DOC: &CStr = c"detach($self, /)\n--\n\n\
If alive, end it unrun and return (obj, func, args, kwargs); otherwise return None.";
const PEEK_DOC: &CStr = c"peek($self, /)\n--\n\n\
If alive, return (obj, func, args, kwargs); otherwise return None.";
const EXITFUNC_DOC: &CStr = c"_exitfunc($type, /)\n--\n\n\
Run what is left, newest first, and nothing after that. For the end of the program.";
const GETSTATE_DOC: &CStr = c"__getstate__($self, /)\n--\n\n\
What subclasses added: a copy is a dead finalizer.";
const REDUCE_DOC: &CStr = c"__reduce_ex__($self, protocol, /)\n--\n\nHelper for pickle.";

fn attributes() -> Vec<ffi::PyGetSetDef> {
    let attribute = |name: &CStr, get, set, doc: &CStr| ffi::PyGetSetDef {
        name: name.as_ptr(),
        get: Some(get),
        set,
        doc: doc.as_ptr(),
        closure: ptr::null_mut(),
    };
    vec![
        attribute(c"alive", slots::alive as ffi::getter, None, c"Whether it has yet to run."),
        attribute(
            c"atexit",
            slots::at_exit,
            Some(slots::set_at_exit as ffi::setter),
            c"Whether the end of the program is to run it.",
        ),
        ffi::PyGetSetDef::default(),
    ]
}
