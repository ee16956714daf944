//! A list of nodes through their own links, oldest to newest: nothing is allocated, and a node
//! leaves from anywhere in constant time.

use std::ptr::NonNull;

use crate::node::{Links, Node, Place};

/// Its pointers are those that the door made its nodes with, not made from references: the door
/// casts them back to what it allocated, of which a node is only the beginning.
pub(crate) struct List {
    /// What the nodes of this list have as their `place`.
    place: Place,
    oldest: Option<NonNull<Node>>,
    newest: Option<NonNull<Node>>,
}

// SAFETY: a list lives inside a shard; its pointers and the links they lead to are used only
// under that shard's lock.
unsafe impl Send for List {}

impl List {
    pub(crate) const fn new(place: Place) -> Self {
        Self { place, oldest: None, newest: None }
    }

    /// The newest node. It is alive as long as the caller holds the lock.
    #[inline]
    pub(crate) fn newest(&self) -> Option<NonNull<Node>> {
        self.newest
    }

    /// The oldest node. It is alive as long as the caller holds the lock.
    pub(crate) fn oldest(&self) -> Option<NonNull<Node>> {
        self.oldest
    }

    /// The nodes from newest to oldest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Node> {
        // SAFETY: nodes of a list are alive (the contract of `push_newest`).
        self.nodes().map(|node| unsafe { node.as_ref() })
    }

    /// The same, as pointers. They are alive as long as the caller holds the lock.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NonNull<Node>> {
        // SAFETY: the nodes of this list are guarded by the lock that guards `self`, and alive.
        std::iter::successors(self.newest, |node| unsafe { older(*node) })
    }

    /// # Safety
    ///
    /// The caller holds the lock that guards this list and `node`; `node` is alive, in no list,
    /// and stays alive until it is removed.
    #[inline]
    pub(crate) unsafe fn push_newest(&mut self, node: NonNull<Node>) {
        // SAFETY: the lock is held (this function's contract).
        unsafe { move_to(node, Place::Nowhere, self.place) };
        let links = Links { older: self.newest, newer: None };
        // SAFETY: as above.
        unsafe { change_links(node, |of_node| *of_node = links) };
        match self.newest {
            // SAFETY: the lock is held, and nodes of a list are alive.
            Some(older) => unsafe { change_links(older, |it| it.newer = Some(node)) },
            None => self.oldest = Some(node),
        }
        self.newest = Some(node);
    }

    /// Takes over all nodes of `other`, as older than its own.
    ///
    /// # Safety
    ///
    /// The caller holds the locks that guard both lists, and one lock guards both from now on.
    pub(crate) unsafe fn prepend(&mut self, other: List) {
        debug_assert_eq!(self.place, other.place);
        let (Some(newer), Some(older)) = (self.oldest, other.newest) else {
            if self.oldest.is_none() {
                *self = other;
            }
            return;
        };
        // SAFETY: both locks are held (this function's contract).
        unsafe { change_links(newer, |links| links.older = Some(older)) };
        // SAFETY: as above.
        unsafe { change_links(older, |links| links.newer = Some(newer)) };
        self.oldest = other.oldest;
    }

    /// # Safety
    ///
    /// The caller holds the lock that guards this list, and `node` is in it.
    #[inline]
    pub(crate) unsafe fn remove(&mut self, node: NonNull<Node>) {
        // SAFETY: the lock is held (this function's contract).
        unsafe { move_to(node, self.place, Place::Nowhere) };
        // SAFETY: as above.
        let links = unsafe { read_links(node) };
        match links.older {
            // SAFETY: the lock is held, and nodes of a list are alive.
            Some(older) => unsafe { change_links(older, |it| it.newer = links.newer) },
            None => self.oldest = links.newer,
        }
        match links.newer {
            // SAFETY: as above.
            Some(newer) => unsafe { change_links(newer, |it| it.older = links.older) },
            None => self.newest = links.older,
        }
    }
}

/// The next older node of the same list.
///
/// # Safety
///
/// The caller holds the lock that guards `node`, which is alive.
pub(crate) unsafe fn older(node: NonNull<Node>) -> Option<NonNull<Node>> {
    // SAFETY: this function's contract.
    unsafe { read_links(node) }.older
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
/// The caller holds the lock that guards `node`, which is alive.
#[inline]
unsafe fn move_to(node: NonNull<Node>, from: Place, to: Place) {
    // SAFETY: this function's contract.
    let node = unsafe { node.as_ref() };
    // SAFETY: as above.
    debug_assert_eq!(unsafe { place_of(node) }, from, "a node is in one list at a time");
    // SAFETY: under the lock nobody else reads or writes.
    node.place.with_mut(|place| unsafe { *place = to });
}

/// # Safety
///
/// The caller holds the lock that guards `node`, which is alive.
#[inline]
unsafe fn read_links(node: NonNull<Node>) -> Links {
    // SAFETY: this function's contract.
    let links = &unsafe { node.as_ref() }.links;
    // SAFETY: under the lock nobody else writes.
    links.with(|links| unsafe { *links })
}

/// # Safety
///
/// The caller holds the lock that guards `node`, which is alive.
#[inline]
unsafe fn change_links(node: NonNull<Node>, change: impl FnOnce(&mut Links)) {
    // SAFETY: this function's contract.
    let links = &unsafe { node.as_ref() }.links;
    // SAFETY: under the lock nobody else reads or writes.
    links.with_mut(|links| change(unsafe { &mut *links }));
}
