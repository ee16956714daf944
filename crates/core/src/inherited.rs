//! What of the registry is a parent's: where in the order this process began.

use std::sync::atomic::Ordering::Relaxed;

use crate::sync::{AtomicU32, AtomicU64, constructor, next_thread_number, thread_number};

/// Where the part of the registry begins that this process created itself.
pub(crate) struct Inherited {
    below_sequence: AtomicU64,
    below_thread: AtomicU32,
    /// The one thread of the parent that exists here: the copy of the one that forked.
    survivor: AtomicU32,
}

impl Inherited {
    constructor! {
        pub(crate) fn new() -> Self {
            Self { below_sequence: AtomicU64::new(0), below_thread: AtomicU32::new(0), survivor: AtomicU32::new(0) }
        }
    }

    /// All that there is so far, up to this place in the order, is a parent's.
    pub(crate) fn begin_here(&self, sequence: u64) {
        // Relaxed, here and below: written in a new child, before it has a second thread.
        self.below_sequence.store(sequence, Relaxed);
        self.below_thread.store(next_thread_number(), Relaxed);
        self.survivor.store(thread_number(), Relaxed);
    }

    /// Whether the finalizer with this sequence number is a parent's.
    pub(crate) fn node(&self, sequence: u64) -> bool {
        sequence < self.below_sequence.load(Relaxed)
    }

    /// Whether the thread with this number is a parent's, and does not exist here.
    pub(crate) fn thread(&self, number: u32) -> bool {
        let gone = number != 0 && number < self.below_thread.load(Relaxed);
        gone && number != self.survivor.load(Relaxed)
    }
}
