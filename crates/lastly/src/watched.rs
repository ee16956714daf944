//! [`Watched`]: any value, as an object that finalizers can be tied to.

use std::fmt::{self, Debug, Display};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

use lastly_core::Registry;

use crate::entry::RustDoor;
use crate::ties::Ties;

/// A value whose death runs finalizers.
///
/// It wraps any value of any crate and works wherever the value would: by value, in a `Box`, `Rc`
/// or `Arc`, in a `static`, in a struct, in somebody else's smart pointer; and it may be moved at
/// any time, also with finalizers tied to it. When it dies, **the
/// value is dropped first**, then its finalizers' callbacks run, newest first, on the thread that
/// dropped it; also when the drop of the value panics.
///
/// ```
/// use lastly::{Watched, finalize};
/// use std::rc::Rc;
///
/// struct Session;
///
/// let session = Rc::new(Watched::new(Session));
/// finalize(&session, |name| println!("session {name} closed"), "a");
/// let other = Rc::clone(&session);
/// drop(session);
/// drop(other); // session a closed
/// ```
///
/// The object is the `Watched`, not the value in it: replacing the value (by `*object = value`) is
/// not the object's death.
///
/// What keeps an object from dying keeps its callbacks from running before the program ends: an
/// `Rc` cycle, [`mem::forget`](std::mem::forget), a `static`, a leaked `Box`. At exit they run.
pub struct Watched<T: ?Sized> {
    ties: Ties,
    /// Which lock of the registry guards its finalizers.
    shard: u8,
    /// Last, so that it may be unsized; dropped by hand, so that it goes first all the same.
    value: ManuallyDrop<T>,
}

impl<T> Watched<T> {
    /// Makes an object of `value`.
    #[inline]
    pub fn new(value: T) -> Self {
        // Made here and now: finalizers of this thread's objects share a lock.
        let shard = Registry::<RustDoor>::shard_of_this_thread();
        Self { ties: Ties::new(), shard, value: ManuallyDrop::new(value) }
    }

    lastly_core::constructor! {
        /// Like [`new`](Self::new), for a `static`. All objects made this way share one lock of the
        /// registry, where `new` spreads them by thread.
        ///
        /// ```
        /// use lastly::{Watched, finalize};
        ///
        /// static CACHE: Watched<Option<String>> = Watched::new_static(None);
        ///
        /// // A static never dies: this runs when the program ends.
        /// finalize(&CACHE, |()| println!("the last of the cache"), ());
        /// ```
        pub fn new_static(value: T) -> Self {
            Self { ties: Ties::new(), shard: 0, value: ManuallyDrop::new(value) }
        }
    }

    /// Takes the value out. To its finalizers this is the object's death: they run now.
    ///
    /// ```
    /// use lastly::{Watched, finalize};
    ///
    /// let name = Watched::new(String::from("a"));
    /// let cleanup = finalize(&name, |()| (), ());
    /// assert_eq!(name.into_inner(), "a");
    /// assert!(!cleanup.is_alive());
    /// ```
    pub fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so this is the value's one way out.
        let value = unsafe { ManuallyDrop::take(&mut this.value) };
        // SAFETY: as above; no callback's panic gets out of it.
        unsafe { std::ptr::drop_in_place(&mut this.ties) };
        value
    }
}

impl<T: ?Sized> Watched<T> {
    #[inline]
    pub(crate) fn ties(&self) -> &Ties {
        &self.ties
    }

    #[inline]
    pub(crate) fn shard(&self) -> u8 {
        self.shard
    }
}

impl<T: ?Sized> Drop for Watched<T> {
    #[inline]
    fn drop(&mut self) {
        // The fields that are left, `ties` that is, are dropped after this, also when it panics.
        // SAFETY: not used after this.
        unsafe { ManuallyDrop::drop(&mut self.value) };
    }
}

impl<T: ?Sized> Deref for Watched<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for Watched<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized> AsRef<T> for Watched<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: Default> Default for Watched<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Watched<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Debug + ?Sized> Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&&*self.value).finish()
    }
}

impl<T: Display + ?Sized> Display for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&**self, f)
    }
}
