//! `fork`: what a child gets of its parent's registry.
//!
//! Other threads do not exist in the child. If one of them held a lock of ours at that moment,
//! nobody would ever give it back, and its lists could be half linked. So the locks are *held
//! across the fork*: the forking thread takes them all before, and parent and child each let go of
//! their copy after.
//!
//! A finalizer belongs to the process that created it. In a child the **drain** passes over what
//! was inherited: two processes must not remove the same directory. The death of an object in the
//! child, and an explicit call there, do act: they concern the child's copy of the object.
//!
//! # What cannot be helped
//!
//! - What another thread of the parent was running or looking at when the fork happened is dead in
//!   the child: nobody is left there to bring it to an end.
//! - The handlers of another library (`pthread_atfork`) that were registered before these run while
//!   the locks are held. If they use finalizers, they wait for ever.

use std::mem;

use crate::registry::{Door, Phase, Registry};
use crate::sync::thread_number;

impl<D: Door> Registry<D> {
    /// To be called in the forking thread before a fork. Until one of the other two is called, in
    /// this thread, every use of the registry waits.
    pub fn before_fork(&self) {
        // In the order of their index, as in the drain.
        self.shards.iter().for_each(|shard| mem::forget(shard.lock()));
        self.reporter.lock_for_fork();
    }

    /// To be called in the parent after a fork.
    ///
    /// # Safety
    ///
    /// This thread called [`before_fork`](Self::before_fork) just before the fork.
    pub unsafe fn after_fork_in_parent(&self) {
        // SAFETY: held since `before_fork`.
        unsafe { self.reporter.unlock_after_fork() };
        for shard in &self.shards {
            // SAFETY: held since `before_fork`, which forgot the guard.
            unsafe { shard.unlock() };
        }
    }

    /// To be called in the child after a fork.
    ///
    /// # Safety
    ///
    /// The thread that this one is a copy of called [`before_fork`](Self::before_fork) just before
    /// the fork.
    pub unsafe fn after_fork_in_child(&self) {
        self.inherited.begin_here(self.order.next::<D::Exclusion>());
        // SAFETY: `before_fork` took the locks for this process as well.
        unsafe { self.after_fork_in_parent() };
        let mut first = self.shards[0].lock();
        // The drain of a parent's other thread does not go on here: this process has its own, unless
        // that one had already shut the door.
        let me = thread_number();
        match first.phase {
            Phase::Draining { thread } if thread != me => first.phase = Phase::Open,
            Phase::Closing { thread } if thread != me => first.phase = Phase::Shut,
            _ => {}
        }
    }
}

/// A door whose one registry is there as long as the process.
pub trait Resident: Door {
    /// That registry.
    fn registry() -> &'static Registry<Self>;

    /// Called last in a new child, which has no second thread yet.
    fn forked() {}
}

/// Has the process call the three above around each fork, for the registry of this door.
///
/// # Errors
///
/// If the system has no memory for it.
#[cfg(unix)]
pub fn install<D: Resident>() -> std::io::Result<()> {
    extern "C" fn before<D: Resident>() {
        D::registry().before_fork();
    }
    extern "C" fn in_parent<D: Resident>() {
        // SAFETY: `before` ran in this thread just before.
        unsafe { D::registry().after_fork_in_parent() };
    }
    extern "C" fn in_child<D: Resident>() {
        // SAFETY: `before` ran just before, in the thread that this one is a copy of.
        unsafe { D::registry().after_fork_in_child() };
        D::forked();
    }
    // SAFETY: the three are functions without arguments that live as long as this object file.
    let error = unsafe {
        libc::pthread_atfork(Some(before::<D>), Some(in_parent::<D>), Some(in_child::<D>))
    };
    match error {
        0 => Ok(()),
        error => Err(std::io::Error::from_raw_os_error(error)),
    }
}
