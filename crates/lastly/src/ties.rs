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
use lastly_core::{Cause, Door, Due, Registry, constructor};

use crate::REGISTRY;
use crate::entry::{Entry, Held, RustDoor, release};

type Link = Option<NonNull<Entry>>;

/// An entry's place among the finalizers of its object. Guarded by the shard's lock.
pub(crate) struct Tie {
    older: Link,
    newer: Link,
}

impl Tie {
    pub(crate) const NONE: Self = Self { older: None, newer: None };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Bond {
    /// In no object's list.
    None,
    /// In its object's list.
    Tied,
    /// The newest of its object's list, and dead: the registry's hold is now the object's.
    Shell,
}

/// The object's side: part of a [`Watched`](crate::Watched).
#[allow(unreachable_pub, reason = "named by the sealed part of `Object`")]
pub struct Ties {
    newest: UnsafeCell<Link>,
    shard: u8,
}

// SAFETY: `newest` and all it leads to are used under the shard's lock, or by the one owner of an
// object that is dying.
unsafe impl Send for Ties {}
// SAFETY: as above.
unsafe impl Sync for Ties {}

impl Ties {
    /// For an object made here and now: finalizers of this thread's objects share a lock.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { newest: UnsafeCell::new(None), shard: Registry::<RustDoor>::shard_of_this_thread() }
    }

    constructor! {
        /// For an object made by the compiler.
        pub(crate) fn new_static() -> Self {
            Self { newest: UnsafeCell::new(None), shard: 0 }
        }
    }

    #[inline]
    pub(crate) fn shard(&self) -> u8 {
        self.shard
    }

    /// Registers a new entry as the newest of this object.
    #[inline]
    pub(crate) fn add(&self, held: &Held) {
        let entry = held.entry();
        debug_assert_eq!(held.node().shard(), self.shard, "one lock for all of an object's");
        let mut shell = None;
        let tie = || {
            // SAFETY: under the lock of this object's shard.
            let mut older = self.newest.with(|newest| unsafe { *newest });
            if let Some(newest) = older {
                // SAFETY: under the lock, and what is linked is alive.
                if unsafe { bond(newest) } == Bond::Shell {
                    // SAFETY: as above.
                    older = unsafe { unlink(newest) };
                    shell = Some(newest);
                }
            }
            // SAFETY: as above.
            unsafe { set_bond(entry, Bond::Tied) };
            // SAFETY: as above.
            unsafe { change(entry, |tie| *tie = Tie { older, newer: None }) };
            if let Some(older) = older {
                // SAFETY: as above.
                unsafe { change(older, |tie| tie.newer = Some(entry)) };
            }
            // SAFETY: as above.
            self.newest.with_mut(|newest| unsafe { *newest = Some(entry) });
        };
        // SAFETY: the entry is new and was made with a hold for the registry; `tie` only links.
        unsafe { REGISTRY.insert(entry.cast(), tie) };
        if let Some(shell) = shell {
            // SAFETY: the object had this hold, and nothing links the shell any more.
            unsafe { release(shell) };
        }
    }

    /// The object is dying: runs or passes over its newest finalizer, and takes it off the list.
    fn fire(&mut self, newest: NonNull<Entry>) {
        let node = newest.cast();
        // SAFETY: what is in the object's list is in the registry or held by the object; either
        // hold lasts until it leaves both, which is below.
        match unsafe { REGISTRY.claim(node, Due::Run(Cause::ObjectDied)) } {
            Some(claim) => {
                // SAFETY: claimed just now, nothing was taken out.
                unsafe { RustDoor::run(&claim, Cause::ObjectDied) };
                let pop = || {
                    // SAFETY: under the lock.
                    unsafe { self.pop(newest) };
                    true
                };
                // SAFETY: `pop` takes the entry out of its object's list.
                unsafe { claim.finish_with(pop) };
            }
            None => {
                let pop = |left_registry| {
                    // SAFETY: under the lock.
                    unsafe { self.pop(newest) };
                    left_registry
                };
                // Dead, or busy on another thread, or with the door shut.
                // SAFETY: the entry is alive (above), and `pop` only links.
                if unsafe { REGISTRY.locked(node, pop) } {
                    // SAFETY: a shell: the hold was the object's.
                    unsafe { release(newest) };
                }
            }
        }
    }

    /// # Safety
    ///
    /// Under the lock, with the newest entry of this object.
    unsafe fn pop(&mut self, newest: NonNull<Entry>) {
        // SAFETY: this function's contract.
        let older = unsafe { unlink(newest) };
        // SAFETY: under the lock.
        self.newest.with_mut(|it| unsafe { *it = older });
    }
}

impl Drop for Ties {
    #[inline]
    fn drop(&mut self) {
        // Without the lock: nobody else can reach this object, so nobody registers with it, and
        // only its owner changes what is the newest.
        // SAFETY: as above.
        while let Some(newest) = self.newest.with(|newest| unsafe { *newest }) {
            self.fire(newest);
        }
    }
}

/// Takes a finished entry out of its object's list, if it can. False: it stays, as a shell, and
/// the object has taken over the registry's hold.
///
/// # Safety
///
/// Under the lock, with an entry that is alive.
pub(crate) unsafe fn untie(entry: NonNull<Entry>) -> bool {
    // SAFETY: this function's contract.
    let bond = unsafe { bond(entry) };
    debug_assert_ne!(bond, Bond::Shell, "an entry is finished once");
    if bond == Bond::None {
        return true;
    }
    // SAFETY: this function's contract.
    let newest = unsafe { change(entry, |tie| tie.newer.is_none()) };
    if newest {
        // SAFETY: this function's contract.
        unsafe { set_bond(entry, Bond::Shell) };
    } else {
        // SAFETY: this function's contract, and it is tied.
        unsafe { unlink(entry) };
    }
    !newest
}

/// Takes an entry out of its object's list, and says which is the next older one.
///
/// # Safety
///
/// Under the lock, with an entry that is alive and in a list.
unsafe fn unlink(entry: NonNull<Entry>) -> Link {
    // SAFETY: this function's contract.
    unsafe { set_bond(entry, Bond::None) };
    // SAFETY: this function's contract.
    let Tie { older, newer } = unsafe { change(entry, |tie| std::mem::replace(tie, Tie::NONE)) };
    if let Some(older) = older {
        // SAFETY: under the lock, and what is linked is alive.
        unsafe { change(older, |tie| tie.newer = newer) };
    }
    if let Some(newer) = newer {
        // SAFETY: as above.
        unsafe { change(newer, |tie| tie.older = older) };
    }
    older
}

/// # Safety
///
/// Under the lock, with an entry that is alive.
unsafe fn bond(entry: NonNull<Entry>) -> Bond {
    // SAFETY: this function's contract.
    let bond = &unsafe { entry.as_ref() }.bond;
    // SAFETY: under the lock nobody else writes.
    bond.with(|bond| unsafe { *bond })
}

/// # Safety
///
/// Under the lock, with an entry that is alive.
#[inline]
unsafe fn set_bond(entry: NonNull<Entry>, to: Bond) {
    // SAFETY: this function's contract.
    let bond = &unsafe { entry.as_ref() }.bond;
    // SAFETY: under the lock nobody else reads or writes.
    bond.with_mut(|bond| unsafe { *bond = to });
}

/// # Safety
///
/// Under the lock, with an entry that is alive.
#[inline]
unsafe fn change<R>(entry: NonNull<Entry>, change: impl FnOnce(&mut Tie) -> R) -> R {
    // SAFETY: this function's contract.
    let tie = &unsafe { entry.as_ref() }.tie;
    // SAFETY: under the lock nobody else reads or writes.
    tie.with_mut(|tie| change(unsafe { &mut *tie }))
}
