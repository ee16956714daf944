//! `fork`: what a child gets of its parent's registry.
//!
//! Other threads do not exist in the child. If one of them held a lock of ours at that moment,
//! nobody would ever give it back, and its lists could be half linked. So the locks are *held
//! across the fork*: the forking thread takes them all before, and parent and child each let go of
//! their copy after.
//!
//! A finalizer belongs to the process that created it. In a child the **drain** passes over what
//! was inherited: two processes must not remove the same directory. The death of an object in the
//! child, and an explicit call there, do act: they concern the child's copy of the object. There is
//! one exception, for daemons: see `heir`.
//!
//! # What cannot be helped
//!
//! - What another thread of the parent was running or looking at when the fork happened is dead in
//!   the child: nobody is left there to bring it to an end.
//! - A thread may be in `fork` while another is in `exit`, past the drain. There the C library forgets the
//!   handlers of the object files that it is done with: what was taken before that fork, nobody gives
//!   back in its child, which waits for ever when it uses finalizers.
//! - The handlers of another library (`pthread_atfork`) that were registered before these run while
//!   the locks are held. If they use finalizers, they wait for ever.

use std::mem;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use crate::ending;
use crate::heir::Estate;
use crate::process;
use crate::registry::{Door, Registry};
use crate::report::Cause;
use crate::shard::Phase;
use crate::sync::{MODELLED, back_off, thread_number};

impl<D: Door> Registry<D> {
    /// To be called in the forking thread before a fork. Until one of the other two is called, in
    /// this thread, every use of the registry waits.
    pub fn before_fork(&self) {
        let mut estate = mem::ManuallyDrop::new(self.heir.lock());
        self.settle_stranger(&mut estate);
        // Before the locks of the shards, as it allocates. What is registered between here and there is
        // left to nobody.
        if !MODELLED && self.shards.iter().any(|shard| shard.lock().nodes().next().is_some()) {
            self.inherit(&mut estate, false);
            self.heir.make_will(&estate, self.inherited.begins());
        }
        // In the order of their index, as in the drain.
        self.shards.iter().for_each(|shard| mem::forget(shard.lock()));
        self.reporter.lock_for_fork();
        self.slowest.lock_for_fork();
        self.cleaners.lock_for_fork();
        self.heir.before_fork(&mut estate, self.order.mark());
    }

    /// To be called in the parent after a fork.
    ///
    /// # Safety
    ///
    /// This thread called [`before_fork`](Self::before_fork) just before the fork.
    pub unsafe fn after_fork_in_parent(&self) {
        // SAFETY: held since `before_fork`.
        unsafe { self.cleaners.unlock_after_fork() };
        // SAFETY: held since `before_fork`.
        unsafe { self.slowest.unlock_after_fork() };
        // SAFETY: held since `before_fork`.
        unsafe { self.reporter.unlock_after_fork() };
        for shard in &self.shards {
            // SAFETY: held since `before_fork`, which forgot the guard.
            unsafe { shard.unlock() };
        }
        // SAFETY: as above.
        unsafe { self.heir.unlock_after_fork() };
    }

    /// To be called in the child after a fork.
    ///
    /// # Safety
    ///
    /// The thread that this one is a copy of called [`before_fork`](Self::before_fork) just before
    /// the fork.
    pub unsafe fn after_fork_in_child(&self) {
        self.inherited.begin_here(self.order.mark());
        self.know_process();
        // SAFETY: `before_fork` took the locks for this process as well.
        unsafe { self.after_fork_in_parent() };
        self.heir.in_child(&mut self.heir.lock());
        self.cleaners.forked();
        self.forget_totals();
        self.exit_report.forked();
        let mut first = self.shards[0].lock();
        // The drain of a parent's other thread does not go on here: this process has its own.
        let me = thread_number();
        match first.phase {
            Phase::Draining { thread } if thread != me => first.phase = Phase::Open,
            Phase::Closing { thread, .. } if thread != me => first.phase = Phase::Open,
            _ => {}
        }
        if first.phase == Phase::Open {
            self.set_ending(false);
        }
    }
}

impl<D: Door> Registry<D> {
    /// Takes down which process this is.
    pub(crate) fn know_process(&self) {
        self.inherited.know(process::number());
    }

    /// If this process was made past the handlers of a fork: nothing of what it finds is its own.
    pub(crate) fn settle_stranger(&self, estate: &mut Estate) {
        if MODELLED || !self.inherited.is_stranger(process::number()) {
            return;
        }
        let _shards = self.lock_all();
        self.inherited.begin_here(self.order.mark());
        self.know_process();
        self.cleaners.forked();
        self.heir.renounce(estate);
    }

    /// Makes this process's own what dead ancestors have left to it.
    pub(crate) fn inherit(&self, estate: &mut Estate, patient: bool) {
        let begins = self.heir.inherit(estate, self.inherited.begins(), patient);
        self.inherited.inherit_from(begins);
    }
}

/// A door whose one registry is there as long as the process.
pub trait Resident: Door {
    /// That registry.
    fn registry() -> &'static Registry<Self>;

    /// Called last in a new child, which has no second thread yet.
    fn forked() {}

    /// Asks the callback that the drain is running to come to an end, as the time is spent. Gives back
    /// how long to wait until it does.
    fn interrupt() -> Duration {
        Duration::ZERO
    }

    /// Runs the end of the program because this signal came, on a thread of its own. After that the
    /// signal ends the process.
    fn signalled(signal: i32);

    /// Cuts the end of the program short ([`Registry::cut`]), on a thread of its own.
    fn cut(cause: Cause) {
        Self::registry().cut(cause);
    }
}

/// Prepares the process for this door: has it call the three handlers of its registry around each fork,
/// and reads what the environment says.
///
/// It may happen twice (see [`Once`]): then the locks are taken and given back once all the same.
///
/// # Errors
///
/// If the system has no memory for it.
pub fn install<D: Resident>() -> std::io::Result<()> {
    extern "C" fn before<D: Resident>() {
        if NESTING.replace(NESTING.get() + 1) == 0 {
            D::registry().before_fork();
        }
    }
    extern "C" fn in_parent<D: Resident>() {
        if NESTING.replace(NESTING.get() - 1) == 1 {
            // SAFETY: `before` ran in this thread just before.
            unsafe { D::registry().after_fork_in_parent() };
        }
    }
    extern "C" fn in_child<D: Resident>() {
        if NESTING.replace(NESTING.get() - 1) == 1 {
            // SAFETY: `before` ran just before, in the thread that this one is a copy of.
            unsafe { D::registry().after_fork_in_child() };
            D::forked();
        }
    }
    D::registry().know_process();
    ending::read_environment();
    D::registry().heed_environment();
    // SAFETY: the three are functions without arguments that live as long as this object file.
    let error = unsafe {
        libc::pthread_atfork(Some(before::<D>), Some(in_parent::<D>), Some(in_child::<D>))
    };
    match error {
        0 => Ok(()),
        error => Err(std::io::Error::from_raw_os_error(error)),
    }
}

thread_local! {
    /// How often `before` was called for the fork that this thread is in.
    static NESTING: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Something to be done once in a process, also if it forks while one thread is at it: in the child
/// that thread does not exist, and another does it instead. (For ever would the standard library's
/// `Once` wait there.) What was done then, may be done twice.
#[derive(Debug)]
pub struct Once(AtomicU32);

impl Once {
    const DONE: u32 = u32::MAX;

    /// Not done yet.
    #[expect(clippy::new_without_default, reason = "made once, in a static")]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Whether it is done.
    #[inline]
    pub fn is_done(&self) -> bool {
        // Acquire pairs with the Release below: what was done is visible.
        self.0.load(Acquire) == Self::DONE
    }

    /// Does it, or waits until another thread has.
    #[cold]
    pub fn call(&self, work: impl FnOnce()) {
        let me = process::number().unsigned_abs();
        let mut round = 0;
        let mut found = 0;
        // Relaxed: what another has done is read in `is_done`.
        while let Err(now) = self.0.compare_exchange(found, me, Relaxed, Relaxed) {
            match now {
                Self::DONE => return,
                _ if now == me => {
                    back_off(round);
                    round += 1;
                    found = 0;
                }
                // Of a thread of the parent's, which is not here.
                _ => found = now,
            }
        }
        work();
        self.0.store(Self::DONE, Release);
    }
}
