//! The memory of a finalizer: a Python object with the engine's node in it.
//!
//! ```text
//!   Memory             80 bytes
//!   ├─ head            reference count and type: the registry's hold is one reference
//!   ├─ node            the engine's part
//!   ├─ vectorcall      how the interpreter calls it
//!   └─ content         taken out by whoever wins the claim; nothing in a dead one
//!      ├─ weakref      to the object; its callback is this very finalizer
//!      └─ callback     function and arguments
//! ```
//!
//! The garbage collector does not know of it, and need not: a live one is held by the registry,
//! and a dead one holds nothing. (Instances of subclasses it knows, as Python makes them.)

use std::cell::UnsafeCell;
use std::mem::offset_of;
use std::ptr::NonNull;

use lastly_core::Node;
use lastly_core::sync::Moment;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::callback::{BoundCallback, Callback};
use crate::{actions, running};

#[repr(C)]
pub(crate) struct Memory {
    head: ffi::PyObject,
    node: Node,
    /// The same for all. The interpreter wants it in the instance.
    vectorcall: ffi::vectorcallfunc,
    /// Guarded by the claim and the peek; in a dead finalizer, by the interpreter's lock.
    content: UnsafeCell<Option<Content>>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Memory>() == 80);

/// Where the interpreter finds it.
pub(crate) const VECTORCALL_OFFSET: usize = offset_of!(Memory, vectorcall);

/// What a live finalizer holds.
pub(crate) struct Content {
    weakref: Py<PyAny>,
    callback: Callback,
}

/// The same, in somebody's hands.
#[derive(Clone)]
pub(crate) struct BoundContent<'py> {
    pub(crate) callback: BoundCallback<'py>,
    /// Let go of last, as the original does.
    pub(crate) weakref: Bound<'py, PyAny>,
}

impl Content {
    #[inline]
    pub(crate) fn into_bound(self, py: Python<'_>) -> BoundContent<'_> {
        let Self { weakref, callback } = self;
        BoundContent { weakref: weakref.into_bound(py), callback: callback.into_bound(py) }
    }

    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> BoundContent<'py> {
        BoundContent { weakref: self.weakref.bind(py).clone(), callback: self.callback.bind(py) }
    }
}

impl<'py> BoundContent<'py> {
    #[inline]
    pub(crate) fn unbind(self) -> Content {
        Content { weakref: self.weakref.unbind(), callback: self.callback.unbind() }
    }

    /// Runs the callback of this finalizer, which took this out. `since`: now, if somebody wants to
    /// know.
    #[inline]
    pub(crate) fn run(
        &self,
        finalizer: &Bound<'py, PyAny>,
        since: Option<Moment>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let place = running::begin(finalizer, self, since);
        let result = actions::run(self);
        running::end(finalizer.py(), place);
        result
    }

    /// Whether it is with this argument that the interpreter calls, as the object has died.
    pub(crate) fn has_died(&self, argument: *mut ffi::PyObject) -> bool {
        self.weakref.as_ptr() == argument && self.object().is_none()
    }

    /// Whether others hold all of it, so that nothing dies when it goes.
    #[inline]
    pub(crate) fn ends_nothing(&self) -> bool {
        // SAFETY: alive.
        let holders = unsafe { ffi::Py_REFCNT(self.callback.function.as_ptr()) };
        holders > 1 && self.callback.values().is_empty()
    }

    /// The object, unless it is dead.
    pub(crate) fn object(&self) -> Option<Bound<'py, PyAny>> {
        referent(&self.weakref)
    }
}

/// What a weak reference leads to, unless it is dead.
pub(crate) fn referent<'py>(weakref: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let mut object = std::ptr::null_mut();
    // SAFETY: it is a weak reference, so this cannot fail.
    unsafe { ffi::compat::PyWeakref_GetRef(weakref.as_ptr(), &mut object) };
    // SAFETY: a reference of our own, or null.
    unsafe { Bound::from_owned_ptr_or_opt(weakref.py(), object) }
}

impl Memory {
    /// # Safety
    ///
    /// `node` is one of this door, and alive.
    #[inline]
    pub(crate) unsafe fn of(node: NonNull<Node>) -> NonNull<Memory> {
        // SAFETY: every node of this door is in a `Memory`, and `node` below made the pointer to
        // it from one to the whole.
        unsafe { node.byte_sub(offset_of!(Memory, node)) }.cast()
    }

    /// # Safety
    ///
    /// `this` points to the memory of one.
    #[inline]
    pub(crate) unsafe fn node(this: NonNull<Memory>) -> NonNull<Node> {
        // SAFETY: this function's contract. No reference is made in between, so that `of` can lead
        // back to the whole.
        unsafe { this.byte_add(offset_of!(Memory, node)) }.cast()
    }

    /// # Safety
    ///
    /// `this` points to the memory of one.
    #[inline]
    unsafe fn cell(this: NonNull<Memory>) -> NonNull<UnsafeCell<Option<Content>>> {
        // SAFETY: this function's contract.
        unsafe { this.byte_add(offset_of!(Memory, content)) }.cast()
    }

    /// Makes new memory a dead finalizer.
    ///
    /// # Safety
    ///
    /// `this` was allocated for one, with its head initialized.
    #[inline]
    pub(crate) unsafe fn begin(this: NonNull<Memory>, vectorcall: ffi::vectorcallfunc) {
        // SAFETY: this function's contract.
        let (node, cell) = (unsafe { Self::node(this) }, unsafe { Self::cell(this) });
        // SAFETY: this function's contract.
        let place = unsafe { this.byte_add(VECTORCALL_OFFSET) };
        // SAFETY: new memory.
        unsafe { place.cast().write(vectorcall) };
        // SAFETY: new memory.
        unsafe { node.write(Node::dead()) };
        // SAFETY: new memory.
        unsafe { cell.write(UnsafeCell::new(None)) };
    }

    /// The same for memory that is all zero: `object.__new__` makes such instances where a program
    /// has replaced `finalize.__new__`.
    ///
    /// # Safety
    ///
    /// `this` points to memory that was allocated for one.
    #[inline]
    pub(crate) unsafe fn begin_if_blank(this: NonNull<Memory>, vectorcall: ffi::vectorcallfunc) {
        // SAFETY: this function's contract.
        let place = unsafe { this.byte_add(VECTORCALL_OFFSET) };
        // SAFETY: a function or zero.
        if unsafe { place.cast::<Option<ffi::vectorcallfunc>>().read() }.is_none() {
            // SAFETY: this function's contract.
            unsafe { Memory::begin(this, vectorcall) };
        }
    }

    /// Makes a dead finalizer a live one that is yet to be registered. Gives back what it may have
    /// held: if it died when the door was shut, that was not taken out.
    ///
    /// # Safety
    ///
    /// `this` is dead; and the caller is attached to the interpreter, so nobody else does this now.
    #[inline]
    pub(crate) unsafe fn load(
        this: NonNull<Memory>,
        shard: u8,
        content: Content,
    ) -> Option<Content> {
        // SAFETY: this function's contract.
        let node = unsafe { Self::node(this) };
        // SAFETY: as above.
        debug_assert!(unsafe { node.as_ref() }.is_dead(), "loaded while in use");
        // SAFETY: dead, so nobody claims or peeks.
        let old = unsafe { Self::content(this) }.replace(content);
        // SAFETY: dead, so the registry does not know it.
        unsafe { node.write(Node::new(shard)) };
        old
    }

    /// What it holds.
    ///
    /// # Safety
    ///
    /// The caller has a claim or a peek on `this`, or is the only one to reach it; and uses this
    /// while it is so.
    #[inline]
    pub(crate) unsafe fn content<'a>(this: NonNull<Memory>) -> &'a mut Option<Content> {
        // SAFETY: this function's contract.
        let cell = unsafe { Self::cell(this) };
        // SAFETY: as above.
        let content = unsafe { cell.as_ref() }.get();
        // SAFETY: as above: this is the only reference.
        unsafe { &mut *content }
    }
}
