//! A pause: for a while, no object that dies on this thread has a callback run there.
//!
//! A callback runs wherever the last reference happens to go. If that is inside a lock which the callback
//! wants, the thread waits for itself. In a pause, such callbacks wait; they run at its end.
//!
//! What waits **stays in the registry, alive**, and is marked. So nothing is lost if the end of the pause
//! never comes: an explicit call still wins, and the end of the program runs it in its turn, whatever
//! its exit flag says. The pause only remembers what to look at again. What has a cleaner (see
//! `cleaner`) waits in the same way for that.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use crate::list::place_of;
use crate::node::{Node, Place};
use crate::registry::{Door, Registry};
use crate::report::Cause;
use crate::shard::Phase;
use crate::state::Due;

/// What a thread has to look at when its pause ends. A door keeps one for each thread.
#[derive(Debug, Default)]
pub struct Pause {
    depth: Cell<u32>,
    /// In order of death. Each with a hold.
    waiting: RefCell<Vec<NonNull<Node>>>,
}

impl Pause {
    /// Of a thread that is not paused.
    pub const fn new() -> Self {
        Self { depth: Cell::new(0), waiting: RefCell::new(Vec::new()) }
    }

    /// Whether callbacks wait.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.depth.get() > 0
    }

    /// From now on callbacks wait, until as many [ends](Registry::end_pause) have come.
    pub fn begin(&self) {
        self.depth.set(self.depth.get() + 1);
    }

    /// What waits, when the outermost pause ends.
    fn end(&self) -> Vec<NonNull<Node>> {
        let depth = self.depth.get();
        debug_assert!(depth > 0, "a pause ends once");
        self.depth.set(depth.saturating_sub(1));
        if depth == 1 { self.waiting.take() } else { Vec::new() }
    }
}

/// What becomes of a callback that is to wait.
enum Wait {
    /// The caller sees to it that it is run, and has a hold for that.
    Held,
    /// It has run, or somebody else runs it: the drain, for one.
    Elsewhere,
    /// The door is shut, or it was registered by another thread when the drain had begun.
    Refused,
}

impl<D: Door> Registry<D> {
    /// To be called when the object of `node` has died. True: its callback runs later, or on another
    /// thread, or not at all, and the caller goes on. False: the caller is to claim and run it.
    ///
    /// # Safety
    ///
    /// `node` is in this registry, and the caller has a hold on it; no lock is held.
    #[inline]
    pub unsafe fn put_off(&self, node: NonNull<Node>) -> bool {
        // SAFETY: this function's contract.
        let waits = unsafe { Self::is_to_wait(node) };
        // SAFETY: as above.
        waits && unsafe { self.put_off_now(node) }
    }

    /// Whether the callback is not to run at once, on this thread, when the object dies now.
    ///
    /// # Safety
    ///
    /// As for [`put_off`](Self::put_off).
    #[inline]
    pub unsafe fn is_to_wait(node: NonNull<Node>) -> bool {
        // SAFETY: this function's contract.
        D::pause(Pause::is_on) || unsafe { D::cleaner(node) }.is_some()
    }

    /// # Safety
    ///
    /// As for [`put_off`](Self::put_off).
    #[inline(never)]
    unsafe fn put_off_now(&self, node: NonNull<Node>) -> bool {
        // SAFETY: this function's contract.
        match unsafe { self.mark_waiting(node) } {
            Wait::Elsewhere => return true,
            Wait::Refused => return false,
            Wait::Held => {}
        }
        if D::pause(Pause::is_on) {
            D::pause(|pause| pause.waiting.borrow_mut().push(node));
            return true;
        }
        // SAFETY: this function's contract; the hold that was taken passes on, and the caller keeps his.
        let taken = unsafe { hand_over::<D>(node) };
        if !taken {
            // SAFETY: it is still ours, and nothing is locked.
            unsafe { D::release(node) };
        }
        taken
    }

    /// # Safety
    ///
    /// As for [`put_off`](Self::put_off).
    unsafe fn mark_waiting(&self, node: NonNull<Node>) -> Wait {
        // SAFETY: this function's contract.
        let node_ref = unsafe { node.as_ref() };
        let paused = D::pause(Pause::is_on);
        let mut shard = self.lock(node_ref.shard());
        if !node_ref.is_alive() {
            return Wait::Elsewhere;
        }
        // SAFETY: the lock is held.
        let is_late = unsafe { place_of(node_ref) } == Place::Late;
        match shard.phase {
            Phase::Open => {
                node_ref.store_waiting(self.generation());
                // SAFETY: alive, so the registry has a hold.
                unsafe { D::retain(node) };
                Wait::Held
            }
            // Of what other threads register now there may be no end, and nothing that bounds it: it must
            // not pile up for the drain, which then would have none either.
            Phase::Draining { .. } if is_late && !paused => Wait::Refused,
            // In its order.
            Phase::Draining { .. } => {
                node_ref.store_waiting(self.generation());
                // SAFETY: the lock is held, and the node is alive.
                unsafe { self.have_drained(&mut shard, node) };
                Wait::Elsewhere
            }
            _ => Wait::Refused,
        }
    }

    /// Ends the pause of this thread that began last, and runs what waited for the end of the outermost,
    /// in the order of death.
    pub fn end_pause(&self) {
        for node in D::pause(Pause::end) {
            // For as long as it is handed over.
            // SAFETY: the pause has a hold.
            unsafe { D::retain(node) };
            // SAFETY: as above.
            let still_waits = self.still_waits(unsafe { node.as_ref() });
            // SAFETY: two holds, one of which passes on.
            if !still_waits || !unsafe { hand_over::<D>(node) } {
                // SAFETY: that hold passes on.
                unsafe { self.run_waiting(node) };
            }
            // SAFETY: the other one, and nothing is locked.
            unsafe { D::release(node) };
        }
    }

    /// Runs what waited, if nobody has, and is to be run here.
    ///
    /// # Safety
    ///
    /// `node` is in this registry or was, and one hold on it passes to this function; no lock is held.
    pub(crate) unsafe fn run_waiting(&self, node: NonNull<Node>) {
        // SAFETY: this function's contract.
        if self.still_waits(unsafe { node.as_ref() }) {
            // SAFETY: this function has a hold.
            if let Some(claim) = unsafe { self.claim(node, Due::Run(Cause::ObjectDied)) } {
                // SAFETY: claimed just now.
                unsafe { D::run(claim, Cause::ObjectDied, self.moment()) };
            }
        }
        // SAFETY: the hold is ours, and nothing is locked.
        unsafe { D::release(node) };
    }

    /// Whether nobody has run it, and it is this process's to run: what waited in a parent is the parent's.
    fn still_waits(&self, node: &Node) -> bool {
        node.is_alive() && node.waits_in(self.generation())
    }

    fn generation(&self) -> u8 {
        self.inherited.generation()
    }
}

/// Passes what waits on to its cleaner, and with it one hold. False: it has none, or none that takes it.
///
/// # Safety
///
/// As for [`put_off`](Registry::put_off), with two holds: one to pass on, and one that the caller keeps
/// for as long as this takes, as the cleaner may be held by the node alone.
unsafe fn hand_over<D: Door>(node: NonNull<Node>) -> bool {
    // SAFETY: this function's contract.
    unsafe { D::cleaner(node) }.is_some_and(|cleaner| cleaner.take(node))
}
