//! A list of nodes through their own links, oldest to newest: nothing is allocated, and a node
//! leaves from anywhere in constant time.

use std::ptr::{self, NonNull};

use crate::node::{Links, Node, Place};

pub(crate) struct List {
    /// What the nodes of this list have as their `place`.
    place: Place,
    oldest: *const Node,
    newest: *const Node,
}

// SAFETY: a list lives inside a shard; its pointers and the links they lead to are used only
// under that shard's lock.
unsafe impl Send for List {}

impl List {
    pub(crate) const fn new(place: Place) -> Self {
        Self { place, oldest: ptr::null(), newest: ptr::null() }
    }

    /// The newest node. It is alive as long as the caller holds the lock.
    #[inline]
    pub(crate) fn newest(&self) -> Option<NonNull<Node>> {
        NonNull::new(self.newest.cast_mut())
    }

    /// The oldest node. It is alive as long as the caller holds the lock.
    pub(crate) fn oldest(&self) -> Option<NonNull<Node>> {
        NonNull::new(self.oldest.cast_mut())
    }

    /// The nodes from newest to oldest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Node> {
        // SAFETY: nodes of a list are alive (the contract of `push_newest`).
        std::iter::successors(unsafe { self.newest.as_ref() }, |node| {
            // SAFETY: the nodes of this list are guarded by the lock that guards `self`.
            let older = unsafe { older(node) }?;
            // SAFETY: nodes of a list are alive.
            Some(unsafe { older.as_ref() })
        })
    }

    /// # Safety
    ///
    /// The caller holds the lock that guards this list and `node`; `node` is alive, in no list,
    /// and stays alive until it is removed.
    #[inline]
    pub(crate) unsafe fn push_newest(&mut self, node: &Node) {
        // SAFETY: the lock is held (this function's contract).
        unsafe { move_to(node, Place::Nowhere, self.place) };
        let links = Links { older: self.newest, newer: ptr::null() };
        // SAFETY: as above.
        unsafe { change_links(node, |of_node| *of_node = links) };
        // SAFETY: nodes of a list are alive.
        match unsafe { self.newest.as_ref() } {
            // SAFETY: the lock is held.
            Some(older) => unsafe { change_links(older, |of_older| of_older.newer = node) },
            None => self.oldest = node,
        }
        self.newest = node;
    }

    /// Takes over all nodes of `other`, as older than its own.
    ///
    /// # Safety
    ///
    /// The caller holds the locks that guard both lists, and one lock guards both from now on.
    pub(crate) unsafe fn prepend(&mut self, other: List) {
        debug_assert_eq!(self.place, other.place);
        // SAFETY: nodes of a list are alive.
        let newer = unsafe { self.oldest.as_ref() };
        // SAFETY: as above.
        let older = unsafe { other.newest.as_ref() };
        let (Some(newer), Some(older)) = (newer, older) else {
            if newer.is_none() {
                *self = other;
            }
            return;
        };
        // SAFETY: both locks are held (this function's contract).
        unsafe { change_links(newer, |links| links.older = older) };
        // SAFETY: as above.
        unsafe { change_links(older, |links| links.newer = newer) };
        self.oldest = other.oldest;
    }

    /// # Safety
    ///
    /// The caller holds the lock that guards this list, and `node` is in it.
    #[inline]
    pub(crate) unsafe fn remove(&mut self, node: &Node) {
        // SAFETY: the lock is held (this function's contract).
        unsafe { move_to(node, self.place, Place::Nowhere) };
        // SAFETY: as above.
        let links = unsafe { read_links(node) };
        // SAFETY: nodes of a list are alive.
        match unsafe { links.older.as_ref() } {
            // SAFETY: the lock is held.
            Some(older) => unsafe { change_links(older, |it| it.newer = links.newer) },
            None => self.oldest = links.newer,
        }
        // SAFETY: nodes of a list are alive.
        match unsafe { links.newer.as_ref() } {
            // SAFETY: the lock is held.
            Some(newer) => unsafe { change_links(newer, |it| it.older = links.older) },
            None => self.newest = links.older,
        }
    }
}

/// The next older node of the same list.
///
/// # Safety
///
/// The caller holds the lock that guards `node`.
pub(crate) unsafe fn older(node: &Node) -> Option<NonNull<Node>> {
    // SAFETY: this function's contract.
    NonNull::new(unsafe { read_links(node) }.older.cast_mut())
}

/// Which list a node is in.
///
/// # Safety
///
/// The caller holds the lock that guards `node`.
#[inline]
pub(crate) unsafe fn place_of(node: &Node) -> Place {
    // SAFETY: under the lock nobody else writes.
    node.place.with(|place| unsafe { *place })
}

/// The place of a node in the order of creation.
///
/// # Safety
///
/// The caller holds the lock that guards `node`.
#[inline]
pub(crate) unsafe fn sequence_of(node: &Node) -> u64 {
    // SAFETY: under the lock nobody else writes.
    node.sequence.with(|sequence| unsafe { *sequence })
}

/// # Safety
///
/// The caller holds the lock that guards `node`.
#[inline]
unsafe fn move_to(node: &Node, from: Place, to: Place) {
    // SAFETY: this function's contract.
    debug_assert_eq!(unsafe { place_of(node) }, from, "a node is in one list at a time");
    // SAFETY: under the lock nobody else reads or writes.
    node.place.with_mut(|place| unsafe { *place = to });
}

/// # Safety
///
/// The caller holds the lock that guards `node`.
#[inline]
unsafe fn read_links(node: &Node) -> Links {
    // SAFETY: under the lock nobody else writes.
    node.links.with(|links| unsafe { *links })
}

/// # Safety
///
/// The caller holds the lock that guards `node`.
#[inline]
unsafe fn change_links(node: &Node, change: impl FnOnce(&mut Links)) {
    // SAFETY: under the lock nobody else reads or writes.
    node.links.with_mut(|links| change(unsafe { &mut *links }));
}
