//! What callbacks may do while the program ends that goes wrong.

use std::process::exit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use lastly::{Watched, defer, finalize, report};

use crate::{arrive, hang, leak, say, wait_for_arrival};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("half-fail", half_fail),
    ("panics-with-anything", panics_with_anything),
    ("out-of-memory", out_of_memory),
    ("out-of-memory-and-abort", out_of_memory_and_abort),
    ("main-holds-a-lock", main_holds_a_lock),
    ("callback-wants-mains-lock", callback_wants_mains_lock),
];

/// A finalizer of nothing that could die.
fn at_exit(callback: fn(())) {
    std::mem::forget(defer(callback, ()));
}

/// Every second one fails, by turns in two ways; the others run, and each failure is reported. As many
/// as the second argument of the program says.
fn half_fail() {
    static RAN: AtomicU32 = AtomicU32::new(0);
    static TOLD: AtomicU32 = AtomicU32::new(0);
    let count = std::env::args().nth(2).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    at_exit(|()| {
        say(&format!("ran: {}", RAN.load(SeqCst)));
        say(&format!("reported: {}", TOLD.load(SeqCst)));
    });
    report::set_hook(|_| _ = TOLD.fetch_add(1, SeqCst));
    std::panic::set_hook(Box::new(|_| ()));
    for number in 0..count {
        let object = Box::leak(Box::new(Watched::new(number)));
        match number % 4 {
            1 => _ = finalize(&*object, |()| -> () { panic!("on purpose") }, ()),
            3 => _ = finalize(&*object, |()| Err::<(), _>("on purpose"), ()),
            _ => _ = finalize(&*object, |()| _ = RAN.fetch_add(1, SeqCst), ()),
        }
    }
    exit(0);
}

fn panics_with_anything() {
    leak("oldest");
    at_exit(|()| std::panic::panic_any(7));
    at_exit(|()| std::panic::resume_unwind(Box::new([0; 100])));
    leak("newest");
}

/// Has the system refuse memory beyond what the program has by now, and a little.
fn limit_memory() {
    let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
    // SAFETY: a limit to read.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

/// A callback that asks whether there is memory is told that there is none, and can fail.
fn out_of_memory() {
    leak("oldest");
    let fill = |()| {
        limit_memory();
        let mut memory: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut part = Vec::new();
            part.try_reserve_exact(64 << 20)?;
            memory.push(part);
        }
        #[expect(unreachable_code, reason = "says what fails")]
        Ok::<(), std::collections::TryReserveError>(())
    };
    std::mem::forget(defer(fill, ()));
    leak("newest");
}

/// ... but for most of the language, to be out of memory is the end of the program.
fn out_of_memory_and_abort() {
    leak("never said");
    at_exit(|()| {
        limit_memory();
        let mut memory = Vec::new();
        loop {
            memory.push(vec![1_u8; 64 << 20]);
        }
    });
    leak("newest");
}

static LOCK: Mutex<()> = Mutex::new(());

/// Another thread exits while main holds a lock, and holds it for ever.
fn exit_elsewhere() {
    let held = LOCK.lock();
    thread::spawn(|| {
        wait_for_arrival();
        exit(3);
    });
    arrive();
    hang();
    drop(held);
}

fn main_holds_a_lock() {
    leak("oldest");
    at_exit(|()| say(&format!("locked elsewhere: {}", LOCK.try_lock().is_err())));
    leak("newest");
    exit_elsewhere();
}

/// A callback that waits for that lock waits for ever; unless the exit has a budget.
fn callback_wants_mains_lock() {
    lastly::exit::set_budget(Some(Duration::from_millis(200)));
    leak("never said");
    at_exit(|()| drop(LOCK.lock()));
    leak("newest");
    exit_elsewhere();
}
