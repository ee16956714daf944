//! Signals that end the program in order: drain, then the death that the signal would have caused.
//!
//! A signal handler may run between any two instructions of any thread, so it can do next to
//! nothing, least of all run callbacks. Here it takes the signal down and wakes a thread, the
//! *watcher*, which does the rest:
//!
//! - The first signal begins a drain, on a thread of its own, whatever the program's threads are
//!   doing. When it is over the default action of the signal ends the process, so that its parent
//!   sees what it would have seen.
//! - Another signal during the drain cuts it short: what is skipped is reported, and the process ends.
//!   (Some send two at once. What comes shortly after the first, and before a callback has begun, is
//!   one with it. It is the handler that sees whether one has: the watcher may come late.)
//!
//! Handler and watcher share a few words and a semaphore, and no file descriptor: programs that make
//! themselves daemons close all of those, and a handler that wrote into what was opened next would
//! be worse than none.
//!
//! # Forks
//!
//! A child has the handler but not the thread. Its semaphore is its own, so a signal to the child
//! never reaches the parent's watcher; the door starts a watcher in the child. Until it waits, and in
//! a child that was made past the handlers of a fork, the handler finds that the watcher is another
//! process's, and lets the signal do what it would do by default.

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize};
use std::time::{Duration, Instant};

use crate::ending::{self, LARGE_STACK, SMALL_STACK};
use crate::fork::Resident;
use crate::process::{self, End, Witness};
use crate::report::Cause;
use crate::sync::back_off;
use crate::thread;

/// What most programs want: the signals that ask a program to end.
pub const USUAL: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// The process that the watcher is a thread of; negative while it is started or stopped; 0: there is
/// none.
static WATCHED: AtomicI32 = AtomicI32::new(0);
/// The system's number of that thread; 0: it has just been started.
static WATCHER: AtomicI32 = AtomicI32::new(0);
/// It is to stop, unless a signal has come.
static STOPPING: AtomicBool = AtomicBool::new(false);
/// How many signals have come in this process, and which was the last.
static ARRIVED: AtomicU32 = AtomicU32::new(0);
static LAST: AtomicI32 = AtomicI32::new(0);
/// One came after another, in a callback of the drain.
static CAME_LATE: AtomicBool = AtomicBool::new(false);
/// Whether the drain has begun to run callbacks.
static HAS_BEGUN: OnceLock<fn() -> bool> = OnceLock::new();
/// What handled each signal before; 0: its default action.
static BEFORE: [AtomicUsize; 65] = [const { AtomicUsize::new(0) }; 65];

/// The longest time between two signals that are one.
const TOGETHER: Duration = Duration::from_millis(500);

/// By which the handler knows a child that was made past all handlers.
static WITNESS: Witness = Witness::new();

static BELL: Bell = Bell(UnsafeCell::new(MaybeUninit::zeroed()));

/// What the handler wakes the watcher by.
struct Bell(UnsafeCell<MaybeUninit<libc::sem_t>>);

// SAFETY: semaphores are for use by many threads; it is initialized while there is no watcher.
unsafe impl Sync for Bell {}

impl Bell {
    fn place(&self) -> *mut libc::sem_t {
        self.0.get().cast()
    }

    /// Makes it anew. While there is no watcher.
    fn begin(&self) {
        debug_assert!(WATCHED.load(Relaxed) < 0, "nobody waits for it, and no handler rings it");
        // SAFETY: its memory, which nobody uses just now.
        let failed = unsafe { libc::sem_init(self.place(), 0, 0) };
        debug_assert_eq!(failed, 0, "there is nothing in it that could fail");
    }

    /// May be called in a signal handler.
    fn ring(&self) {
        // SAFETY: initialized before the handler was installed.
        unsafe { libc::sem_post(self.place()) };
    }

    fn wait(&self) {
        // SAFETY: initialized before the watcher was started. Interrupted by a signal, it waits again.
        while unsafe { libc::sem_wait(self.place()) } != 0 {}
    }
}

/// Whether nothing but the default action of this signal awaits it.
///
/// # Errors
///
/// If there is no such signal.
pub fn is_default(signal: i32) -> io::Result<bool> {
    Ok(action(signal)?.sa_sigaction == libc::SIG_DFL)
}

fn action(signal: i32) -> io::Result<libc::sigaction> {
    // SAFETY: all zero is an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing to read, an action to write to.
    if unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(action)
}

/// Refuses a signal that could not lead to an end in order.
///
/// # Errors
///
/// Says which one, and why.
pub fn check(signal: i32) -> io::Result<()> {
    let why = match signal {
        libc::SIGKILL | libc::SIGSTOP => "no program can catch it",
        libc::SIGSEGV
        | libc::SIGBUS
        | libc::SIGFPE
        | libc::SIGILL
        | libc::SIGTRAP
        | libc::SIGSYS
        | libc::SIGABRT => "it tells of a fault, after which nothing can be relied on",
        libc::SIGCHLD
        | libc::SIGCONT
        | libc::SIGURG
        | libc::SIGWINCH
        | libc::SIGTSTP
        | libc::SIGTTIN
        | libc::SIGTTOU => "its default action does not end a program",
        _ if action(signal).is_ok() => return Ok(()),
        _ => "there is no such signal",
    };
    let text = format!("lastly: signal {signal} cannot end a program in order: {why}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// Whether this signal was taken over, and still leads to an end in order.
///
/// # Errors
///
/// If there is no such signal.
pub fn is_taken_over(signal: i32) -> io::Result<bool> {
    Ok(action(signal)?.sa_sigaction == handler())
}

fn handler() -> libc::sighandler_t {
    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = handle;
    handler as *const () as libc::sighandler_t
}

/// Has this signal lead to an end in order. What handles it already is called as before.
///
/// # Errors
///
/// If the system refuses.
pub fn take_over(signal: i32) -> io::Result<()> {
    let before = action(signal)?;
    let index = signal.unsigned_abs() as usize;
    if before.sa_sigaction == handler() {
        return Ok(());
    }
    stay_loaded();
    // Release pairs with the Acquire in `handle`. A handler with one argument may be given three.
    BEFORE[index].store(before.sa_sigaction, Release);
    let mut action = before;
    action.sa_sigaction = handler();
    // Not on an alternate stack, if it was not: when a thread exits, the standard library takes main's
    // away under it.
    action.sa_flags |= libc::SA_SIGINFO;
    if before.sa_sigaction == libc::SIG_DFL {
        // Calls that it interrupts go on, where the system can have that: little in the program is to
        // change before its end.
        action.sa_flags |= libc::SA_RESTART;
    }
    // SAFETY: an action to read, whose handler does only what one may do, and nowhere to write to.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Gives a signal its default action back, if it was taken over.
pub fn give_back(signal: i32) {
    if is_taken_over(signal).unwrap_or(false) {
        process::default_action(signal);
    }
}

/// The handler and the watcher are code of this object file, which must not be unloaded any more.
fn stay_loaded() {
    // SAFETY: all zero is such a description.
    let mut found: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: an address, and a place to write to.
    if unsafe { libc::dladdr(handler() as *const libc::c_void, &raw mut found) } != 0 {
        let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
        // SAFETY: a name that lives as long as the object. Of the program itself it finds nothing.
        unsafe { libc::dlopen(found.dli_fname, flags) };
    }
}

/// The handler. Nothing in it allocates, locks, or waits.
extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: this thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let kept = unsafe { errno.read() };
    let before = BEFORE[signal.unsigned_abs() as usize % BEFORE.len()].load(Acquire);
    // Acquire pairs with the Release in `watch`: the bell is there.
    if WATCHED.load(Acquire) == process::number() && !WITNESS.is_foreign() {
        // Relaxed: the semaphore orders them.
        LAST.store(signal, Relaxed);
        let is_another = ARRIVED.fetch_add(1, Relaxed) > 0;
        if is_another && HAS_BEGUN.get().is_some_and(|has_begun| has_begun()) {
            CAME_LATE.store(true, Relaxed);
        }
        BELL.ring();
    } else if before == libc::SIG_DFL {
        process::default_action(signal);
        // It is blocked while this handler runs, and comes when that has returned.
        // SAFETY: sends a signal to this thread.
        unsafe { libc::raise(signal) };
    }
    if before != libc::SIG_DFL && before != libc::SIG_IGN {
        // SAFETY: a handler as `sigaction` gave it; those with one argument pass over the others.
        let before = unsafe {
            std::mem::transmute::<usize, extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void)>(
                before,
            )
        };
        before(signal, info, context);
    }
    // SAFETY: as above.
    unsafe { errno.write(kept) };
}

/// The signal that ends this process, if one has come.
pub fn arrived() -> Option<i32> {
    // Relaxed: it is asked for on the way out, in no order with anything.
    (ARRIVED.load(Relaxed) > 0).then(|| LAST.load(Relaxed))
}

/// Starts the watcher of this process, if it has none.
///
/// # Errors
///
/// If there is no thread to be had.
pub fn watch<D: Resident>() -> io::Result<()> {
    // One thread at a time; and the handler rings for nobody meanwhile.
    if !claim_watch(0) {
        return Ok(());
    }
    WITNESS.swear();
    BELL.begin();
    HAS_BEGUN.get_or_init(|| || D::registry().has_begun_to_drain());
    // Relaxed: no handler looks at them while there is no watcher.
    ARRIVED.store(0, Relaxed);
    CAME_LATE.store(false, Relaxed);
    WATCHER.store(0, Relaxed);
    STOPPING.store(false, Relaxed);
    let mask = Mask::block_all();
    let started = thread::start(c"lastly-signals", SMALL_STACK, move || watcher::<D>(mask));
    mask.restore();
    WATCHED.store(if started.is_ok() { process::number() } else { 0 }, Release);
    started
}

/// For whoever is about to start or to stop the watcher, whose word is to be this: takes it, with the
/// negative number of this process. False if there is nothing to do. Of another process's, which this one
/// has only inherited, nothing is left but the word.
fn claim_watch(from: i32) -> bool {
    let me = process::number();
    let mut round = 0;
    loop {
        // Acquire pairs with the Release of who had it before.
        let now = WATCHED.load(Acquire);
        let foreign = now != 0 && now.abs() != me;
        if now == from || (foreign && from == 0) {
            if WATCHED.compare_exchange(now, -me, Acquire, Relaxed).is_ok() {
                return true;
            }
        } else if now == -me {
            back_off(round);
            round += 1;
        } else {
            return false;
        }
    }
}

/// Has the watcher of this process end, if there is one, and waits until it is gone; for somebody who
/// is about to fork and may have but one thread. A signal that comes meanwhile is for what handled it
/// before. Where one has come already, the watcher stays.
pub fn stop() {
    // With that, no handler rings for a watcher that is about to go.
    if arrived().is_some() || !claim_watch(process::number()) {
        return;
    }
    STOPPING.store(true, Release);
    BELL.ring();
    let mut round = 0;
    // Acquire pairs with the Release in `watcher`: it has gone back to its work.
    while STOPPING.load(Acquire) {
        if is_gone(WATCHER.load(Acquire)) {
            WATCHED.store(0, Release);
            return;
        }
        back_off(round);
        round += 1;
    }
}

/// Whether the system no longer counts this thread among the process's. (It still does when the
/// thread can be joined, for a moment.)
fn is_gone(thread: i32) -> bool {
    if thread == 0 {
        return false;
    }
    // SAFETY: signal 0 is none: it only asks whether there is such a thread.
    unsafe { libc::syscall(libc::SYS_tgkill, process::number(), thread, 0) == -1 }
}

/// To be called in a new child, which has the handler but not the thread. Whether there was one.
pub fn forget() -> bool {
    // Relaxed: a new child has no second thread yet.
    ARRIVED.store(0, Relaxed);
    WATCHED.swap(0, Relaxed) != 0
}

/// What this thread lets through, as it was before.
#[derive(Clone, Copy)]
struct Mask(libc::sigset_t);

impl Mask {
    /// The watcher takes no signals: another thread may wait for them, and one is enough to ring.
    fn block_all() -> Self {
        // SAFETY: all zero is a set.
        let [mut all, mut before]: [libc::sigset_t; 2] = unsafe { std::mem::zeroed() };
        // SAFETY: a set to fill.
        unsafe { libc::sigfillset(&raw mut all) };
        // SAFETY: one set to read, one to write to.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
        Self(before)
    }

    fn restore(self) {
        // SAFETY: a set to read, and nowhere to write to.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// The thread: waits for signals, until one ends the process.
fn watcher<D: Resident>(mask: Mask) {
    // SAFETY: it only tells a number.
    WATCHER.store(unsafe { libc::gettid() }, Release);
    let mut first = None;
    let mut seen = 0;
    loop {
        BELL.wait();
        // Relaxed: the semaphore orders them.
        let arrived = ARRIVED.load(Relaxed);
        // Acquire pairs with the Release in `stop`.
        let stopping = STOPPING.load(Acquire);
        if stopping && arrived == 0 {
            return;
        }
        if stopping {
            WATCHED.store(process::number(), Release);
            STOPPING.store(false, Release);
        }
        if arrived == seen {
            continue; // rung once for each of several that were seen together
        }
        seen = arrived;
        if first.is_none() {
            first = Some(Instant::now());
            begin::<D>(mask);
        }
        let is_one = first.is_none_or(|first| first.elapsed() < TOGETHER);
        // Relaxed: the semaphore orders them.
        if !is_one || CAME_LATE.load(Relaxed) {
            ending::cut::<D>(Cause::Signal, last());
        }
    }
}

/// Begins the end of the program, on a thread of its own, or if there is none, on this one.
fn begin<D: Resident>(mask: Mask) {
    let drain = move || {
        // What callbacks start must not find all signals blocked.
        mask.restore();
        D::signalled(LAST.load(Relaxed));
        // If another has cut the drain, it is that one that ends the process.
        last().now();
    };
    if thread::start(c"lastly-exit", LARGE_STACK, drain).is_err() {
        drain();
    }
}

/// How the process ends now.
fn last() -> End {
    // Relaxed: it is one number.
    End::Signal(LAST.load(Relaxed))
}
