//! What the program is at when its end comes.

use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::mem;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use lastly::{Watched, finalize};

use crate::endings::{Ending, SIGNALS, status_of};
use crate::{CLEANER, drop_all, hang, leak, make, say};

pub(crate) fn named(name: &str) -> fn(Ending) {
    match name {
        "busy" => busy,
        "idle" => idle,
        "call" => in_a_call,
        "lock" => at_a_lock,
        "callback" => in_a_callback,
        "drain" => in_the_drain,
        "pause" => in_a_pause,
        "backlog" => with_a_backlog,
        "child" => in_a_child,
        "thread" => in_a_thread,
        _ => panic!("no state `{name}`"),
    }
}

/// Main computes. What ends a program from within, it does itself.
fn busy(ending: Ending) {
    ending.happen();
    let mut number: u64 = 1;
    while ending.is_signal() {
        number = black_box(number.wrapping_mul(3));
    }
}

fn idle(ending: Ending) {
    beside_main(ending);
    hang();
}

/// A system call that does not return.
fn in_a_call(ending: Ending) {
    let (mut here, _there) = UnixStream::pair().expect("sockets can be had");
    beside_main(ending);
    here.read_exact(&mut [0]).expect("nothing is ever sent");
}

fn at_a_lock(ending: Ending) {
    static LOCK: Mutex<()> = Mutex::new(());
    thread::spawn(|| mem::forget(LOCK.lock())).join().expect("it is free");
    beside_main(ending);
    drop(LOCK.lock());
}

/// Main runs a callback, as an object died.
fn in_a_callback(ending: Ending) {
    fn callback(ending: Ending) {
        ending.happen();
        // The drain goes on meanwhile, on another thread, and waits for this.
        while ending.is_signal() && (Path::new("newer").exists() || Path::new("older").exists()) {
            thread::sleep(Duration::from_millis(1));
        }
        say("the callback ends");
    }
    let object = Watched::new(0);
    finalize(&object, callback, ending);
    drop(object);
    if ending.is_signal() {
        hang();
    }
    say("main goes on");
}

/// Main has returned, and runs a callback of the drain.
fn in_the_drain(ending: Ending) {
    fn callback(ending: Ending) {
        ending.happen();
        // Two signals at once would be one.
        while ending.is_signal() && !is_noticed() {
            thread::yield_now();
        }
        say("the callback ends");
    }
    finalize(leak(0), callback, ending);
}

/// Whether there is the thread that lastly starts when a signal has come.
fn is_noticed() -> bool {
    let threads = fs::read_dir("/proc/self/task").expect("it is Linux");
    let mut names = threads.map(|it| fs::read_to_string(it.expect("readable").path().join("comm")));
    names.any(|name| name.is_ok_and(|it| it.trim_end() == "lastly-exit"))
}

/// Main is in a pause, in which all objects have died.
fn in_a_pause(ending: Ending) {
    let _pause = lastly::paused();
    drop_all();
    ending.happen();
    if ending.is_signal() {
        hang();
    }
}

/// All objects have died, and wait for a cleaner, which thread is in a callback.
fn with_a_backlog(ending: Ending) {
    let object = Watched::new(0);
    CLEANER.finalize(&object, watch_others, ());
    drop(object);
    while !REACHED.load(SeqCst) {
        thread::yield_now();
    }
    drop_all();
    busy(ending);
}

static REACHED: AtomicBool = AtomicBool::new(false);

fn watch_others((): ()) {
    REACHED.store(true, SeqCst);
    while Path::new("newer").exists() || Path::new("older").exists() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// It happens in a forked child that has things of its own. The parent waits for it.
fn in_a_child(ending: Ending) {
    // SAFETY: the child goes on as a copy of this thread; no other holds what it needs.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "a process can be had");
    if child == 0 {
        make(Some(ending), "child's ");
        if ending.is_signal() {
            idle(ending);
        }
        return ending.happen();
    }
    let mut status = 0;
    // SAFETY: a number to write to.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    say(&format!("the child's end: {}", status_of(status)));
}

/// Another thread does it, or takes the signal.
fn in_a_thread(ending: Ending) {
    mask(libc::SIG_BLOCK);
    let thread = thread::spawn(move || {
        mask(libc::SIG_UNBLOCK);
        wait_until_main_sleeps();
        ending.happen();
        if ending.is_signal() {
            hang();
        }
    });
    THERE.store(true, SeqCst);
    _ = thread.join();
    say("main goes on");
}

/// Which threads a signal to the process may find.
fn mask(how: i32) {
    // SAFETY: all zero is a set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    for (signal, _) in SIGNALS {
        // SAFETY: a set to write to.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY: a set to read, and nowhere to write to.
    unsafe { libc::pthread_sigmask(how, &raw const set, ptr::null_mut()) };
}

/// What ends a program from within, another thread does: when main, which calls this, has come to
/// wait.
fn beside_main(ending: Ending) {
    thread::spawn(move || {
        wait_until_main_sleeps();
        ending.happen();
    });
    THERE.store(true, SeqCst);
}

/// Main does nothing any more before it waits.
static THERE: AtomicBool = AtomicBool::new(false);

fn wait_until_main_sleeps() {
    while !(THERE.load(SeqCst) && main_sleeps()) {
        thread::yield_now();
    }
}

fn main_sleeps() -> bool {
    let told = fs::read_to_string("/proc/self/stat").expect("it is Linux");
    let (_, rest) = told.rsplit_once(')').expect("the name is in parentheses");
    rest.trim_start().starts_with('S')
}
