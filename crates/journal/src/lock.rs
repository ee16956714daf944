//! A lock that is held across a fork.
//!
//! Those of the standard library cannot be given back in a forked child, where the thread that has
//! taken them may not exist. Nothing foreign runs under this one; mostly it is held for one system call.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::Duration;

pub(crate) struct Lock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is only reached by who has taken the lock: one thread at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

/// It stays on the thread that has taken the lock, whose alone the value is.
pub(crate) struct Locked<'a, T>(&'a Lock<T>, PhantomData<*const T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> Locked<'_, T> {
        let mut round = 0;
        // Acquire pairs with the Release in `unlock`: what was done under the lock is seen.
        while self.taken.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
            round += 1;
            match round {
                0..64 => std::hint::spin_loop(),
                64..128 => thread::yield_now(),
                // Somebody waits for a disk, or for a guard to start.
                _ => thread::sleep(Duration::from_micros(50)),
            }
        }
        Locked(self, PhantomData)
    }

    /// The lock, by who has taken it.
    ///
    /// # Safety
    ///
    /// This thread has taken it, and forgot that.
    pub(crate) unsafe fn taken(&self) -> Locked<'_, T> {
        debug_assert!(self.taken.load(Relaxed), "taken, by who asks");
        Locked(self, PhantomData)
    }

    /// Gives back what a forgotten [`Locked`] had taken.
    pub(crate) fn unlock(&self) {
        debug_assert!(self.taken.load(Relaxed), "taken, by who gives it back");
        // Release pairs with the Acquire in `lock`.
        self.taken.store(false, Release);
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this is proof that the lock is taken, by who has it.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and it is borrowed exclusively.
        unsafe { &mut *self.0.value.get() }
    }
}
