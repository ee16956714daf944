//! Does what the steps say, with the real thing and the model at once.
//!
//! Everything is done to what was taken out of its place, never to a clone: a clone that goes makes
//! a suspect, and would hide that one was forgotten. And nothing is borrowed while foreign code
//! may run, which comes back here.

mod collections;
mod finalizers;
mod objects;
mod values;

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lastly::collector::Paused;

use super::model::{Owner, model};
use super::real::{Body, Ref, Way};
use super::steps::{Act, Op, Step};
pub(crate) use collections::collect_now;
pub(crate) use finalizers::Handle;
pub(crate) use values::value_drops;

/// What the program holds.
#[derive(Default)]
pub(crate) struct Real {
    pub(crate) handles: Vec<Option<Ref>>,
    /// By object.
    pub(crate) weaks: Vec<Option<Way>>,
    /// By finalizer.
    pub(crate) finalizers: Vec<Option<Handle>>,
    pub(crate) unwrapped: Vec<Box<dyn Any>>,
    pub(crate) pauses: Vec<Paused>,
}

/// Where a thread ends.
impl Drop for Real {
    fn drop(&mut self) {
        std::mem::take(&mut self.handles).into_iter().for_each(attempt_drop);
        std::mem::take(&mut self.unwrapped).into_iter().for_each(attempt_drop);
    }
}

thread_local! {
    static REAL: RefCell<Real> = RefCell::default();
}

/// Runs no foreign code in `work`. `None` where the thread is ending.
pub(crate) fn real<R>(work: impl FnOnce(&mut Real) -> R) -> Option<R> {
    REAL.try_with(|real| work(&mut real.borrow_mut())).ok()
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Keeps in what panics.
pub(crate) fn attempt<R>(work: impl FnOnce() -> R) -> Option<R> {
    let tried = catch_unwind(AssertUnwindSafe(work));
    tried.map_err(|payload| model(|it| it.sink(&message(&*payload)))).ok()
}

pub(crate) fn attempt_drop<T>(its: T) {
    attempt(|| drop(its));
}

/// Says that something is wrong.
fn wrong(what: impl Into<String>) {
    let what = what.into();
    model(|it| it.fail(what));
}

/// A handle that was taken out of its place, and goes back there.
struct Slot {
    place: usize,
    its: Option<Ref>,
}

impl Slot {
    /// The `n`th, modulo, or the next that is there.
    fn take(n: u8) -> Option<Self> {
        real(|real| {
            let all = real.handles.len();
            let mut places = (0..all).map(|it| (it + usize::from(n)) % all);
            let place = places.find(|it| real.handles[*it].is_some())?;
            Some(Self { place, its: real.handles[place].take() })
        })?
    }

    fn its(&self) -> &Ref {
        self.its.as_ref().expect("not given up")
    }

    fn body(&self) -> Option<&Body> {
        self.its().pointer().node()
    }

    fn give_up(mut self) -> Ref {
        self.its.take().expect("given up once")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let its = self.its.take();
        if its.is_some() {
            let left = real(|real| std::mem::replace(&mut real.handles[self.place], its));
            debug_assert!(left.is_none_or(|it| it.is_none()), "nobody takes the place");
        }
    }
}

fn keep(its: Ref) {
    let mut its = Some(its);
    real(|real| real.handles.push(its.take()));
}

fn keep_any(its: Option<Ref>) {
    its.into_iter().for_each(keep);
}

/// The strong counts that the weak references say.
fn counts() -> Vec<Option<usize>> {
    let count = |way: &Option<Way>| way.as_ref().map(Way::strong_count);
    real(|real| real.weaks.iter().map(count).collect()).unwrap_or_default()
}

pub(crate) fn check_counts() {
    let counts = counts();
    model(|it| it.check_counts(&counts));
}

fn perform_act(Act { op, a }: Act, me: Option<&Body>) {
    let kind = Step::of([0, 0, 0, a, 0, 0, 0, 0]).kind;
    perform(&Step { op, a, b: a.rotate_left(4), kind, acts: [Act::NOTHING; 2] }, me);
}

/// Does one step; in the `Drop` of `me`, if in one.
pub(crate) fn perform(step: &Step, me: Option<&Body>) {
    if model(|it| it.has_fuel()) == Some(true) {
        attempt(|| perform_any(step, me));
    }
}

fn perform_any(step: &Step, me: Option<&Body>) {
    let &Step { op, a, b, .. } = step;
    match op {
        Op::Nothing | Op::Panic => {}
        Op::New | Op::NewHolding | Op::NewCyclic | Op::NewCyclicBusy | Op::Ring | Op::Chain => {
            objects::make(step);
        }
        Op::Clone => drop(Slot::take(a).map(|it| keep(it.its().clone_for(Owner::Root)))),
        Op::DropHandle => drop(Slot::take(a).map(Slot::give_up)),
        Op::DropAll => drop(real(|real| std::mem::take(&mut real.handles))),
        Op::Link | Op::LinkHidden | Op::Give | Op::Move => objects::link(op, a, b),
        Op::Unlink | Op::UnlinkBorrowed | Op::UnlinkAll => objects::unlink(op, a, b),
        Op::Follow => objects::follow(a, b),
        Op::Upgrade | Op::DropWeak | Op::Downgrade => objects::weakly(op, a),
        Op::Finalize | Op::Call | Op::Detach | Op::DropFinalizer => finalizers::perform(step),
        Op::Collect => _ = collect_now(),
        Op::CollectBorrowed => collections::collect_borrowed(a),
        Op::Threshold | Op::Pause | Op::GoOn => collections::set(op, a),
        Op::GetMut => values::get_mut(a, b, step.acts),
        Op::TryUnwrap => values::try_unwrap(a),
        Op::DropUnwrapped => drop(real(|real| real.unwrapped.pop())),
        Op::Spoil | Op::SpoilOnce => collections::spoil(op, a, b),
        Op::CloneSibling | Op::TakeSibling => values::sibling(op, a, me),
    }
}
