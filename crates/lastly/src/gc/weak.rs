//! [`Weak`]: a way to an object that does not keep it alive.

use std::fmt::{self, Debug};
use std::ptr::{self, NonNull};

use super::Gc;
use super::header::{self, Header};

/// A pointer to the object of a [`Gc`] that does not keep it alive.
///
/// When a collection finds that the object is dead, all weak references to all that died with it
/// are cleared at once, before any code of theirs runs.
///
/// ```
/// use lastly::{Gc, Weak};
///
/// let object = Gc::new(1);
/// let weak = Gc::downgrade(&object);
/// assert_eq!(weak.upgrade().as_deref(), Some(&1));
/// drop(object);
/// assert!(weak.upgrade().is_none());
/// ```
pub struct Weak<T: ?Sized> {
    /// Behind a header; or [`NOWHERE`].
    value: NonNull<T>,
}

/// The address of what never was an object. No value is there: a header would not fit before it.
const NOWHERE: usize = usize::MAX;

impl<T> Weak<T> {
    /// A weak reference to nothing. It allocates nothing, and upgrades to `None`.
    #[must_use]
    pub const fn new() -> Self {
        let nowhere = ptr::without_provenance_mut::<T>(NOWHERE);
        Self { value: NonNull::new(nowhere).expect("not null") }
    }
}

impl<T: ?Sized> Weak<T> {
    /// Takes over a hold on the memory of this value.
    #[inline]
    pub(super) fn of(value: NonNull<T>) -> Self {
        Self { value }
    }

    /// Where the value is, or would be.
    #[inline]
    pub(super) fn place(&self) -> NonNull<T> {
        self.value
    }

    #[inline]
    fn header_pointer(&self) -> Option<NonNull<Header>> {
        if self.value.cast::<u8>().addr().get() == NOWHERE {
            return None;
        }
        // SAFETY: every other `Weak` is of a value that was allocated behind a header.
        Some(unsafe { header::header_of(self.value) })
    }

    #[inline]
    fn header(&self) -> Option<&Header> {
        // SAFETY: this `Weak` holds the memory.
        self.header_pointer().map(|header| unsafe { header.as_ref() })
    }

    /// The header, if the object is alive.
    #[inline]
    fn alive(&self) -> Option<&Header> {
        self.header().filter(|header| header.strong.get() > 0 && !header.is_dead())
    }

    /// The object, if it is alive.
    #[inline]
    #[must_use]
    pub fn upgrade(&self) -> Option<Gc<T>> {
        self.alive()?;
        // Counted twice, and dropped once without notice: the one place that counts is `clone`.
        // SAFETY: alive, and this one is never dropped.
        let object = std::mem::ManuallyDrop::new(unsafe { Gc::counted(self.value) });
        Some(Gc::clone(&object))
    }

    /// How many [`Gc`]s point to the object: 0 if it is dead.
    #[must_use]
    pub fn strong_count(&self) -> usize {
        self.alive().map_or(0, |header| header.strong.get() as usize)
    }

    /// How many `Weak`s point to the object: 0 if it is dead.
    #[must_use]
    pub fn weak_count(&self) -> usize {
        self.alive().map_or(0, |header| header.weak.get() as usize - 1)
    }

    /// Whether two weak references are of the same object, dead or alive; or both of nothing.
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        ptr::addr_eq(self.value.as_ptr(), other.value.as_ptr())
    }

    /// Where the value is, or was.
    #[must_use]
    pub fn as_ptr(&self) -> *const T {
        self.value.as_ptr()
    }
}

impl<T: ?Sized> Clone for Weak<T> {
    #[inline]
    fn clone(&self) -> Self {
        if let Some(header) = self.header() {
            header.retain();
        }
        Self { value: self.value }
    }
}

impl<T: ?Sized> Drop for Weak<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(header) = self.header_pointer() {
            // SAFETY: this `Weak` has a hold, which ends here.
            unsafe { header::release(header) };
        }
    }
}

impl<T> Default for Weak<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ?Sized> Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(Weak)")
    }
}
