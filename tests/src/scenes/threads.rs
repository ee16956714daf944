//! What other threads do while the program ends.

use std::process::exit;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lastly::Watched;
use lastly::defer;
use lastly::finalize;
use lastly::report;

use crate::arrive;
use crate::hang;
use crate::leak;
use crate::say;
use crate::wait_for_arrival;

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("running-elsewhere", running_elsewhere),
    ("hanging-elsewhere", hanging_elsewhere),
    ("registers-elsewhere", registers_elsewhere),
    ("busy-threads", busy_threads),
    ("hand-drain-and-return", hand_drain_and_return),
    ("late", registered_by_other_threads),
    ("late-and-peeked", late_and_peeked),
    ("reported-by-hand-drain", reported_by_a_hand_drain),
    ("peeked-elsewhere", peeked_elsewhere),
    ("exit-while-creating", exit_while_creating),
];

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

/// Threads create and kill while the program ends, and for a while after it: each finalizer runs once,
/// or is reported as not run; nothing crashes and nothing hangs.
fn exit_while_creating() {
    static CREATED: AtomicU64 = AtomicU64::new(0);
    static RAN: AtomicU64 = AtomicU64::new(0);
    static TOLD: AtomicU64 = AtomicU64::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    static WORKING: AtomicU64 = AtomicU64::new(4);
    fn count(_: ()) {
        RAN.fetch_add(1, SeqCst);
    }
    fn work() {
        while !STOP.load(SeqCst) {
            let kept = Box::leak(Box::new(Watched::new(1)));
            finalize(&*kept, count, ());
            let dies = Watched::new(1);
            finalize(&dies, count, ());
            drop(dies);
            if CREATED.fetch_add(2, SeqCst) > 1000 {
                arrive();
            }
        }
        WORKING.fetch_sub(1, SeqCst);
    }
    /// Older than lastly's hook, it runs after that, when the door is shut.
    extern "C" fn compare() {
        let so_far = CREATED.load(SeqCst);
        while CREATED.load(SeqCst) < so_far + 100 {
            thread::yield_now();
        }
        STOP.store(true, SeqCst);
        while WORKING.load(SeqCst) > 0 {
            thread::yield_now();
        }
        let (created, ran, told) = (CREATED.load(SeqCst), RAN.load(SeqCst), TOLD.load(SeqCst));
        say(&format!("unaccounted for: {}", i128::from(created) - i128::from(ran + told)));
        say(&format!("some came too late: {}", told >= 100));
    }
    // SAFETY: registers a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(compare) }, 0);
    report::set_hook(|report| match report.problem {
        report::Problem::TooLate => _ = TOLD.fetch_add(1, SeqCst),
        problem => say(&format!("reported: {problem}")),
    });
    (0..4).for_each(|_| _ = thread::spawn(work));
    wait_for_arrival();
    exit(0);
}

/// A run that is due when a look ends is owed, also when the door was shut meanwhile.
fn late_and_peeked() {
    fn door_is_shut() -> bool {
        defer(|()| (), ()).call().is_none()
    }
    fn in_the_last_round(_: ()) {
        thread::spawn(|| {
            let guard = defer(say, "run by the peeker");
            let handle = guard.clone();
            handle.peek(|(), _, _| {
                drop(guard);
                arrive();
                while !door_is_shut() {
                    thread::yield_now();
                }
            });
        });
        wait_for_arrival();
    }
    let register_elsewhere = |()| {
        let register = || std::mem::forget(defer(in_the_last_round, ()));
        thread::spawn(register).join().unwrap();
    };
    std::mem::forget(defer(register_elsewhere, ()));
}

/// The program does not end under a report of a drain that another thread began.
fn reported_by_a_hand_drain() {
    static RETURNING: AtomicBool = AtomicBool::new(false);
    extern "C" fn main_has_returned() {
        RETURNING.store(true, SeqCst);
    }
    static HANGS: AtomicBool = AtomicBool::new(false);
    let hangs = |()| {
        HANGS.store(true, SeqCst);
        hang();
    };
    thread::spawn(move || drop(defer(hangs, ())));
    while !HANGS.load(SeqCst) {
        thread::yield_now();
    }
    // SAFETY: registers a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(main_has_returned) }, 0);
    report::set_hook(|report| {
        // For main's own drain, which is to wait for this one.
        lastly::exit::set_wait(Duration::from_secs(3600));
        arrive();
        while !RETURNING.load(SeqCst) {
            thread::yield_now();
        }
        say(&format!("reported: {}", report.problem));
    });
    lastly::exit::set_wait(Duration::from_millis(10));
    thread::spawn(lastly::exit::drain);
    wait_for_arrival();
}
