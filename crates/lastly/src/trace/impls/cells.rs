//! What can be changed through `&`.

use std::cell::{Cell, LazyCell, OnceCell, RefCell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{LazyLock, Mutex, OnceLock, RwLock, TryLockError, mpsc};

use super::may_own;
use crate::trace::{Trace, Tracer};

// SAFETY: the value is owned, and all that is. There is no other reference into it: the cell is
// this thread's alone, gives out none but by `&mut`, and is in the middle of no change (see the
// module's documentation). Nor is it changed while this reference lives, which is as long as the
// value's own `trace` runs: that must not do so, by its contract.
unsafe impl<T: Trace + ?Sized> Trace for Cell<T> {
    #[inline]
    fn trace(&self, tracer: &mut Tracer) {
        // SAFETY: as above.
        unsafe { &*self.as_ptr() }.trace(tracer);
    }

    #[inline]
    fn is_leaf() -> bool {
        !may_own::<T>()
    }
}

// SAFETY: the value is owned, and looked into only where it can be borrowed.
unsafe impl<T: Trace + ?Sized> Trace for RefCell<T> {
    #[inline]
    fn trace(&self, tracer: &mut Tracer) {
        if may_own::<T>() {
            if let Ok(value) = self.try_borrow() {
                value.trace(tracer);
            }
        }
    }

    #[inline]
    fn is_leaf() -> bool {
        !may_own::<T>()
    }
}

// SAFETY: the value is owned, and looked into only while it is locked. Another thread, which could
// take the lock at any time, cannot have it: what owns a `Gc` is not `Send`.
unsafe impl<T: Trace + ?Sized> Trace for Mutex<T> {
    fn trace(&self, tracer: &mut Tracer) {
        if !may_own::<T>() {
            return;
        }
        let value = match self.try_lock() {
            Ok(value) => value,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // Unwinding through the guard would poison the lock, and nothing was changed.
        let result = catch_unwind(AssertUnwindSafe(|| value.trace(tracer)));
        drop(value);
        result.unwrap_or_else(|payload| resume_unwind(payload));
    }

    #[inline]
    fn is_leaf() -> bool {
        !may_own::<T>()
    }
}

// SAFETY: as for a `Mutex`.
unsafe impl<T: Trace + ?Sized> Trace for RwLock<T> {
    fn trace(&self, tracer: &mut Tracer) {
        if !may_own::<T>() {
            return;
        }
        // Reading never poisons.
        match self.try_read() {
            Ok(value) => value.trace(tracer),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().trace(tracer),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    #[inline]
    fn is_leaf() -> bool {
        !may_own::<T>()
    }
}

macro_rules! once {
    ($($cell:ident)*) => {$(
        // SAFETY: the value, if there is one, is owned, and changed only through `&mut`.
        unsafe impl<T: Trace> Trace for $cell<T> {
            #[inline]
            fn trace(&self, tracer: &mut Tracer) {
                if let Some(value) = self.get() {
                    value.trace(tracer);
                }
            }

            #[inline]
            fn is_leaf() -> bool {
                T::is_leaf()
            }
        }
    )*};
}

once!(OnceCell OnceLock);

/// What does not show what it owns.
macro_rules! closed {
    ($({$($parameter:ident),*} $ty:ty,)*) => {$(
        // SAFETY: finds nothing.
        unsafe impl<$($parameter),*> Trace for $ty {
            #[inline]
            fn trace(&self, _: &mut Tracer) {}

            #[inline]
            fn is_leaf() -> bool {
                $(!may_own::<$parameter>())&&*
            }
        }
    )*};
}

closed! {
    {T} UnsafeCell<T>,
    {T, F} LazyCell<T, F>,
    {T, F} LazyLock<T, F>,
    {T} mpsc::Sender<T>,
    {T} mpsc::SyncSender<T>,
    {T} mpsc::Receiver<T>,
}
