//! Random programs, in the tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{STEP, Step, record_reports, run};
use crate::Reports;

const CASES: u32 = if cfg!(any(miri, lastly_slow)) { 32 } else { 1_000 };

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_graphs_die_as_the_model_says(steps in vec(any::<[u8; STEP]>().prop_map(Step::of), 1..100)) {
        let _turn = Reports::record();
        record_reports();
        // Each on a thread of its own: what is left of one that failed must not disturb the next.
        let ended = std::thread::spawn(move || run(&steps)).join();
        ended.unwrap_or_else(|payload| std::panic::resume_unwind(payload));
    }
}
