//! `Watched` values inside other people's collectors: what holds there, and what does not.
//!
//! Each module shows the recipe for one collector: a node with a `Watched` field that the collector
//! does not look into, and pointers of the collector's beside it. The checks below are what holds in
//! each of them; what is different is tested in the module.
#![cfg(not(loom))]

mod bacon_rajan_cc;
mod boa_gc;
mod dumpster;
mod gc;
mod jrsonnet_gcmodule;
mod rust_cc;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

use lastly::{Finalizer, Watched, finalize, report};

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, event: impl ToString) {
        self.0.lock().unwrap().push(event.to_string());
    }

    /// What happened since this was last asked.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The same, for what has no order.
    fn take_sorted(&self) -> Vec<String> {
        let mut events = self.take();
        events.sort();
        events
    }

    /// An object with a finalizer that says `name`, after its value has said that it drops.
    fn object(&self, name: &'static str) -> (Watched<Value>, Finalizer) {
        let object = self.bare_object(name);
        let log = self.clone();
        let finalizer = finalize(&object, move |name| log.add(name), name).erase();
        (object, finalizer)
    }

    /// Several of them, and their finalizers.
    fn objects<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> (Vec<Watched<Value>>, Vec<Finalizer>) {
        names.map(|name| self.object(name)).into_iter().unzip()
    }

    /// One without a finalizer.
    fn bare_object(&self, name: &'static str) -> Watched<Value> {
        Watched::new(Value { log: self.clone(), name })
    }
}

/// A value that says when it drops.
struct Value {
    log: Log,
    name: &'static str,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.log.add(format!("value {}", self.name));
        if self.name == "bomb" {
            panic!("drop of the value");
        }
    }
}

/// The reports made while this lives. There is one hook per process, so the tests that need it take
/// turns.
struct Reports {
    log: Log,
    _turn: MutexGuard<'static, ()>,
}

impl Reports {
    fn record() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let log = Log::default();
        let to = log.clone();
        report::set_hook(move |report| to.add(format!("{}: {}", report.cause, report.problem)));
        Self { log, _turn: turn }
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        report::reset_hook();
    }
}

/// A callback that panics, with a type that says nothing of it.
fn explode(message: &'static str) {
    std::panic::panic_any(message)
}

/// A collector, as far as the checks need it.
trait Collector {
    /// Makes a node with this object in a field, and lets go of it.
    fn leave(object: Watched<Value>);

    /// Makes a ring of such nodes, in this order, and lets go of it.
    fn leave_ring(objects: Vec<Watched<Value>>);

    fn collect();
}

/// Ties nodes to a ring.
fn tie<P: Clone>(nodes: Vec<P>, link: impl Fn(&P, P)) {
    for (index, node) in nodes.iter().enumerate() {
        link(node, nodes[(index + 1) % nodes.len()].clone());
    }
}

/// Holds: a callback fires when the collector drops its object; once; after the object's value.
fn fires_in_the_collection<C: Collector>() {
    let log = Log::default();
    let (objects, finalizers) = log.objects(["a", "b", "c"]);
    C::leave_ring(objects);
    assert_eq!(log.take(), [""; 0]);
    assert!(finalizers.iter().all(Finalizer::is_alive));
    C::collect();
    assert_eq!(log.take_sorted(), ["a", "b", "c", "value a", "value b", "value c"]);
    assert!(!finalizers.iter().any(Finalizer::is_alive));
    C::collect();
    assert_eq!(log.take(), [""; 0]);
}

/// Holds where references are counted: what is in no cycle fires with the last pointer.
fn fires_with_the_last_pointer<C: Collector>() {
    let log = Log::default();
    C::leave(log.object("a").0);
    assert_eq!(log.take(), ["value a", "a"]);
}

/// Holds where they are not: it fires in the next collection.
fn fires_in_the_next_collection<C: Collector>() {
    let log = Log::default();
    C::leave(log.object("a").0);
    assert_eq!(log.take(), [""; 0]);
    C::collect();
    assert_eq!(log.take(), ["value a", "a"]);
}

/// Holds: called before, it does not fire in the collection; detached, it never does.
fn called_or_detached_before<C: Collector>() {
    let log = Log::default();
    let (objects, finalizers) = log.objects(["a", "b", "c"]);
    C::leave_ring(objects);
    assert!(finalizers[0].call().is_some());
    assert!(finalizers[1].detach());
    assert_eq!(log.take(), ["a"]);
    C::collect();
    assert_eq!(log.take_sorted(), ["c", "value a", "value b", "value c"]);
}

/// Holds: a callback may call and detach others of the same collection.
fn one_calls_another<C: Collector>() {
    let log = Log::default();
    let object = log.bare_object("a");
    let (others, handles) = log.objects(["b", "c"]);
    let calls = |(finalizer, log): (Finalizer, Log)| {
        let ran = finalizer.call().is_some();
        log.add(format!("b by a: {ran}"));
    };
    finalize(&object, calls, (handles[0].clone(), log.clone()));
    C::leave_ring(std::iter::once(object).chain(others).collect());
    C::collect();
    let events = log.take_sorted();
    // Who was first is the collector's business; twice is nobody's.
    let by_a = events.iter().find(|event| event.starts_with("b by a")).expect("a fired").clone();
    assert_eq!(events, ["b", &by_a, "c", "value a", "value b", "value c"]);
}

/// Holds: a callback that panics is reported. Neither the others nor the collector notice.
fn a_callback_panics<C: Collector>() {
    let reports = Reports::record();
    let log = Log::default();
    let ring = || {
        let bad = log.bare_object("bad");
        finalize(&bad, explode, "callback");
        vec![log.object("a").0, log.object("b").0, bad, log.object("c").0, log.object("d").0]
    };
    let all = ["a", "b", "c", "d", "value a", "value b", "value bad", "value c", "value d"];
    for _ in 0..2 {
        C::leave_ring(ring());
        C::collect();
        assert_eq!(log.take_sorted(), all);
        assert_eq!(reports.log.take(), ["object died: panicked: callback"]);
    }
}

/// Does **not** hold: that callbacks fire when all is over, the newest first. They fire in the
/// middle of the collection, when other values have not dropped yet.
fn fires_in_the_middle<C: Collector>() {
    let log = Log::default();
    // In the ring a, b, c, d. Whatever way round a collector goes, that is not the order of age.
    let [(a, _), (c, _), (b, _), (d, _)] = ["a", "c", "b", "d"].map(|name| log.object(name));
    C::leave_ring(vec![a, b, c, d]);
    C::collect();
    let events = log.take();
    let names: Vec<&str> = events.iter().map(String::as_str).collect();
    for pair in names.chunks(2) {
        assert_eq!(pair[0], format!("value {}", pair[1]), "{names:?}");
    }
    let fired: Vec<&str> = names.into_iter().skip(1).step_by(2).collect();
    assert_ne!(fired, ["d", "b", "c", "a"], "newest first");
}

/// Does **not** hold: that the collector is shielded from the value's own `Drop`. Its panic gets into
/// the collection, and what that loses differs; the callbacks of *that* object fire all the same.
fn the_drop_of_a_value_panics<C: Collector>() {
    let log = Log::default();
    let bomb = log.bare_object("bomb");
    let said = log.clone();
    finalize(&bomb, move |()| said.add("of the bomb"), ());
    C::leave_ring(vec![bomb]);
    catch_unwind(AssertUnwindSafe(C::collect)).expect_err("the panic gets out of the collection");
    assert_eq!(log.take(), ["value bomb", "of the bomb"]);
}

/// What a thread leaves behind when it ends: the events until then, and the finalizer of what was
/// left.
fn after_the_end_of_a_thread<C: Collector>() -> (Vec<String>, Finalizer) {
    let log = Log::default();
    let (object, finalizer) = log.object("a");
    let leave = || C::leave_ring(vec![object]);
    std::thread::scope(|scope| scope.spawn(leave).join()).expect("no panic");
    (log.take(), finalizer)
}

/// Holds where the collector's thread-local collects when it dies.
fn fires_at_the_end_of_the_thread<C: Collector>() {
    let (events, finalizer) = after_the_end_of_a_thread::<C>();
    assert_eq!(events, ["value a", "a"]);
    assert!(!finalizer.is_alive());
}

/// Holds where nobody ever will collect it: the callback is still due, by hand or at exit.
fn outlives_its_thread<C: Collector>() {
    let (events, finalizer) = after_the_end_of_a_thread::<C>();
    assert_eq!(events, [""; 0]);
    assert!(finalizer.is_alive() && finalizer.at_exit());
    assert!(finalizer.call().is_some());
}

/// A collection in which a callback does `work`. Gives what was reported of it; the other callbacks
/// fire in any case, and the next collection works.
fn in_a_callback<C: Collector>(work: fn()) -> Vec<String> {
    let reports = Reports::record();
    let log = Log::default();
    let object = log.bare_object("worker");
    finalize(&object, |work: fn()| work(), work);
    C::leave_ring(vec![log.object("a").0, object, log.object("b").0]);
    C::collect();
    assert_eq!(log.take_sorted(), ["a", "b", "value a", "value b", "value worker"]);
    C::leave_ring(log.objects(["c", "d"]).0);
    C::collect();
    assert_eq!(log.take_sorted(), ["c", "d", "value c", "value d"]);
    reports.log.take()
}

/// What holds in each of them.
macro_rules! what_holds {
    ($collector:ty: $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                crate::$check::<$collector>();
            }
        )*
    };
}
pub(crate) use what_holds;
