//! Something that threads wait for. It belongs to what a lock guards: whoever finds there that there is
//! nothing to do yet takes down what he has [`seen`](Event::seen), gives the lock back, and waits. Whoever
//! changes that, under the lock, has the event [happen](Event::happens), and when he has given the lock
//! back [wakes](Event::wake) those who wait. So nothing that happens between the look and the wait is
//! missed.
//!
//! No lock of its own, and nothing that a fork could leave half done.

use std::sync::atomic::Ordering::Relaxed;

use crate::sync::{AtomicU32, Deadline, constructor, wait_for_change, wake_all};

pub(crate) struct Event(AtomicU32);

impl Event {
    constructor! {
        pub(crate) fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Under the lock: how often it has happened.
    pub(crate) fn seen(&self) -> u32 {
        // Relaxed, here and below: the lock orders what is changed and what is seen.
        self.0.load(Relaxed)
    }

    /// Under the lock.
    pub(crate) fn happens(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }

    pub(crate) fn wake(&self) {
        wake_all(&self.0);
    }

    /// Not under the lock: returns when it has happened more often than that, or the time is spent; or
    /// for no reason.
    pub(crate) fn wait(&self, seen: u32, deadline: Deadline) {
        wait_for_change(&self.0, seen, deadline);
    }
}
