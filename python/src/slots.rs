//! The functions that the interpreter calls: the class's slots, methods and attributes.
//!
//! The constructor is a vectorcall. An instance of a subclass is made the ordinary way: `__new__`
//! makes a dead finalizer, `__init__` registers it, and may do so again.
//!
//! They are called attached to the interpreter, with the arguments that it documents for each: where
//! a SAFETY comment says "the protocol", it means that. A panic in one aborts the program: there is
//! no other way out of a function that C has called.

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyTuple, PyType};

use crate::attach::attached;
use crate::callback::BoundCallback;
use crate::finalizer::Finalizer;
use crate::object::Memory;
use crate::{class, exit, pickle, sites};

/// The finalizer that C hands us.
///
/// # Safety
///
/// Attached to the interpreter; `this` is an instance of the class, for as long as this is used.
#[inline]
unsafe fn finalizer<'a, 'py>(this: *mut ffi::PyObject) -> Finalizer<'a, 'py> {
    // SAFETY: this function's contract.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: as above.
    let object = unsafe { Borrowed::from_ptr(py, this) };
    // SAFETY: as above.
    unsafe { Finalizer::new(object) }
}

/// A result, as C functions give it: null is an error, and for nothing there is `None`.
#[inline]
fn answer<'py, T>(py: Python<'py>, result: PyResult<Option<Bound<'py, T>>>) -> *mut ffi::PyObject {
    match result {
        Ok(Some(object)) => object.into_ptr(),
        Ok(None) => py.None().into_ptr(),
        Err(error) => {
            attached(py, || error.restore(py));
            ptr::null_mut()
        }
    }
}

/// The same, where there is nothing to give.
fn status(py: Python<'_>, result: PyResult<()>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => {
            attached(py, || error.restore(py));
            -1
        }
    }
}

/// `finalize(…)`.
pub(crate) unsafe extern "C" fn construct(
    class: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: the protocol.
    let count = unsafe { ffi::PyVectorcall_NARGS(count) } as usize;
    // SAFETY: the protocol.
    let slots = unsafe { &*class.cast::<ffi::PyTypeObject>() };
    let same = slots.tp_init.is_some_and(|slot| slot as usize == init as ffi::initproc as usize)
        && slots.tp_new.is_some_and(|slot| slot as usize == new as ffi::newfunc as usize);
    if !same {
        // Somebody has changed `__init__` or `__new__`.
        let classes = py.get_type::<PyType>();
        // SAFETY: a class is alive as long as a reference to it.
        let slot = unsafe { (*classes.as_type_ptr()).tp_call }.expect("classes can be called");
        // SAFETY: the protocol.
        return unsafe { forward(py, slot, class, arguments, count, names) };
    }
    if count < 2 {
        return answer::<PyAny>(py, Err(missing(py, count)));
    }
    let named = match NonNull::new(names) {
        // SAFETY: the protocol.
        Some(names) => unsafe { ffi::PyTuple_GET_SIZE(names.as_ptr()) },
        None => 0,
    };
    let names = NonNull::new(names).filter(|_| named > 0);
    // SAFETY: the protocol.
    let all = unsafe { std::slice::from_raw_parts(arguments, count + named as usize) };
    let make = || {
        // Subclasses do not inherit this constructor.
        let class = class::class(py)?;
        exit::prepare(class)?;
        // SAFETY: the protocol.
        let callback = unsafe { BoundCallback::from_vectorcall(py, all[1], &all[2..], names) }?;
        // SAFETY: instances of the class itself have no other allocator.
        let this = unsafe { ffi::PyObject_New::<ffi::PyObject>(class.as_type_ptr()) };
        // SAFETY: new, or null with an exception set.
        let this = unsafe { begin(py, this) }?;
        // SAFETY: an instance.
        let finalizer = unsafe { Finalizer::new(this.as_borrowed()) };
        // SAFETY: the protocol.
        let object = unsafe { Borrowed::from_ptr(py, all[0]) };
        finalizer.register(&object, callback)?;
        Ok(Some(this))
    };
    answer(py, make())
}

/// Makes new memory a dead finalizer.
///
/// # Safety
///
/// `this` is a new instance, or null with an exception set.
#[inline]
pub(crate) unsafe fn begin<'py>(
    py: Python<'py>,
    this: *mut ffi::PyObject,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(memory) = NonNull::new(this.cast::<Memory>()) else {
        return Err(PyErr::fetch(py));
    };
    // SAFETY: this function's contract.
    unsafe { Memory::begin(memory, vectorcall) };
    // SAFETY: as above; the reference is ours.
    Ok(unsafe { Bound::from_owned_ptr(py, this) })
}

/// `subclass.__new__(…)`; whatever the arguments, they are for `__init__`.
pub(crate) unsafe extern "C" fn new(
    class: *mut ffi::PyTypeObject,
    _arguments: *mut ffi::PyObject,
    _keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let py = unsafe { Python::assume_attached() };
    // `object`'s: it refuses abstract classes.
    let objects = py.get_type::<PyAny>();
    // SAFETY: a class is alive as long as a reference to it.
    let new = unsafe { (*objects.as_type_ptr()).tp_new }.expect("objects can be made");
    // SAFETY: without arguments of its own.
    let this = unsafe { new(class, PyTuple::empty(py).as_ptr(), ptr::null_mut()) };
    // SAFETY: new, or null with an exception set.
    answer(py, unsafe { begin(py, this) }.map(Some))
}

/// `__init__(…)`.
pub(crate) unsafe extern "C" fn init(
    this: *mut ffi::PyObject,
    arguments: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    let py = finalizer.py();
    // SAFETY: the protocol.
    let arguments = unsafe { Bound::from_borrowed_ptr(py, arguments) };
    // SAFETY: the protocol.
    let keywords = unsafe { Bound::from_borrowed_ptr_or_opt(py, keywords) };
    let register = || {
        let arguments = arguments.cast::<PyTuple>()?;
        let keywords = keywords.as_ref().map(|keywords| keywords.cast()).transpose()?;
        let count = arguments.len();
        if count < 2 {
            return Err(missing(py, count));
        }
        exit::prepare(&finalizer.class())?;
        let rest = arguments.get_slice(2, count);
        let function = arguments.get_item(1)?;
        let callback = BoundCallback::from_call(function, &rest, keywords)?;
        finalizer.register(&arguments.get_item(0)?, callback)
    };
    status(py, register())
}

/// Names what is missing, as the original does.
#[cold]
fn missing(py: Python<'_>, count: usize) -> PyErr {
    let what = match count {
        0 => "2 required positional arguments: 'obj' and 'func'",
        _ => "1 required positional argument: 'func'",
    };
    PyTypeError::new_err(format!("{}__init__() missing {what}", qualifier(py)))
}

/// What the interpreter writes before a method's name in its errors.
fn qualifier(py: Python<'_>) -> &'static str {
    if py.version_info() >= (3, 10) { "finalize." } else { "" }
}

/// Shows the collector the class, which is all that an instance of a subclass has here that could
/// be part of a cycle: see `object`.
pub(crate) unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the protocol.
    let class = unsafe { ffi::Py_TYPE(this) };
    // SAFETY: the protocol.
    unsafe { visit(class.cast(), argument) }
}

pub(crate) unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: the protocol.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: the protocol.
    let memory = unsafe { NonNull::new_unchecked(this.cast()) };
    // SAFETY: the last reference is gone, so nobody else reaches it.
    let content = unsafe { Memory::content(memory) }.take();
    drop(content.map(|content| content.into_bound(py)));
    // SAFETY: as above.
    sites::forget(unsafe { Memory::node(memory) });
    // SAFETY: the protocol.
    let class = unsafe { ffi::Py_TYPE(this) };
    // SAFETY: a class has it.
    let free = unsafe { (*class).tp_free }.unwrap_or(ffi::PyObject_Free);
    // SAFETY: allocated by the class's own allocator.
    unsafe { free(this.cast()) };
    // SAFETY: an instance of a class that was made at run time has a reference to it.
    unsafe { ffi::Py_DECREF(class.cast()) };
}

/// `finalizer()`: by a program, or by the interpreter, with the weak reference, when the object
/// has died.
pub(crate) unsafe extern "C" fn vectorcall(
    this: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    // SAFETY: the protocol.
    let count = unsafe { ffi::PyVectorcall_NARGS(count) } as usize;
    if let Some(other) = class::replaced_call(&finalizer.class()) {
        // SAFETY: the protocol; and it is the slot of this type.
        return unsafe { forward(finalizer.py(), other, this, arguments, count, names) };
    }
    // SAFETY: the protocol.
    let names = unsafe { Bound::from_borrowed_ptr_or_opt(finalizer.py(), names) };
    let argument = match count {
        0 => ptr::null_mut(),
        // SAFETY: the protocol: so many arguments.
        _ => unsafe { arguments.read() },
    };
    answer(finalizer.py(), run(&finalizer, count, argument, names))
}

/// The same, by the older protocol.
pub(crate) unsafe extern "C" fn call(
    this: *mut ffi::PyObject,
    arguments: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    // SAFETY: the protocol.
    let count = unsafe { ffi::PyTuple_GET_SIZE(arguments) } as usize;
    // SAFETY: the protocol.
    let names = unsafe { Bound::from_borrowed_ptr_or_opt(finalizer.py(), keywords) };
    // Where a subclass's own method calls this, a failure is that method's.
    let argument = if count == 0 || class::replaced_call(&finalizer.class()).is_some() {
        ptr::null_mut()
    } else {
        // SAFETY: a tuple of so many.
        unsafe { ffi::PyTuple_GET_ITEM(arguments, 0) }
    };
    answer(finalizer.py(), run(&finalizer, count, argument, names))
}

#[inline]
fn run<'py>(
    finalizer: &Finalizer<'_, 'py>,
    count: usize,
    argument: *mut ffi::PyObject,
    names: Option<Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if count > 1 || names.is_some() {
        check_call(finalizer.py(), count, names)?;
    }
    finalizer.call(argument)
}

/// Calls a slot of the older protocol with the arguments of a vectorcall.
///
/// # Safety
///
/// Slot, `this` and the arguments fit each other, and the arguments are as the protocol says.
#[cold]
unsafe fn forward(
    py: Python<'_>,
    slot: ffi::ternaryfunc,
    this: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: this function's contract.
    let names = unsafe { Bound::from_borrowed_ptr_or_opt(py, names) };
    let names = match &names {
        // SAFETY: this function's contract: it is a tuple.
        Some(names) => unsafe { names.cast_unchecked::<PyTuple>() }.as_slice(),
        None => &[],
    };
    let pack = || {
        // SAFETY: this function's contract: so many arguments, and one for each name.
        let all = unsafe { std::slice::from_raw_parts(arguments, count + names.len()) };
        // SAFETY: as above.
        let bind = |argument: &*mut _| unsafe { Bound::from_borrowed_ptr(py, *argument) };
        let positional: Vec<Bound<'_, PyAny>> = all[..count].iter().map(bind).collect();
        let keywords = PyDict::new(py);
        for (name, value) in names.iter().zip(&all[count..]) {
            keywords.set_item(name, bind(value))?;
        }
        Ok((PyTuple::new(py, positional)?, keywords))
    };
    match pack() {
        // SAFETY: this function's contract.
        Ok((positional, keywords)) => unsafe { slot(this, positional.as_ptr(), keywords.as_ptr()) },
        Err(error) => answer::<PyAny>(py, Err(error)),
    }
}

/// Lets one argument pass, by position or named `_`, as the original does.
#[cold]
fn check_call(py: Python<'_>, count: usize, names: Option<Bound<'_, PyAny>>) -> PyResult<()> {
    let of = qualifier(py);
    if count > 1 {
        let given = count + 1;
        let error =
            format!("{of}__call__() takes from 1 to 2 positional arguments but {given} were given");
        return Err(PyTypeError::new_err(error));
    }
    let Some(names) = names else { return Ok(()) };
    for name in names.try_iter()? {
        let name = name?;
        if name.to_string() != "_" {
            let error = format!("{of}__call__() got an unexpected keyword argument '{name}'");
            return Err(PyTypeError::new_err(error));
        }
        if count == 1 {
            let error = format!("{of}__call__() got multiple values for argument '_'");
            return Err(PyTypeError::new_err(error));
        }
    }
    Ok(())
}

pub(crate) unsafe extern "C" fn repr(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    answer(finalizer.py(), finalizer.repr().map(Some))
}

pub(crate) unsafe extern "C" fn detach(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    answer(finalizer.py(), finalizer.detach())
}

pub(crate) unsafe extern "C" fn peek(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    answer(finalizer.py(), finalizer.peek())
}

pub(crate) unsafe extern "C" fn alive(
    this: *mut ffi::PyObject,
    _: *mut c_void,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    truth(finalizer.py(), finalizer.is_alive())
}

pub(crate) unsafe extern "C" fn at_exit(
    this: *mut ffi::PyObject,
    _: *mut c_void,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    truth(finalizer.py(), finalizer.at_exit())
}

pub(crate) unsafe extern "C" fn set_at_exit(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the protocol.
    let finalizer = unsafe { finalizer(this) };
    let py = finalizer.py();
    // SAFETY: the protocol.
    let value = unsafe { Bound::from_borrowed_ptr_or_opt(py, value) };
    let Some(value) = value else {
        return status(py, Err(PyAttributeError::new_err("can't delete attribute 'atexit'")));
    };
    // The value of a dead one is not even looked at.
    if !finalizer.is_alive() {
        return 0;
    }
    status(py, value.is_truthy().map(|on| finalizer.set_at_exit(on)))
}

pub(crate) unsafe extern "C" fn exitfunc(
    _class: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let py = unsafe { Python::assume_attached() };
    answer::<PyAny>(py, exit::drain(py).map(|()| None))
}

pub(crate) unsafe extern "C" fn getstate(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: the protocol.
    let this = unsafe { Bound::from_borrowed_ptr(py, this) };
    answer(py, attached(py, || pickle::state(&this)).map(Some))
}

pub(crate) unsafe extern "C" fn reduce(
    this: *mut ffi::PyObject,
    protocol: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the protocol.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: the protocol.
    let this = unsafe { Bound::from_borrowed_ptr(py, this) };
    // SAFETY: the protocol.
    let protocol = unsafe { Bound::from_borrowed_ptr(py, protocol) };
    answer(py, attached(py, || pickle::reduce(&this, &protocol)).map(Some))
}

fn truth(py: Python<'_>, value: bool) -> *mut ffi::PyObject {
    PyBool::new(py, value).to_owned().into_ptr()
}
