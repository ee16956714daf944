//! The ways to end.

use std::process;

use crate::say;

/// Of a program that hangs, also where the one that watches it is gone.
const WATCHDOG_SECONDS: u32 = 60;

pub(crate) const SIGNALS: [(i32, &str); 4] = [
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGABRT, "SIGABRT"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Return,
    Exit,
    Uncaught,
    ExitAtOnce,
    Abort,
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
            Self::Return => {}
            Self::Exit => process::exit(3),
            Self::Uncaught => panic!("oh"),
            // SAFETY: it ends the process, and nothing else.
            Self::ExitAtOnce => unsafe { libc::_exit(4) },
            Self::Abort => process::abort(),
            _ => say(&format!("ready {}", process::id())),
        }
    }
}

/// To be called first.
pub(crate) fn begin(ending: Ending) {
    // SAFETY: its default action ends the process.
    unsafe { libc::alarm(WATCHDOG_SECONDS) };
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
    let known = SIGNALS.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}
