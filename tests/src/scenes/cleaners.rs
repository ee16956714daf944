//! The scenes in which something waits for a cleaner's thread, and the program ends or forks.

use std::process::exit;
use std::sync::LazyLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lastly::{Cleaner, Watched, defer, paused};

use super::forks::in_child;
use super::heirs::{end_at_once, leave_child};
use super::signals;
use crate::{arrive, hang, leak, say, wait_for_arrival};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("backlog-and-exit", backlog_and_exit),
    ("backlog-and-return", backlog_and_return),
    ("backlog-and-flag-off", backlog_and_flag_off),
    ("backlog-turned-off-in-drain", backlog_turned_off_in_drain),
    ("cleaner-runs-at-exit", cleaner_runs_at_exit),
    ("cleaner-hangs-at-exit", cleaner_hangs_at_exit),
    ("cleaner-hangs-and-budget", cleaner_hangs_and_budget),
    ("cleaner-calls-exit", cleaner_calls_exit),
    ("cleaner-in-drain", cleaner_in_drain),
    ("blocked-and-exit", blocked_and_exit),
    ("backlog-and-panic", backlog_and_panic),
    ("backlog-and-signal", backlog_and_signal),
    ("backlog-and-fork", backlog_and_fork),
    ("full-backlog-and-fork", full_backlog_and_fork),
    ("fork-on-the-cleaner", fork_on_the_cleaner),
    ("fork-on-the-cleaner-and-go-on", fork_on_the_cleaner_and_go_on),
    ("fork-while-handing-over", fork_while_handing_over),
    ("backlog-and-daemon", backlog_and_daemon),
    ("backlog-of-the-heirs-own", backlog_of_the_heirs_own),
];

pub(super) static CLEANER: LazyLock<Cleaner> = LazyLock::new(|| Cleaner::new(100));

/// An object that dies at once, and waits to say `line`.
fn die(line: &'static str) {
    let object = Watched::new(1);
    CLEANER.finalize(&object, say, line);
}

/// Has the cleaner's thread wait in a callback for this to be dropped, then for what is done at the end of
/// the callback.
fn keep_busy(then: fn()) -> mpsc::Sender<()> {
    let (go, wait) = mpsc::channel::<()>();
    let object = Watched::new("busy");
    let work = move |()| {
        arrive();
        _ = wait.recv();
        then();
    };
    CLEANER.finalize(&object, work, ());
    drop(object);
    wait_for_arrival();
    go
}

/// What the cleaner waits for goes with a finalizer that the drain runs last, if this comes first.
fn let_go_last(go: mpsc::Sender<()>) {
    std::mem::forget(defer(drop, go));
}

/// What waits is older than what does not, as it was created before that.
fn backlog_and_exit() {
    let_go_last(keep_busy(|| say("done on the cleaner's thread")));
    leak("oldest");
    let object = Watched::new(1);
    CLEANER.finalize(&object, say, "dies last, is older");
    die("dies first, is newer");
    drop(object);
    leak("newest");
    exit(3);
}

fn backlog_and_return() {
    let_go_last(keep_busy(|| ()));
    die("older");
    die("newer");
}

/// Its object is dead: the flag, which is for objects that live to the end, says nothing any more.
fn backlog_and_flag_off() {
    let_go_last(keep_busy(|| ()));
    let object = Watched::new(1);
    CLEANER.finalize(&object, say, "dead").set_at_exit(false);
    let living = Box::leak(Box::new(Watched::new(1)));
    CLEANER.finalize(&*living, say, "never said").set_at_exit(false);
    drop(object);
    exit(0);
}

fn backlog_turned_off_in_drain() {
    let_go_last(keep_busy(|| ()));
    let object = Watched::new(1);
    let waits = CLEANER.finalize(&object, say, "dead");
    drop(object);
    std::mem::forget(defer(move |()| waits.set_at_exit(false), ()));
    exit(0);
}

/// The drain waits for the callback that the cleaner's thread is in.
fn cleaner_runs_at_exit() {
    let go = keep_busy(|| say("done on the cleaner's thread"));
    let_go_last(go);
    leak("drained first");
    exit(0);
}

/// ... but not for ever.
fn cleaner_hangs_at_exit() {
    lastly::exit::set_wait(Duration::from_millis(10));
    std::mem::forget(keep_busy(|| ()));
    die("waits");
    leak("newest");
    exit(0);
}

fn cleaner_hangs_and_budget() {
    lastly::exit::set_budget(Some(Duration::from_millis(200)));
    std::mem::forget(keep_busy(|| ()));
    leak("never said");
    std::mem::forget(defer(|()| hang(), ()));
    die("newest");
    exit(3);
}

/// What waits behind the callback that exits runs in that very exit.
fn cleaner_calls_exit() {
    leak("oldest");
    let go = keep_busy(|| exit(6));
    die("waits, older");
    die("waits, newer");
    leak("newest");
    drop(go);
    hang();
}

/// Objects die in the drain: what has a cleaner runs in its turn, which is next if it is the newest.
fn cleaner_in_drain() {
    leak("oldest");
    let object = Watched::new(1);
    CLEANER.finalize(&object, say, "of the cleaner");
    let kill = move |object| {
        drop(object);
        die("created in the drain");
        say("killed");
        say(&format!("the cleaner has run all: {}", CLEANER.drain(None)));
    };
    std::mem::forget(defer(kill, object));
}

/// A thread that waits for room in the backlog does not keep the program from ending.
fn blocked_and_exit() {
    static SMALL: LazyLock<Cleaner> = LazyLock::new(|| {
        Cleaner::builder(1).when_full(lastly::WhenFull::Block).name("small").build()
    });
    fn die(line: &'static str) {
        let object = Watched::new(1);
        SMALL.finalize(&object, say, line);
    }
    let (go, wait) = mpsc::channel::<()>();
    let object = Watched::new("busy");
    let work = move |()| {
        arrive();
        _ = wait.recv();
    };
    SMALL.finalize(&object, work, ());
    drop(object);
    wait_for_arrival();
    let_go_last(go);
    die("waits");
    let (blocks, is_about_to) = mpsc::channel();
    let thread = thread::spawn(move || {
        let object = Watched::new(1);
        SMALL.finalize(&object, say, "was blocked");
        blocks.send(()).unwrap();
        drop(object);
        // The exit let it go on, and the drain waits for what it does.
    });
    is_about_to.recv().unwrap();
    std::mem::forget(defer(move |()| thread.join().unwrap(), ()));
    exit(0);
}

fn backlog_and_panic() {
    let_go_last(keep_busy(|| ()));
    die("older");
    die("newer");
    panic!("in main");
}

fn backlog_and_signal() {
    lastly::signals::install().expect("signals can be taken over");
    let_go_last(keep_busy(|| say("done on the cleaner's thread")));
    leak("oldest");
    die("older");
    die("newer");
    signals::raise(libc::SIGTERM);
    hang();
}

/// What waits in the parent, the parent runs, once; what dies in the child, the child does, on a thread
/// of its own.
fn backlog_and_fork() {
    let go = keep_busy(|| ());
    let object = Watched::new(1);
    CLEANER.finalize(&object, say, "dies on both sides");
    die("waits in the parent");
    let mut object = Some(object);
    in_child(|| {
        say(&format!("waits in the child: {}", CLEANER.backlog()));
        assert!(CLEANER.drain(None), "nothing is there to wait for");
        object = None;
        assert!(CLEANER.drain(None));
        leak("at the child's exit");
    });
    say("the child is gone");
    drop(object);
    drop(go);
    CLEANER.drain(None);
}

/// A backlog that is full in the parent is empty in the child: nothing is blocked there.
fn full_backlog_and_fork() {
    static SMALL: LazyLock<Cleaner> =
        LazyLock::new(|| Cleaner::builder(1).when_full(lastly::WhenFull::Block).build());
    fn die(line: &'static str) {
        let object = Watched::new(1);
        SMALL.finalize(&object, say, line);
    }
    let (go, wait) = mpsc::channel::<()>();
    let object = Watched::new("busy");
    let work = move |()| {
        arrive();
        _ = wait.recv();
    };
    SMALL.finalize(&object, work, ());
    drop(object);
    wait_for_arrival();
    die("of the parent");
    in_child(|| {
        (0..3).for_each(|_| die("of the child"));
        SMALL.clone().close();
        // Once more, from a backlog that was never used here.
        in_child(|| SMALL.clone().close());
    });
    say("the child is gone");
    drop(go);
    SMALL.drain(None);
}

/// A callback on the cleaner's thread forks; the child exits in it.
fn fork_on_the_cleaner() {
    let go = keep_busy(|| {
        in_child(|| {
            die("of the child");
            assert!(CLEANER.drain(None));
            leak("at the child's exit");
        });
        say("the child is gone");
    });
    die("waits in the parent");
    drop(go);
    CLEANER.drain(None);
}

/// ... or returns from it: then its only thread has come to its end.
fn fork_on_the_cleaner_and_go_on() {
    let go = keep_busy(|| {
        // SAFETY: the child runs code of this program; what it touches of other threads is guarded by
        // lastly's own handlers.
        match unsafe { libc::fork() } {
            0 => leak("at the child's exit"),
            child => {
                let mut status = 0;
                // SAFETY: waits for our own child.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                say(&format!("the child ended with {status}"));
            }
        }
    });
    die("waits in the parent");
    drop(go);
    CLEANER.drain(None);
}

/// Forks while threads are in every lock of the cleaner's; the children use them all.
fn fork_while_handing_over() {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    static STOP: AtomicBool = AtomicBool::new(false);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            thread::spawn(|| {
                while !STOP.load(SeqCst) {
                    let cleaner = Cleaner::builder(2).when_full(lastly::WhenFull::Block).build();
                    for _ in 0..10 {
                        CLEANER.finalize(&Watched::new(1), |()| (), ());
                        cleaner.finalize(&Watched::new(1), |()| (), ());
                    }
                }
            })
        })
        .collect();
    for _ in 0..200 {
        in_child(|| {
            CLEANER.finalize(&Watched::new(1), |()| (), ());
            assert!(CLEANER.drain(None));
            let own = Cleaner::new(1);
            own.finalize(&Watched::new(1), |()| (), ());
            own.close();
        });
    }
    STOP.store(true, SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    say("200 children");
}

/// The parent ends without a word, and leaves what waited to its heir.
fn backlog_and_daemon() {
    leak("oldest");
    std::mem::forget(keep_busy(|| ()));
    die("waits, older");
    let object = Watched::new(1);
    CLEANER.finalize(&object, say, "waits, its flag is off").set_at_exit(false);
    drop(object);
    leave_child(|| say("the heir works"));
    end_at_once();
}

/// What waits in the heir itself, and what it inherits.
fn backlog_of_the_heirs_own() {
    std::mem::forget(keep_busy(|| ()));
    die("waits in the dead");
    leave_child(|| {
        let pause = paused();
        die("waits in the heir");
        std::mem::forget(pause);
        say("the heir works");
    });
    end_at_once();
}
