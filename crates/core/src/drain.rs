//! The drain: running what is left when the program ends, newest first.
//!
//! 1. The shards become one: their lists are merged by sequence number into the first, whose lock
//!    from then on guards every node.
//! 2. The newest pending node is put aside, claimed and run, until none is pending. What callbacks
//!    register meanwhile is newest, so it runs next. What is not to run at exit, or is busy
//!    elsewhere, is put aside and nothing else.
//! 3. Callbacks that other threads are running are waited for, for a bounded time; unbounded, this
//!    would hang whenever one of them calls `exit` itself.
//! 4. What other threads registered since the drain began runs now. Not before, and not for as
//!    long as they go on: threads that never stop registering must neither keep older finalizers
//!    from running nor the program from ending.
//! 5. The door shuts: every node left is marked, and a later claim to run it finds the mark. What
//!    came too late to run is reported. What other threads had begun until then is waited for as
//!    well, and reported if it is still running.
//!
//! It may be **cut short**: by itself, between two callbacks, when its time is spent; by another thread
//! (see `ending`) when a callback does not return, or another signal comes. Then every node is marked
//! at once, and what is running, and all that was yet to run, is reported. The draining thread, if
//! it comes back, finds nothing pending, and waits for the end of the process.

use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::claim::Claim;
use crate::list::{List, sequence_of};
use crate::node::{Node, Place};
use crate::registry::{Door, Locked, Registry};
use crate::report::{Cause, Problem};
use crate::shard::{Phase, Shard};
use crate::state::{Claimed, Due, Run};
use crate::sync::{
    AtomicBool, AtomicU32, AtomicU64, Deadline, MODELLED, Moment, SHARDS, constructor,
    thread_number,
};

/// What a drain is for, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What ends the program.
    pub cause: Cause,
    /// How long to wait for a callback that another thread is running.
    pub wait: Duration,
    /// How long all of it may take; `None`: as long as it takes.
    pub budget: Option<Duration>,
    /// The program ends after this, and nothing on this thread goes on. So a drain further up on this
    /// very thread, a callback of which ends the program, is gone on with; and one on another thread is
    /// cut when it gets stuck.
    pub last: bool,
}

/// What the drain is running, for other threads.
pub(crate) struct Running {
    thread: AtomicU32,
    since: AtomicU64,
    /// How many callbacks it has begun.
    turns: AtomicU64,
    /// It is for a signal.
    by_signal: AtomicBool,
}

impl Running {
    constructor! {
        pub(crate) fn new() -> Self {
            Self {
                thread: AtomicU32::new(0),
                since: AtomicU64::new(0),
                turns: AtomicU64::new(0),
                by_signal: AtomicBool::new(false),
            }
        }
    }

    /// The draining thread begins to run the next callback.
    #[inline]
    fn begin(&self) -> Moment {
        let now = Moment::now();
        // Relaxed, here and below: what a report says, and how long a wait lasts, hangs on it.
        self.thread.store(thread_number(), Relaxed);
        self.since.store(now.to_word(), Relaxed);
        self.turns.store(self.turns.load(Relaxed) + 1, Relaxed);
        now
    }

    /// Since when, if this thread is the one that drains.
    fn since(&self, thread: u32) -> Option<Moment> {
        let drains = self.thread.load(Relaxed) == thread;
        drains.then(|| Moment::from_word(self.since.load(Relaxed)))
    }

    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Relaxed)
    }

    /// What ends the program.
    fn is_for(&self, cause: Cause) {
        self.by_signal.store(cause == Cause::Signal, Relaxed);
    }

    pub(crate) fn cause(&self) -> Cause {
        if self.by_signal.load(Relaxed) { Cause::Signal } else { Cause::Exit }
    }
}

/// What the drain found when nothing was pending any more.
enum Rest {
    /// Something is pending after all: other threads registered it, or turned it on.
    Pending { late: bool },
    /// Other threads are still busy with callbacks.
    Busy,
    /// The door is shut now.
    Closing,
    /// What others had begun has come to its end, or they were waited for long enough.
    Over,
    /// Another thread has cut the drain short, and ends the process.
    Cut,
}

impl<D: Door> Registry<D> {
    /// Runs every live finalizer whose exit flag is on, newest first, then shuts the door for good.
    ///
    /// A second drain runs nothing. If the first is still going on, on another thread, it waits for
    /// that, as long as it would for each callback: a program must not end while it drains. If it is the
    /// last, it cuts the first when that gets stuck. (One on a thread that ends the program for a signal
    /// waits without end: the program is ending already, and another signal ends the wait.)
    pub fn drain(&self, terms: &Terms) {
        if !self.begin_drain(terms.last) {
            return self.wait_for_the_first_drain(terms);
        }
        self.running.is_for(terms.cause);
        let end = terms.budget.map_or(Deadline::NEVER, Deadline::after);
        let mut waiting = None;
        let mut round = 0;
        let mut last_round = false;
        loop {
            while let Some(claim) = self.next_due(terms.cause, end) {
                let begun = self.running.begin();
                // SAFETY: claimed by `next_due`, and nothing was taken out yet.
                unsafe { D::run(claim, terms.cause, Some(begun)) };
                // The wait begins when there is nothing else to do.
                waiting = None;
            }
            if end.passed() {
                return self.cut(terms.cause);
            }
            let deadline = *waiting.get_or_insert_with(|| Deadline::after(terms.wait));
            match self.settle(deadline, last_round) {
                Rest::Pending { late } => last_round |= late,
                Rest::Busy => {
                    D::wait(round);
                    round += 1;
                }
                Rest::Closing => self.report_all(Place::Late, terms.cause),
                Rest::Over => break,
                Rest::Cut => return self.wait_for_another(),
            }
        }
        self.report_all(Place::Unfinished, terms.cause);
        D::report_running(terms.cause);
        self.shut(terms.cause);
    }

    /// Cuts the end of the program short: nothing begins to run any more. Reports what is running
    /// and what is skipped; what is due by now to end up on another thread, is not waited for.
    ///
    /// To be followed by the end of the process.
    pub fn cut(&self, cause: Cause) {
        let mut shards = self.lock_all();
        let is_first = shards[0].phase == Phase::Open;
        match shards[0].phase {
            Phase::Closing { cut: true, .. } | Phase::Shut => {
                drop(shards);
                return self.wait_for_another();
            }
            // SAFETY: all locks are held, and `begin` marks each shard but the first as merged.
            Phase::Open => unsafe { self.begin(&mut shards) },
            _ => {}
        }
        shards[0].phase = Phase::Closing { thread: thread_number(), cut: true };
        self.mark(&mut shards[0]);
        drop(shards);
        self.cleaners.wake_all();
        self.running.is_for(cause);
        if is_first {
            self.begin_exit_report();
        }
        // Before it is told that nobody will run it.
        self.heir.disinherit();
        self.report_all(Place::Unfinished, cause);
        D::report_running(cause);
        self.report_all(Place::Late, cause);
        self.shut(cause);
    }

    /// Last, as the program may end as soon as another thread sees it.
    fn shut(&self, cause: Cause) {
        self.end_exit_report(cause);
        self.shards[0].lock().phase = Phase::Shut;
    }

    /// Whether this is the drain that runs what is left.
    fn begin_drain(&self, last: bool) -> bool {
        let mut shards = self.lock_all();
        let me = thread_number();
        if last && shards[0].phase == (Phase::Draining { thread: me }) {
            return true;
        }
        if shards[0].phase != Phase::Open {
            return false;
        }
        // SAFETY: all locks are held.
        unsafe { self.begin(&mut shards) };
        drop(shards);
        self.cleaners.wake_all();
        self.take_over();
        self.begin_exit_report();
        true
    }

    /// Begins a drain by this thread.
    ///
    /// # Safety
    ///
    /// All locks are held, and none has begun.
    unsafe fn begin(&self, shards: &mut [Locked<'_, D>; SHARDS]) {
        // SAFETY: each shard but the first is marked as merged here.
        let all = unsafe { merge::<D>(shards) };
        *shards[0].list(Place::Pending) = all;
        shards[1..].iter_mut().for_each(|shard| shard.phase = Phase::Merged);
        shards[0].phase = Phase::Draining { thread: thread_number() };
        self.set_ending(true);
    }

    /// Settles what of its parents' is this process's to run.
    fn take_over(&self) {
        if MODELLED {
            return;
        }
        let mut estate = self.heir.lock();
        self.settle_stranger(&mut estate);
        self.heir.disinherit();
        let mut shard = self.shards[0].lock();
        let oldest = shard.list(Place::Pending).oldest();
        // SAFETY: the lock is held, and what is in a list is alive.
        let some = oldest.is_some_and(|node| self.passes_over(unsafe { node.as_ref() }));
        drop(shard);
        if some {
            self.inherit(&mut estate, true);
        }
    }

    fn wait_for_the_first_drain(&self, terms: &Terms) {
        if terms.cause == Cause::Signal && !terms.last {
            return self.wait_for_another();
        }
        let mut round = 0;
        let mut seen = self.running.turns();
        let mut deadline = Deadline::after(terms.wait);
        while self.drains_elsewhere() {
            let turns = self.running.turns();
            if turns != seen {
                // It has come further.
                (seen, deadline) = (turns, Deadline::after(terms.wait));
            } else if deadline.passed() {
                if terms.last {
                    self.cut(terms.cause);
                }
                return;
            }
            D::wait(round);
            round += 1;
        }
    }

    /// Waits until the drain of another thread is over, if there is one.
    fn wait_for_another(&self) {
        let mut round = 0;
        while self.drains_elsewhere() {
            D::wait(round);
            round += 1;
        }
    }

    fn drains_elsewhere(&self) -> bool {
        match self.shards[0].lock().phase {
            Phase::Draining { thread } | Phase::Closing { thread, .. } => thread != thread_number(),
            _ => false,
        }
    }

    /// Claims the newest finalizer that is to run now.
    fn next_due(&self, cause: Cause, end: Deadline) -> Option<Claim<'_, D>> {
        let mut shard = self.shards[0].lock();
        while !end.passed() {
            let node = shard.list(Place::Pending).newest()?;
            // SAFETY: the node is in a list, so the registry has a hold on it.
            let node_ref = unsafe { node.as_ref() };
            // SAFETY: the lock is held; the registry keeps its hold.
            unsafe { shard.shift(node, Place::Aside) };
            if !self.concerns_drain(node_ref) {
                continue;
            }
            // Nothing is marked as shut before nothing is pending.
            let due = Due::Run(cause);
            if node_ref.state.claim(due) == Claimed::Won {
                return Some(self.won(node, due));
            }
        }
        None
    }

    /// Nothing is pending: shuts the door, unless others are to be waited for, or have registered
    /// something and this is not the last round.
    fn settle(&self, deadline: Deadline, last_round: bool) -> Rest {
        let me = thread_number();
        // Apart from the lists: a door may end its claims before it runs callbacks.
        let cleaner_runs = !deadline.passed() && self.cleaners.any_runs_elsewhere();
        let mut shard = self.shards[0].lock();
        let busy = |list: &List| {
            let mut nodes = list.iter();
            !deadline.passed() && (cleaner_runs || nodes.any(|node| self.runs_elsewhere(node)))
        };
        let phase = shard.phase;
        match phase {
            Phase::Draining { .. } => {}
            Phase::Closing { cut: false, .. } if busy(shard.list(Place::Unfinished)) => {
                return Rest::Busy;
            }
            Phase::Closing { cut: false, .. } => return Rest::Over,
            _ => return Rest::Cut,
        }
        if shard.list(Place::Pending).newest().is_some() {
            return Rest::Pending { late: false };
        }
        if busy(shard.list(Place::Aside)) {
            return Rest::Busy;
        }
        if !last_round && shard.list(Place::Late).newest().is_some() {
            // SAFETY: the lock is held.
            unsafe { shard.shift_all(Place::Late, Place::Pending) };
            return Rest::Pending { late: true };
        }
        // From here on no run begins any more, so that the wait below has an end.
        shard.phase = Phase::Closing { thread: me, cut: false };
        self.mark(&mut shard);
        // A callback may have forked.
        self.heir.disinherit();
        Rest::Closing
    }

    /// Marks every node as shut, and picks out what may have to be reported: what did not run, which is
    /// something only when it came too late or the drain is cut, and what is not finished.
    fn mark(&self, shard: &mut Shard) {
        let mut left = [Place::Pending, Place::Late, Place::Aside].map(|place| shard.take(place));
        for list in &mut left {
            // From the oldest on, so that the newest is reported first.
            while let Some(node) = list.oldest() {
                // SAFETY: the lock is held, and the node is in a list, so it is alive.
                let node_ref = unsafe { node.as_ref() };
                node_ref.state.shut();
                let place = match self.problem(node_ref, shard.phase) {
                    Some(Problem::Unfinished) => Place::Unfinished,
                    Some(_) => Place::Late,
                    None => Place::Aside,
                };
                // SAFETY: the lock is held, and the node is in this list.
                unsafe { list.remove(node) };
                // SAFETY: the lock is held; the registry keeps its hold.
                unsafe { shard.list(place).push_newest(node) };
            }
        }
    }

    /// What is wrong with a node when the door is shut. Under the lock.
    fn problem(&self, node: &Node, phase: Phase) -> Option<Problem<'static>> {
        // What this thread was looking at is lost. What it was running called `exit`: cut short by
        // itself, that is nobody's failure.
        let lost = node.thread() == thread_number() && node.state.run() == Some(Run::Due);
        if lost || self.runs_elsewhere(node) {
            return Some(Problem::Unfinished);
        }
        let left = node.is_alive() && self.concerns_drain(node);
        let cut = matches!(phase, Phase::Closing { cut: true, .. });
        left.then_some(if cut { Problem::Skipped } else { Problem::TooLate })
    }

    /// Whether another thread is to bring a run of this node to its end. Under the lock.
    fn runs_elsewhere(&self, node: &Node) -> bool {
        let thread = node.thread();
        // 0: claimed just now; when inherited, most likely before the fork, by a thread that does not
        // exist here. (A claim in the child that has come just this far is missed.)
        let gone =
            if thread == 0 { self.is_inherited(node) } else { self.inherited.thread(thread) };
        node.state.run().is_some() && thread != thread_number() && !gone
    }

    /// Reports what was put into this list by `mark`.
    fn report_all(&self, place: Place, cause: Cause) {
        while let Some((node, problem)) = self.next_to_report(place) {
            // SAFETY: `next_to_report` took a hold for us.
            let description = unsafe { D::describe(node) };
            // SAFETY: as above.
            let thread = unsafe { node.as_ref() }.thread();
            let runs = matches!(problem, Problem::Unfinished);
            let begun = self.running.since(thread).filter(|_| runs);
            self.report(cause, &description, problem, begun);
            // SAFETY: the hold is ours, and nothing is locked.
            unsafe { D::release(node) };
        }
    }

    /// One more node to report, with a hold for the caller.
    fn next_to_report(&self, place: Place) -> Option<(NonNull<Node>, Problem<'static>)> {
        let mut shard = self.shards[0].lock();
        loop {
            let node = shard.list(place).newest()?;
            let phase = shard.phase;
            // SAFETY: the lock is held; the registry keeps its hold.
            unsafe { shard.shift(node, Place::Aside) };
            // SAFETY: the node is in a list, so the registry has a hold on it.
            let node_ref = unsafe { node.as_ref() };
            // Once more, as it may have come to its end meanwhile.
            let problem = self.problem(node_ref, phase);
            if let Some(problem) = problem.filter(|_| node_ref.state.tell()) {
                // What is reported as not having run is not to run later.
                node_ref.state.shut_for_good();
                // SAFETY: the registry has a hold.
                unsafe { D::retain(node) };
                return Some((node, problem));
            }
        }
    }
}

/// Takes the pending lists of all shards apart and makes one of them, in order.
///
/// # Safety
///
/// From now on one lock guards every node.
unsafe fn merge<D: Door>(shards: &mut [Locked<'_, D>; SHARDS]) -> List {
    let mut all = List::new(Place::Pending);
    loop {
        let mut newest = None;
        let mut left = 0;
        for (index, shard) in shards.iter_mut().enumerate() {
            if let Some(node) = shard.list(Place::Pending).newest() {
                left += 1;
                // SAFETY: the node is in a list, so it is alive.
                let node = unsafe { node.as_ref() };
                // SAFETY: all locks are held.
                newest = newest.max(Some((unsafe { sequence_of(node) }, index)));
            }
        }
        let Some((_, index)) = newest else { return all };
        let from = shards[index].list(Place::Pending);
        let mut part = List::new(Place::Pending);
        if left == 1 {
            mem::swap(from, &mut part);
        } else if let Some(node) = from.newest() {
            // SAFETY: all locks are held, and the node is in this list.
            unsafe { from.remove(node) };
            // SAFETY: as above; the registry keeps its hold.
            unsafe { part.push_newest(node) };
        }
        // SAFETY: all locks are held, and one guards every node from now on.
        unsafe { all.prepend(part) };
    }
}
