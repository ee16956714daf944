//! [`Trace`](super::Trace) for the types of the standard library, and for our own.
//!
//! # What can be looked into
//!
//! Owned contents, where they lie: in a variable, behind a `Box`, in a collection. What is shared
//! (`Rc`, a reference) may be found by several ways, and would be counted several times. What is
//! there only perhaps (`ManuallyDrop`, `MaybeUninit`) is not owned: nobody drops it. What others
//! may be changing (`UnsafeCell`), or what does not show itself (a channel, a lazy cell), cannot
//! be looked at.
//!
//! # In the middle of a change
//!
//! A collection begins inside of somebody's code: where a `Gc` is dropped, or `collect` is called.
//! That may be a closure called by [`Vec::retain`], or the `Ord` of a key that is put into a map,
//! and the container is then in no state to be looked into. It is not looked into:
//!
//! - Whoever changes a container has it by `&mut`, and the compiler knows of no other way to it in
//!   the meantime. The search for garbage begins at objects that it has by pointers, without
//!   asking the compiler; so it must not come to that container from there.
//! - From a value that a `Gc` points to, a `&mut` to a part of it is got in two ways only. One is
//!   [`RefCell::borrow_mut`](std::cell::RefCell::borrow_mut) or the guard of a lock: `trace` asks
//!   these before it looks, and passes over what is taken. The other is
//!   [`Gc::get_mut`](crate::Gc::get_mut) on the only pointer. That object is no suspect then; and
//!   the pointer is itself borrowed by `&mut`, so it lies on the stack, where no search goes, or in
//!   an object that cannot be looked into there, for the same reasons.
//! - A value that is being dropped is no longer pointed to, or its object is dead.
//! - A [`Cell`](std::cell::Cell) is changed through `&`. But its methods run nobody's code while
//!   they change it, only before and after. And while it is looked into, nobody sets it: that is
//!   the contract of [`Trace`](super::Trace), and only what is written by hand can break it.
//! - A [`OnceCell`](std::cell::OnceCell) is empty until the code that makes its value has returned.
//!
//! A user's `unsafe` code that gives out `&mut` in another way, from an `UnsafeCell`, must not let
//! `trace` look there; only another piece of `unsafe`, a `Trace` by hand, could do so.
//!
//! # Leaves
//!
//! Contents in place are asked whether they are leaves. What is behind a pointer, or may be unsized, is
//! not: a type may own a `Vec` of itself, and asking would have no end; and what is unsized has no such
//! function. That is taken for a leaf if it needs no `Drop`, as what owns a `Gc` does.

mod cells;
mod containers;
mod leaves;

/// Whether a value may own a `Gc`: if it does, dropping it does something. Asked where the type may
/// be unsized.
const fn may_own<T: ?Sized>() -> bool {
    std::mem::needs_drop::<T>()
}
