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
//! # Panics
//!
//! Nothing but marks and numbers is written, and they mean nothing outside of a search. So when
//! somebody's `Trace` panics, there is nothing to undo. But the program's panic hook has run, which is anybody's
//! code, and may have cloned and dropped pointers: nothing that was counted holds any more. So
//! the search begins anew, and *passes over* the object that panicked: it looks at it no more, and what that
//! holds counts as held from outside. While a search goes on, no memory goes: what dies waits (see
//! `death`), and nobody gets a value out or an exclusive reference (see [`Gc::get_mut`](super::Gc::get_mut)).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::death::{DEEPEST, ROUNDS};
use super::header::{self, Header, Mark};
use super::suspects::Suspects;
use super::thread::Collector;
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
    /// Whose `Trace` runs, or ran last.
    looked_into: Option<NonNull<Header>>,
    passed_over: Vec<NonNull<Header>>,
    /// What panicked, and how.
    pub(super) panics: Vec<(&'static str, Box<dyn Any + Send>)>,
}

impl Search {
    /// Searches from this thread's suspects, and says how many objects it visited. Afterwards they
    /// are suspects no more, but for those of which nothing became known.
    pub(super) fn run(&mut self, collector: &Collector) -> usize {
        let nesting = collector.nesting.replace(DEEPEST);
        collector.searching.set(true);
        let mut visited = 0;
        for _ in 0..ROUNDS {
            self.mark = collector.mark.get().next();
            collector.mark.set(self.mark);
            match catch_unwind(AssertUnwindSafe(|| self.search(&collector.suspects))) {
                Ok(count) => {
                    visited = count;
                    collector.suspects.clear();
                    break;
                }
                Err(payload) => self.begin_anew(payload, &collector.suspects),
            }
        }
        collector.searching.set(false);
        collector.nesting.set(nesting);
        for object in self.passed_over.drain(..) {
            // SAFETY: no memory went since it was visited.
            let header = unsafe { object.as_ref() };
            header.mark.set(Mark::NEW);
            if header.strong.get() > 0 {
                // SAFETY: alive, and no suspect, as it was passed over.
                unsafe { collector.suspects.add(object) };
            }
        }
        visited
    }

    /// What is held only by itself.
    pub(super) fn garbage(&self) -> &[NonNull<Header>] {
        &self.visited
    }

    /// Forgets all but some memory.
    pub(super) fn reset(&mut self) {
        for list in [&mut self.visited, &mut self.roots, &mut self.pending, self.tracer.found()] {
            list.clear();
            if list.capacity() > KEPT {
                list.shrink_to(KEPT);
            }
        }
    }

    /// After a panic.
    #[cold]
    fn begin_anew(&mut self, payload: Box<dyn Any + Send>, suspects: &Suspects) {
        self.reset();
        let object = self.looked_into.expect("only `Trace` panics");
        // SAFETY: no memory goes while a search goes on.
        let header = unsafe { object.as_ref() };
        header.mark.set(Mark::PASSED_OVER);
        self.passed_over.push(object);
        self.panics.push((header.name(), payload));
        suspects.restore();
    }

    fn search(&mut self, suspects: &Suspects) -> usize {
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

    fn count(&mut self, suspects: &Suspects) {
        let Self { mark, tracer, visited, roots, looked_into, .. } = self;
        let mut next = 0;
        for place in 0..suspects.len() {
            let suspect = suspects.get(place);
            // SAFETY: what dies leaves the list, and nothing dies now.
            let header = unsafe { suspect.as_ref() };
            if header.mark.get() != Mark::SUSPECT {
                continue; // Reached from another.
            }
            header.visit(*mark, 0);
            visited.push(suspect);
            roots.push(suspect);
            while let Some(&object) = visited.get(next) {
                next += 1;
                *looked_into = Some(object);
                // SAFETY: alive, as a suspect, or as what a living object holds.
                unsafe { header::trace(object, tracer) };
                for &found in tracer.found().iter() {
                    // SAFETY: alive, as a living object holds it.
                    let header = unsafe { found.as_ref() };
                    if header.mark.get() == *mark {
                        // More than were counted would be a wrong `Trace`: the object stays.
                        header.number.set(header.number.get().wrapping_sub(1));
                    } else if header.mark.get().can_be_visited() {
                        header.visit(*mark, 1);
                        visited.push(found);
                    }
                }
                tracer.found().clear();
            }
        }
    }

    /// Gives every object that is alive a number other than 0. False: all of them are.
    fn spread(&mut self) -> bool {
        let Self { mark, tracer, visited, roots, pending, looked_into, .. } = self;
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
                    // All that was visited can be reached from what is alive.
                    return false;
                }
                *looked_into = Some(object);
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
