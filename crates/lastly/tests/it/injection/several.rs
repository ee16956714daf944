//! Several panics at once, panics that come again each time, and a report hook that panics itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lastly::collect;

use super::*;
use crate::explode;
use crate::nodes::{Node, alone, check_still_working};

/// The reports of nodes.
struct NodeReports {
    log: Log,
    _turn: Reports,
}

impl NodeReports {
    fn record() -> Self {
        let turn = Reports::record();
        let log = Log::default();
        let to = log.clone();
        report::set_hook(move |report| {
            if report.object.contains("it::") {
                to.add(report.problem);
            }
        });
        Self { log, _turn: turn }
    }
}

/// Every value of a ring panics in its drop, and so does a callback of each.
#[test]
fn everything_panics_in_one_collection() {
    let reports = NodeReports::record();
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b", "c"]);
        for node in &ring {
            finalize(node, log.say("oldest"), ());
            finalize(node, |()| explode("callback"), ());
            finalize(node, log.say("newest"), ());
            node.on_drop(|_| explode("drop"));
        }
        drop(ring);
        let done = collect();
        assert_eq!((done.objects, done.callbacks), (3, 9));
        let mut lines = log.take();
        let callbacks = lines.split_off(3);
        assert_eq!(callbacks, ["newest", "oldest", "newest", "oldest", "newest", "oldest"]);
        let mut panics = reports.log.take();
        assert_eq!(panics.split_off(3), ["panicked: callback"; 3], "after all drops");
        assert_eq!(panics, ["panicked: drop"; 3]);
        check_still_working();
    });
}

/// Of a long list every value panics in its drop: the first is the dropper's, the first of those
/// that wait is too if there was none before, and all others are reported.
#[test]
fn everything_panics_in_a_list() {
    let reports = NodeReports::record();
    for first in [40, 50] {
        alone(|| {
            let log = Log::default();
            let mut list = Node::new(&log, "end");
            for at in (0..100).rev() {
                let next = Node::new(&log, "node");
                finalize(&next, log.say("callback"), ());
                if at == first || at == 70 || at == 99 {
                    next.on_drop(move |_| explode(if at == first { "first" } else { "later" }));
                }
                next.link(&list);
                list = next;
            }
            let caught = catch_unwind(AssertUnwindSafe(|| drop(list))).expect_err("a panic");
            assert_eq!(caught.downcast_ref(), Some(&"first"));
            assert_eq!(reports.log.take(), ["panicked: later"; 2]);
            let lines = log.take();
            let callbacks = lines.iter().filter(|line| *line == "callback").count();
            assert_eq!((callbacks, lines.len()), (100, 201));
            check_still_working();
        });
    }
}

/// A hook that panics: the report is printed, and that is all.
#[test]
fn the_hook_panics_wherever_it_is_called() {
    let _turn = PartReports::record();
    report::set_hook(|_| panic_any(Nasty));
    for place in PLACES {
        for payload in PAYLOADS {
            alone(|| {
                let log = Log::default();
                let living = Part::new(&log, LIVING);
                let ring = ring(&log, &living, place);
                drop(living.clone());
                FAULT.set(Some(Fault { place, payload }));
                drop(ring);
                collect();
                check_still_working();
                collect();
                drop(living);
                assert_each_once(log.take(), &format!("{place:?}, {payload:?}"));
            });
        }
    }
}

/// A hook that uses everything: it makes, kills, collects and ties.
#[test]
fn the_hook_collects() {
    let turn = PartReports::record();
    let made = Log::default();
    let hooks = made.clone();
    report::set_hook(move |report| {
        if report.object.contains("it::injection::") || report.object == "an object" {
            let node = Node::circle(&hooks, "of the hook");
            finalize(&node, hooks.say("callback of the hook"), ());
            drop(node);
            collect();
        }
    });
    for place in PLACES {
        alone(|| {
            let log = Log::default();
            let living = Part::new(&log, LIVING);
            let ring = ring(&log, &living, place);
            drop(living.clone());
            FAULT.set(Some(Fault { place, payload: Payload::Text }));
            drop(ring);
            collect();
            collect();
            drop(living);
            let lines = log.take();
            // The last to drop is the one that lives.
            let drops = lines.iter().take_while(|line| line.starts_with("drop")).count();
            assert_eq!(drops, 4, "values first, also now: {place:?}");
            assert_each_once(lines, &format!("{place:?}"));
            assert_eq!(made.take(), ["drop of the hook", "callback of the hook"], "{place:?}");
            check_still_working();
        });
    }
    drop(turn);
}

/// An object that can never be looked into.
struct Stubborn {
    node: Node,
    circle: RefCell<Option<Gc<Stubborn>>>,
    looks: Arc<AtomicU32>,
}

// SAFETY: finds nothing.
unsafe impl Trace for Stubborn {
    fn trace(&self, _: &mut Tracer) {
        self.looks.fetch_add(1, SeqCst);
        explode("stubborn");
    }
}

/// It is not in the way of what else there is; a cycle that it is part of stays, until somebody
/// takes it apart; and its finalizers run at exit, or when it dies by count.
#[test]
fn a_trace_that_panics_each_time() {
    let reports = NodeReports::record();
    let looks = Arc::new(AtomicU32::new(0));
    alone(|| {
        let log = Log::default();
        let node = Node::alone(&log, "inner");
        let stubborn = Gc::new(Stubborn { node, circle: RefCell::default(), looks: looks.clone() });
        finalize(&stubborn, log.say("callback"), ());
        *stubborn.circle.borrow_mut() = Some(stubborn.clone());
        stubborn.node.link(&Node::circle(&log, "held"));
        let weak = Gc::downgrade(&stubborn);
        drop(stubborn);
        for round in 1..=3 {
            drop(Node::circle(&log, "garbage"));
            assert_eq!(collect().objects, 1);
            assert_eq!(log.take(), ["drop garbage"]);
            assert_eq!(reports.log.take(), ["panicked: stubborn"], "once for each collection");
            assert_eq!(looks.load(SeqCst), round);
        }
        let stubborn = weak.upgrade().expect("alive");
        drop(stubborn.circle.take());
        drop(stubborn);
        assert_eq!(log.take(), ["drop inner", "callback"]);
        assert_eq!(collect().objects, 1, "what it held");
        assert_eq!(log.take(), ["drop held"]);
    });
}

/// Where a thread ends as well, and that is not told a hundred times.
#[test]
fn a_trace_that_panics_at_the_end_of_a_thread() {
    let reports = NodeReports::record();
    let log = Log::default();
    alone(|| {
        thread_local! { static KEPT: RefCell<Option<Gc<Stubborn>>> = const { RefCell::new(None) }; }
        let node = Node::alone(&log, "inner");
        let stubborn =
            Gc::new(Stubborn { node, circle: RefCell::default(), looks: Arc::default() });
        KEPT.set(Some(stubborn.clone()));
        drop(stubborn);
        drop(Node::circle(&log, "garbage"));
    });
    assert_eq!(log.take(), ["drop garbage", "drop inner"]);
    assert!((1..=3).contains(&reports.log.take().len()));
}
