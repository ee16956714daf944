//! What can be watched, and how a finalizer finds its way back to it.

use std::rc::{self, Rc};
use std::sync::{self, Arc};

use lastly_core::Registry;

use crate::entry::RustDoor;
use crate::ties::Ties;
use crate::{Gc, Watched, Weak};

#[allow(unreachable_pub, reason = "public in name only, to seal `Object`")]
mod sealed {
    use crate::ties::Ties;

    pub trait Sealed {
        /// The type of the value, for its name.
        type Value: ?Sized;

        fn ties(&self) -> &Ties;

        /// Which lock of the registry guards the object's finalizers.
        fn shard(&self) -> u8;
    }
}

pub(crate) use sealed::Sealed;

/// Something that [`finalize`](crate::finalize) can tie a cleanup to: a [`Watched`] value, alone
/// or in a `Box`, `Rc` or `Arc`; or what a [`Gc`] points to.
///
/// In another smart pointer, pass what it points to: `finalize(&*pointer, …)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be watched",
    label = "not a `Watched` value, nor a `Box`, `Rc` or `Arc` of one, nor a `Gc`",
    note = "make it one with `Watched::new(value)`; in another smart pointer, pass `&*pointer`"
)]
pub trait Object: Sealed {
    /// The way back to the object that the handle keeps: a weak pointer where the object is
    /// shared, `()` where it is not.
    type Reach: Reach;

    #[doc(hidden)]
    fn reach(&self) -> Self::Reach;
}

/// A way back to an object that does not keep it alive.
pub trait Reach {
    /// What is found at its end: the object, or `None` if it is dead; `()` for an object that is
    /// not shared, and cannot be handed back.
    type Object;

    #[doc(hidden)]
    fn object(&self) -> Self::Object;
}

impl Reach for () {
    type Object = ();

    fn object(&self) {}
}

impl<T: ?Sized> Sealed for Watched<T> {
    type Value = T;

    #[inline]
    fn ties(&self) -> &Ties {
        self.ties()
    }

    #[inline]
    fn shard(&self) -> u8 {
        self.shard()
    }
}

impl<T: ?Sized> Object for Watched<T> {
    type Reach = ();

    #[inline]
    fn reach(&self) {}
}

impl<T: ?Sized> Sealed for Box<Watched<T>> {
    type Value = T;

    #[inline]
    fn ties(&self) -> &Ties {
        (**self).ties()
    }

    #[inline]
    fn shard(&self) -> u8 {
        (**self).shard()
    }
}

impl<T: ?Sized> Object for Box<Watched<T>> {
    type Reach = ();

    #[inline]
    fn reach(&self) {}
}

macro_rules! shared {
    ($pointer:ident, $module:ident) => {
        impl<T: ?Sized> Sealed for $pointer<Watched<T>> {
            type Value = T;

            #[inline]
            fn ties(&self) -> &Ties {
                (**self).ties()
            }

            #[inline]
            fn shard(&self) -> u8 {
                (**self).shard()
            }
        }

        impl<T: ?Sized> Object for $pointer<Watched<T>> {
            type Reach = $module::Weak<Watched<T>>;

            #[inline]
            fn reach(&self) -> Self::Reach {
                $pointer::downgrade(self)
            }
        }

        impl<T: ?Sized> Reach for $module::Weak<Watched<T>> {
            type Object = Option<$pointer<Watched<T>>>;

            fn object(&self) -> Self::Object {
                self.upgrade()
            }
        }
    };
}

shared!(Rc, rc);
shared!(Arc, sync);

impl<T: ?Sized> Sealed for Gc<T> {
    type Value = T;

    #[inline]
    fn ties(&self) -> &Ties {
        self.header().ties()
    }

    #[inline]
    fn shard(&self) -> u8 {
        // A `Gc` stays on its thread.
        Registry::<RustDoor>::shard_of_this_thread()
    }
}

impl<T: ?Sized> Object for Gc<T> {
    type Reach = Weak<T>;

    #[inline]
    fn reach(&self) -> Weak<T> {
        Gc::downgrade(self)
    }
}

impl<T: ?Sized> Reach for Weak<T> {
    type Object = Option<Gc<T>>;

    fn object(&self) -> Option<Gc<T>> {
        self.upgrade()
    }
}
