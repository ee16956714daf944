//! The registry: every live finalizer, in order of creation, and the ways in and out.
//!
//! A door keeps one registry in a static. Its nodes are spread over *shards*, each a list under a
//! lock of its own on a cache line of its own, so that threads that register at the same moment do
//! not wait for each other. A node stays with its shard; the order over all shards is a sequence
//! number, taken under the lock, so that each list is sorted by it (`order`).
//!
//! A node is linked from [`insert`](Registry::insert) until it is *finished*: after its callback
//! has run or was taken out. So the drain can see what is running elsewhere, and wait for it.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam_utils::CachePadded;

use crate::claim::{Claim, Peek};
use crate::cleaner::Cleaner;
use crate::cleaners::Cleaners;
use crate::drain::Running;
use crate::exit_report::ExitReport;
use crate::heir::Heir;
use crate::inherited::Inherited;
use crate::list::{place_of, sequence_of};
use crate::lock::{Exclusion, Guard, Lock};
use crate::node::{Node, Place};
use crate::order::Order;
use crate::pause::Pause;
use crate::report::{Cause, Description, Problem, Report, Reporter};
use crate::shard::{Phase, Shard};
use crate::state::{Claimed, Due};
use crate::sync::{AtomicBool, Moment, SHARDS, back_off, constructor, each, thread_number};
use crate::totals::Slowest;

/// What the engine asks of a door about one of its nodes.
///
/// # Safety
///
/// `retain` and `release` count the holds on a node, which stays alive and in its place while one
/// is left; `untie` neither allocates, nor blocks, nor runs foreign code. If `Exclusion` is
/// [`ByHost`](crate::ByHost), no two threads call the registry at the same time, but for the
/// handlers of a fork.
pub unsafe trait Door: Sized + 'static {
    /// Who lets one thread at a time into the lists.
    type Exclusion: Exclusion;

    /// Takes the callback out and runs it, lets no panic out, and reports what went wrong, and how
    /// long it took if it is told when it began.
    ///
    /// # Safety
    ///
    /// Nothing was taken out under this claim before.
    unsafe fn run(claim: Claim<'_, Self>, cause: Cause, begun: Option<Moment>);

    /// Takes the callback out and drops it, lets no panic out, and reports what went wrong.
    ///
    /// # Safety
    ///
    /// Nothing was taken out under this claim before.
    unsafe fn discard(claim: Claim<'_, Self>);

    /// What the finalizer is about.
    ///
    /// # Safety
    ///
    /// The caller has a hold.
    unsafe fn describe(node: NonNull<Node>) -> Description;

    /// Reports as unfinished what other threads are running, where that is known to the door alone.
    fn report_running(_cause: Cause) {}

    /// Shows this thread's pause.
    fn pause<R>(look: impl FnOnce(&Pause) -> R) -> R;

    /// The cleaner that is to run the callback when the object dies, if it has one.
    ///
    /// # Safety
    ///
    /// The caller has a hold, as long as this is used.
    unsafe fn cleaner<'a>(node: NonNull<Node>) -> Option<&'a Cleaner<Self>>;

    /// Does the work of a thread of the engine's own that runs callbacks.
    fn attached(work: impl FnOnce()) {
        work();
    }

    /// Runs `work`, which is all that the thread of the cleaner of this name does. Foreign code may run
    /// around it: by then the thread is known as the cleaner's.
    fn around_cleaner(_name: &str, work: impl FnOnce()) {
        work();
    }

    /// Waits in this way, and lets others into the host meanwhile.
    fn detached(wait: impl FnOnce() + Send) {
        wait();
    }

    /// Lets time pass, longer with each round, until another thread has done something.
    fn wait(round: u32) {
        back_off(round);
    }

    /// Adds a hold.
    ///
    /// # Safety
    ///
    /// The caller, or the registry, has a hold.
    unsafe fn retain(node: NonNull<Node>);

    /// Gives up a hold; the last frees the node.
    ///
    /// # Safety
    ///
    /// The caller has a hold, and the engine's lock is not held.
    unsafe fn release(node: NonNull<Node>);

    /// Called when a finished node leaves the registry, under the lock that guards it: takes it
    /// out of any list of the door's own. False: the door keeps the hold that the registry had.
    ///
    /// # Safety
    ///
    /// Only the engine calls this.
    unsafe fn untie(node: NonNull<Node>) -> bool;
}

/// All live finalizers of one door.
pub struct Registry<D: Door> {
    pub(crate) shards: [CachePadded<Lock<Shard, D::Exclusion>>; SHARDS],
    pub(crate) order: Order,
    pub(crate) inherited: Inherited,
    pub(crate) heir: Heir,
    pub(crate) reporter: Reporter,
    pub(crate) running: Running,
    pub(crate) slowest: Slowest,
    pub(crate) cleaners: Cleaners<D>,
    pub(crate) exit_report: ExitReport,
    /// Whether the end of the program has begun. Changed under all locks.
    ending: AtomicBool,
    door: PhantomData<fn() -> D>,
}

/// A shard of a door's registry, locked.
pub(crate) type Locked<'a, D> = Guard<'a, Shard, <D as Door>::Exclusion>;

impl<D: Door> Registry<D> {
    constructor! {
        /// An empty registry. It must not move once a node is in it.
        #[expect(clippy::new_without_default, reason = "made once, in a static")]
        pub fn new() -> Self {
            Self {
                shards: each![CachePadded::new(Lock::new(Shard::new())); SHARDS],
                order: Order::new(),
                inherited: Inherited::new(),
                heir: Heir::new(),
                reporter: Reporter::new(),
                running: Running::new(),
                slowest: Slowest::new(),
                cleaners: Cleaners::new(),
                exit_report: ExitReport::new(),
                ending: AtomicBool::new(false),
                door: PhantomData,
            }
        }
    }

    /// The shard for what this thread creates.
    #[inline]
    pub fn shard_of_this_thread() -> u8 {
        (thread_number() as usize % SHARDS) as u8
    }

    /// Enters a finalizer as the newest of all. `tie` runs under the lock: there a door links the
    /// node into a list of its own. False if the door is shut, so that the finalizer will never run.
    ///
    /// # Safety
    ///
    /// `node` is new, and one hold on it passes to the registry. `tie` keeps the rules of the lock:
    /// no allocation, no blocking, no foreign code.
    #[inline]
    pub unsafe fn insert(&self, node: NonNull<Node>, tie: impl FnOnce()) -> bool {
        // SAFETY: the registry now has a hold, so the node is alive.
        let node_ref = unsafe { node.as_ref() };
        let mut shard = self.lock(node_ref.shard());
        let sequence = self.order.next::<D::Exclusion>();
        // SAFETY: the lock is held.
        node_ref.sequence.with_mut(|it| unsafe { *it = sequence });
        let place = match shard.phase {
            Phase::Open => Place::Pending,
            phase => Self::place_at_the_end(phase, node_ref),
        };
        // SAFETY: the lock is held, and the registry has a hold.
        unsafe { shard.shift(node, place) };
        shard.tally.created += 1;
        tie();
        place != Place::Aside
    }

    /// Where a new node belongs once the program ends.
    #[cold]
    fn place_at_the_end(phase: Phase, node: &Node) -> Place {
        match phase {
            Phase::Draining { thread } if thread == thread_number() => Place::Pending,
            Phase::Draining { .. } => Place::Late,
            _ => {
                node.state.shut();
                // The door reports it.
                node.state.tell();
                Place::Aside
            }
        }
    }

    /// Claims the callback: for one caller in the life of a node this is `Some`.
    ///
    /// During a peek on another thread, or further up on this one, it is `None` for everybody, and
    /// the first who came has his `due` done by the peeker.
    ///
    /// # Safety
    ///
    /// `node` is in this registry, and the caller has a hold on it until the claim is dropped.
    #[inline]
    pub unsafe fn claim(&self, node: NonNull<Node>, due: Due) -> Option<Claim<'_, D>> {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        match node_ref.state.claim(due) {
            Claimed::Won => Some(self.won(node, due)),
            Claimed::Shut => {
                // SAFETY: claimed just now, and the caller has a hold.
                unsafe { self.end_too_late(node) };
                None
            }
            Claimed::Lost => None,
        }
    }

    /// What follows a claim that was won just now, before anything is done with it.
    #[inline]
    pub(crate) fn won(&self, node: NonNull<Node>, due: Due) -> Claim<'_, D> {
        // SAFETY: whoever claims has a hold.
        let node_ref = unsafe { node.as_ref() };
        node_ref.store_thread(thread_number());
        // SAFETY: written when the node was entered, which came before any claim.
        self.heir.claimed(|| unsafe { sequence_of(node_ref) });
        Claim { registry: self, node, due }
    }

    /// The right to look at the callback, for one caller at a time; `None` if the finalizer is
    /// dead, or somebody else looks.
    ///
    /// # Safety
    ///
    /// As for [`claim`](Self::claim), until the peek is dropped.
    pub unsafe fn peek(&self, node: NonNull<Node>) -> Option<Peek<'_, D>> {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        if !node_ref.state.peek() {
            return None;
        }
        node_ref.store_thread(thread_number());
        Some(Peek { registry: self, node })
    }

    /// Whether the drain is to run the finalizer. One that the running drain has already passed
    /// over runs next when it is turned on.
    ///
    /// # Safety
    ///
    /// `node` is in this registry or was, and the caller has a hold on it.
    pub unsafe fn set_at_exit(&self, node: NonNull<Node>, on: bool) {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        let mut shard = self.lock(node_ref.shard());
        let turned_on = on && !node_ref.at_exit();
        node_ref.store_at_exit(on);
        if turned_on {
            // SAFETY: the lock is held; the registry keeps its hold.
            unsafe { self.have_drained(&mut shard, node) };
        }
    }

    /// Something has changed: if the running drain has passed over this node, it is its turn again.
    ///
    /// # Safety
    ///
    /// `shard` guards the node, which is in this registry or was, and is alive.
    pub(crate) unsafe fn have_drained(&self, shard: &mut Shard, node: NonNull<Node>) {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        // SAFETY: the lock is held.
        let passed_over = unsafe { place_of(node_ref) } == Place::Aside;
        // Only what can run: one that the drain would pass over again must not keep it going.
        let can_run = node_ref.is_alive() && self.concerns_drain(node_ref);
        if passed_over && can_run && matches!(shard.phase, Phase::Draining { .. }) {
            // SAFETY: the lock is held; the registry keeps its hold.
            unsafe { shard.shift(node, Place::Pending) };
        }
    }

    /// Runs `work` under the lock that guards `node`. It is told whether the registry, too, has
    /// let go of the node: then the hold is the door's to release.
    ///
    /// # Safety
    ///
    /// `node` was entered in this registry and is alive. `work` keeps the rules of the lock: no
    /// allocation, no blocking, no foreign code.
    pub unsafe fn locked<R>(&self, node: NonNull<Node>, work: impl FnOnce(bool) -> R) -> R {
        // SAFETY: this function's contract.
        let node = unsafe { node.as_ref() };
        let _shard = self.lock(node.shard());
        // SAFETY: the lock is held.
        work(unsafe { place_of(node) } == Place::Nowhere)
    }

    /// The place of a node in the order of creation, without the lock.
    ///
    /// # Safety
    ///
    /// `node` is held, and this thread has inserted it: nobody writes that place later.
    #[inline]
    pub unsafe fn sequence(&self, node: NonNull<Node>) -> u64 {
        // SAFETY: this function's contract.
        let node = unsafe { node.as_ref() };
        // SAFETY: as above; no lock is needed where nobody writes.
        unsafe { sequence_of(node) }
    }

    /// Whether the drain is to run this, if it is alive. Under the lock that guards it.
    ///
    /// What waits because its object died in this process is this process's to run, whoever created it;
    /// what an ancestor left waiting is its heir's.
    pub(crate) fn concerns_drain(&self, node: &Node) -> bool {
        let wanted = node.at_exit() || node.is_waiting();
        wanted && !self.passes_over(node) || node.waits_in(self.inherited.generation())
    }

    /// Whether the node is a parent's. Under the lock that guards it.
    pub(crate) fn is_inherited(&self, node: &Node) -> bool {
        // SAFETY: under the lock.
        self.inherited.node(unsafe { sequence_of(node) })
    }

    /// Whether the drain passes over the node, as a parent's. Under the lock that guards it.
    pub(crate) fn passes_over(&self, node: &Node) -> bool {
        // SAFETY: under the lock.
        self.inherited.passes_over(unsafe { sequence_of(node) })
    }

    /// Reports that something will never run, as it found the door shut.
    #[cold]
    pub fn report_too_late(&self, of: &Description) {
        self.report(self.running.cause(), of, Problem::TooLate, None);
    }

    /// Says whether the end of the program has begun. Under all locks.
    pub(crate) fn set_ending(&self, ending: bool) {
        // Relaxed: who has to know is woken after that, by a lock; others may find out a little later.
        self.ending.store(ending, Relaxed);
    }

    /// Whether the end of the program has begun.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Relaxed)
    }

    /// Whether the drain has begun to run callbacks.
    pub(crate) fn has_begun_to_drain(&self) -> bool {
        self.running.turns() > 0
    }

    /// How many reports there were: whoever waits for them sees that they go on.
    pub(crate) fn reports(&self) -> u64 {
        self.reporter.count()
    }

    /// Reports a failure through the one hook; with how long it took, if it is told when it began.
    pub fn report(
        &self,
        cause: Cause,
        of: &Description,
        problem: Problem<'_>,
        begun: Option<Moment>,
    ) {
        self.reporter.report(cause, of, problem, begun);
    }

    /// This moment, if somebody wants to know how long callbacks take that are not the drain's.
    #[inline]
    pub fn moment(&self) -> Option<Moment> {
        self.reporter.moment()
    }

    /// Sets the hook that gets the reports.
    pub fn set_hook(&self, hook: impl Fn(&Report<'_>) + Send + Sync + 'static) {
        drop(self.reporter.replace(Some(Arc::new(hook))));
    }

    /// Goes back to the default: a few lines to stderr for each failure.
    pub fn reset_hook(&self) {
        drop(self.reporter.replace(None));
    }

    /// The shard that now holds the nodes of `shard`, locked.
    #[inline]
    pub(crate) fn lock(&self, shard: u8) -> Locked<'_, D> {
        let guard = self.shards[usize::from(shard) % SHARDS].lock();
        if guard.phase == Phase::Merged {
            return self.lock_first(guard);
        }
        guard
    }

    /// All shards, locked in the order of their index, as for a fork, so that two who lock all
    /// cannot wait for each other.
    pub(crate) fn lock_all(&self) -> [Locked<'_, D>; SHARDS] {
        std::array::from_fn(|index| self.shards[index].lock())
    }

    #[cold]
    fn lock_first(&self, merged: Locked<'_, D>) -> Locked<'_, D> {
        drop(merged);
        self.shards[0].lock()
    }

    /// Ends a finalizer that found the door shut; the callback stays where it is. If it was to run at
    /// exit, the drain may be just about to report it: one of the two does.
    ///
    /// # Safety
    ///
    /// As for [`finish`](Self::finish).
    #[cold]
    pub(crate) unsafe fn end_too_late(&self, node: NonNull<Node>) {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        let tell = self.concerns_drain(node_ref) && node_ref.state.tell();
        // SAFETY: this function's contract.
        unsafe { self.end(node, None) };
        if tell {
            // SAFETY: this function's contract.
            let description = unsafe { D::describe(node) };
            self.report_too_late(&description);
        }
    }

    /// Takes a node that is done with out of the registry, and out of the door's own list.
    ///
    /// # Safety
    ///
    /// As for [`finish`](Self::finish).
    #[inline]
    pub(crate) unsafe fn end(&self, node: NonNull<Node>, by: Option<Due>) {
        // SAFETY: this is the engine, and `finish` calls it under the lock.
        let untie = || unsafe { D::untie(node) };
        // SAFETY: this function's contract.
        unsafe { self.finish(node, by, untie) };
    }

    /// Takes a node that is done with out of the registry, and counts by what it ended.
    ///
    /// # Safety
    ///
    /// The caller has claimed `node` and has a hold on it.
    #[inline]
    pub(crate) unsafe fn finish(
        &self,
        node: NonNull<Node>,
        by: Option<Due>,
        untie: impl FnOnce() -> bool,
    ) {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        let mut shard = self.lock(node_ref.shard());
        // SAFETY: the lock is held.
        unsafe { shard.shift(node, Place::Nowhere) };
        node_ref.state.finish(by);
        shard.tally.count(by);
        let release = untie();
        drop(shard);
        if release {
            // SAFETY: the hold is the one that `insert` took over, and nothing is locked.
            unsafe { D::release(node) };
        }
    }
}
