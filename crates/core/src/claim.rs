//! What a door has in hand while it runs a callback, takes it out, or looks at it.

use std::ptr::NonNull;

use crate::node::Node;
use crate::registry::{Door, Registry};
use crate::state::{Due, Peeked};

/// The exclusive right to the callback of a finalizer. Dropping it, after the callback was taken
/// out, ends the finalizer.
#[must_use = "a claim that is dropped at once leaks the callback"]
pub struct Claim<'a, D: Door> {
    pub(crate) registry: &'a Registry<D>,
    pub(crate) node: NonNull<Node>,
    /// What it was made for.
    pub(crate) due: Due,
}

impl<D: Door> Claim<'_, D> {
    /// The node claimed.
    #[inline]
    pub fn node(&self) -> NonNull<Node> {
        self.node
    }

    /// Leaves the callback where it is, to be claimed again.
    pub fn give_back(self) {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: whoever made the claim has a hold.
        let node_ref = unsafe { this.node.as_ref() };
        // Before the end: whoever claims next must not be taken for this thread.
        node_ref.store_thread(0);
        node_ref.state.give_back();
    }

    /// Ends the finalizer like a drop, with `untie` in place of [`Door::untie`].
    ///
    /// # Safety
    ///
    /// `untie` does what the contract of [`Door::untie`] asks for.
    #[inline]
    pub unsafe fn finish_with(self, untie: impl FnOnce() -> bool) {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: a `Claim` proves the claim, and whoever made it has a hold.
        unsafe { this.registry.finish(this.node, Some(this.due), untie) };
    }
}

impl<D: Door> Drop for Claim<'_, D> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a `Claim` proves the claim, and whoever made it has a hold.
        unsafe { self.registry.end(self.node, Some(self.due)) };
    }
}

/// The exclusive right to look at the callback of a live finalizer. Dropping it does what came
/// due meanwhile.
pub struct Peek<'a, D: Door> {
    pub(crate) registry: &'a Registry<D>,
    pub(crate) node: NonNull<Node>,
}

impl<D: Door> Drop for Peek<'_, D> {
    fn drop(&mut self) {
        // SAFETY: whoever made the peek has a hold on the node.
        let node_ref = unsafe { self.node.as_ref() };
        // Before the end: whoever claims next must not be taken for this thread.
        node_ref.store_thread(0);
        match node_ref.state.end_peek() {
            Peeked::Alive => {}
            Peeked::Claimed(due) => {
                let claim = self.registry.won(self.node, due);
                match due {
                    // SAFETY: `end_peek` claimed just now.
                    Due::Run(cause) => unsafe { D::run(claim, cause, self.registry.moment()) },
                    // SAFETY: as above.
                    Due::Take => unsafe { D::discard(claim) },
                }
            }
            Peeked::Shut => {
                // SAFETY: claimed just now, and whoever made the peek has a hold.
                unsafe { self.registry.end_too_late(self.node) };
            }
        }
    }
}
