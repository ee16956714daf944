//! The scenes of one process.

use std::cell::RefCell;
use std::process::{abort, exit};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use lastly::{Finalizer, Watched, defer, finalize, report};

use crate::{arrive, hang, leak, say, wait_for_arrival};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("return", return_from_main),
    ("exit", exit_on_main),
    ("exit-on-thread", exit_on_thread),
    ("panic", panic_in_main),
    ("panic-with-locals", panic_with_locals),
    ("abort", abort_in_main),
    ("_exit", underscore_exit),
    ("sigterm", sigterm),
    ("order-over-threads", order_over_threads),
    ("at-exit-off", at_exit_off),
    ("turned-off-in-drain", turned_off_in_drain),
    ("turned-on-in-drain", turned_on_in_drain),
    ("registers-in-drain", registers_in_drain),
    ("endless-registration", a_thousand_generations),
    ("calls-and-detaches-in-drain", calls_and_detaches_in_drain),
    ("object-dies-in-drain", object_dies_in_drain),
    ("spawns-and-joins-in-drain", spawns_and_joins_in_drain),
    ("failures-in-drain", failures_in_drain),
    ("hook-panics-in-drain", hook_panics_in_drain),
    ("exit-in-callback", exit_in_callback),
    ("exit-in-call", exit_in_call),
    ("exit-in-value-drop", exit_in_value_drop),
    ("exit-in-drain", exit_in_drain),
    ("exit-in-peek", exit_in_peek),
    ("running-elsewhere", running_elsewhere),
    ("hanging-elsewhere", hanging_elsewhere),
    ("registers-elsewhere", registers_elsewhere),
    ("busy-threads", busy_threads),
    ("hand-drain-and-return", hand_drain_and_return),
    ("exit-in-peek-off", exit_in_peek_with_the_flag_off),
    ("count-to-clock", count_to_clock),
    ("come-and-go", come_and_go),
    ("late", registered_by_other_threads),
    ("peeked-elsewhere", peeked_elsewhere),
    ("door-shut", door_shut),
    ("drain-by-hand", drain_by_hand),
    ("leaked-cycle", leaked_cycle),
    ("static", static_object),
    ("forgotten-guard", forgotten_guard),
    ("thread-local", thread_local_object),
    ("guards-and-exit", guards_and_exit),
    ("exit-while-creating", exit_while_creating),
    ("self-capture", self_capture),
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

/// Newest first over all threads, in the order in which the threads took turns.
fn order_over_threads() {
    let (to_thread, turns) = mpsc::channel();
    let (done, answers) = mpsc::channel();
    let thread = thread::spawn(move || {
        for line in turns {
            leak(line);
            done.send(()).unwrap();
        }
    });
    for (mine, its) in [("1 main", "2 thread"), ("3 main", "4 thread"), ("5 main", "6 thread")] {
        leak(mine);
        to_thread.send(its).unwrap();
        answers.recv().unwrap();
    }
    leak("7 main");
    drop(to_thread);
    thread.join().unwrap();
    thread::spawn(|| leak("8 another thread")).join().unwrap();
}

fn at_exit_off() {
    let object = Box::leak(Box::new(Watched::new(1)));
    leak("oldest");
    finalize(&*object, say, "never said").set_at_exit(false);
    leak("newest");
}

fn turned_off_in_drain() {
    let object = Box::leak(Box::new(Watched::new(1)));
    leak("oldest");
    let middle = finalize(&*object, say, "never said");
    finalize(&*object, move |()| middle.set_at_exit(false), ());
    leak("newest");
}

/// Newer ones that the drain has passed over run next when they are turned on.
fn turned_on_in_drain() {
    let object = Box::leak(Box::new(Watched::new(1)));
    leak("oldest");
    let newer: Arc<Mutex<Vec<Finalizer>>> = Arc::default();
    let inner = newer.clone();
    let turn_on = move |()| {
        say("turning on");
        inner.lock().unwrap().iter().for_each(|finalizer| finalizer.set_at_exit(true));
    };
    finalize(&*object, turn_on, ());
    for line in ["passed over, one", "passed over, two"] {
        let finalizer = finalize(&*object, say, line).erase();
        finalizer.set_at_exit(false);
        newer.lock().unwrap().push(finalizer);
    }
}

fn registers_in_drain() {
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1)));
    let register = |()| {
        say("registering");
        leak("registered first");
        leak("registered second");
    };
    finalize(&*object, register, ());
    leak("newest");
}

/// Every callback registers another: each runs next, one after the other.
fn a_thousand_generations() {
    fn generation(left: u32) {
        match left {
            0 => say("the last generation"),
            _ => {
                let object = Box::leak(Box::new(Watched::new(left)));
                finalize(&*object, generation, left - 1);
            }
        }
    }
    leak("oldest");
    generation(1000);
}

fn calls_and_detaches_in_drain() {
    let object = Box::leak(Box::new(Watched::new(1)));
    let called = finalize(&*object, say, "called");
    let detached = finalize(&*object, say, "never said");
    let work = move |()| {
        called.call();
        detached.detach();
        say("done");
    };
    finalize(&*object, work, ());
}

fn object_dies_in_drain() {
    let object = Watched::new(1);
    finalize(&object, say, "died with its object");
    let owner = Box::leak(Box::new(Watched::new(2)));
    let kill = move |object| {
        drop(object);
        say("killed it");
    };
    finalize(&*owner, kill, object);
}

fn spawns_and_joins_in_drain() {
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1)));
    let work = |()| {
        let work = || {
            let object = Watched::new(1);
            finalize(&object, say, "on a thread");
        };
        thread::spawn(work).join().unwrap();
    };
    finalize(&*object, work, ());
}

fn failures_in_drain() {
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1)));
    finalize(&*object, |()| Err::<(), _>("no luck"), ());
    leak("middle");
    finalize(&*object, |()| -> () { panic!("oh") }, ());
    leak("newest");
}

fn hook_panics_in_drain() {
    report::set_hook(|_| panic!("in the hook"));
    leak("oldest");
    let object = Box::leak(Box::new(Watched::new(1)));
    finalize(&*object, |()| Err::<(), _>("no luck"), ());
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

/// A callback that another thread is running is waited for, after everything else.
fn running_elsewhere() {
    let (go, wait) = mpsc::channel::<()>();
    let object = Watched::new(1);
    let work = move |()| {
        arrive();
        wait.recv().unwrap();
        say("finished elsewhere");
    };
    finalize(&object, work, ());
    thread::spawn(move || drop(object));
    wait_for_arrival();
    let oldest = Box::leak(Box::new(Watched::new(1)));
    let release = move |()| {
        say("drained first");
        go.send(()).unwrap();
    };
    finalize(&*oldest, release, ());
    exit(0);
}

/// ... but not for ever.
fn hanging_elsewhere() {
    fn hangs(_: u8) {
        arrive();
        hang();
    }
    lastly::exit::set_wait(Duration::from_millis(10));
    leak("drained");
    let object = Watched::new(1_u8);
    finalize(&object, hangs, 1);
    thread::spawn(move || drop(object));
    wait_for_arrival();
    exit(0);
}

/// What it registers while the drain waits for it runs too.
fn registers_elsewhere() {
    let (go, wait) = mpsc::channel::<()>();
    let object = Watched::new(1);
    let work = move |()| {
        arrive();
        wait.recv().unwrap();
        leak("registered elsewhere");
    };
    finalize(&object, work, ());
    thread::spawn(move || drop(object));
    wait_for_arrival();
    let guard = defer(move |go: mpsc::Sender<()>| go.send(()).unwrap(), go);
    std::mem::forget(guard);
    exit(0);
}

/// Threads whose callbacks never pause cannot keep the program from ending, however long the drain
/// would wait; and as it waits for those that had begun, none is reported as unfinished.
fn busy_threads() {
    lastly::exit::set_wait(Duration::from_secs(3600));
    leak("oldest");
    for _ in 0..8 {
        thread::spawn(|| {
            loop {
                drop(defer(|()| thread::yield_now(), ()));
                arrive();
            }
        });
    }
    wait_for_arrival();
    exit(0);
}

/// The program does not end under a drain that another thread began.
fn hand_drain_and_return() {
    static RETURNING: AtomicBool = AtomicBool::new(false);
    extern "C" fn main_has_returned() {
        RETURNING.store(true, SeqCst);
    }
    leak("oldest");
    leak("older");
    let slow = |()| {
        arrive();
        while !RETURNING.load(SeqCst) {
            thread::yield_now();
        }
        say("slow");
    };
    std::mem::forget(defer(slow, ()));
    // Newer than lastly's hook, it runs before that.
    // SAFETY: registers a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(main_has_returned) }, 0);
    thread::spawn(lastly::exit::drain);
    wait_for_arrival();
}

fn exit_in_peek_with_the_flag_off() {
    let object = Watched::new(1);
    let peeked = finalize(&object, say, "never said");
    peeked.set_at_exit(false);
    peeked.peek(|(), _, _| -> () { exit(9) });
}

/// The order holds where it passes from counting, on one thread, to the clock.
fn count_to_clock() {
    leak("oldest");
    for _ in 0..100_000 {
        std::mem::forget(defer(|()| (), ()));
    }
    leak("older");
    thread::spawn(|| leak("newer")).join().unwrap();
    leak("newest");
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

/// What other threads register during the drain runs at its end, but not for ever: what they
/// register while that runs comes too late.
fn registered_by_other_threads() {
    fn elsewhere(work: fn()) {
        thread::spawn(work).join().unwrap();
    }
    let first = |()| {
        elsewhere(|| std::mem::forget(defer(second, ())));
        say("first");
    };
    fn second(_: ()) {
        elsewhere(|| leak("never said"));
        say("second");
    }
    leak("oldest");
    std::mem::forget(defer(first, ()));
}

fn peeked_elsewhere() {
    let (go, wait) = mpsc::channel::<()>();
    let object = Watched::new(1);
    let peeked = finalize(&object, say, "run by the peeker");
    thread::spawn(move || {
        peeked.peek(|(), _, _| {
            arrive();
            wait.recv().unwrap();
            say("looked");
        });
        drop(object);
    });
    wait_for_arrival();
    let release = |go: mpsc::Sender<()>| go.send(()).unwrap();
    std::mem::forget(defer(release, go));
    exit(0);
}

/// The C library runs its hooks newest first: one that is older than the drain's runs after it.
fn door_shut() {
    static LEFT: Mutex<Option<(Watched<u8>, Finalizer)>> = Mutex::new(None);
    extern "C" fn after_the_drain() {
        let (object, finalizer) = LEFT.lock().unwrap().take().unwrap();
        say(&format!("alive: {}", finalizer.is_alive()));
        say(&format!("ran: {}", finalizer.call().is_some()));
        say(&format!("alive: {}", finalizer.is_alive()));
        drop(object);
        let late = Watched::new(1);
        let detached = finalize(&late, |()| (), ()).detach();
        say(&format!("detached: {}", detached.is_some()));
        finalize(&late, say, "never said");
        drop(late);
        drop(defer(say, "never said"));
        say("over");
    }
    // SAFETY: registers a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(after_the_drain) }, 0);
    let object = Watched::new(1);
    finalize(&object, say, "never said").set_at_exit(false);
    let finalizer = finalize(&object, say, "never said").erase();
    finalizer.set_at_exit(false);
    *LEFT.lock().unwrap() = Some((object, finalizer));
    leak("drained");
}

fn drain_by_hand() {
    leak("first");
    lastly::exit::drain();
    say("drained");
    leak("never said");
    lastly::exit::drain();
    // SAFETY: ends the process; nothing is expected of it afterwards.
    unsafe { libc::_exit(0) };
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

/// Threads create and kill while the program ends: each finalizer runs once or, when it came too
/// late, not at all; nothing crashes and nothing hangs.
fn exit_while_creating() {
    use std::sync::atomic::AtomicU64;
    static CREATED: AtomicU64 = AtomicU64::new(0);
    static RAN: AtomicU64 = AtomicU64::new(0);
    let oldest = Box::leak(Box::new(Watched::new(1)));
    let compare = |()| {
        // Each one that ran was created, and none ran twice.
        assert!(RAN.load(SeqCst) <= CREATED.load(SeqCst));
        say("compared");
    };
    finalize(&*oldest, compare, ());
    for _ in 0..4 {
        thread::spawn(|| {
            loop {
                let kept = Box::leak(Box::new(Watched::new(1)));
                CREATED.fetch_add(2, SeqCst);
                finalize(&*kept, |()| RAN.fetch_add(1, SeqCst), ());
                let dies = Watched::new(1);
                finalize(&dies, |()| RAN.fetch_add(1, SeqCst), ());
                drop(dies);
                if CREATED.load(SeqCst) > 1000 {
                    arrive();
                }
            }
        });
    }
    wait_for_arrival();
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
