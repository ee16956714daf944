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

use std::mem;
use std::ptr::NonNull;
use std::time::Duration;

use crate::list::{List, older, sequence_of};
use crate::node::{Node, Place};
use crate::registry::{Claim, Door, Locked, Phase, Registry, Shard};
use crate::report::{Cause, Problem};
use crate::state::{Claimed, Due, Run};
use crate::sync::{Deadline, SHARDS, back_off, thread_number};

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
}

impl<D: Door> Registry<D> {
    /// Runs every live finalizer whose exit flag is on, newest first, then shuts the door for good.
    /// Waits up to `wait` for callbacks that other threads are running.
    ///
    /// A second drain runs nothing. If the first is still going on, on another thread, it waits for
    /// that, up to `wait`: a program must not end while it drains.
    pub fn drain(&self, wait: Duration) {
        if !self.begin_drain() {
            return self.wait_for_the_first_drain(wait);
        }
        let mut waiting = None;
        let mut round = 0;
        let mut last_round = false;
        loop {
            while let Some(claim) = self.next_due() {
                // SAFETY: claimed by `next_due`, and nothing was taken out yet.
                unsafe { D::run(claim, Cause::Exit) };
                // The wait begins when there is nothing else to do.
                waiting = None;
            }
            let deadline = *waiting.get_or_insert_with(|| Deadline::after(wait));
            match self.settle(deadline, last_round) {
                Rest::Pending { late } => last_round |= late,
                Rest::Busy => {
                    back_off(round);
                    round += 1;
                }
                Rest::Closing => self.report_all(Place::Late),
                Rest::Over => break,
            }
        }
        self.report_all(Place::Unfinished);
        // Last, as the program may end as soon as another thread sees it.
        self.shards[0].lock().phase = Phase::Shut;
    }

    /// False if a drain has begun before.
    fn begin_drain(&self) -> bool {
        let mut shards = self.lock_all();
        if shards[0].phase != Phase::Open {
            return false;
        }
        // SAFETY: all locks are held, and each shard but the first is marked as merged here.
        let all = unsafe { merge::<D>(&mut shards) };
        *shards[0].list(Place::Pending) = all;
        shards[1..].iter_mut().for_each(|shard| shard.phase = Phase::Merged);
        shards[0].phase = Phase::Draining { thread: thread_number() };
        true
    }

    fn wait_for_the_first_drain(&self, wait: Duration) {
        let deadline = Deadline::after(wait);
        let elsewhere = || match self.shards[0].lock().phase {
            Phase::Draining { thread } | Phase::Closing { thread } => thread != thread_number(),
            _ => false,
        };
        let mut round = 0;
        while elsewhere() && !deadline.passed() {
            back_off(round);
            round += 1;
        }
    }

    /// Claims the newest finalizer that is to run now.
    fn next_due(&self) -> Option<Claim<'_, D>> {
        let mut shard = self.shards[0].lock();
        loop {
            let node = shard.list(Place::Pending).newest()?;
            // SAFETY: the node is in a list, so the registry has a hold on it.
            let node_ref = unsafe { node.as_ref() };
            // SAFETY: the lock is held; the registry keeps its hold.
            unsafe { shard.shift(node, Place::Aside) };
            if self.is_inherited(node_ref) || !node_ref.at_exit() {
                continue;
            }
            // Nothing is marked as shut before nothing is pending.
            if node_ref.state.claim(Due::Run(Cause::Exit)) == Claimed::Won {
                node_ref.store_thread(thread_number());
                return Some(Claim { registry: self, node });
            }
        }
    }

    /// Nothing is pending: shuts the door, unless others are to be waited for, or have registered
    /// something and this is not the last round.
    fn settle(&self, deadline: Deadline, last_round: bool) -> Rest {
        let me = thread_number();
        let mut shard = self.shards[0].lock();
        let busy =
            |list: &List| !deadline.passed() && list.iter().any(|node| self.runs_elsewhere(node));
        if shard.phase == (Phase::Draining { thread: me }) {
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
            self.mark(&mut shard);
            shard.phase = Phase::Closing { thread: me };
            return Rest::Closing;
        }
        if busy(shard.list(Place::Unfinished)) { Rest::Busy } else { Rest::Over }
    }

    /// Marks every node as shut, and picks out what may have to be reported: what came too late
    /// stays where it is, what is not finished gets a list of its own.
    fn mark(&self, shard: &mut Shard) {
        // SAFETY: the lock is held.
        unsafe { shard.shift_all(Place::Late, Place::Aside) };
        let mut next = shard.list(Place::Aside).newest();
        while let Some(node) = next {
            // SAFETY: the lock is held, and the node is in a list, so it is alive.
            next = unsafe { older(node) };
            // SAFETY: as above.
            let node_ref = unsafe { node.as_ref() };
            node_ref.state.shut();
            let place = match self.problem(node_ref) {
                Some(Problem::TooLate) => Place::Late,
                Some(_) => Place::Unfinished,
                None => continue,
            };
            // SAFETY: the lock is held; the registry keeps its hold.
            unsafe { shard.shift(node, place) };
        }
    }

    /// What is wrong with a node when the door is shut. Under the lock.
    fn problem(&self, node: &Node) -> Option<Problem<'static>> {
        // What this thread was looking at is lost. What it was running called `exit`: cut short by
        // itself, that is nobody's failure.
        let lost = node.thread() == thread_number() && node.state.run() == Some(Run::Due);
        if lost || self.runs_elsewhere(node) {
            return Some(Problem::Unfinished);
        }
        let late = node.is_alive() && node.at_exit() && !self.is_inherited(node);
        late.then_some(Problem::TooLate)
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

    /// Reports what `mark` put into this list.
    fn report_all(&self, place: Place) {
        while let Some((node, problem)) = self.next_to_report(place) {
            // SAFETY: `next_to_report` took a hold for us.
            let description = unsafe { D::describe(node) };
            self.report(Cause::Exit, description, problem);
            // SAFETY: the hold is ours, and nothing is locked.
            unsafe { D::release(node) };
        }
    }

    /// One more node to report, with a hold for the caller.
    fn next_to_report(&self, place: Place) -> Option<(NonNull<Node>, Problem<'static>)> {
        let mut shard = self.shards[0].lock();
        loop {
            let node = shard.list(place).newest()?;
            // SAFETY: the lock is held; the registry keeps its hold.
            unsafe { shard.shift(node, Place::Aside) };
            // SAFETY: the node is in a list, so the registry has a hold on it.
            let node_ref = unsafe { node.as_ref() };
            // Once more, as it may have come to its end meanwhile.
            if let Some(problem) = self.problem(node_ref) {
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
