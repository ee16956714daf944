//! The search for garbage: what is held only by itself.
//!
//! 1. *Count.* Everything that can be reached from the suspects is visited once. Each object has a
//!    number, at first its count of references, and every reference that is found takes one off.
//!    What is left over was not found: references from outside, from the stack, from what no suspect
//!    reaches.
//! 2. *Spread.* An object with references from outside is alive, and so is what it reaches.
//! 3. What is neither is garbage.
//!
//! The first visit of each object is in the order of discovery, from a list: there is no recursion.
//! If every suspect turns out to be alive, so does all that they reach, and the second step ends
//! at once: a large live structure that is touched again and again is walked through once
//! each time, not twice.
//!
//! Nothing but marks and numbers is written, and they mean nothing outside of a search. So a panic
//! in somebody's `Trace` changes nothing. In the first step its object is *passed over*: what it
//! holds then counts as held from outside. In the second, where its references are already
//! counted, the whole search is given up: no garbage was found, this time.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::slice;

use super::header::{self, Header, Mark};
use crate::trace::Tracer;

/// The number of an object that is alive, and whose references were followed. No count gets there
/// (see `Gc::clone`).
const FOLLOWED: u32 = u32::MAX;

/// More of these are not kept for the next search.
const KEPT: usize = 1 << 16;

/// One search, or the memory for one.
#[derive(Default)]
pub(super) struct Search {
    mark: Mark,
    tracer: Tracer,
    /// What can be reached from the suspects, in the order of discovery; at the end, the garbage.
    visited: Vec<NonNull<Header>>,
    /// The suspects that no other suspect before them reached.
    roots: Vec<NonNull<Header>>,
    /// Alive, and to be followed.
    pending: Vec<NonNull<Header>>,
    passed_over: Vec<NonNull<Header>>,
    /// What panicked.
    pub(super) panics: Vec<(&'static str, Box<dyn Any + Send>)>,
}

impl Search {
    /// Searches from these suspects, and says how many objects were visited.
    ///
    /// # Safety
    ///
    /// The suspects are alive, the mark is new, and no `Gc` is made or dropped meanwhile.
    pub(super) unsafe fn run(&mut self, mark: Mark, suspects: &[NonNull<Header>]) -> usize {
        self.mark = mark;
        self.count(suspects);
        let visited = self.visited.len();
        if self.spread() {
            self.visited.retain(|object| {
                // SAFETY: visited, hence alive.
                unsafe { object.as_ref() }.number.get() == 0
            });
        } else {
            self.visited.clear();
        }
        visited
    }

    /// What is held only by itself.
    pub(super) fn garbage(&self) -> &[NonNull<Header>] {
        &self.visited
    }

    /// What to suspect again, as nothing is known of it.
    pub(super) fn undecided(&mut self) -> impl Iterator<Item = NonNull<Header>> {
        self.passed_over.drain(..)
    }

    /// Forgets all but some memory.
    pub(super) fn reset(&mut self) {
        for list in [&mut self.visited, &mut self.roots, &mut self.pending, self.tracer.found()] {
            list.clear();
            if list.capacity() > KEPT {
                list.shrink_to(KEPT);
            }
        }
        debug_assert!(self.passed_over.is_empty() && self.panics.is_empty(), "both were taken");
    }

    fn count(&mut self, suspects: &[NonNull<Header>]) {
        let mut suspects = suspects.iter();
        let mut next = 0;
        // Both survive a panic, and the rest is counted.
        while let Err(payload) =
            catch_unwind(AssertUnwindSafe(|| self.count_on(&mut suspects, &mut next)))
        {
            self.tracer.found().clear();
            let object = self.visited.swap_remove(next);
            // SAFETY: visited, hence alive.
            let header = unsafe { object.as_ref() };
            header.mark.set(Mark::PASSED_OVER);
            self.passed_over.push(object);
            self.panics.push((header.name(), payload));
        }
    }

    /// Visits everything from the `next` of those discovered on, then from the suspects.
    fn count_on(&mut self, suspects: &mut slice::Iter<'_, NonNull<Header>>, next: &mut usize) {
        let Self { mark, tracer, visited, roots, .. } = self;
        loop {
            while let Some(&object) = visited.get(*next) {
                // SAFETY: alive, as a suspect, or as what a living object holds.
                unsafe { header::trace(object, tracer) };
                *next += 1;
                for &found in tracer.found().iter() {
                    // SAFETY: alive, as a living object holds it.
                    let header = unsafe { found.as_ref() };
                    if header.mark.get() == *mark {
                        // More than were counted would be a wrong `Trace`: the object stays.
                        debug_assert_ne!(header.number.get(), 0, "`Trace` finds no `Gc` twice");
                        header.number.set(header.number.get().wrapping_sub(1));
                    } else if header.mark.get().can_be_visited() {
                        header.visit(*mark, 1);
                        visited.push(found);
                    }
                }
                tracer.found().clear();
            }
            let Some(&suspect) = suspects.next() else { return };
            // SAFETY: alive (the contract of `run`).
            let header = unsafe { suspect.as_ref() };
            if header.mark.get() == Mark::SUSPECT {
                header.visit(*mark, 0);
                visited.push(suspect);
                roots.push(suspect);
            }
        }
    }

    /// Gives every object that is alive a number other than 0. False: there is no garbage.
    fn spread(&mut self) -> bool {
        match catch_unwind(AssertUnwindSafe(|| self.spread_out())) {
            Ok(is_garbage) => is_garbage,
            Err(payload) => {
                self.panics.push(("an object", payload));
                let mark = self.mark;
                // SAFETY: visited, hence alive.
                let of_this = |root: &NonNull<Header>| unsafe { root.as_ref() }.mark.get() == mark;
                // The others were passed over already.
                self.passed_over.extend(self.roots.drain(..).filter(of_this));
                false
            }
        }
    }

    fn spread_out(&mut self) -> bool {
        let Self { mark, tracer, visited, roots, pending, .. } = self;
        let mut roots = roots.iter().peekable();
        for &object in visited.iter() {
            // SAFETY: visited, hence alive.
            let header = unsafe { object.as_ref() };
            if header.number.get() == 0 || header.number.get() == FOLLOWED {
                continue;
            }
            header.number.set(FOLLOWED);
            pending.push(object);
            while let Some(object) = pending.pop() {
                // SAFETY: as above.
                while roots.next_if(|root| unsafe { root.as_ref() }.number.get() != 0).is_some() {}
                if roots.peek().is_none() {
                    // All that was visited is reached from what is alive.
                    return false;
                }
                // SAFETY: as above.
                unsafe { header::trace(object, tracer) };
                for &found in tracer.found().iter() {
                    // SAFETY: alive, as a living object holds it.
                    let header = unsafe { found.as_ref() };
                    if header.mark.get() == *mark && header.number.get() != FOLLOWED {
                        header.number.set(FOLLOWED);
                        pending.push(found);
                    }
                }
                tracer.found().clear();
            }
        }
        true
    }
}

impl Header {
    /// Visited by this search, from so many references so far.
    #[inline]
    fn visit(&self, mark: Mark, found: u32) {
        self.mark.set(mark);
        self.number.set(self.strong.get() - found);
    }
}
