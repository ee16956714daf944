//! A [`Gc`] where its value would do: compared, shown, and made from it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt::{self, Debug, Display, Pointer};
use std::hash::{Hash, Hasher};
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::Gc;
use crate::trace::Trace;

impl<T: ?Sized> AsRef<T> for Gc<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized> Borrow<T> for Gc<T> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: Trace + Default + 'static> Default for Gc<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Trace + 'static> From<T> for Gc<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Trace + 'static> From<Box<T>> for Gc<T> {
    fn from(value: Box<T>) -> Self {
        Self::new(*value)
    }
}

impl<T: PartialEq + ?Sized> PartialEq for Gc<T> {
    /// By value.
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq + ?Sized> Eq for Gc<T> {}

impl<T: PartialOrd + ?Sized> PartialOrd for Gc<T> {
    /// By value.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: Ord + ?Sized> Ord for Gc<T> {
    /// By value.
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: Hash + ?Sized> Hash for Gc<T> {
    /// By value.
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: Debug + ?Sized> Debug for Gc<T> {
    /// The value; `(dead)` if it [is dead](Gc::is_alive). Of a cycle that shows itself there is no
    /// end, as with `Rc`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::try_deref(self) {
            Some(value) => Debug::fmt(value, f),
            None => f.write_str("(dead)"),
        }
    }
}

impl<T: Display + ?Sized> Display for Gc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&**self, f)
    }
}

impl<T: ?Sized> Pointer for Gc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Pointer::fmt(&Self::as_ptr(self), f)
    }
}

// As for `Rc`.
impl<T: RefUnwindSafe + ?Sized> UnwindSafe for Gc<T> {}
impl<T: RefUnwindSafe + ?Sized> RefUnwindSafe for Gc<T> {}
