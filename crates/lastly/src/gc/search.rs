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
//! somebody's `Trace` panics, there is nothing to undo: the search begins anew, and *passes over* that
//! object; what that holds then counts as held from outside. It begins anew because the program's panic
//! hook has run, which is anybody's code, and what was counted may not hold any more. And lest the hook do
//! harm, nothing that a search has in its lists goes while that goes on: deaths wait (see `death`),
//! and nobody gets a value out or an exclusive reference (see [`Gc::get_mut`](super::Gc::get_mut)).
//!
//! What was passed over is a suspect again: the next time it may not panic (it may have wanted to borrow
//! what was borrowed). But where a search finds too many of these, it is given up, and they are looked into
//! no more: the rest must be collected some time.

use std::any::Any;
use std::mem;
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
pub(super) struct Search {
    tracer: Tracer,
    /// For its memory.
    pending: Vec<NonNull<Header>>,
    /// The suspects that no other suspect before them reached.
    roots: Vec<NonNull<Header>>,
    /// Whose `Trace` runs, or ran last.
    looked_into: Option<NonNull<Header>>,
    passed_over: Vec<NonNull<Header>>,
    /// What panicked, and how.
    pub(super) panics: Vec<(&'static str, Box<dyn Any + Send>)>,
}

/// What the references that a `Trace` finds mean to the search.
#[derive(Default)]
pub(crate) struct Finds {
    mark: Mark,
    is_spreading: bool,
    /// What to look into: in the first step all that was visited, in the order of discovery; in the
    /// second what is alive; at the end, the garbage.
    list: Vec<NonNull<Header>>,
}

impl Finds {
    /// A reference was found.
    #[inline]
    pub(crate) fn add(&mut self, object: NonNull<Header>) {
        // SAFETY: alive, as a living object holds it.
        let header = unsafe { object.as_ref() };
        if header.mark.get() == self.mark {
            let number = header.number.get();
            if !self.is_spreading {
                // More than were counted would be a wrong `Trace`: the object stays.
                header.number.set(number.wrapping_sub(1));
            } else if number != FOLLOWED {
                self.follow(object);
            }
        } else if header.mark.get().can_be_visited() && !self.is_spreading {
            self.visit(object, 1);
        }
    }

    /// The first visit, from so many references.
    #[inline]
    fn visit(&mut self, object: NonNull<Header>, found: u32) {
        // SAFETY: alive, as a suspect, or as what a living object holds.
        let header = unsafe { object.as_ref() };
        header.mark.set(self.mark);
        header.number.set(header.strong.get() - found);
        self.list.push(object);
    }

    /// It is alive.
    #[inline]
    fn follow(&mut self, object: NonNull<Header>) {
        // SAFETY: visited, hence alive.
        unsafe { object.as_ref() }.number.set(FOLLOWED);
        self.list.push(object);
    }
}

/// The number of an object that was visited.
#[inline]
fn number(object: &NonNull<Header>) -> u32 {
    // SAFETY: visited, hence alive.
    unsafe { object.as_ref() }.number.get()
}

impl Search {
    pub(super) fn new() -> Self {
        Self {
            tracer: Tracer::new(),
            pending: Vec::new(),
            roots: Vec::new(),
            looked_into: None,
            passed_over: Vec::new(),
            panics: Vec::new(),
        }
    }

    /// Searches from this thread's suspects, and says how many objects it visited. Afterwards they
    /// are suspects no more, but for those of which nothing became known.
    pub(super) fn run(&mut self, collector: &Collector) -> usize {
        if collector.suspects.len() == 0 {
            return 0;
        }
        let nesting = collector.nesting.replace(DEEPEST);
        collector.searching.set(true);
        let mut visited = None;
        for _ in 0..ROUNDS {
            let mark = collector.mark.get().next();
            collector.mark.set(mark);
            match catch_unwind(AssertUnwindSafe(|| self.search(mark, &collector.suspects))) {
                Ok(count) => {
                    visited = Some(count);
                    collector.suspects.clear();
                    break;
                }
                Err(payload) => self.begin_anew(payload, &collector.suspects),
            }
        }
        collector.searching.set(false);
        collector.nesting.set(nesting);
        if !self.passed_over.is_empty() {
            self.end_passing_over(&collector.suspects, visited.is_none());
        }
        visited.unwrap_or(0)
    }

    /// Nothing is known of what was passed over; if those were too many, nothing ever will be.
    #[cold]
    fn end_passing_over(&mut self, suspects: &Suspects, for_good: bool) {
        for object in self.passed_over.drain(..) {
            // SAFETY: no memory went since it was visited.
            let header = unsafe { object.as_ref() };
            header.mark.set(if for_good { Mark::LEAF } else { Mark::NEW });
            if header.strong.get() > 0 && !for_good {
                // SAFETY: alive, and no suspect, as it was passed over.
                unsafe { suspects.add(object) };
            }
        }
    }

    /// What is held only by itself.
    pub(super) fn garbage(&self) -> &[NonNull<Header>] {
        &self.tracer.finds.list
    }

    /// Forgets all but some memory.
    pub(super) fn reset(&mut self) {
        for list in [&mut self.pending, &mut self.roots, &mut self.tracer.finds.list] {
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

    fn search(&mut self, mark: Mark, suspects: &Suspects) -> usize {
        let finds = &mut self.tracer.finds;
        (finds.mark, finds.is_spreading) = (mark, false);
        self.count(suspects);
        let visited = self.tracer.finds.list.len();
        if self.tracer.finds.list.iter().any(|object| number(object) > 0) {
            self.spread();
        }
        visited
    }

    /// Visits what can be reached.
    fn count(&mut self, suspects: &Suspects) {
        let Self { tracer, roots, looked_into, .. } = self;
        let mut next = 0;
        for place in 0..suspects.len() {
            let suspect = suspects.get(place);
            // SAFETY: what dies leaves the list, and nothing dies now.
            if unsafe { suspect.as_ref() }.mark.get() != Mark::SUSPECT {
                continue; // Reached from another.
            }
            tracer.finds.visit(suspect, 0);
            roots.push(suspect);
            while let Some(&object) = tracer.finds.list.get(next) {
                next += 1;
                *looked_into = Some(object);
                // SAFETY: alive, as a suspect, or as what a living object holds.
                unsafe { header::trace(object, tracer) };
            }
        }
    }

    /// Takes off the list what is alive.
    fn spread(&mut self) {
        let Self { tracer, roots, looked_into, pending, .. } = self;
        tracer.finds.is_spreading = true;
        let mut visited = mem::replace(&mut tracer.finds.list, mem::take(pending));
        let mut roots = roots.iter().peekable();
        'all: for object in &visited {
            if number(object) == 0 || number(object) == FOLLOWED {
                continue;
            }
            tracer.finds.follow(*object);
            while let Some(object) = tracer.finds.list.pop() {
                while roots.next_if(|root| number(root) != 0).is_some() {}
                if roots.peek().is_none() {
                    break 'all;
                }
                *looked_into = Some(object);
                // SAFETY: visited, hence alive.
                unsafe { header::trace(object, tracer) };
            }
        }
        if roots.peek().is_none() {
            visited.clear(); // All of it can be reached from what is alive.
        } else {
            visited.retain(|object| number(object) == 0);
        }
        *pending = mem::replace(&mut tracer.finds.list, visited);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::cell::RefCell;

    use super::super::thread::this_thread;
    use super::*;
    use crate::{Gc, Trace, collect};

    struct Node(RefCell<Vec<Gc<Node>>>);

    // SAFETY: each pointer is owned, and visited once.
    unsafe impl Trace for Node {
        fn trace(&self, tracer: &mut Tracer) {
            self.0.trace(tracer);
        }
    }

    fn node() -> Gc<Node> {
        Gc::new(Node(RefCell::default()))
    }

    /// An object that was visited by the search before last, of the same number.
    #[test]
    fn numbers_of_searches_come_again() {
        let stale = node();
        let alive = node();
        // The second suspect keeps a number: all are known to be alive when the first is.
        drop((alive.clone(), stale.clone()));
        let before = this_thread(|collector| collector.mark.get());
        collect();
        alive.0.borrow_mut().push(stale.clone());
        stale.0.borrow_mut().push(node());
        drop(alive.clone());
        this_thread(|collector| collector.mark.set(before));
        assert_eq!(collect().objects, 0);
        assert!(Gc::is_alive(&alive) && Gc::is_alive(&stale) && Gc::is_alive(&stale.0.borrow()[0]));
    }
}
