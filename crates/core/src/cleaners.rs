//! The cleaners of a registry: what concerns all of them at once, an end of the program or a fork.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::cleaner::Shared;
use crate::lock::{Guard, Lock};
use crate::registry::{Door, Registry};
use crate::sync::constructor;

/// How a cleaner is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CleanerState {
    /// Its name.
    pub name: Arc<str>,
    /// How many callbacks wait for it.
    pub waiting: usize,
    /// How many may.
    pub limit: usize,
    /// Whether it is running one.
    pub running: bool,
    /// How many were handed over to it so far.
    pub handed: u64,
}

impl Display for CleanerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, waiting, limit, running, handed } = self;
        let running = if *running { ", one is running" } else { "" };
        write!(f, "{name}: {waiting} of {limit} wait{running}; handed over {handed}")
    }
}

/// Every cleaner that there is: each leaves, under this lock, before its memory goes.
pub(crate) struct Cleaners<D: Door>(Lock<VecDeque<NonNull<Shared<D>>>, D::Exclusion>);

// SAFETY: what is in it is shared between threads as it is.
unsafe impl<D: Door> Sync for Cleaners<D> {}

impl<D: Door> Cleaners<D> {
    constructor! {
        pub(crate) fn new() -> Self {
            Self(Lock::new(VecDeque::new()))
        }
    }

    pub(crate) fn add(&self, cleaner: NonNull<Shared<D>>) {
        let mut spare = VecDeque::new();
        let mut all = self.0.lock();
        while !make_room(&mut all, &mut spare) {
            let room = all.len() * 2 + 4;
            drop(all);
            spare = VecDeque::with_capacity(room);
            all = self.0.lock();
        }
        all.push_back(cleaner);
    }

    pub(crate) fn remove(&self, cleaner: NonNull<Shared<D>>) {
        self.0.lock().retain(|it| *it != cleaner);
    }

    fn each(&self, mut work: impl FnMut(&Shared<D>)) {
        self.each_of(&self.0.lock(), &mut work);
    }

    fn each_of(
        &self,
        all: &Guard<'_, VecDeque<NonNull<Shared<D>>>, D::Exclusion>,
        work: &mut impl FnMut(&Shared<D>),
    ) {
        // SAFETY: it has not left, and cannot while this is locked.
        all.iter().for_each(|cleaner| work(unsafe { cleaner.as_ref() }));
    }

    /// The end of the program has begun: those who wait are to have a look.
    pub(crate) fn wake_all(&self) {
        self.each(Shared::wake_all);
    }

    /// Whether the thread of any is running a callback, and is not this one.
    pub(crate) fn any_runs_elsewhere(&self) -> bool {
        let mut any = false;
        self.each(|cleaner| any |= cleaner.runs_elsewhere());
        any
    }

    /// Takes all locks, the list's first.
    pub(crate) fn lock_for_fork(&self) {
        let all = self.0.lock();
        self.each_of(&all, &mut |cleaner| mem::forget(cleaner.backlog().lock()));
        mem::forget(all);
    }

    /// # Safety
    ///
    /// `lock_for_fork` was called before, in this process or by its parent for it.
    pub(crate) unsafe fn unlock_after_fork(&self) {
        let unlock = |all: &VecDeque<NonNull<Shared<D>>>| {
            for cleaner in all {
                // SAFETY: it has not left, and cannot while this is locked.
                let backlog = unsafe { cleaner.as_ref() }.backlog();
                // SAFETY: held since `lock_for_fork`, which forgot its guard.
                unsafe { backlog.unlock() };
            }
        };
        // SAFETY: held since `lock_for_fork`, which forgot its guard.
        unsafe { self.0.look(unlock) };
        // SAFETY: as above.
        unsafe { self.0.unlock() };
    }

    /// In a new child, after that; or in one that was made past the handlers of a fork.
    pub(crate) fn forked(&self) {
        self.each(|cleaner| cleaner.backlog().lock().forked());
    }
}

impl<D: Door> Registry<D> {
    /// How each cleaner is doing, in the order of their creation.
    pub fn cleaners(&self) -> Vec<CleanerState> {
        let mut states = Vec::new();
        loop {
            // Nothing is allocated under the lock: room is made before, until it suffices.
            let mut count = 0;
            self.cleaners.each(|cleaner| {
                count += 1;
                if count <= states.capacity() {
                    states.push(cleaner.state());
                }
            });
            if count <= states.capacity() {
                return states;
            }
            states = Vec::with_capacity(count);
        }
    }
}

/// Whether there is room for one more; `spare`, if it has more, becomes the queue. Nothing is allocated.
pub(crate) fn make_room<T>(queue: &mut VecDeque<T>, spare: &mut VecDeque<T>) -> bool {
    if queue.len() < queue.capacity() {
        return true;
    }
    if spare.capacity() <= queue.len() {
        return false;
    }
    spare.append(queue);
    mem::swap(queue, spare);
    true
}
