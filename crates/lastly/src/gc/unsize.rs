//! A [`Gc`] of a type as one of what the type can be taken for: `Gc<Circle>` as `Gc<dyn Shape>`.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::Gc;

/// Turns a [`Gc`] of a type into one of a trait that the type implements, or of an array into one
/// of a slice.
///
/// For `Rc` and `Box` the compiler does that by itself; other pointers cannot have it on stable Rust
/// so far.
///
/// ```
/// use lastly::{Gc, Trace, unsize};
///
/// trait Shape {
///     fn area(&self) -> f64;
/// }
///
/// #[derive(Trace)]
/// struct Square(f64);
///
/// impl Shape for Square {
///     fn area(&self) -> f64 {
///         self.0 * self.0
///     }
/// }
///
/// let shape = unsize!(Gc::new(Square(2.0)) => dyn Shape);
/// assert_eq!(shape.area(), 4.0);
/// let numbers = unsize!(Gc::new([1, 2, 3]) => [i32]);
/// assert_eq!(numbers.len(), 3);
/// ```
#[macro_export]
macro_rules! unsize {
    ($gc:expr => $unsized:ty) => {{
        let gc = $gc;
        // SAFETY: the compiler makes nothing else of the pointer than the same one, unsized.
        unsafe { $crate::Gc::__unsize(gc, |value| -> *mut $unsized { value }) }
    }};
}

impl<T> Gc<T> {
    /// For [`unsize!`](crate::unsize).
    ///
    /// # Safety
    ///
    /// `unsize` gives back what it got, unsized.
    #[doc(hidden)]
    #[must_use]
    pub unsafe fn __unsize<U: ?Sized>(this: Self, unsize: impl FnOnce(*mut T) -> *mut U) -> Gc<U> {
        let this = ManuallyDrop::new(this);
        let value = unsize(this.value.as_ptr());
        debug_assert!(std::ptr::addr_eq(value, this.value.as_ptr()), "the same value");
        // SAFETY: not null, as it was not.
        let value = unsafe { NonNull::new_unchecked(value) };
        // SAFETY: `this`, which was counted, is not dropped; the object is the same.
        unsafe { Gc::counted(value) }
    }
}

impl Gc<dyn Any> {
    /// The same pointer with the type that its value is of; or unchanged, if it is of another.
    ///
    /// ```
    /// use lastly::{Gc, unsize};
    /// use std::any::Any;
    ///
    /// let any = unsize!(Gc::new(1) => dyn Any);
    /// let any = any.downcast::<String>().unwrap_err();
    /// assert_eq!(*any.downcast::<i32>().unwrap(), 1);
    /// ```
    ///
    /// # Errors
    ///
    /// The pointer itself, if the value is of another type.
    ///
    /// # Panics
    ///
    /// If the object [is dead](Gc::is_alive).
    pub fn downcast<T: Any>(self) -> Result<Gc<T>, Self> {
        if !(*self).is::<T>() {
            return Err(self);
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: `this`, which was counted, is not dropped; the object is of this type.
        Ok(unsafe { Gc::counted(this.value.cast()) })
    }
}
