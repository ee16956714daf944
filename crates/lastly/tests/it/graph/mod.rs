//! Random programs with `Gc`s, against a naive model of them. The tests in `random_graphs` run them,
//! and `cargo xtask fuzz`.
#![allow(dead_code, unused_imports, reason = "two programs share this, and each leaves out a part")]

mod model;
mod perform;
mod real;
mod steps;

use lastly::{collector, report};

pub(crate) use model::take_model_of;
use model::{Model, Owner, model, set_model};
pub(crate) use perform::message;
use perform::{Handle, Real, attempt_drop, check_counts, collect_now, perform, real};
use real::{Fuse, Pointer, Ref};
pub(crate) use steps::{Op, STEP, Step};

/// The reports have to come here while programs run.
pub(crate) fn record_reports() {
    report::set_hook(|report| {
        let problem = report.problem.to_string();
        let message = problem.strip_prefix("panicked: ").unwrap_or(&problem);
        model(|it| it.sink(message));
    });
}

/// Runs a program, and what is left of it to its end. Panics if something was not as it should be.
pub(crate) fn run(steps: &[Step]) {
    begin(steps);
    end();
    set_model(None);
}

/// Runs a program, and leaves to the end of the thread what it made.
pub(crate) fn run_and_leave(steps: &[Step]) {
    begin(steps);
    let_go();
    settle(|| "when all is let go".to_owned());
    model(Model::thread_ends);
}

fn begin(steps: &[Step]) {
    set_model(Some(Model::new(1_000 + 20 * steps.len())));
    collector::set_threshold(1_000);
    for step in steps {
        perform(step, None);
        settle(|| format!("after {step:?}"));
    }
}

fn settle(when: impl FnOnce() -> String) {
    check_counts();
    real(|real| {
        real.handles.retain(Option::is_some);
        let handles = real.finalizers.iter().map(|it| it.as_ref().map(Handle::is_alive));
        let are_alive: Vec<_> = handles.collect();
        model(|it| it.check_handles(&are_alive));
    });
    model(|it| it.settle(collector::statistics(), collector::threshold()));
    if let Some(Some(failure)) = model(Model::failure) {
        // What is left would only fail again.
        std::mem::forget(real(std::mem::take));
        set_model(None);
        panic!("{failure}, {}", when());
    }
}

/// Lets go of everything, and collects until there is nothing left.
fn end() {
    collector::set_threshold(usize::MAX);
    model(|it| it.never = true);
    for _ in 0..100 {
        let_go();
        reveal();
        let is_nothing = collect_now() == 0;
        settle(|| "at the end".to_owned());
        let is_free = |real: &mut Real| real.handles.is_empty() && real.unwrapped.is_empty();
        if is_nothing && real(is_free) == Some(true) {
            break;
        }
    }
    model(Model::check_all_over);
    drop(real(std::mem::take));
    settle(|| "at the very end".to_owned());
}

/// Gives up what the program holds.
fn let_go() {
    let take = |real: &mut Real| {
        let Real { handles, unwrapped, pauses, .. } = real;
        (std::mem::take(handles), std::mem::take(unwrapped), std::mem::take(pauses))
    };
    let Some((handles, unwrapped, pauses)) = real(take) else { return };
    model(|it| it.paused = 0);
    drop(pauses);
    handles.into_iter().for_each(attempt_drop);
    unwrapped.into_iter().for_each(attempt_drop);
}

/// Takes away what keeps a collection from finding all there is.
fn reveal() {
    let all = real(|real| real.weaks.len()).unwrap_or(0);
    for id in 0..all {
        let found = real(|real| real.weaks[id].as_ref().and_then(|it| it.upgrade())).flatten();
        let Some(pointer) = found else { continue };
        let its = Ref::new(pointer, id, Owner::Root);
        if let Pointer::Rough(rough) = its.pointer() {
            rough.fuse.set(Fuse::Whole);
        }
        let hidden = its.pointer().body().map(|it| it.hidden.take());
        attempt_drop(hidden);
        attempt_drop(its);
    }
}
