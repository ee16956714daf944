//! Those measured, in the order of the tables.

mod bacon_rajan;
mod boa;
mod dumpster;
mod gc;
mod jrsonnet;
mod lastly;
mod rc;
mod rust_cc;

use super::child::Job;

pub(crate) struct Contender {
    /// What the child processes call it.
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) collects: Collects,
    run: fn(&Job<'_>) -> Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collects {
    /// And when told to.
    ByItself,
    WhenTold,
    Never,
}

impl Contender {
    /// Whether it is a collector other than ours.
    pub(crate) fn is_peer(&self) -> bool {
        self.collects != Collects::Never && self.key != ALL[LASTLY].key
    }
}

macro_rules! contender {
    ($key:literal, $label:literal, $collects:ident, $heap:ty) => {
        Contender {
            key: $key,
            label: $label,
            collects: Collects::$collects,
            run: |job| job.run::<$heap>(),
        }
    };
}

pub(crate) static ALL: [Contender; 8] = [
    contender!("lastly", "**lastly** `Gc`", ByItself, lastly::Lastly),
    contender!("rc", "`Rc`", Never, rc::Counting),
    contender!("rust-cc", "rust-cc", ByItself, rust_cc::RustCc),
    contender!("jrsonnet", "jrsonnet-gcmodule", WhenTold, jrsonnet::Jrsonnet),
    contender!("bacon-rajan", "bacon_rajan_cc", WhenTold, bacon_rajan::BaconRajan),
    contender!("gc", "gc", ByItself, gc::MarkSweep),
    contender!("boa", "boa_gc", ByItself, boa::Boa),
    contender!("dumpster", "dumpster `unsync`", ByItself, dumpster::Dumpster),
];

/// Has finalizers, and no more to offer.
pub(crate) static BY_HOOKS: Contender = Contender {
    key: "rust-cc-hooks",
    label: "rust-cc",
    collects: Collects::ByItself,
    run: |job| job.finalized::<rust_cc::ByHooks>(),
};

pub(crate) const LASTLY: usize = 0;
pub(crate) const RC: usize = 1;
pub(crate) const RUST_CC: usize = 2;
pub(crate) const GC: usize = 5;

/// In a child process.
pub(crate) fn run(key: &str, job: &Job<'_>) -> Vec<f64> {
    let contender = ALL.iter().chain([&BY_HOOKS]).find(|contender| contender.key == key);
    (contender.expect("the parent knows their names").run)(job)
}
