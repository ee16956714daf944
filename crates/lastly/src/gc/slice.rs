//! [`Gc`]s of slices and strings, which length is not known to the type.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::{Gc, header};
use crate::trace::Trace;

impl<T: Trace + 'static> From<Vec<T>> for Gc<[T]> {
    fn from(values: Vec<T>) -> Self {
        let place = header::allocate_slice::<T>(values.len());
        let mut values = ManuallyDrop::new(values);
        // SAFETY: the vector will not drop them, and the place is new and has room for as many.
        unsafe { header::move_into(values.as_ptr(), place) };
        // SAFETY: moved out, so the vector has none.
        unsafe { values.set_len(0) };
        drop(ManuallyDrop::into_inner(values));
        // SAFETY: the values are there now.
        unsafe { Self::first(place) }
    }
}

impl<T: Trace + 'static, const N: usize> From<[T; N]> for Gc<[T]> {
    fn from(values: [T; N]) -> Self {
        Self::from(Vec::from(values))
    }
}

impl<T: Trace + 'static> From<Box<[T]>> for Gc<[T]> {
    fn from(values: Box<[T]>) -> Self {
        Self::from(Vec::from(values))
    }
}

impl<T: Trace + 'static> FromIterator<T> for Gc<[T]> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::from(Vec::from_iter(values))
    }
}

impl<T: Trace + 'static> Default for Gc<[T]> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl From<&str> for Gc<str> {
    fn from(text: &str) -> Self {
        let bytes = header::allocate_str(text.len());
        // SAFETY: the place is new and has room for as many; bytes may be copied.
        unsafe { header::move_into(text.as_ptr(), bytes) };
        // A `str` is bytes, of which it is known that they are text.
        let place = bytes.as_ptr() as *mut str;
        // SAFETY: not null, as it was not.
        let place = unsafe { NonNull::new_unchecked(place) };
        // SAFETY: the text is there now.
        unsafe { Self::first(place) }
    }
}

impl From<String> for Gc<str> {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl Default for Gc<str> {
    fn default() -> Self {
        Self::from("")
    }
}
