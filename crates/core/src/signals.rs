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
//!   (What comes together, before the watcher has seen the first, is one: some send two at once.)
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
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize};
use std::thread;

use crate::ending;
use crate::fork::Resident;
use crate::process::{self, End};
use crate::report::Cause;
use crate::sync::back_off;

/// What most programs want: the signals that ask a program to end.
pub const USUAL: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// The process that the watcher is a thread of; 0: there is none.
static WATCHED: AtomicI32 = AtomicI32::new(0);
/// The system's number of that thread; 0: it has just been started.
static WATCHER: AtomicI32 = AtomicI32::new(0);
/// It is to stop, unless a signal has come.
static STOPPING: AtomicBool = AtomicBool::new(false);
/// How many signals have come in this process, and which was the last.
static ARRIVED: AtomicU32 = AtomicU32::new(0);
static LAST: AtomicI32 = AtomicI32::new(0);
/// What handled each signal before; 0: its default action.
static BEFORE: [AtomicUsize; 65] = [const { AtomicUsize::new(0) }; 65];

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
        debug_assert_eq!(WATCHED.load(Relaxed), 0, "nobody waits for it, and no handler rings it");
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
        1..=64 => return Ok(()),
        _ => "there is no such signal",
    };
    let text = format!("lastly: signal {signal} cannot end a program in order: {why}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// Has this signal lead to an end in order. What handles it already is called as before.
///
/// # Errors
///
/// If the system refuses.
pub fn take_over(signal: i32) -> io::Result<()> {
    let before = action(signal)?;
    let index = signal.unsigned_abs() as usize;
    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = handle;
    let handler = handler as *const () as usize;
    if before.sa_sigaction == handler {
        return Ok(());
    }
    // Release pairs with the Acquire in `handle`. A handler with one argument may be given three.
    BEFORE[index].store(before.sa_sigaction, Release);
    let mut action = before;
    action.sa_sigaction = handler;
    action.sa_flags |= libc::SA_SIGINFO | libc::SA_ONSTACK;
    if before.sa_sigaction == libc::SIG_DFL {
        // Calls that it interrupts go on: nothing in the program is to change before its end.
        action.sa_flags |= libc::SA_RESTART;
    }
    // SAFETY: an action to read, whose handler does only what one may do, and nowhere to write to.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The handler. Nothing in it allocates, locks, or waits.
extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: this thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let kept = unsafe { errno.read() };
    let before = BEFORE[signal.unsigned_abs() as usize % BEFORE.len()].load(Acquire);
    // Acquire pairs with the Release in `watch`: the bell is there.
    if WATCHED.load(Acquire) == process::number() {
        // Relaxed: the semaphore orders them.
        LAST.store(signal, Relaxed);
        ARRIVED.fetch_add(1, Relaxed);
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
    if WATCHED.load(Relaxed) == process::number() {
        return Ok(());
    }
    WATCHED.store(0, Relaxed);
    BELL.begin();
    // Relaxed: no handler looks at them while there is no watcher.
    ARRIVED.store(0, Relaxed);
    WATCHER.store(0, Relaxed);
    STOPPING.store(false, Relaxed);
    // With a stack of its own choice: to ask the environment for one would take a lock, that a thread
    // may have held which does not exist in this forked child.
    let builder = thread::Builder::new().name("lastly-signals".into()).stack_size(256 << 10);
    let mask = Mask::block_all();
    let started = builder.spawn(move || watcher::<D>(mask));
    mask.restore();
    started?;
    WATCHED.store(process::number(), Release);
    Ok(())
}

/// Has the watcher of this process end, if there is one, and waits until it is gone; for somebody who
/// is about to fork and may have but one thread. A signal that comes meanwhile is for what handled it
/// before. Where one has come already, the watcher stays.
pub fn stop() {
    if WATCHED.load(Relaxed) != process::number() || arrived().is_some() {
        return;
    }
    // First, so that no handler rings for a watcher that is about to go.
    WATCHED.store(0, Release);
    STOPPING.store(true, Release);
    BELL.ring();
    let mut round = 0;
    // Acquire pairs with the Release in `watcher`: it has gone back to its work.
    while STOPPING.load(Acquire) && !is_gone(WATCHER.load(Acquire)) {
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
    let mut seen = 0;
    loop {
        BELL.wait();
        // Relaxed: the semaphore orders them.
        let (arrived, last) = (ARRIVED.load(Relaxed), LAST.load(Relaxed));
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
        let drain = move || {
            // What callbacks start must not find all signals blocked.
            mask.restore();
            D::signalled(last);
            // Relaxed: as above. If another has cut the drain, it is that one that ends the process.
            End::Signal(LAST.load(Relaxed)).now();
        };
        let first = seen == 0;
        seen = arrived;
        let builder = thread::Builder::new().name("lastly-exit".into());
        if !first || builder.spawn(drain).is_err() {
            ending::cut::<D>(Cause::Signal, End::Signal(last));
        }
    }
}
