//! Finalizers that something else has a part in: a [`Cleaner`], which runs the callback when the object
//! dies; or a [`Pressure`], to which it is a weight as long as it is alive.
//!
//! They are of a subclass, with more memory: the others need not pay for it. It has no name of its own,
//! and a copy is one of the other class.

use std::cell::Cell;
use std::mem::offset_of;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::Relaxed;

use lastly_core::Node;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::callback::BoundCallback;
use crate::class;
use crate::cleaner::Cleaner;
use crate::exit;
use crate::finalizer::Finalizer;
use crate::object::Memory;
use crate::pressure::Pressure;
use crate::slots;

#[repr(C)]
pub(crate) struct Kept {
    memory: Memory,
    part: Part,
}

/// What something else has to do with a finalizer. All zero in an instance that was made past [`make`]:
/// nothing.
struct Part {
    /// Null, or what it is: a reference.
    keeper: Cell<*mut ffi::PyObject>,
    /// What the finalizer weighs, while it is alive.
    weight: Cell<usize>,
}

/// The class of these. Written once, when the module is imported.
static CLASS: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// Whether this is one of these.
pub(crate) fn is_one(object: &Bound<'_, PyAny>) -> bool {
    // Relaxed: see `is_class`.
    object.get_type_ptr() == CLASS.load(Relaxed)
}

/// To be called when the class is made.
pub(crate) fn is_class(class: *mut ffi::PyTypeObject) {
    // Relaxed: attached, as whoever reads it is.
    CLASS.store(class, Relaxed);
}

/// Where it is in one of these.
///
/// # Safety
///
/// `memory` was allocated for one.
#[inline]
unsafe fn part(memory: NonNull<Memory>) -> NonNull<Part> {
    // SAFETY: this function's contract.
    unsafe { memory.byte_add(offset_of!(Kept, part)) }.cast()
}

/// The same, of any finalizer, if it is one of these.
///
/// # Safety
///
/// `memory` is that of a finalizer, which is alive for as long as this is used.
#[inline]
unsafe fn part_of_any<'a>(memory: NonNull<Memory>) -> Option<&'a Part> {
    // SAFETY: this function's contract.
    let class = unsafe { ffi::Py_TYPE(memory.as_ptr().cast()) };
    // Relaxed: see `is_class`.
    if class != CLASS.load(Relaxed) {
        return None;
    }
    // SAFETY: the class says so.
    let part = unsafe { part(memory) };
    // SAFETY: nobody has it exclusively.
    Some(unsafe { part.as_ref() })
}

/// The cleaner of a finalizer.
///
/// # Safety
///
/// `node` is one of this door, and alive as long as this is used.
#[inline]
pub(crate) unsafe fn cleaner<'a>(
    node: NonNull<Node>,
) -> Option<&'a lastly_core::Cleaner<crate::door::PythonDoor>> {
    // SAFETY: this function's contract.
    let memory = unsafe { Memory::of(node) };
    // SAFETY: this function's contract.
    let part = unsafe { part_of_any(memory) }?;
    // SAFETY: whoever calls this is attached.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: null, or a reference that lasts as long as the finalizer.
    let keeper = unsafe { Bound::from_borrowed_ptr_or_opt(py, part.keeper.get()) }?;
    let cleaner = ptr::from_ref(keeper.cast_exact::<Cleaner>().ok()?.get().engine());
    // SAFETY: that reference keeps it alive.
    Some(unsafe { &*cleaner })
}

/// To be called when the callback is taken out: it weighs nothing from now on.
///
/// # Safety
///
/// `memory` is that of a finalizer, which is alive.
#[inline]
pub(crate) unsafe fn is_taken(py: Python<'_>, memory: NonNull<Memory>) {
    // SAFETY: this function's contract.
    if let Some(part) = unsafe { part_of_any(memory) } {
        part.lift(py);
    }
}

impl Part {
    #[cold]
    fn lift(&self, py: Python<'_>) {
        let weight = self.weight.replace(0);
        // SAFETY: null, or a reference that lasts as long as the finalizer.
        let keeper = unsafe { Bound::from_borrowed_ptr_or_opt(py, self.keeper.get()) };
        let pressure = keeper.as_ref().and_then(|keeper| keeper.cast_exact::<Pressure>().ok());
        if let Some(pressure) = pressure.filter(|_| weight > 0) {
            pressure.get().lift(weight);
        }
    }
}

/// Makes a finalizer in which this has a part. `weigh` is asked what it weighs when it is there.
pub(crate) fn make<'py>(
    keeper: &Bound<'py, PyAny>,
    weigh: impl FnOnce() -> usize,
    object: &Bound<'py, PyAny>,
    function: Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
    keywords: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = keeper.py();
    exit::prepare(class::class(py)?)?;
    let callback = BoundCallback::from_call(function, arguments, keywords)?;
    // SAFETY: instances of this class have no other allocator.
    let this = unsafe { ffi::PyObject_New::<ffi::PyObject>(CLASS.load(Relaxed)) };
    // SAFETY: new, or null with an exception set.
    let this = unsafe { slots::begin(py, this) }?;
    // SAFETY: a new object, so not null.
    let memory = unsafe { NonNull::new_unchecked(this.as_ptr().cast()) };
    // SAFETY: allocated for one of these.
    let part = unsafe { part(memory) };
    let keeper = Cell::new(keeper.clone().into_ptr());
    // SAFETY: new memory.
    unsafe { part.write(Part { keeper, weight: Cell::new(0) }) };
    // SAFETY: an instance of a class that derives from ours.
    let finalizer = unsafe { Finalizer::new(this.as_borrowed()) };
    finalizer.register(object, callback)?;
    // Foreign code may have run meanwhile, and ended it.
    if finalizer.is_alive() {
        // SAFETY: written above; the memory is there as long as `this`.
        unsafe { part.as_ref() }.weight.set(weigh());
    }
    Ok(this)
}

/// The end of one.
pub(crate) unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    debug_assert_eq!(offset_of!(Kept, memory), 0, "it begins as any other finalizer");
    // SAFETY: the protocol.
    let memory = unsafe { NonNull::new_unchecked(this.cast()) };
    // SAFETY: the protocol: an instance of this class.
    let part = unsafe { part(memory) };
    // SAFETY: as above, and alive until below.
    let keeper = unsafe { part.as_ref() }.keeper.replace(ptr::null_mut());
    // SAFETY: the protocol.
    unsafe { slots::dealloc(this) };
    // SAFETY: null, or a reference that was ours. Last: this may run any code.
    unsafe { ffi::Py_XDECREF(keeper) };
}
