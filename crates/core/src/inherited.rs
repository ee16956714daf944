//! What of the registry is a parent's: where in the order this process began.

use std::sync::atomic::Ordering::Relaxed;

use crate::node::GENERATIONS;
use crate::process::Witness;
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, constructor, next_thread_number, thread_number};

/// Where the part of the registry begins that this process created itself.
pub(crate) struct Inherited {
    /// What is older is a parent's.
    below_sequence: AtomicU64,
    /// What is older, the drain passes over. The same, but in an heir.
    passed_over: AtomicU64,
    below_thread: AtomicU32,
    /// The one thread of the parent that exists here: the copy of the one that forked.
    survivor: AtomicU32,
    /// How many forks this process is away from the first, from 1 on; beyond what a node's flags hold, it
    /// begins again. (A finalizer that waits in a process so many generations older than this one, and
    /// was not run by any in between, would be taken for one of this process.)
    generation: AtomicU8,
    /// The number of this process. 0: nobody has asked.
    process: AtomicU32,
    witness: Witness,
}

impl Inherited {
    constructor! {
        pub(crate) fn new() -> Self {
            Self {
                below_sequence: AtomicU64::new(0),
                passed_over: AtomicU64::new(0),
                below_thread: AtomicU32::new(0),
                survivor: AtomicU32::new(0),
                generation: AtomicU8::new(1),
                process: AtomicU32::new(0),
                witness: Witness::new(),
            }
        }
    }

    /// All that there is so far, up to this place in the order, is a parent's.
    pub(crate) fn begin_here(&self, sequence: u64) {
        // Relaxed, here and below: written in a new child, before it has a second thread.
        self.below_sequence.store(sequence, Relaxed);
        self.passed_over.store(sequence, Relaxed);
        self.below_thread.store(next_thread_number(), Relaxed);
        self.survivor.store(thread_number(), Relaxed);
        self.generation.store(self.generation() % GENERATIONS + 1, Relaxed);
    }

    /// What finalizers that wait in this process are marked with.
    pub(crate) fn generation(&self) -> u8 {
        self.generation.load(Relaxed)
    }

    /// Where in the order begins what this process runs at its end.
    pub(crate) fn begins(&self) -> u64 {
        self.passed_over.load(Relaxed)
    }

    /// From this place on, what there is concerns the drain.
    pub(crate) fn inherit_from(&self, sequence: u64) {
        // Relaxed: the drain reads it on this thread; others, for a report, one way or the other.
        self.passed_over.store(sequence, Relaxed);
    }

    /// Takes down which process this is.
    pub(crate) fn know(&self, process: i32) {
        self.process.store(process.unsigned_abs(), Relaxed);
        self.witness.swear();
    }

    /// Whether this is another process than the one that was taken down: a child that was made past
    /// all handlers.
    pub(crate) fn is_stranger(&self, process: i32) -> bool {
        let known = self.process.load(Relaxed);
        known != 0 && (known != process.unsigned_abs() || self.witness.is_foreign())
    }

    /// Whether the drain passes over the finalizer with this sequence number, as a parent's.
    pub(crate) fn passes_over(&self, sequence: u64) -> bool {
        sequence < self.passed_over.load(Relaxed)
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
