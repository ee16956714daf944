//! Where something is too deep, too many, or too late.

use std::cell::RefCell;
use std::thread;

use lastly::{Gc, Trace, Tracer, collect, collector, finalize};

use crate::nodes::{Node, alone, check_still_working};
use crate::{Log, Reports, explode};

/// A list, not looked into, of which the last panics when it is dropped; deeper than deaths nest.
struct Link(Option<Gc<Link>>);

// SAFETY: finds nothing.
unsafe impl Trace for Link {
    fn trace(&self, _: &mut Tracer) {}
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.0.is_none() {
            explode("the last");
        }
    }
}

fn list() -> Gc<Link> {
    (0..50).fold(Gc::new(Link(None)), |next, _| Gc::new(Link(Some(next))))
}

/// What a callback drops, and what that drops when its turn comes, is not for those to answer for
/// who dropped the callback's object.
#[test]
fn a_callback_answers_for_what_it_drops() {
    thread_local! { static LIST: RefCell<Option<Gc<Link>>> = const { RefCell::new(None) }; }
    let reports = Reports::record();
    alone(|| {
        let drop_the_list = || LIST.take().is_some();
        let leaf = Gc::new(1);
        LIST.set(Some(list()));
        finalize(&leaf, move |()| drop_the_list(), ());
        drop(leaf);
        let taken = Gc::new(String::from("taken"));
        LIST.set(Some(list()));
        finalize(&taken, move |()| drop_the_list(), ());
        assert_eq!(Gc::try_unwrap(taken).as_deref(), Ok("taken"));
        let other = Node::new(&Log::default(), "other");
        LIST.set(Some(list()));
        finalize(&other, move |()| drop_the_list(), ());
        drop(other);
    });
    let ours = |line: &String| line.contains("limits::Link");
    assert_eq!(reports.take().into_iter().filter(ours).count(), 3);
}

/// Leaves, each of which is dropped by the callback of the one before.
#[test]
fn a_chain_through_callbacks() {
    const LENGTH: u32 = if cfg!(lastly_slow) { 2_000 } else { 50_000 };
    thread_local! { static REST: RefCell<Vec<Gc<u32>>> = const { RefCell::new(Vec::new()) }; }
    fn drop_the_next() {
        drop(REST.with_borrow_mut(Vec::pop));
    }
    let chain = || {
        for number in 0..LENGTH {
            let leaf = Gc::new(number);
            finalize(&leaf, |()| drop_the_next(), ());
            REST.with_borrow_mut(|rest| rest.push(leaf));
        }
        drop_the_next();
        assert!(REST.take().is_empty());
    };
    thread::Builder::new().stack_size(256 << 10).spawn(chain).unwrap().join().unwrap();
}

/// More objects that cannot be looked into than a search has patience with.
#[test]
fn many_that_panic_do_not_stop_the_collector() {
    struct Bad(Option<Gc<Bad>>);
    // SAFETY: finds nothing.
    unsafe impl Trace for Bad {
        fn trace(&self, _: &mut Tracer) {
            let _ = &self.0;
            explode("bad");
        }
    }
    let _reports = Reports::record();
    alone(|| {
        let bad: Vec<_> = (0..150).map(|_| Gc::new(Bad(None))).collect();
        drop(bad.clone());
        let log = Log::default();
        drop(Node::circle(&log, "circle"));
        collect();
        collect();
        assert_eq!(log.take(), ["drop circle"]);
        drop(bad);
        check_still_working();
    });
}

/// A guard that is never dropped keeps nothing from dying with its thread.
#[test]
fn a_pause_without_end() {
    thread_local! { static KEPT: RefCell<Vec<Gc<Node>>> = const { RefCell::new(Vec::new()) }; }
    let log = Log::default();
    alone(|| {
        KEPT.with(|_| ());
        std::mem::forget(collector::pause());
        drop(Node::circle(&log, "circle"));
        KEPT.set(vec![Node::circle(&log, "kept")]);
    });
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["drop circle", "drop kept"]);
}
