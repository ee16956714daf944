//! How many finalizers there were, and what became of them.
//!
//! Each shard counts what enters and leaves it, under the lock that is held for that anyway. What
//! takes longest is kept only where somebody has asked for it, as it takes two looks at a clock for
//! each callback.

use std::fmt::{self, Display};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::cleaners::CleanerState;
use crate::lock::Lock;
use crate::node::Node;
use crate::order::{Now, Order};
use crate::registry::{Door, Registry};
use crate::report::{Cause, Description};
use crate::state::Due;
use crate::sync::{AtomicU64, Moment, constructor};

/// What one shard has counted.
#[derive(Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) created: u64,
    /// By what they ended: see [`Due::code`].
    ended: [u64; ENDINGS],
}

const ENDINGS: usize = 6;

impl Tally {
    pub(crate) const fn new() -> Self {
        Self { created: 0, ended: [0; ENDINGS] }
    }

    /// One more has ended: by this, or `None`: it found the door shut.
    #[inline]
    pub(crate) fn count(&mut self, by: Option<Due>) {
        self.ended[usize::from(Due::code(by))] += 1;
    }

    fn add(&mut self, other: &Self) {
        self.created += other.created;
        for (sum, more) in self.ended.iter_mut().zip(other.ended) {
            *sum += more;
        }
    }
}

/// How many finalizers this process has created, and what became of them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Registered in this process.
    pub created: u64,
    /// Given up.
    pub detached: u64,
    /// Run because they were called.
    pub called: u64,
    /// Run because the object died.
    pub object_died: u64,
    /// Run because the program ended by itself.
    pub exit: u64,
    /// Run because a signal ended the program.
    pub signal: u64,
    /// Of those that ran, with nobody there to take the failure: failed.
    pub failed: u64,
    /// Reported as not having run, or not having come to an end, when the program ended.
    pub lost: u64,
    /// The callbacks that took longest, the longest first; only of those that ran while
    /// [recording](Registry::record) was on, and took 20 milliseconds or more.
    pub slowest: Vec<Slow>,
    /// How each cleaner is doing, in the order of their creation.
    pub cleaners: Vec<CleanerState>,
}

impl Totals {
    /// Whether nothing has happened.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { created, detached, called, object_died, exit, signal, failed, lost, .. } = self;
        [created, detached, called, object_died, exit, signal, failed, lost] == [&0; 8]
    }
}

impl Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, detached, called, object_died, exit, signal, failed, lost, .. } = self;
        write!(f, "created {created}; called {called}, object died {object_died}, exit {exit}, ")?;
        write!(f, "signal {signal}, detached {detached}; failed {failed}, lost {lost}")?;
        self.slowest.iter().try_for_each(|slow| write!(f, "\nslow: {slow}"))?;
        self.cleaners.iter().try_for_each(|cleaner| write!(f, "\ncleaner {cleaner}"))
    }
}

/// A callback that took long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Slow {
    /// What it was about.
    pub description: Description,
    /// What made it run.
    pub cause: Cause,
    /// How long it took, to a few milliseconds.
    pub duration: Duration,
}

impl Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { description: Description { object, function, created }, cause, duration } = self;
        write!(f, "{duration:.1?} {object} ({cause}): {function}")?;
        created.iter().try_for_each(|created| write!(f, ", created at {created}"))
    }
}

/// How many of the slowest are kept.
const KEPT: usize = 10;

/// What takes less is not among them. More than the clock's ticks are apart: at the end of one, a
/// callback that took no time at all would seem to have taken as long.
const FLOOR: u64 = 20_000_000;

/// The callbacks that took longest.
pub(crate) struct Slowest {
    /// The longest first.
    kept: Lock<[Option<Arc<Slow>>; KEPT]>,
    /// What took less, in nanoseconds, is not among them.
    floor: AtomicU64,
}

impl Slowest {
    constructor! {
        pub(crate) fn new() -> Self {
            Self { kept: Lock::new([const { None }; KEPT]), floor: AtomicU64::new(FLOOR) }
        }
    }

    /// Whether one that took so long is among them.
    fn wants(&self, duration: Duration) -> bool {
        // Relaxed: a hint; what is added is compared again.
        nanoseconds(duration) >= self.floor.load(Relaxed)
    }

    fn add(&self, slow: Slow) {
        let slow = Arc::new(slow);
        let mut kept = self.kept.lock();
        let is_shorter =
            |it: &Option<Arc<Slow>>| it.as_ref().is_none_or(|it| it.duration < slow.duration);
        let Some(place) = kept.iter().position(is_shorter) else {
            drop(kept);
            return;
        };
        kept[place..].rotate_right(1);
        let before = kept[place].replace(slow);
        let floor = kept[KEPT - 1].as_ref().map_or(FLOOR, |it| nanoseconds(it.duration) + 1);
        self.floor.store(floor, Relaxed);
        drop(kept);
        // Not under the lock.
        drop(before);
    }

    fn copy(&self) -> Vec<Slow> {
        let kept = self.kept.lock().clone();
        kept.into_iter().flatten().map(|slow| Slow::clone(&slow)).collect()
    }

    pub(crate) fn lock_for_fork(&self) {
        std::mem::forget(self.kept.lock());
    }

    /// # Safety
    ///
    /// `lock_for_fork` was called before, in this process or by its parent for it.
    pub(crate) unsafe fn unlock_after_fork(&self) {
        // SAFETY: held since `lock_for_fork`, which forgot its guard.
        unsafe { self.kept.unlock() }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<D: Door> Registry<D> {
    /// Keeps from now on when finalizers are created, and which callbacks take longest.
    ///
    /// That costs a look at the clock for each creation, and two for each callback.
    pub fn record(&self) {
        let _shards = self.lock_all();
        self.order.read_clock();
        self.reporter.record();
    }

    /// Whether [`record`](Self::record) was called.
    pub fn is_recording(&self) -> bool {
        self.reporter.is_recording()
    }

    /// A callback that began at this moment, if that was asked for, has come to its end.
    #[inline]
    pub fn ran(&self, cause: Cause, begun: Option<Moment>, of: impl FnOnce() -> Description) {
        if let Some(begun) = begun.filter(|_| self.is_recording()) {
            self.keep_if_slow(cause, begun.elapsed(), of);
        }
    }

    #[cold]
    fn keep_if_slow(&self, cause: Cause, duration: Duration, of: impl FnOnce() -> Description) {
        if self.slowest.wants(duration) {
            self.slowest.add(Slow { description: of(), cause, duration });
        }
    }

    /// How many finalizers this process has created, and what became of them.
    pub fn totals(&self) -> Totals {
        let mut sum = Tally::new();
        // Locked for this statement.
        self.lock_all().iter().for_each(|shard| sum.add(&shard.tally));
        let [_, detached, called, object_died, exit, signal] = sum.ended;
        Totals {
            created: sum.created,
            detached,
            called,
            object_died,
            exit,
            signal,
            failed: self.reporter.failed(),
            lost: self.reporter.lost(),
            slowest: self.slowest.copy(),
            cleaners: self.cleaners(),
        }
    }

    /// How long before `now` the finalizer was created, if that is known: if recording was on, or
    /// several threads created finalizers.
    ///
    /// # Safety
    ///
    /// `node` is in this registry or was, and the caller has a hold on it.
    pub unsafe fn age(&self, node: NonNull<Node>, now: Now) -> Option<Duration> {
        // SAFETY: this function's contract.
        Order::age(unsafe { self.index(node) }, now)
    }

    /// In a new child: what its parent has counted is not its own.
    pub(crate) fn forget_totals(&self) {
        self.lock_all().iter_mut().for_each(|shard| shard.tally = Tally::new());
        self.reporter.forget();
        let kept = std::mem::replace(&mut *self.slowest.kept.lock(), [const { None }; KEPT]);
        self.slowest.floor.store(FLOOR, Relaxed);
        drop(kept);
    }
}
