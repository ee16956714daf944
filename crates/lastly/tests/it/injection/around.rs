//! A panic in the user's functions that `Gc` itself calls: it comes to the caller, and nothing is
//! half done.

use lastly::{Weak, collect};

use super::*;
use crate::nodes::{Node, alone, check_still_working};
use crate::{explode, panic_of};

thread_local! { static DROPS: Cell<u32> = const { Cell::new(0) }; }

/// Whose clone and default panic.
#[derive(Debug, Trace)]
struct Stubborn(u8);

impl Clone for Stubborn {
    fn clone(&self) -> Self {
        panic_any("clone")
    }
}

impl Default for Stubborn {
    fn default() -> Self {
        panic_any("default")
    }
}

impl std::ops::Drop for Stubborn {
    fn drop(&mut self) {
        DROPS.set(DROPS.get() + 1);
    }
}

#[test]
fn in_the_clone_of_make_mut() {
    DROPS.set(0);
    let log = Log::default();
    let mut object = Gc::new(Stubborn(1));
    finalize(&object, log.say("callback"), ());
    Gc::make_mut(&mut object).0 = 2;
    let other = object.clone();
    assert_eq!(panic_of(|| Gc::make_mut(&mut object).0), "clone");
    assert!(Gc::ptr_eq(&object, &other));
    assert_eq!((object.0, Gc::strong_count(&object), DROPS.get()), (2, 2, 0));
    drop((object, other));
    assert_eq!((DROPS.get(), log.take()), (1, vec!["callback".to_owned()]));
    check_still_working();
}

#[test]
fn in_the_clone_of_unwrap_or_clone() {
    DROPS.set(0);
    let object = Gc::new(Stubborn(1));
    let other = object.clone();
    assert_eq!(panic_of(|| Gc::unwrap_or_clone(object)), "clone");
    assert_eq!((Gc::strong_count(&other), DROPS.get()), (1, 0));
    assert_eq!(Gc::unwrap_or_clone(other).0, 1, "without a clone");
    assert_eq!(DROPS.get(), 1);
}

#[test]
fn in_what_makes_a_value() {
    DROPS.set(0);
    assert_eq!(panic_of(Gc::<Stubborn>::default), "default");
    assert_eq!(panic_of(|| Gc::new_cyclic(|_: &Weak<Stubborn>| panic_any("cyclic"))), "cyclic");
    let halfway = || -> Gc<[Stubborn]> {
        (0..5).map(|n| if n < 3 { Stubborn(n) } else { panic_any("iterator") }).collect()
    };
    assert_eq!(panic_of(halfway), "iterator");
    assert_eq!(DROPS.get(), 3);
    check_still_working();
}

/// Within `new_cyclic` everything may happen that may happen anywhere.
#[test]
fn in_a_value_that_is_made_while_others_die() {
    alone(|| {
        let log = Log::default();
        let make = || {
            Gc::new_cyclic(|me: &Weak<(Weak<()>, Gc<Node>)>| {
                let node = Node::circle(&log, "node");
                finalize(&node, log.say("callback"), ());
                node.on_drop(|_| explode("drop"));
                let _me = me.clone();
                drop(node);
                collect();
                panic_any("cyclic")
            })
        };
        let reports = Reports::record();
        assert_eq!(panic_of(make), "cyclic");
        assert_eq!(log.take(), ["drop node", "callback"]);
        let of_this = |line: &String| line.contains("nodes::Node");
        assert_eq!(reports.take().into_iter().filter(of_this).count(), 1);
        check_still_working();
    });
}

/// Also `is_leaf` is the user's, if he writes it by hand.
#[test]
fn in_is_leaf() {
    struct Undecided(Stubborn);
    // SAFETY: owns nothing.
    unsafe impl Trace for Undecided {
        fn trace(&self, _: &mut Tracer) {}
        fn is_leaf() -> bool {
            panic_any("is it?")
        }
    }
    DROPS.set(0);
    let undecided = || Undecided(Stubborn(1));
    assert_eq!(panic_of(|| Gc::new(undecided()).0.0), "is it?");
    assert_eq!(DROPS.get(), 1);
    assert_eq!(
        panic_of(|| Gc::<[Undecided]>::from(vec![undecided(), undecided()]).len()),
        "is it?"
    );
    assert_eq!(DROPS.get(), 3);
    assert_eq!(panic_of(|| Gc::new_cyclic(|_| undecided()).0.0), "is it?");
    check_still_working();
}

/// Who forgets to ask whether a sibling is alive: the panic says what to do, and is contained.
#[test]
fn in_a_drop_that_asks_a_dead_sibling() {
    let turn = Reports::record();
    let reports = Log::default();
    let to = reports.clone();
    report::set_hook(move |report| {
        if report.object.contains("nodes::Node") {
            to.add(report);
        }
    });
    alone(|| {
        let log = Log::default();
        let ring = Node::ring(&log, &["a", "b"]);
        finalize(&ring[0], log.say("callback"), ());
        ring[0].on_drop(|node| _ = node.links.borrow()[0].name.len());
        drop(ring);
        assert_eq!(collect().objects, 2);
        let mut lines = log.take();
        assert_eq!(lines.split_off(2), ["callback"]);
        let reports = reports.take();
        assert_eq!(reports.len(), 1);
        let begins = "lastly: cleanup of it::nodes::Node (object died): its own code panicked: ";
        assert!(reports[0].starts_with(begins), "{}", reports[0]);
        assert!(reports[0].contains("`Gc<it::nodes::Node>` is dead"), "{}", reports[0]);
        check_still_working();
    });
    drop(turn);
}
