//! How a process ends.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use super::process::current;
use crate::ledger::note;
use crate::random::Random;
use crate::system::{self, Thread};

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Return,
    Exit,
    /// On another thread, while this one goes on.
    ExitElsewhere,
    Panic,
    /// Drain by hand, then `_exit`.
    Drain,
    AtOnce,
    Abort,
    Kill,
    Signal,
    /// Wait for the signal of somebody else.
    Wait,
    Exec,
}

const WAYS: [(usize, Way); 11] = [
    (5, Way::Return),
    (6, Way::Exit),
    (2, Way::ExitElsewhere),
    (3, Way::Panic),
    (3, Way::Drain),
    (6, Way::AtOnce),
    (1, Way::Abort),
    (3, Way::Kill),
    (5, Way::Signal),
    (2, Way::Wait),
    (1, Way::Exec),
];

/// Ends the process; by return, if it gives back a status.
pub(super) fn end(random: &mut Random, is_main_thread: bool) -> ExitCode {
    let here = current();
    if random.percent(50) {
        // What makes an heir: those before are dead.
        wait_until(|| here.dead_ancestors() == here.ancestors.len());
    }
    if random.percent(30) {
        wait_until(|| here.threads.load(std::sync::atomic::Ordering::SeqCst) == 0);
    }
    let mut way = random.weighed(&WAYS);
    let is_main = matches!(way, Way::Return | Way::Panic);
    let is_exit = is_main || matches!(way, Way::Exit | Way::ExitElsewhere);
    if is_exit && !here.may_exit {
        way = Way::Drain;
    } else if is_main && !is_main_thread {
        way = Way::Exit;
    }
    if !here.begin_to_end() {
        hang();
    }
    let status = random.below(60) as u8;
    match way {
        Way::Return => {
            note!("ending {} return {status} {}", here.path, here.dead_ancestors());
            ExitCode::from(status)
        }
        Way::Exit => exit(status),
        Way::ExitElsewhere => {
            Thread::spawn(move || exit(status));
            hang()
        }
        Way::Panic => {
            note!("ending {} panic 101 {}", here.path, here.dead_ancestors());
            panic!("the end");
        }
        Way::Drain => {
            note!("ending {} drain {status} {}", here.path, here.dead_ancestors());
            lastly::exit::drain();
            system::end_at_once(status.into())
        }
        Way::AtOnce => at_once(status),
        Way::Abort => {
            note!("ending {} abort s{} -", here.path, libc::SIGABRT);
            std::process::abort()
        }
        Way::Kill => send(libc::SIGKILL),
        Way::Signal => send(a_signal(random)),
        Way::Wait => {
            thread::sleep(Duration::from_millis(random.below(50) as u64));
            send(a_signal(random))
        }
        Way::Exec => exec(),
    }
}

/// One that asks a program to end.
pub(super) fn a_signal(random: &mut Random) -> i32 {
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP][random.below(3)]
}

fn send(signal: i32) -> ! {
    current().send_itself(signal);
    hang()
}

/// To be preceded, here and below, by `begin_to_end`.
pub(super) fn exit(status: u8) -> ! {
    note!("ending {} exit {status} {}", current().path, current().dead_ancestors());
    std::process::exit(status.into())
}

pub(super) fn at_once(status: u8) -> ! {
    note!("ending {} _exit {status} -", current().path);
    system::end_at_once(status.into())
}

/// Becomes a program that knows nothing of lastly.
pub(super) fn exec() -> ! {
    note!("ending {} exec 0 -", current().path);
    let error = Command::new("/bin/true").exec();
    panic!("exec: {error}");
}

/// The end of the process comes from elsewhere.
fn hang() -> ! {
    loop {
        thread::park();
    }
}

/// Waits for what may not come.
pub(super) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_millis(200);
    while !is_so() && Instant::now() < deadline {
        thread::sleep(Duration::from_micros(200));
    }
}
