//! The ways for one thread to end a program.

use std::cell::RefCell;
use std::process::abort;
use std::process::exit;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use lastly::Watched;
use lastly::defer;
use lastly::finalize;

use crate::hang;
use crate::leak;
use crate::say;

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("return", return_from_main),
    ("exit", exit_on_main),
    ("exit-on-thread", exit_on_thread),
    ("panic", panic_in_main),
    ("panic-with-locals", panic_with_locals),
    ("abort", abort_in_main),
    ("_exit", underscore_exit),
    ("sigterm", sigterm),
    ("exit-in-callback", exit_in_callback),
    ("exit-in-call", exit_in_call),
    ("exit-in-value-drop", exit_in_value_drop),
    ("exit-in-drain", exit_in_drain),
    ("exit-in-peek", exit_in_peek),
    ("exit-in-peek-off", exit_in_peek_with_the_flag_off),
    ("leaked-cycle", leaked_cycle),
    ("static", static_object),
    ("forgotten-guard", forgotten_guard),
    ("thread-local", thread_local_object),
    ("guards-and-exit", guards_and_exit),
    ("self-capture", self_capture),
    ("come-and-go", come_and_go),
];

fn return_from_main() {
    leak("first");
    leak("second");
}

fn exit_on_main() {
    leak("first");
    leak("second");
    exit(3);
}

fn exit_on_thread() {
    leak("from main");
    thread::spawn(|| {
        leak("from the thread");
        exit(4);
    });
    hang();
}

fn panic_in_main() {
    leak("first");
    panic!("in main");
}

/// Locals die as the panic unwinds, before the drain.
fn panic_with_locals() {
    leak("leaked");
    let local = Watched::new(1);
    finalize(&local, say, "local");
    panic!("in main");
}

fn abort_in_main() {
    leak("never said");
    abort();
}

fn underscore_exit() {
    leak("never said");
    // SAFETY: ends the process; nothing is expected of it afterwards.
    unsafe { libc::_exit(5) };
}

/// The default action of a signal runs nothing. (Taking signals over is opt-in, and to come.)
fn sigterm() {
    leak("never said");
    // SAFETY: sends a signal to this process.
    unsafe { libc::raise(libc::SIGTERM) };
}

/// The callbacks of the object that are left, and everybody else's, run all the same.
fn exit_in_callback() {
    leak("elsewhere");
    let object = Watched::new(1);
    finalize(&object, say, "oldest of the object");
    finalize(&object, |()| -> () { exit(6) }, ());
    finalize(&object, say, "newest of the object");
    drop(object);
}

fn exit_in_call() {
    leak("elsewhere");
    let object = Watched::new(1);
    finalize(&object, say, "of the object");
    finalize(&object, |()| -> () { exit(6) }, ()).call();
}

fn exit_in_value_drop() {
    struct Exits;
    impl Drop for Exits {
        fn drop(&mut self) {
            say("exiting");
            exit(7);
        }
    }
    leak("elsewhere");
    let object = Watched::new(Exits);
    finalize(&object, say, "oldest of the object");
    finalize(&object, say, "newest of the object");
    drop(object);
}

/// Here the standard library aborts, and what is left is lost.
fn exit_in_drain() {
    leak("never said");
    let object = Box::leak(Box::new(Watched::new(1)));
    finalize(&*object, |()| -> () { exit(8) }, ());
    leak("newest");
}

fn exit_in_peek() {
    leak("elsewhere");
    let object = Watched::new(1);
    let peeked = finalize(&object, say, "never said");
    peeked.peek(|(), _, _| -> () { exit(9) });
}

fn exit_in_peek_with_the_flag_off() {
    let object = Watched::new(1);
    let peeked = finalize(&object, say, "never said");
    peeked.set_at_exit(false);
    peeked.peek(|(), _, _| -> () { exit(9) });
}

fn leaked_cycle() {
    type Node = Watched<RefCell<Option<Rc<NodeOf>>>>;
    struct NodeOf(Node);
    let node = Rc::new(NodeOf(Watched::new(RefCell::new(None))));
    *node.0.borrow_mut() = Some(node.clone());
    finalize(&node.0, say, "of the cycle");
}

fn static_object() {
    static OBJECT: Watched<u8> = Watched::new_static(1);
    finalize(&OBJECT, say, "of the static");
}

fn forgotten_guard() {
    std::mem::forget(defer(say, "forgotten"));
}

/// Thread-locals of the main thread die before the drain.
fn thread_local_object() {
    thread_local! { static OBJECT: Watched<u8> = Watched::new(1); }
    OBJECT.with(|object| finalize(object, say, "of the thread-local"));
    leak("newer, but later");
}

fn guards_and_exit() {
    let _first = defer(say, "first");
    let _second = defer(say, "second");
    exit(0);
}

/// A callback that owns its object: the types cannot refuse it. It runs at exit.
fn self_capture() {
    let object = Arc::new(Watched::new(1));
    let own = object.clone();
    finalize(&object, move |()| say(&format!("it is {}", **own)), ());
    drop(object);
    say("not dead");
}

/// Finalizers that come and go on one object leave no memory behind.
fn come_and_go() {
    let allocated = || {
        // SAFETY: only reads the allocator's statistics.
        unsafe { libc::mallinfo2() }.uordblks
    };
    let object = Watched::new(1);
    let round = || {
        for n in 0..1000 {
            let older = finalize(&object, |_| (), n);
            let newer = finalize(&object, |_| (), n);
            newer.call();
            older.detach();
        }
        allocated()
    };
    let after_one = round();
    (0..10).for_each(|_| _ = round());
    say(&format!("grown by {}", round() - after_one));
}
