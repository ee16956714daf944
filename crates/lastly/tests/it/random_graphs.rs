//! Random programs with `Gc`s: see `graph`.

use std::panic::resume_unwind;
use std::thread;

use lastly::{Gc, Trace};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::Reports;
use crate::graph::{Op, STEP, Step, record_reports, run, run_and_leave, take_model_of};

const CASES: u32 = if cfg!(any(miri, lastly_slow)) { 32 } else { 1_000 };

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(any::<[u8; STEP]>().prop_map(Step::of), 1..100)
}

/// Runs something on a thread of its own, to its end: what is left of a program that failed must not
/// disturb the next.
fn on_a_thread(work: impl FnOnce() + Send + 'static) -> thread::ThreadId {
    let thread = thread::spawn(work);
    let id = thread.thread().id();
    thread.join().unwrap_or_else(|payload| resume_unwind(payload));
    id
}

/// Leaks, by being a cycle that nobody can find, or by a `Trace` that panics.
fn leaks(step: &Step) -> bool {
    let acts = step.acts.iter().map(|act| act.op);
    let mut ops = acts.chain([step.op]);
    ops.any(|op| matches!(op, Op::LinkHidden | Op::Spoil | Op::SpoilOnce))
}

/// Has the collector's thread-local come into being before those of the tests, and die after them.
fn begin_to_collect() {
    #[derive(Trace)]
    struct Own(Option<Gc<Own>>);

    let object = Gc::new(Own(None));
    drop((object.clone(), object));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn objects_die_as_the_model_says(steps in steps()) {
        let _turn = Reports::record();
        record_reports();
        on_a_thread(move || run(&steps));
    }

    #[test]
    fn what_a_thread_leaves_behind_dies(mut steps in steps(), collector_first: bool) {
        let _turn = Reports::record();
        record_reports();
        steps.retain(|step| !leaks(step));
        let thread = on_a_thread(move || {
            if collector_first {
                begin_to_collect();
            }
            run_and_leave(&steps);
        });
        let mut model = take_model_of(thread).expect("left behind");
        model.check_all_over();
        assert_eq!(model.failure(), None);
    }
}
