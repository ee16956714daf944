//! A collection, from its suspects to the last callback.

use std::collections::BinaryHeap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::slice;

use super::death::{Blame, Level, drop_waiting, end, report_panic};
use super::header::{self, Header, Mark};
use super::search::Search;
use super::thread::Collector;
use crate::collector::Collected;
use crate::ties::Ties;

impl Collector {
    /// Collects; inside of too many others, when the outermost of them ends.
    pub(crate) fn collect(&self) -> Collected {
        let Some(_level) = Level::enter(self, Blame::Nobody) else {
            self.wanted.set(true);
            self.put_off.set(true);
            return Collected::default();
        };
        self.begin();
        let mut search = self.search.take().unwrap_or_else(|| Box::new(Search::new()));
        let mut done = self.search(&mut search);
        self.bury(&mut search);
        self.record(&done);
        search.reset();
        self.search.set(Some(search));
        done.callbacks = self.run_due();
        self.tidy_up();
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
            // SAFETY: a `Gc`'s object is this thread's.
            if !unsafe { header.ties().is_empty() } {
                // SAFETY: as above.
                self.add_due(unsafe { header.ties().take() });
            }
        }
        Collected { suspects, examined, objects: search.garbage().len(), callbacks: 0 }
    }

    /// Drops the values of what is marked as dead. First come the reports of the search: their hook,
    /// too, is foreign code, and may collect.
    fn bury(&self, search: &mut Search) {
        if search.garbage().is_empty() && search.panics.is_empty() {
            return;
        }
        self.dropping.set(self.dropping.get() + 1);
        for (name, payload) in mem::take(&mut search.panics) {
            report_panic(name, payload);
        }
        let garbage = search.garbage();
        let mut left = garbage.iter();
        while let Err(payload) = catch_unwind(AssertUnwindSafe(|| bury_on(&mut left))) {
            // That of the last one taken.
            let object = garbage[garbage.len() - left.len() - 1];
            // SAFETY: dead, and not buried so far: its memory is held.
            let name = unsafe { object.as_ref() }.name();
            // SAFETY: its value was dropped, as far as that went.
            unsafe { buried(object) };
            report_panic(name, payload);
        }
        if self.nesting.get() == 1 {
            drop_waiting(self, 0, report_panic);
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

fn bury_on(left: &mut slice::Iter<'_, NonNull<Header>>) {
    for &object in left {
        // SAFETY: marked as dead, so nobody else drops the value or looks at it.
        unsafe { header::drop_value(object) };
        // SAFETY: the value was dropped just now.
        unsafe { buried(object) };
    }
}

/// The value of a dead object is dropped. If there are still `Gc`s, the last of them ends it.
///
/// # Safety
///
/// As it says, and this is called once.
#[inline]
unsafe fn buried(object: NonNull<Header>) {
    // SAFETY: all `Gc`s together hold the memory, also when there are none any more: whoever
    // dropped the last of a dead one has left that to this.
    let header = unsafe { object.as_ref() };
    header.mark.set(Mark::BURIED);
    if header.strong.get() == 0 {
        // SAFETY: the value is gone, and so is the last `Gc`.
        unsafe { end(object) };
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
