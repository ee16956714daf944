//! Death by count: the last `Gc` of an object goes.
//!
//! As with `Rc`, the object dies at once, and what it owns dies within that: the value is dropped,
//! then its finalizers' callbacks run, then the memory goes. But not to any depth: a list of a
//! million objects would need a stack of a million frames. Deaths nest up to [`DEEPEST`] levels; an
//! object that would die deeper than that *waits*, until the outermost level ends. So does whatever
//! dies while a search goes on: nothing does, but by the hand of a panic hook.

use std::any::Any;
use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::thread::panicking;

use lastly_core::{Cause, Description, Problem, contain};

use super::header::{self, Header, Mark};
use super::thread::{Collector, this_thread};
use crate::REGISTRY;

/// How deep deaths and collections nest. Enough that whoever drops an object sees it die; few enough
/// for a small stack.
pub(super) const DEEPEST: u32 = 32;

/// How often it is collected again when that made work for another collection. Foreign code could
/// make some for ever.
pub(super) const ROUNDS: u32 = 100;

/// The last `Gc` of an object is gone.
///
/// # Safety
///
/// As it says, and this is called once. The value is alive, and not used after this; or it was
/// dropped by a collection.
#[inline]
pub(super) unsafe fn last_gone<T: ?Sized>(value: NonNull<T>) {
    // SAFETY: what a `Gc` points to has a header.
    let object = unsafe { header::header_of(value) };
    // SAFETY: all `Gc`s together hold the memory until `end`.
    let header = unsafe { object.as_ref() };
    let mark = header.mark.get();
    debug_assert_ne!(mark, Mark::DEAD, "the collection that drops the value ends the object");
    if mark == Mark::BURIED {
        // SAFETY: the value is gone, and so is the last `Gc`.
        return unsafe { end(object) };
    }
    if mark == Mark::SUSPECT {
        this_thread(|collector| collector.acquit(header));
    }
    // SAFETY: a `Gc`'s object is this thread's.
    let is_plain = !needs_drop::<T>() && unsafe { header.ties().is_empty() };
    // Others may have to wait; also while a search goes on, which may have them in its lists.
    if mark == Mark::LEAF && is_plain {
        // SAFETY: this is the hold of the `Gc`s.
        return unsafe { header::release_plain(value) };
    }
    this_thread(|collector| {
        let Some(_level) = Level::enter(collector, Blame::Dropper) else {
            return collector.wait(object);
        };
        // Also when the drop panics.
        let _end = End(object);
        // SAFETY: this function's contract.
        unsafe { value.drop_in_place() };
    });
}

/// Ends an object whose value is gone, when dropped.
struct End(NonNull<Header>);

impl Drop for End {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: made where the last `Gc` is gone and the value is being dropped.
        unsafe { end(self.0) };
    }
}

/// What remains to be done for an object whose value is gone, and whose last `Gc` is: runs its
/// finalizers, and lets go of the memory.
///
/// # Safety
///
/// As it says, and this is called once.
#[inline]
pub(super) unsafe fn end(object: NonNull<Header>) {
    // SAFETY: all `Gc`s together hold the memory until below.
    fire(unsafe { object.as_ref() });
    // SAFETY: this is the hold of the `Gc`s.
    unsafe { header::release(object) };
}

/// Runs the finalizers, if there are any; those of what dies while a collection drops values, after
/// all of that.
#[inline]
fn fire(header: &Header) {
    // SAFETY: a `Gc`'s object is this thread's.
    if !unsafe { header.ties().is_empty() } {
        fire_all(header);
    }
}

#[inline(never)]
fn fire_all(header: &Header) {
    // SAFETY: a `Gc`'s object is this thread's.
    let ties = unsafe { header.ties().take() };
    this_thread(|collector| {
        if collector.dropping.get() > 0 {
            return collector.add_due(ties);
        }
        // No collection begins by itself in a callback.
        let level = Level::enter(collector, Blame::Nobody);
        let before = collector.waiting.borrow().len();
        drop(ties);
        // What callbacks have dropped is not for who dropped the object to answer for. (But where no
        // level is left, the next one out does this: each here would take stack.)
        if level.is_some() {
            drop_waiting(collector, before, report_panic);
        }
    });
}

/// Who gets the panic of a death that had to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// Who dropped the object: that is a death as with `Rc`.
    Dropper,
    /// Nobody, so it is reported: in a collection, in a callback.
    Nobody,
}

/// One level of nesting.
pub(super) struct Level<'a> {
    collector: &'a Collector,
    blame: Blame,
}

impl<'a> Level<'a> {
    /// One level deeper; `None` if that is too deep.
    #[inline]
    pub(super) fn enter(collector: &'a Collector, blame: Blame) -> Option<Self> {
        let nesting = collector.nesting.get();
        if nesting == DEEPEST {
            return None;
        }
        collector.nesting.set(nesting + 1);
        Some(Self { collector, blame })
    }
}

impl Drop for Level<'_> {
    #[inline]
    fn drop(&mut self) {
        let nesting = self.collector.nesting.get();
        if nesting == 1 && self.collector.put_off.get() {
            return catch_up(self.collector, self.blame);
        }
        self.collector.nesting.set(nesting - 1);
    }
}

/// Leaves the outermost level: first comes what had to wait for that, deaths and collections.
#[cold]
fn catch_up(collector: &Collector, blame: Blame) {
    collector.put_off.set(false);
    let mut first_panic = None;
    let mut on_panic = |name, payload| {
        if blame == Blame::Nobody || panicking() || first_panic.is_some() {
            report_panic(name, payload);
        } else {
            first_panic = Some(payload);
        }
    };
    drop_waiting(collector, 0, &mut on_panic);
    for round in 0..ROUNDS {
        // Automatically once: what dies could always leave new suspects.
        if !collector.collect_if_put_off(round == 0) {
            break;
        }
        drop_waiting(collector, 0, &mut on_panic);
    }
    collector.nesting.set(0);
    collector.tidy_up();
    if let Some(payload) = first_panic {
        resume_unwind(payload);
    }
}

/// Lets die what waits, the last first, and what waits then, until so many are left.
pub(super) fn drop_waiting(
    collector: &Collector,
    left: usize,
    mut on_panic: impl FnMut(&'static str, Box<dyn Any + Send>),
) {
    while collector.waiting.borrow().len() > left {
        let Some(object) = collector.waiting.borrow_mut().pop() else { return };
        // SAFETY: what waits holds its memory.
        let name = unsafe { object.as_ref() }.name();
        let die = || {
            // Also when the drop panics.
            let _end = End(object);
            // SAFETY: it waits since its last `Gc` went, and it is off the list.
            unsafe { header::drop_value(object) };
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(die)) {
            on_panic(name, payload);
        }
    }
}

/// Reports the panic of an object's own code that nobody is there to take.
pub(super) fn report_panic(name: &'static str, payload: Box<dyn Any + Send>) {
    let description =
        Description { object: name.into(), function: "its own code".into(), created: None };
    REGISTRY.report(Cause::ObjectDied, &description, Problem::Panic(&*payload), None);
    contain(|| drop(payload), |_| ());
}
