//! Scenes that were bugs once, where several things meet: signals, forks, budgets, drains.

use std::io::Read;
use std::process::exit;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use lastly::{defer, report};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::forks::in_child;
use super::heirs::{end_at_once, leave_child};
use crate::{arrive, hang, leak, say, wait_for_arrival};

pub(crate) const SCENES: &[(&str, fn())] = &[
    ("two-signals-at-once", two_signals_at_once),
    ("second-signal-seen-late", second_signal_seen_late),
    ("no-thread-left", no_thread_left),
    ("deep-callback", deep_callback),
    ("main-returns-and-callback-exits", main_returns_and_callback_exits),
    ("installs-at-once", installs_at_once),
    ("signal-and-budget", signal_and_budget),
    ("signal-to-main-while-another-exits", signal_to_main_while_another_exits),
    ("budget-of-a-drain-that-was-taken-over", budget_of_a_drain_that_was_taken_over),
    ("child-of-what-overran", child_of_what_overran),
    ("child-beside-what-overran", child_beside_what_overran),
    ("hand-drain-outlasts-wait", hand_drain_outlasts_wait),
    ("hook-registers-late", hook_registers_late),
    ("fork-beside-set-var", fork_beside_set_var),
    ("stranger-forks", stranger_forks),
    ("skipped-is-not-inherited", skipped_is_not_inherited),
    ("generations", generations),
];

fn at_exit(callback: fn(())) {
    std::mem::forget(defer(callback, ()));
}

fn raise(signal: i32) {
    let process = i32::try_from(std::process::id()).expect("a process number");
    // SAFETY: sends this very process a signal.
    unsafe { libc::kill(process, signal) };
}

fn install() {
    lastly::signals::install().expect("signals can be taken over");
}

fn wait_for(flag: &AtomicBool) {
    while !flag.load(SeqCst) {
        thread::yield_now();
    }
}

/// As a session's end sends them: they are one.
fn two_signals_at_once() {
    install();
    leak("oldest");
    // SAFETY: all zero is a set.
    let [mut both, mut before]: [libc::sigset_t; 2] = unsafe { std::mem::zeroed() };
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: a set to add to.
        unsafe { libc::sigaddset(&raw mut both, signal) };
    }
    // SAFETY: a set to read, and one to write to.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const both, &raw mut before) };
    raise(libc::SIGTERM);
    raise(libc::SIGHUP);
    // Now they come, the one after the other, with nothing in between.
    // SAFETY: a set to read.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    hang();
}

/// The thread that waits for signals gets to run when two have come: the second came in a callback, all
/// the same.
fn second_signal_seen_late() {
    install();
    run_last("lastly-signals");
    leak("never said");
    at_exit(|()| {
        raise(libc::SIGTERM);
        raise(libc::SIGHUP);
        hang();
    });
    exit(3);
}

/// Has this thread of the process run only while main waits: one processor for both.
fn run_last(name: &str) {
    let all = sched_getaffinity(Pid::this()).expect("it tells");
    let first = (0..CpuSet::count()).find(|number| all.is_set(*number).is_ok_and(|is_set| is_set));
    let mut one = CpuSet::new();
    one.set(first.expect("it runs on some")).expect("a number of one");
    let thread = thread_with(name);
    for thread in [Pid::this(), Pid::from_raw(thread)] {
        sched_setaffinity(thread, &one).expect("it may run there");
    }
    let idle = libc::sched_param { sched_priority: 0 };
    // SAFETY: a thread of this process, and something to read.
    assert_eq!(unsafe { libc::sched_setscheduler(thread, libc::SCHED_IDLE, &raw const idle) }, 0);
}

/// The number of a thread that gives itself this name.
fn thread_with(name: &str) -> i32 {
    loop {
        for thread in std::fs::read_dir("/proc/self/task").expect("its threads").flatten() {
            let found = std::fs::read_to_string(thread.path().join("comm"));
            if found.is_ok_and(|found| found.trim_end() == name) {
                let number = thread.file_name().into_string();
                return number.ok().and_then(|number| number.parse().ok()).expect("a number");
            }
        }
        thread::yield_now();
    }
}

/// The drain then runs on the thread that heard the signal.
fn no_thread_left() {
    install();
    leak("at exit");
    // Room for what callbacks need, but not for a stack.
    let pages = std::fs::read_to_string("/proc/self/statm").expect("proc");
    let pages: u64 = pages.split(' ').next().expect("a size").parse().expect("a number");
    let limit = pages * 4096 + (2 << 20);
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: a limit to read.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    raise(libc::SIGTERM);
    hang();
}

/// Callbacks have as much stack for a signal as at an exit.
fn deep_callback() {
    fn deep(depth: u32) -> u32 {
        let frame = std::hint::black_box([depth; 250]);
        if depth == 0 { 0 } else { std::hint::black_box(deep(depth - 1)) + frame[0] - depth + 1 }
    }
    install();
    at_exit(|()| say(&format!("{} levels", deep(3000))));
    raise(libc::SIGTERM);
    hang();
}

/// The standard library lets in one `exit` at a time: the callback's waits for main's, which waits for
/// the drain of the callback. Not for ever.
fn main_returns_and_callback_exits() {
    lastly::exit::set_wait(Duration::from_millis(50));
    install();
    leak("skipped");
    static EXITING: AtomicBool = AtomicBool::new(false);
    extern "C" fn main_has_returned() {
        EXITING.store(true, SeqCst);
    }
    at_exit(|()| {
        arrive();
        wait_for(&EXITING);
        exit(3);
    });
    // Newer than lastly's hook, it runs before that.
    // SAFETY: registers a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(main_has_returned) }, 0);
    raise(libc::SIGTERM);
    wait_for_arrival();
}

/// There is one watcher, which knows the second signal when it comes.
fn installs_at_once() {
    static BARRIER: Barrier = Barrier::new(8);
    let install = || {
        BARRIER.wait();
        install();
    };
    let threads = [(); 8].map(|()| thread::spawn(install));
    threads.into_iter().for_each(|it| it.join().expect("no panic"));
    leak("never said");
    at_exit(|()| {
        say("hangs");
        raise(libc::SIGTERM);
        hang();
    });
    raise(libc::SIGTERM);
    hang();
}

/// A signal during the drain ends the process, also when that has to be cut.
fn signal_and_budget() {
    lastly::exit::set_budget(Some(Duration::from_millis(200)));
    install();
    at_exit(|()| {
        raise(libc::SIGTERM);
        hang();
    });
    exit(3);
}

/// Whether lastly has heard a signal: it has started a thread for it.
fn is_heard() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").expect("proc");
    let names = tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.flatten().any(|name| name == "lastly-exit\n")
}

/// Main's alternate signal stack is gone then.
fn signal_to_main_while_another_exits() {
    install();
    leak("oldest");
    at_exit(|()| {
        raise(libc::SIGTERM);
        while !is_heard() {
            thread::yield_now();
        }
    });
    thread::spawn(|| exit(3));
    hang();
}

/// A callback of a drain by hand exits. Its drain goes on in the `exit`, and its time with it.
fn budget_of_a_drain_that_was_taken_over() {
    extern "C" fn after_the_drain() {
        thread::sleep(Duration::from_millis(300)); // longer than the budget
        say("older than lastly's hook");
    }
    // SAFETY: registers a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(after_the_drain) }, 0);
    lastly::exit::set_budget(Some(Duration::from_millis(100)));
    leak("oldest");
    at_exit(|()| exit(3));
    lastly::exit::drain();
}

/// A callback overruns the budget, then forks; the child comes back from it. It ends as well.
fn child_of_what_overran() {
    static CUT: AtomicBool = AtomicBool::new(false);
    static CHILD_IS_GONE: AtomicBool = AtomicBool::new(false);
    lastly::exit::set_budget(Some(Duration::from_millis(50)));
    // Before it returns the process does not end.
    report::set_hook(|_| {
        CUT.store(true, SeqCst);
        wait_for(&CHILD_IS_GONE);
    });
    at_exit(|()| {
        wait_for(&CUT);
        // SAFETY: the child runs code of this program; what it touches of other threads is guarded by
        // lastly's own handlers.
        let child = unsafe { libc::fork() };
        if child == 0 {
            return;
        }
        let mut status = 0;
        // SAFETY: waits for our own child.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        say(&format!("the child ended with {}", libc::WEXITSTATUS(status)));
        CHILD_IS_GONE.store(true, SeqCst);
        hang();
    });
    exit(3);
}

/// A callback overruns the budget. Another thread forks before the process ends; the child's own end is
/// as bounded.
fn child_beside_what_overran() {
    static CUT: AtomicBool = AtomicBool::new(false);
    static CHILD_IS_GONE: AtomicBool = AtomicBool::new(false);
    lastly::exit::set_budget(Some(Duration::from_millis(50)));
    // Before it returns the process does not end.
    report::set_hook(|_| {
        CUT.store(true, SeqCst);
        wait_for(&CHILD_IS_GONE);
    });
    at_exit(|()| hang());
    thread::spawn(|| {
        wait_for(&CUT);
        // SAFETY: as above.
        let child = unsafe { libc::fork() };
        if child == 0 {
            CHILD_IS_GONE.store(true, SeqCst);
            // SAFETY: sets a clock.
            unsafe { libc::alarm(10) };
            at_exit(|()| hang());
            lastly::exit::drain();
            say("it should have ended");
        }
        let mut status = 0;
        // SAFETY: waits for our own child.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        let ended = libc::WIFEXITED(status).then_some(libc::WEXITSTATUS(status));
        say(&format!("the child ended with {ended:?}"));
        CHILD_IS_GONE.store(true, SeqCst);
    });
    exit(3);
}

/// The program ends in the middle of it: the rest is told of.
fn hand_drain_outlasts_wait() {
    lastly::exit::set_wait(Duration::from_millis(50));
    leak("skipped");
    at_exit(|()| {
        arrive();
        hang();
    });
    thread::spawn(lastly::exit::drain);
    wait_for_arrival();
}

/// What a hook registers when the door is shut comes too late, and is printed, once.
fn hook_registers_late() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    extern "C" fn after_the_drain() {
        at_exit(|()| ());
        say(&format!("{} calls of the hook", CALLS.load(SeqCst)));
    }
    // SAFETY: registers a function that lives as long as the program.
    assert_eq!(unsafe { libc::atexit(after_the_drain) }, 0);
    report::set_hook(|_| {
        CALLS.fetch_add(1, SeqCst);
        at_exit(|()| ());
    });
    leak("at exit");
}

/// A child's exit needs no lock of the environment, which a thread that it has not may hold.
fn fork_beside_set_var() {
    static STOP: AtomicBool = AtomicBool::new(false);
    leak("at exit");
    let setter = thread::spawn(|| {
        while !STOP.load(SeqCst) {
            // SAFETY: nobody reads the environment meanwhile, but by the standard library.
            unsafe { std::env::set_var("SCENE", "set") };
        }
    });
    for _ in 0..200 {
        in_child(|| ());
    }
    STOP.store(true, SeqCst);
    setter.join().expect("no panic");
}

/// A child of a process that no handler of a fork has seen is no heir of that one's parent.
fn stranger_forks() {
    let (mut wait, held) = std::io::pipe().expect("a pipe");
    leak("run by the owner");
    in_child(|| ());
    // SAFETY: a fork past the C library; the child does little.
    let stranger = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if stranger == 0 {
        leave_child(|| say("its child has ended"));
        end_at_once();
    }
    // To the end of both.
    drop(held);
    assert_eq!(wait.read_to_end(&mut Vec::new()).expect("a pipe"), 0);
}

/// What is told of as skipped, no heir runs later.
fn skipped_is_not_inherited() {
    lastly::exit::set_budget(Some(Duration::from_millis(100)));
    leak("never said");
    at_exit(|()| {
        arrive();
        hang();
    });
    thread::spawn(|| {
        lastly::exit::drain();
    });
    wait_for_arrival();
    leave_child(|| say("the child has ended"));
    hang();
}

/// A service that renews itself by forking, again and again, takes no more and no more memory.
fn generations() {
    fn mappings() -> usize {
        std::fs::read_to_string("/proc/self/maps").expect("proc").lines().count()
    }
    fn next(generation: u32, before: usize) {
        if generation == 200 {
            say(&format!("grown by {}", mappings().saturating_sub(before) / 10));
            return;
        }
        leave_child(|| next(generation + 1, before));
        end_at_once();
    }
    leak("of the first, by the last");
    next(0, mappings());
}
