//! A picture of the registry: what is alive at one moment.

use std::ptr::NonNull;
use std::time::Duration;

use crate::list::sequence_of;
use crate::node::Node;
use crate::order::Now;
use crate::registry::{Door, Locked, Registry};
use crate::report::Description;

/// What can be told of a live finalizer.
#[derive(Clone, Debug)]
pub struct Look {
    /// What it is about.
    pub description: Description,
    /// How long before that moment it was created, if that is known: see [`Registry::age`].
    pub age: Option<Duration>,
    /// Whether the drain is to run it.
    pub at_exit: bool,
    /// Whether its object has died, and it waits.
    pub waiting: bool,
}

impl<D: Door> Registry<D> {
    /// What can be told of a finalizer at this moment, unless it is dead.
    ///
    /// # Safety
    ///
    /// `node` is in this registry or was, and the caller has a hold on it.
    pub unsafe fn look(&self, node: NonNull<Node>, now: Now) -> Option<Look> {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        if !node_ref.is_alive() {
            return None;
        }
        // SAFETY: this function's contract.
        let (description, age) = (unsafe { D::describe(node) }, unsafe { self.age(node, now) });
        let (at_exit, waiting) = (node_ref.at_exit(), node_ref.is_waiting());
        Some(Look { description, age, at_exit, waiting })
    }

    /// How many finalizers are alive. This walks over all of them.
    pub fn count_alive(&self) -> usize {
        alive::<D>(&self.lock_all()).count()
    }

    /// The place of a finalizer in the order of creation: greater than that of every older one.
    ///
    /// # Safety
    ///
    /// `node` is in this registry or was, and the caller has a hold on it.
    pub unsafe fn index(&self, node: NonNull<Node>) -> u64 {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        let _shard = self.lock(node_ref.shard());
        // SAFETY: the lock is held.
        unsafe { sequence_of(node_ref) }
    }

    /// Every finalizer that is alive, oldest first, each with a hold for the caller.
    pub fn alive(&self) -> Vec<NonNull<Node>> {
        // Nothing is allocated under the locks: room is made before, until it suffices.
        let mut found = Vec::new();
        loop {
            let shards = self.lock_all();
            let count = alive::<D>(&shards).count();
            if count <= found.capacity() {
                // One more may be alive now: a claim was given back.
                let all = alive::<D>(&shards).take(count);
                // SAFETY: what is in a list is held by the registry.
                found.extend(all.inspect(|(_, node)| unsafe { D::retain(*node) }));
                break;
            }
            drop(shards);
            found.reserve(count);
        }
        found.sort_unstable_by_key(|(sequence, _)| *sequence);
        found.into_iter().map(|(_, node)| node).collect()
    }
}

/// What is alive, with its place in the order, under all locks.
fn alive<D: Door>(shards: &[Locked<'_, D>]) -> impl Iterator<Item = (u64, NonNull<Node>)> {
    shards.iter().flat_map(|shard| shard.nodes()).filter_map(|node| {
        // SAFETY: the lock is held, so what is in a list is alive.
        let node_ref = unsafe { node.as_ref() };
        // SAFETY: the lock is held.
        node_ref.is_alive().then(|| (unsafe { sequence_of(node_ref) }, node))
    })
}
