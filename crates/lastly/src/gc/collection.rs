//! A collection, from its suspects to the last callback.

use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::death::{Level, Within, drop_waiting, report_panic};
use super::header::{self, Header, Mark};
use super::search::Search;
use super::thread::Collector;
use crate::collector::Collected;
use crate::ties::Ties;

impl Collector {
    /// Collects; inside of too many others, when the outermost of them ends.
    pub(crate) fn collect(&self) -> Collected {
        let Some(_level) = Level::enter(self, Within::Collection) else {
            self.put_off.set(true);
            return Collected::default();
        };
        let mut search = self.search.take().unwrap_or_default();
        let mut done = self.search(&mut search);
        for (name, payload) in std::mem::take(&mut search.panics) {
            report_panic(name, payload);
        }
        self.bury(search.garbage());
        self.record(&done);
        search.reset();
        self.search.set(Some(search));
        done.callbacks = self.run_due();
        if self.is_ending() {
            self.free_memory();
        }
        done
    }

    /// Finds the garbage, and marks it as dead. No foreign code runs in here, but `Trace`.
    fn search(&self, search: &mut Search) -> Collected {
        let suspects = self.suspects.len();
        let examined = search.run(self);
        for object in search.garbage() {
            // SAFETY: nothing has been dropped so far.
            let header = unsafe { object.as_ref() };
            // From here on no `Weak` leads there.
            header.mark.set(Mark::DEAD);
            // The memory of each is held until its value is dropped.
            header.retain();
            // SAFETY: a `Gc`'s object is this thread's.
            if !unsafe { header.ties().is_empty() } {
                // SAFETY: as above.
                self.add_due(unsafe { header.ties().take() });
            }
        }
        Collected { suspects, examined, objects: search.garbage().len(), callbacks: 0 }
    }

    /// Drops the values of what is marked as dead.
    fn bury(&self, garbage: &[NonNull<Header>]) {
        if garbage.is_empty() {
            return;
        }
        self.dropping.set(self.dropping.get() + 1);
        let mut left = garbage.iter();
        let drop_values = |left: &mut std::slice::Iter<'_, NonNull<Header>>| {
            while let Some(&object) = left.as_slice().first() {
                // SAFETY: marked as dead, so nobody else drops it or looks at it.
                unsafe { header::drop_value(object) };
                // SAFETY: held since it was marked.
                unsafe { header::release(object) };
                left.next();
            }
        };
        while let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop_values(&mut left))) {
            let Some(&object) = left.next() else { break };
            // SAFETY: held since it was marked.
            let name = unsafe { object.as_ref() }.name();
            report_panic(name, payload);
            // SAFETY: as above.
            unsafe { header::release(object) };
        }
        if self.nesting.get() == 1 {
            drop_waiting(self, report_panic);
        }
        self.dropping.set(self.dropping.get() - 1);
    }

    /// Runs the callbacks that are due, newest first, unless another collection is in the middle
    /// of dropping values. Each is claimed when its turn comes: until then it is alive, and if the
    /// program exits before, it runs then.
    fn run_due(&self) -> usize {
        if self.dropping.get() > 0 || self.due.borrow().is_empty() {
            return 0;
        }
        let mut due = self.due.take();
        sort(&mut due);
        // What is left of objects with several finalizers.
        let mut rest = BinaryHeap::new();
        let mut callbacks = 0;
        loop {
            let newest = if due.last() > rest.peek() { due.pop() } else { rest.pop() };
            let Some(mut newest) = newest else { break };
            callbacks += usize::from(newest.ties.fire_newest());
            rest.extend(Due::new(newest.ties));
        }
        // For its memory; callbacks that collected have run what was due then.
        self.due.replace(due);
        callbacks
    }
}

/// Sorts, oldest first, what mostly is in order: objects are found about as they were made. A few
/// steps for each are then all that it takes, a quarter of what a sort costs that must be ready for
/// anything. That one follows if those do not do.
fn sort(due: &mut [Due]) {
    let mut steps = 2 * due.len();
    for index in 1..due.len() {
        let mut place = index;
        while place > 0 && due[place - 1] > due[place] {
            if steps == 0 {
                return due.sort_unstable();
            }
            due.swap(place - 1, place);
            place -= 1;
            steps -= 1;
        }
    }
}

/// The finalizers of an object that died, ordered by the newest of them.
pub(super) struct Due {
    sequence: u64,
    ties: Ties,
}

impl Due {
    /// `None` if there are none.
    pub(super) fn new(ties: Ties) -> Option<Self> {
        // SAFETY: a `Gc`'s object is this thread's, so all of them were made here.
        let sequence = unsafe { ties.newest() }?;
        Some(Self { sequence, ties })
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.sequence.cmp(&other.sequence)
    }
}
