//! A cleaner: a thread that runs the callbacks of what dies on others.
//!
//! A finalizer that has one is *handed over* when its object dies: it waits (see `pause`), **alive and in
//! the registry**, and the cleaner's *backlog* remembers it. The cleaner's thread, which the first one
//! starts, claims and runs what is in the backlog, in the order of death. From that follows the rest:
//!
//! - An explicit call of what waits wins or loses its claim as ever, and runs where it is made.
//! - At the end of the program the thread takes nothing more from the backlog. The drain runs it, in its
//!   own order, newest first; and it waits for the one callback that the thread is in.
//! - In a forked child the backlog means nothing: what waited in the parent, the parent runs. The child
//!   starts a thread of its own when something dies there. The copy of a cleaner's thread that has forked
//!   is a thread like others: it comes to its end when its callback returns.
//!
//! The backlog is bounded. Where it is full, either who drops the object *helps*, by running the callback
//! there and then, or he *blocks* until there is room. A cleaner's thread never blocks, not for another
//! cleaner either, which might wait for this one: it helps.

use std::collections::VecDeque;
use std::mem;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use crate::backlog::{Backlog, Worker};
use crate::cleaners::{CleanerState, make_room};
use crate::ending::LARGE_STACK;
use crate::event::Event;
use crate::lock::{Guard, Lock};
use crate::node::Node;
use crate::registry::{Door, Registry};
use crate::sync::{Deadline, MODELLED, cleans, set_cleans, thread_number};
use crate::thread;

/// What happens to a callback that finds the backlog full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It runs at once, on the thread that dropped the object.
    Help,
    /// That thread waits until there is room.
    Block,
}

/// A thread that runs callbacks, and what waits for it. When the last handle goes, the backlog is brought
/// to its end, and the thread ends.
pub struct Cleaner<D: Door>(Arc<Handle<D>>);

struct Handle<D: Door>(Arc<Listed<D>>);

/// What the thread has, too: a place in the registry's list of cleaners. As long as it is there, others
/// may be looking at it. So it is behind a pointer, of which no exclusive reference is made before it
/// has left.
struct Listed<D: Door>(NonNull<Shared<D>>);

// SAFETY: it only owns what is shared between threads as it is.
unsafe impl<D: Door> Send for Listed<D> {}
// SAFETY: as above.
unsafe impl<D: Door> Sync for Listed<D> {}

pub(crate) struct Shared<D: Door> {
    registry: &'static Registry<D>,
    name: Arc<str>,
    limit: usize,
    when_full: WhenFull,
    backlog: Lock<Backlog, D::Exclusion>,
    /// For the cleaner's thread: there is something to do.
    work: Event,
    /// For others: something has been done.
    progress: Event,
}

/// One that was taken from the backlog, with the hold that it had there; and the how manieth it was.
struct Turn {
    node: NonNull<Node>,
    number: u64,
}

impl<D: Door> Clone for Cleaner<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Door> Drop for Handle<D> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<D: Door> Listed<D> {
    fn new(shared: Shared<D>) -> Self {
        let registry = shared.registry;
        let shared = NonNull::from(Box::leak(Box::new(shared)));
        registry.cleaners.add(shared);
        Self(shared)
    }
}

impl<D: Door> Deref for Listed<D> {
    type Target = Shared<D>;

    fn deref(&self) -> &Shared<D> {
        // SAFETY: freed by the drop of this alone.
        unsafe { self.0.as_ref() }
    }
}

impl<D: Door> Drop for Listed<D> {
    fn drop(&mut self) {
        self.registry.cleaners.remove(self.0);
        // SAFETY: made of a box in `new`; and now nobody else leads to it.
        let shared = unsafe { Box::from_raw(self.0.as_ptr()) };
        let waiting = mem::take(&mut shared.lock().waiting);
        // SAFETY: each had a hold, and nothing is locked.
        unsafe { release_all::<D>(waiting) };
    }
}

impl<D: Door> Cleaner<D> {
    /// A cleaner which backlog holds so many, one at least. Its thread starts when there is something to
    /// do.
    pub fn new(
        registry: &'static Registry<D>,
        name: &str,
        limit: usize,
        when_full: WhenFull,
    ) -> Self {
        let shared = Shared {
            registry,
            name: name.into(),
            limit: limit.max(1),
            when_full,
            backlog: Lock::new(Backlog::new()),
            work: Event::new(),
            progress: Event::new(),
        };
        Self(Arc::new(Handle(Arc::new(Listed::new(shared)))))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.0.name
    }

    /// How many may wait for it.
    pub fn limit(&self) -> usize {
        self.0.0.limit
    }

    /// How it is doing.
    pub fn state(&self) -> CleanerState {
        self.0.0.state()
    }

    /// Takes a finalizer over, and one hold on it. False: it is the caller's to run.
    pub(crate) fn take(&self, node: NonNull<Node>) -> bool {
        self.0.0.take(node, || start(&self.0.0))
    }

    /// Waits until everything that was handed over before has run, for so long at most. False: it has
    /// not, as the time was spent, or the program ends.
    ///
    /// Called on the cleaner's own thread, in a callback, it runs that itself.
    pub fn drain(&self, timeout: Option<Duration>) -> bool {
        self.drain_to(self.handed(), timeout)
    }

    /// The same, for what had been handed over when there were so many: for who waits in pieces.
    pub fn drain_to(&self, last: u64, timeout: Option<Duration>) -> bool {
        self.0.0.drain_to(last, timeout.map_or(Deadline::NEVER, Deadline::after))
    }

    /// How many were handed over so far.
    pub fn handed(&self) -> u64 {
        self.0.0.backlog.lock().handed
    }

    /// From now on nothing is handed over any more: callbacks run where their objects die. What waits
    /// still runs.
    pub fn close(&self) {
        self.0.0.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.0.0.backlog.lock().closed
    }

    /// What the cleaner's thread does. For models, which have no other threads than their own.
    #[doc(hidden)]
    pub fn work(&self) {
        let listed = Arc::clone(&self.0.0);
        listed.work(true);
    }
}

type Locked<'a, D> = Guard<'a, Backlog, <D as Door>::Exclusion>;

impl<D: Door> Shared<D> {
    pub(crate) fn backlog(&self) -> &Lock<Backlog, D::Exclusion> {
        &self.backlog
    }

    pub(crate) fn state(&self) -> CleanerState {
        let backlog = self.backlog.lock();
        CleanerState {
            name: Arc::clone(&self.name),
            waiting: backlog.waiting.len(),
            limit: self.limit,
            running: backlog.running.is_some(),
            handed: backlog.handed,
        }
    }

    /// Whether its thread is running a callback, and is not this one.
    pub(crate) fn runs_elsewhere(&self) -> bool {
        let backlog = self.backlog.lock();
        backlog.running.is_some() && !backlog.is_worker()
    }

    /// The end of the program has begun, or this is closed: whoever waits has a look.
    pub(crate) fn wake_all(&self) {
        let mut backlog = self.backlog.lock();
        backlog.idle = false;
        self.work.happens();
        self.progress.happens();
        drop(backlog);
        self.work.wake();
        self.progress.wake();
    }

    fn close(&self) {
        self.backlog.lock().closed = true;
        self.wake_all();
    }

    /// The backlog, for one who hands something over, or waits. What waited in a parent is let go of
    /// first: not at the fork, as the host of a door may be anywhere then.
    fn lock(&self) -> Locked<'_, D> {
        let mut backlog = self.backlog.lock();
        if !backlog.inherited.is_empty() {
            let inherited = mem::take(&mut backlog.inherited);
            drop(backlog);
            // SAFETY: each had a hold, and nothing is locked.
            unsafe { release_all::<D>(inherited) };
            backlog = self.backlog.lock();
        }
        backlog
    }

    fn take(&self, node: NonNull<Node>, start: impl FnOnce()) -> bool {
        let mut spare = VecDeque::new();
        let mut backlog = self.lock();
        loop {
            if self.registry.is_ending() {
                // It waits, so the drain runs it.
                drop(backlog);
                // SAFETY: the hold is ours now, and nothing is locked.
                unsafe { D::release(node) };
                return true;
            }
            if backlog.closed {
                return false;
            }
            if backlog.waiting.len() >= self.limit {
                if self.when_full == WhenFull::Help || cleans() {
                    return false;
                }
                backlog.blocked += 1;
                backlog = self.wait(&self.progress, backlog, Deadline::NEVER);
                backlog.blocked -= 1;
            } else if make_room(&mut backlog.waiting, &mut spare) {
                break;
            } else {
                let room = backlog.waiting.len() * 2 + 4;
                drop(backlog);
                spare = VecDeque::with_capacity(room.min(self.limit));
                backlog = self.backlog.lock();
            }
        }
        backlog.waiting.push_back(node);
        backlog.handed += 1;
        self.see_to_it(backlog, start);
        true
    }

    /// There is something to do.
    fn see_to_it(&self, mut backlog: Locked<'_, D>, start: impl FnOnce()) {
        if backlog.worker == Worker::None {
            backlog.worker = Worker::Starting;
            drop(backlog);
            return start();
        }
        if backlog.idle {
            backlog.idle = false;
            self.work.happens();
            drop(backlog);
            self.work.wake();
        }
    }

    /// What the cleaner's thread does: until nobody has anything for it any more, or, if it is not to
    /// stay, until there is nothing to do.
    fn work(&self, stay: bool) {
        let before = set_cleans(true);
        // Before any foreign code, whose objects may die here: this thread must not wait for itself.
        self.backlog.lock().worker = Worker::Thread(thread_number());
        if stay {
            D::around_cleaner(&self.name, || self.work_off(true));
        } else {
            self.work_off(false);
        }
        set_cleans(before);
    }

    fn work_off(&self, stay: bool) {
        loop {
            while let Some(turn) = self.next() {
                self.run(&turn);
            }
            let mut backlog = self.backlog.lock();
            if !backlog.is_worker() {
                // A callback has forked: this is the child.
                return;
            }
            let more = !backlog.waiting.is_empty();
            if self.registry.is_ending() || !more && (backlog.closed || !stay) {
                backlog.worker = Worker::None;
                let left = mem::take(&mut backlog.waiting);
                drop(backlog);
                // The drain's. What waits holds the cleaner, and must not be held by it for ever.
                // SAFETY: each had a hold, and nothing is locked.
                return unsafe { release_all::<D>(left) };
            }
            if !more {
                backlog.idle = true;
                drop(self.wait(&self.work, backlog, Deadline::NEVER));
            }
        }
    }

    /// The next to run. None when there is none, or the program ends, or this is not the worker any more.
    fn next(&self) -> Option<Turn> {
        let mut backlog = self.backlog.lock();
        if self.registry.is_ending() || !backlog.is_worker() {
            return None;
        }
        let node = backlog.waiting.pop_front()?;
        let number = backlog.taken();
        backlog.running.get_or_insert(number);
        Some(Turn { node, number })
    }

    /// Runs it, if nobody else has.
    fn run(&self, turn: &Turn) {
        // SAFETY: it was in the registry when it was handed over, and that hold is ours.
        unsafe { self.registry.run_waiting(turn.node) };
        let mut backlog = self.backlog.lock();
        if backlog.is_worker() && backlog.running == Some(turn.number) {
            backlog.running = None;
        }
        let room = backlog.waiting.len() <= self.limit / 2;
        if backlog.barriers > 0 || backlog.blocked > 0 && room {
            self.progress.happens();
            drop(backlog);
            self.progress.wake();
        }
    }

    fn drain_to(&self, last: u64, deadline: Deadline) -> bool {
        let mut backlog = self.lock();
        // Counted before a fork, in the child it means nothing.
        let last = last.min(backlog.handed);
        if backlog.is_worker() {
            while backlog.taken() < last && !deadline.passed() {
                drop(backlog);
                let turn = self.next();
                turn.iter().for_each(|turn| self.run(turn));
                backlog = self.backlog.lock();
                if turn.is_none() {
                    break;
                }
            }
            return backlog.taken() >= last && !self.registry.is_ending();
        }
        while backlog.done() < last && !self.registry.is_ending() && !deadline.passed() {
            backlog.barriers += 1;
            backlog = self.wait(&self.progress, backlog, deadline);
            backlog.barriers -= 1;
        }
        // What is handed over when the program ends is the drain's, and not in the backlog.
        backlog.done() >= last && !self.registry.is_ending()
    }

    /// Gives the lock back, waits until the event happens, or the time is spent, and takes it again.
    fn wait<'a>(
        &'a self,
        event: &Event,
        backlog: Locked<'a, D>,
        deadline: Deadline,
    ) -> Locked<'a, D> {
        let seen = event.seen();
        drop(backlog);
        D::detached(|| event.wait(seen, deadline));
        self.backlog.lock()
    }
}

/// Starts the cleaner's thread.
#[cold]
fn start<D: Door>(listed: &Arc<Listed<D>>) {
    if MODELLED {
        return;
    }
    let own = Arc::clone(listed);
    let work = move || {
        // It may be the last that has it, and what is left is let go of attached.
        D::attached(move || own.work(true));
    };
    if thread::start(&thread::name(&listed.name), LARGE_STACK, work).is_err() {
        // There is no thread to be had: then it is this one's to do.
        listed.work(false);
    }
}

/// # Safety
///
/// Each of them has a hold that is the caller's to give up, and nothing is locked.
unsafe fn release_all<D: Door>(nodes: VecDeque<NonNull<Node>>) {
    for node in nodes {
        // SAFETY: this function's contract.
        unsafe { D::release(node) };
    }
}
