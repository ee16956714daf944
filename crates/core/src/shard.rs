//! A shard: the part of the registry that belongs to some threads, under one lock. At exit the first one
//! takes over the nodes of all (see `drain`).

use std::ptr::NonNull;

use crate::list::{List, place_of};
use crate::node::{Node, Place};
use crate::sync::constructor;
use crate::totals::Tally;

/// The nodes of some threads, under one lock.
pub(crate) struct Shard {
    /// The lists, by [`Place`].
    lists: [List; Place::Nowhere as usize],
    pub(crate) phase: Phase,
    pub(crate) tally: Tally,
}

/// How far the end of the program has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The program runs.
    Open,
    /// Not the first shard: its nodes are now the first one's, and so is its lock.
    Merged,
    /// The first shard, while this thread drains.
    Draining { thread: u32 },
    /// The first shard, when the door is shut: every node is marked, and so is every new one. This
    /// thread waits for what others had begun before that, and reports; or, if the drain was cut
    /// short, reports only.
    Closing { thread: u32, cut: bool },
    /// The first shard, after the drain.
    Shut,
}

impl Shard {
    constructor! {
        pub(crate) fn new() -> Self {
            use Place::{Aside, Late, Pending, Unfinished};
            let lists = [List::new(Pending), List::new(Late), List::new(Aside), List::new(Unfinished)];
            Self { lists, phase: Phase::Open, tally: Tally::new() }
        }
    }

    #[inline]
    pub(crate) fn list(&mut self, place: Place) -> &mut List {
        &mut self.lists[place as usize]
    }

    /// Empties a list; what was in it is to be put elsewhere under the same lock.
    pub(crate) fn take(&mut self, place: Place) -> List {
        std::mem::replace(self.list(place), List::new(place))
    }

    /// The nodes of all lists.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NonNull<Node>> {
        self.lists.iter().flat_map(List::nodes)
    }

    /// Moves a node from the list it is in to another, as its newest; [`Place::Nowhere`] is none.
    ///
    /// # Safety
    ///
    /// The caller holds the lock that guards this shard and `node`, and the registry has a hold on
    /// the node for as long as it is in a list.
    #[inline]
    pub(crate) unsafe fn shift(&mut self, node: NonNull<Node>, to: Place) {
        // SAFETY: alive (this function's contract).
        let node_ref = unsafe { node.as_ref() };
        // SAFETY: the lock is held.
        let from = unsafe { place_of(node_ref) };
        if from != Place::Nowhere {
            // SAFETY: the lock is held, and `place` says that the node is in this list.
            unsafe { self.list(from).remove(node) };
        }
        if to != Place::Nowhere {
            // SAFETY: the lock is held, the node is in no list now, and it is held.
            unsafe { self.list(to).push_newest(node) };
        }
    }

    /// Moves all nodes of one list to another, newest last.
    ///
    /// # Safety
    ///
    /// The caller holds the lock that guards this shard.
    pub(crate) unsafe fn shift_all(&mut self, from: Place, to: Place) {
        while let Some(oldest) = self.list(from).oldest() {
            // SAFETY: the lock is held; the registry keeps its hold.
            unsafe { self.shift(oldest, to) };
        }
    }
}
