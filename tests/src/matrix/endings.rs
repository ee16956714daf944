//! The ways to end.

use std::process;
use std::ptr;

use crate::say;

/// Of a program that hangs, also where the one that watches it is gone.
const WATCHDOG_SECONDS: u32 = 60;

/// That a program can ask for, or take over.
pub(crate) const SIGNALS: [(i32, &str); 4] = [
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGABRT, "SIGABRT"),
];

/// And those that it cannot, or must not.
const OTHERS: [(i32, &str); 2] = [(libc::SIGKILL, "SIGKILL"), (libc::SIGSEGV, "SIGSEGV")];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Return,
    Exit,
    Uncaught,
    ExitAtOnce,
    Abort,
    Crash,
    /// It returns, and something hangs.
    Budget,
    Signal,
    SignalByDefault,
    SecondSignal,
}

impl Ending {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "return" => Self::Return,
            "exit" => Self::Exit,
            "uncaught" => Self::Uncaught,
            "_exit" => Self::ExitAtOnce,
            "abort" => Self::Abort,
            "crash" => Self::Crash,
            "budget" => Self::Budget,
            "SIGKILL" | "killpg" => Self::SignalByDefault,
            "second signal" => Self::SecondSignal,
            _ if name.ends_with(" by default") => Self::SignalByDefault,
            _ if name.starts_with("SIG") => Self::Signal,
            _ => panic!("no ending `{name}`"),
        }
    }

    /// Whether it is for others to end the program.
    pub(crate) fn is_signal(self) -> bool {
        matches!(self, Self::Signal | Self::SignalByDefault | Self::SecondSignal)
    }

    /// Does it on this thread; or tells the parent that it is time for the signal.
    pub(crate) fn happen(self) {
        match self {
            Self::Return | Self::Budget => {}
            Self::Exit => process::exit(3),
            Self::Uncaught => panic!("oh"),
            // SAFETY: it ends the process, and nothing else.
            Self::ExitAtOnce => unsafe { libc::_exit(4) },
            Self::Abort => process::abort(),
            // SAFETY: none: it is to crash. Nothing is at this address, so the system ends the process.
            Self::Crash => unsafe { ptr::without_provenance_mut::<u8>(8).write_volatile(0) },
            _ => say(&format!("ready {}", process::id())),
        }
    }
}

/// To be called first.
pub(crate) fn begin(ending: Ending) {
    // SAFETY: its default action ends the process.
    unsafe { libc::alarm(WATCHDOG_SECONDS) };
    // It is to leave nothing in its directory but what it should.
    let nothing = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a limit to read.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const nothing) };
    for (signal, _) in SIGNALS {
        // Whoever started this may ignore it.
        // SAFETY: no handler is set.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    if matches!(ending, Ending::Signal | Ending::SecondSignal) {
        lastly::signals::install().expect("signals can be taken over");
    }
}

/// What a process that has ended told its parent, in the words of the table.
pub(crate) fn status_of(wait_status: i32) -> String {
    if libc::WIFEXITED(wait_status) {
        return libc::WEXITSTATUS(wait_status).to_string();
    }
    let signal = libc::WTERMSIG(wait_status);
    let known = SIGNALS.iter().chain(&OTHERS).find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}
