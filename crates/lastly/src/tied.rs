//! One link of an object's list of finalizers: what the memory of every finalizer begins with,
//! whatever its types. Everything here but `holds` is guarded by the lock of the object's shard.

use std::ptr::NonNull;

use lastly_core::Node;
use lastly_core::sync::{AtomicU32, UnsafeCell};

pub(crate) type Link = Option<NonNull<Tied>>;

#[repr(C)]
pub(crate) struct Tied {
    /// First, so that a pointer to one is a pointer to the other.
    pub(crate) node: Node,
    links: UnsafeCell<Links>,
    /// How many hold the memory: the registry or the object, and handles.
    pub(crate) holds: AtomicU32,
    bond: UnsafeCell<Bond>,
}

#[derive(Clone, Copy)]
struct Links {
    older: Link,
    newer: Link,
}

impl Links {
    const NONE: Self = Self { older: None, newer: None };
}

/// How a finalizer belongs to an object.
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

impl Tied {
    /// In no list yet, with so many holds.
    pub(crate) fn new(node: Node, holds: u32) -> Self {
        let links = UnsafeCell::new(Links::NONE);
        Self { node, links, holds: AtomicU32::new(holds), bond: UnsafeCell::new(Bond::None) }
    }
}

/// Makes `entry` the newest of the list of which `older` is the newest so far.
///
/// # Safety
///
/// Under the lock, with two that are alive.
#[inline]
pub(crate) unsafe fn link(entry: NonNull<Tied>, older: Link) {
    // SAFETY: this function's contract.
    unsafe { set_bond(entry, Bond::Tied) };
    // SAFETY: this function's contract.
    unsafe { change(entry, |links| *links = Links { older, newer: None }) };
    if let Some(older) = older {
        // SAFETY: this function's contract.
        unsafe { change(older, |links| links.newer = Some(entry)) };
    }
}

/// Takes a finished one out of its object's list, if it can. False: it stays, as a shell, and
/// the object has taken over the registry's hold.
///
/// # Safety
///
/// Under the lock, with one that is alive.
pub(crate) unsafe fn untie(entry: NonNull<Tied>) -> bool {
    // SAFETY: this function's contract.
    let bond = unsafe { bond(entry) };
    debug_assert_ne!(bond, Bond::Shell, "finished once");
    if bond == Bond::None {
        return true;
    }
    // SAFETY: this function's contract.
    let newest = unsafe { change(entry, |links| links.newer.is_none()) };
    if newest {
        // SAFETY: this function's contract.
        unsafe { set_bond(entry, Bond::Shell) };
    } else {
        // SAFETY: this function's contract, and it is tied.
        unsafe { unlink(entry) };
    }
    !newest
}

/// Takes one out of its object's list, and says which is the next older one.
///
/// # Safety
///
/// Under the lock, with one that is alive and in a list.
pub(crate) unsafe fn unlink(entry: NonNull<Tied>) -> Link {
    // SAFETY: this function's contract.
    unsafe { set_bond(entry, Bond::None) };
    // SAFETY: this function's contract.
    let Links { older, newer } =
        unsafe { change(entry, |links| std::mem::replace(links, Links::NONE)) };
    if let Some(older) = older {
        // SAFETY: under the lock, and what is linked is alive.
        unsafe { change(older, |links| links.newer = newer) };
    }
    if let Some(newer) = newer {
        // SAFETY: as above.
        unsafe { change(newer, |links| links.older = older) };
    }
    older
}

/// # Safety
///
/// Under the lock, with one that is alive.
pub(crate) unsafe fn bond(entry: NonNull<Tied>) -> Bond {
    // SAFETY: this function's contract.
    let bond = &unsafe { entry.as_ref() }.bond;
    // SAFETY: under the lock nobody else writes.
    bond.with(|bond| unsafe { *bond })
}

/// # Safety
///
/// Under the lock, with one that is alive.
#[inline]
unsafe fn set_bond(entry: NonNull<Tied>, to: Bond) {
    // SAFETY: this function's contract.
    let bond = &unsafe { entry.as_ref() }.bond;
    // SAFETY: under the lock nobody else reads or writes.
    bond.with_mut(|bond| unsafe { *bond = to });
}

/// # Safety
///
/// Under the lock, with one that is alive.
#[inline]
unsafe fn change<R>(entry: NonNull<Tied>, change: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: this function's contract.
    let links = &unsafe { entry.as_ref() }.links;
    // SAFETY: under the lock nobody else reads or writes.
    links.with_mut(|links| change(unsafe { &mut *links }))
}
