//! The lock of the engine: one byte, taken by a compare-and-swap, given back by a plain store.
//!
//! A general mutex must look for sleepers when it is unlocked, and pays a second locked
//! instruction for it. This one is held for a dozen loads and stores and for nothing else: under
//! it there is **no allocation, no foreign code, no call into an interpreter**. Whoever finds it
//! taken backs off, at last by sleeping (see `back_off`), so that a holder that lost the processor
//! gets it back whatever the priorities.
//!
//! It also outlives `fork`: a child may give back what was taken for it before the fork, which
//! the standard mutex does not allow (see the `fork` module).

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sync::{AtomicBool, UnsafeCell, back_off, constructor};

pub(crate) struct Lock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a `Guard` only, and `held` lets one exist at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    constructor! {
        pub(crate) fn new(value: T) -> Self {
            Self { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        // Acquire pairs with the Release in `unlock`: what the last holder wrote is visible.
        let mut round = 0;
        while self.held.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            back_off(round);
            round += 1;
        }
        Guard { lock: self }
    }

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// It is held, by the caller or, in a forked child, for it; and its guard is forgotten.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        debug_assert!(self.held.load(Relaxed), "unlocking a lock that nobody holds");
        self.held.store(false, Release);
    }
}

pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as this guard lives, so nobody else writes.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held as long as this guard lives, so nobody else reads or writes.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a guard exists only while the lock is held, and this one ends here.
        unsafe { self.lock.unlock() }
    }
}
