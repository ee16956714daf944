//! The order of creation: a number for each node, greater than that of every node created before.
//!
//! The drain needs it to go newest first over all shards. A counter shared by all threads would
//! give it, but each registration would then have to fetch the counter's cache line from another
//! core: measured, that alone cost more than all the rest of a registration. So:
//!
//! - While one thread only has ever registered, it counts. No other thread writes the counter, so
//!   a load and a store will do.
//! - When a second thread registers, the number is from then on read off the monotonic clock.
//!   Threads read it side by side, and it never runs backwards between them: if one creation
//!   happens before another, its number is smaller. Every reading is greater than every count.
//!
//! Where the host lets in one thread at a time (see `lock`), there is never more than one to count. But
//! where somebody wants to know how old finalizers are, the clock is read from then on: a reading is the
//! time of creation, at no cost in memory.
//!
//! Two creations that nobody ordered may come out either way. So may two on different shards within
//! one tick of the clock. That is a nanosecond to a few tens of them: less than it takes one thread
//! to hear of another. (A thread that uses two shards, its own and that of an object made by another
//! thread or by the compiler, takes longer than that for one creation.)

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::lock::{ByLock, Exclusion};
use crate::sync::{AtomicU32, AtomicU64, clock_nanoseconds, constructor, thread_number};

/// In `counts_for`: no thread has registered yet.
const NOBODY: u32 = 0;
/// In `counts_for`: several threads have registered, or somebody wants to know when it was.
const CLOCK: u32 = u32::MAX;
/// Marks a reading of the clock.
const READING: u64 = 1 << 63;

/// The moment of a picture: from it on, the ages of all that is in it are counted back.
#[derive(Clone, Copy, Debug)]
pub struct Now(u64);

impl Now {
    /// This moment.
    #[expect(clippy::new_without_default, reason = "the same is never made twice")]
    pub fn new() -> Self {
        Self(clock_nanoseconds())
    }
}

pub(crate) struct Order(CachePadded<Words>);

struct Words {
    /// The thread that counts.
    counts_for: AtomicU32,
    /// The last count. Written by that thread only.
    count: AtomicU64,
}

impl Order {
    constructor! {
        pub(crate) fn new() -> Self {
            Self(CachePadded::new(Words {
                counts_for: AtomicU32::new(NOBODY),
                count: AtomicU64::new(0),
            }))
        }
    }

    /// The next number. To be called under the lock of the list that the node enters, so that each
    /// list is in order.
    #[inline]
    pub(crate) fn next<X: Exclusion>(&self) -> u64 {
        let Words { counts_for, count } = &*self.0;
        // Relaxed, also where it is changed: if one creation happens before another, the later one
        // finds what the earlier one found or left, or something newer.
        let counting = counts_for.load(Relaxed);
        if X::BY_HOST && counting != CLOCK || counting == thread_number() {
            let next = count.load(Relaxed) + 1;
            count.store(next, Relaxed);
            return next;
        }
        self.next_of_several()
    }

    /// A number greater than all so far, and no greater than that of the next node. No two marks are
    /// the same. To be called under all locks.
    pub(crate) fn mark(&self) -> u64 {
        let Words { counts_for, count } = &*self.0;
        // Relaxed: see `next`.
        if counts_for.load(Relaxed) != CLOCK {
            let mark = count.load(Relaxed) + 1;
            // All locks are held, so the thread that counts does not.
            count.store(mark, Relaxed);
            return mark;
        }
        // The last may have been read off just now.
        let last = clock_nanoseconds();
        loop {
            let now = clock_nanoseconds();
            if now > last {
                return READING | now;
            }
        }
    }

    /// Reads every number off the clock from now on, however many threads there are: so that it tells
    /// when. To be called under all locks, so that each list stays in order.
    pub(crate) fn read_clock(&self) {
        self.0.counts_for.store(CLOCK, Relaxed);
    }

    /// How long before `now` this number was given, if it was read off the clock.
    pub(crate) fn age(sequence: u64, now: Now) -> Option<Duration> {
        let read = sequence & READING != 0;
        read.then(|| Duration::from_nanos(now.0.saturating_sub(sequence & !READING)))
    }

    #[inline(never)]
    fn next_of_several(&self) -> u64 {
        let me = thread_number();
        let Words { counts_for, .. } = &*self.0;
        if counts_for.load(Relaxed) != CLOCK {
            match counts_for.compare_exchange(NOBODY, me, Relaxed, Relaxed) {
                Ok(_) => return self.next::<ByLock>(),
                Err(_) => counts_for.store(CLOCK, Relaxed),
            }
        }
        READING | clock_nanoseconds()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::lock::ByHost;

    /// A fork that follows another at once has a mark of its own, between the nodes before and after.
    fn marks_are_unique<X: Exclusion>(order: &Order) {
        let before = order.next::<X>();
        let marks = [(); 3].map(|()| order.mark());
        let after = order.next::<X>();
        assert!(before < marks[0] && marks.is_sorted_by(|a, b| a < b) && marks[2] <= after);
    }

    #[test]
    fn marks_of_one_thread_of_several_and_by_the_host() {
        marks_are_unique::<ByHost>(&Order::new());
        let order = Order::new();
        marks_are_unique::<ByLock>(&order);
        std::thread::scope(|scope| scope.spawn(|| order.next::<ByLock>()).join())
            .expect("no panic");
        assert_eq!(order.0.counts_for.load(Relaxed), CLOCK);
        marks_are_unique::<ByLock>(&order);
    }
}
