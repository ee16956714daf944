//! The lock of the engine: one byte, taken by a compare-and-swap, given back by a plain store.
//!
//! A general mutex must look for sleepers when it is unlocked, and pays a second locked
//! instruction for it. This one is held for a dozen loads and stores and for nothing else: under
//! it there is **no allocation, no foreign code, no call into an interpreter**. Whoever finds it
//! taken backs off, at last by sleeping (see `back_off`), so that a holder that lost the processor
//! gets it back whatever the priorities.
//!
//! A door whose host lets in one thread at a time needs no lock, and has one that costs nothing: see
//! [`Exclusion`].
//!
//! It also outlives `fork`: a child may give back what was taken for it before the fork, which
//! the standard mutex does not allow (see the `fork` module).

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sync::{AtomicBool, UnsafeCell, back_off, constructor};

/// Who sees to it that one thread at a time is in the lists of a registry.
pub trait Exclusion: 'static {
    /// Whether the host of the door does.
    const BY_HOST: bool;
}

/// The engine does, by a lock.
#[derive(Debug)]
pub struct ByLock;

impl Exclusion for ByLock {
    const BY_HOST: bool = false;
}

/// The host of the door does: an interpreter that runs one thread at a time, and takes turns only
/// where it is told to. The engine calls nothing while it is in its lists, so it never tells.
#[derive(Debug)]
pub struct ByHost;

impl Exclusion for ByHost {
    const BY_HOST: bool = true;
}

pub(crate) struct Lock<T, X = ByLock> {
    held: AtomicBool,
    exclusion: PhantomData<fn() -> X>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a `Guard` only; `held`, or the host, lets one exist at a time.
unsafe impl<T: Send, X> Sync for Lock<T, X> {}

impl<T, X: Exclusion> Lock<T, X> {
    constructor! {
        pub(crate) fn new(value: T) -> Self {
            Self {
                held: AtomicBool::new(false),
                exclusion: PhantomData,
                value: UnsafeCell::new(value),
            }
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T, X> {
        if X::BY_HOST {
            return Guard { lock: self };
        }
        // Acquire pairs with the Release in `unlock`: what the last holder wrote is visible.
        let mut round = 0;
        while self.held.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            back_off(round);
            round += 1;
        }
        Guard { lock: self }
    }

    /// Shows what is in it to a holder who has forgotten his guard.
    ///
    /// # Safety
    ///
    /// It is held, by the caller or, in a forked child, for it.
    pub(crate) unsafe fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        // SAFETY: the lock is held, so nobody else writes.
        self.value.with(|value| look(unsafe { &*value }))
    }

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// It is held, by the caller or, in a forked child, for it; and its guard is forgotten.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        if X::BY_HOST {
            return;
        }
        debug_assert!(self.held.load(Relaxed), "unlocking a lock that nobody holds");
        self.held.store(false, Release);
    }
}

pub(crate) struct Guard<'a, T, X: Exclusion = ByLock> {
    lock: &'a Lock<T, X>,
}

impl<T, X: Exclusion> Deref for Guard<'_, T, X> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as this guard lives, so nobody else writes.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T, X: Exclusion> DerefMut for Guard<'_, T, X> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held as long as this guard lives, so nobody else reads or writes.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T, X: Exclusion> Drop for Guard<'_, T, X> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a guard exists only while the lock is held, and this one ends here.
        unsafe { self.lock.unlock() }
    }
}
