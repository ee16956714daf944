//! The finalizers of one object, newest first.
//!
//! They are linked through their entries, under the lock of the object's shard, which all of them
//! share. The object may move, so no entry points back to it: only the object knows its newest
//! one. That has one consequence. An entry that dies early leaves the list at once, *except the
//! newest*, which stays as an empty shell (its callback is gone) until the next finalizer takes
//! its place or the object dies. So an object carries at most one shell, however many finalizers
//! come and go.

use std::ptr::NonNull;

use lastly_core::sync::UnsafeCell;
use lastly_core::{Cause, Due, constructor};

use crate::REGISTRY;
use crate::entry::{self, Held, release};
use crate::tied::{self, Bond, Link, Tied};

/// The object's side: part of a [`Watched`](crate::Watched).
#[allow(unreachable_pub, reason = "named by the sealed part of `Object`")]
pub struct Ties {
    newest: UnsafeCell<Link>,
}

// SAFETY: `newest` and all it leads to are used under the shard's lock, or by the one owner of an
// object that is dying.
unsafe impl Send for Ties {}
// SAFETY: as above.
unsafe impl Sync for Ties {}

impl Ties {
    constructor! {
        /// Of an object without finalizers.
        pub(crate) fn new() -> Self {
            Self { newest: UnsafeCell::new(None) }
        }
    }

    /// Whether the object had a finalizer since this was last taken.
    ///
    /// # Safety
    ///
    /// The object is one thread's, and this is the thread.
    #[inline]
    pub(crate) unsafe fn is_empty(&self) -> bool {
        // SAFETY: only this thread changes what is the newest.
        self.newest.with(|newest| unsafe { *newest }).is_none()
    }

    /// The same finalizers, apart from their object, which now has none.
    ///
    /// # Safety
    ///
    /// As for [`is_empty`](Self::is_empty).
    pub(crate) unsafe fn take(&self) -> Self {
        // SAFETY: only this thread changes what is the newest.
        let newest = self.newest.with_mut(|newest| unsafe { newest.replace(None) });
        Self { newest: UnsafeCell::new(newest) }
    }

    /// Registers a new entry as the newest of this object.
    #[inline]
    pub(crate) fn add(&self, held: &Held) {
        let entry = held.tied();
        let mut shell = None;
        let tie = || {
            // SAFETY: under the lock of this object's shard.
            let mut older = self.newest.with(|newest| unsafe { *newest });
            if let Some(newest) = older {
                // SAFETY: what is linked is alive.
                let shard = unsafe { newest.as_ref() }.node.shard();
                debug_assert_eq!(shard, held.node().shard(), "one lock for all of an object's");
                // SAFETY: under the lock, and what is linked is alive.
                if unsafe { tied::bond(newest) } == Bond::Shell {
                    // SAFETY: as above.
                    older = unsafe { tied::unlink(newest) };
                    shell = Some(newest);
                }
            }
            // SAFETY: as above.
            unsafe { tied::link(entry, older) };
            // SAFETY: as above.
            self.newest.with_mut(|newest| unsafe { *newest = Some(entry) });
        };
        // SAFETY: the entry is new and was made with a hold for the registry; `tie` only links.
        let open = unsafe { REGISTRY.insert(entry.cast(), tie) };
        if let Some(shell) = shell {
            // SAFETY: the object had this hold, and nothing links the shell any more.
            unsafe { release(shell) };
        }
        if !open {
            entry::report_too_late(held);
        }
    }

    /// Where the newest is in the order of creation.
    ///
    /// # Safety
    ///
    /// As for [`is_empty`](Self::is_empty); and all of them were registered on this thread.
    pub(crate) unsafe fn newest(&self) -> Option<u64> {
        // SAFETY: only this thread changes what is the newest.
        let newest = self.newest.with(|newest| unsafe { *newest })?;
        // SAFETY: what is in the list is in the registry or held by it, and was registered here.
        Some(unsafe { REGISTRY.sequence(newest.cast()) })
    }

    /// The object is dying: runs or passes over its newest finalizer, and takes it off the list.
    /// Whether it ran.
    pub(crate) fn fire_newest(&mut self) -> bool {
        // Without the lock: nobody else can reach this object, so nobody registers with it, and
        // only its owner changes what is the newest.
        // SAFETY: as above.
        let Some(newest) = self.newest.with(|newest| unsafe { *newest }) else { return false };
        let node = newest.cast();
        // SAFETY: what is in the object's list is in the registry or held by the object; either
        // hold lasts until it leaves both, which is below.
        let claim = match unsafe { REGISTRY.put_off(node) } {
            true => None,
            // SAFETY: as above.
            false => unsafe { REGISTRY.claim(node, Due::Run(Cause::ObjectDied)) },
        };
        match claim {
            Some(claim) => {
                // SAFETY: claimed just now, nothing was taken out.
                unsafe { entry::run(&claim, Cause::ObjectDied, REGISTRY.moment()) };
                let pop = || {
                    // SAFETY: under the lock.
                    unsafe { self.pop(newest) };
                    true
                };
                // SAFETY: `pop` takes the entry out of its object's list.
                unsafe { claim.finish_with(pop) };
                true
            }
            None => {
                let pop = |left_registry| {
                    // SAFETY: under the lock.
                    unsafe { self.pop(newest) };
                    left_registry
                };
                // Put off, or dead, or busy on another thread, or with the door shut.
                // SAFETY: the entry is alive (above), and `pop` only links.
                if unsafe { REGISTRY.locked(node, pop) } {
                    // SAFETY: a shell: the hold was the object's.
                    unsafe { release(newest) };
                }
                false
            }
        }
    }

    /// # Safety
    ///
    /// Under the lock, with the newest entry of this object.
    unsafe fn pop(&mut self, newest: NonNull<Tied>) {
        // SAFETY: this function's contract.
        let older = unsafe { tied::unlink(newest) };
        // SAFETY: under the lock.
        self.newest.with_mut(|it| unsafe { *it = older });
    }
}

impl Drop for Ties {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: whoever drops this owns it alone, and it is on no other thread.
        while !unsafe { self.is_empty() } {
            self.fire_newest();
        }
    }
}
