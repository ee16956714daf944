//! Random programs with `Gc`s, against a naive model of them. Also what `cargo xtask fuzz` runs.

mod model;
mod perform;
#[cfg(test)]
mod random;
mod real;
mod steps;

use lastly::{collector, report};

use model::{Model, model, set_model};
use perform::{attempt_drop, check_counts, perform, real};
use real::{Fuse, Pointer};
pub(crate) use steps::{STEP, Step};

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
    begin();
    for step in steps {
        perform(step, None);
        settle(|| format!("after {step:?}"));
    }
    end();
    set_model(None);
}

fn begin() {
    set_model(Some(Model::new(2_000)));
    collector::set_threshold(1_000);
}

fn settle(when: impl FnOnce() -> String) {
    check_counts();
    let is_alive = |(at, it): (usize, &Option<perform::Handle>)| {
        it.as_ref().map(|it| (at, it.is_alive()))
    };
    real(|real| {
        real.handles.retain(Option::is_some);
        let handles: Vec<_> = real.finalizers.iter().enumerate().filter_map(is_alive).collect();
        model(|it| it.check_handles(&handles));
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
        let all = real(|real| (std::mem::take(&mut real.handles), std::mem::take(&mut real.unwrapped), std::mem::take(&mut real.pauses)));
        let Some((handles, unwrapped, pauses)) = all else { return };
        model(|it| it.paused = 0);
        drop(pauses);
        handles.into_iter().for_each(attempt_drop);
        unwrapped.into_iter().for_each(attempt_drop);
        reveal();
        let nothing = perform::collect_now() == 0;
        settle(|| "at the end".to_owned());
        if nothing && real(|real| real.handles.is_empty() && real.unwrapped.is_empty()) == Some(true) {
            break;
        }
    }
    model(Model::check_all_over);
    drop(real(std::mem::take));
    settle(|| "at the very end".to_owned());
}

/// Takes away what keeps a collection from finding all there is.
fn reveal() {
    let all = real(|real| real.weaks.len()).unwrap_or(0);
    for id in 0..all {
        let found = real(|real| real.weaks[id].as_ref().and_then(|it| it.upgrade())).flatten();
        let Some(pointer) = found else { continue };
        let its = real::Ref::new(pointer, id, model::Owner::Root);
        if let Pointer::Rough(rough) = its.pointer() {
            rough.fuse.set(Fuse::Whole);
            model(|it| it.spoil(id, false));
        }
        let hidden = its.pointer().body().map(|it| it.hidden.take());
        attempt_drop(hidden);
        attempt_drop(its);
    }
}
