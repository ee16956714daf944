//! Processes, as the system knows them: whether the one that made something is dead, memory that
//! children share, and ways to end this one at once.
//!
//! A number alone does not name a process: when it has ended, another may get its number. With the
//! moment at which it started, it does. To take a living process for a dead one would remove what it
//! still uses; the reverse only leaves something behind. So **what is not known counts as alive**.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::ptr;
use std::time::Duration;

use crate::sync::{Deadline, back_off};

/// Which process it is, for those who ask later whether it is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    number: i32,
    /// When it started, in ticks since the machine did. 0: not known.
    start: u64,
    /// In which numbers are counted: containers have one each. 0: not known.
    namespace: u64,
}

/// What `/proc` tells of a process.
struct Told {
    number: i32,
    /// Computing, about to, or with its first thread gone: not waiting for what may never come.
    is_busy: bool,
    is_zombie: bool,
    start: u64,
}

/// How long to wait for one that may be about to end.
const PATIENCE: Duration = Duration::from_millis(50);

impl Identity {
    /// Of this process.
    pub(crate) fn own() -> Self {
        let start = tell("self").map_or(0, |told| told.start);
        Self { number: number(), start, namespace: namespace() }
    }

    /// Whether this process, an ancestor of the calling one, is dead. `is_parent`: its parent.
    ///
    /// One that forks a daemon calls `_exit` next. A daemon that has little to do may be at its own
    /// end before that; so one that is just busy is waited for, shortly.
    pub(crate) fn is_dead_ancestor(&self, is_parent: bool) -> bool {
        let deadline = Deadline::after(PATIENCE);
        let mut round = 0;
        loop {
            if if is_parent { self.is_dead_parent() } else { self.is_dead() } {
                return true;
            }
            let told = tell(&self.number.to_string());
            if deadline.passed() || !told.is_some_and(|it| it.is_busy) {
                return false;
            }
            back_off(round);
            round += 1;
        }
    }

    /// Of its parent, this is simple: a child whose parent dies gets another.
    fn is_dead_parent(&self) -> bool {
        // SAFETY: it only tells a number.
        match unsafe { libc::getppid() } {
            // One that this process cannot see: in a namespace around its own.
            0 => false,
            parent => parent != self.number,
        }
    }

    fn is_dead(&self) -> bool {
        // The numbers must be those that were meant, here and in `/proc`.
        let known = self.start != 0 && self.namespace != 0 && self.namespace == namespace();
        if !known || tell("self").is_none_or(|told| told.number != number()) {
            return false;
        }
        // SAFETY: signal 0 is none: it only asks whether there is such a process.
        let sent = unsafe { libc::kill(self.number, 0) };
        if sent == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH) {
            return true;
        }
        // There is one. It may be another by now; or one that nobody has waited for.
        tell(&self.number.to_string()).is_some_and(|it| it.start != self.start || it.is_zombie)
    }
}

/// The number of this process.
pub(crate) fn number() -> i32 {
    // SAFETY: it only tells a number.
    unsafe { libc::getpid() }
}

fn namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |it| it.ino())
}

/// Reads `/proc/<process>/stat`.
fn tell(process: &str) -> Option<Told> {
    let stat = fs::read(format!("/proc/{process}/stat")).ok()?;
    parse(&String::from_utf8_lossy(&stat))
}

fn parse(stat: &str) -> Option<Told> {
    // `number (name) state …`; the name may contain anything.
    let (number, rest) = stat.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    // As numbered by proc(5), where the state is the third.
    let field = |index: usize| fields.get(index - 3).copied();
    let threads: u64 = field(20)?.parse().ok()?;
    Some(Told {
        number: number.parse().ok()?,
        is_busy: matches!(field(3)?, "R" | "D" | "Z"),
        // The first thread may be gone while others go on: that is no dead process.
        is_zombie: matches!(field(3)?, "Z" | "X") && threads <= 1,
        start: field(22)?.parse().ok()?,
    })
}

/// Puts a value into memory that this process shares with every child that it forks from now on.
/// Null if there is no room. It is never given back.
pub(crate) fn share<T>(value: T) -> *mut T {
    // SAFETY: new memory, wherever there is room.
    let memory = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size_of::<T>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED {
        return ptr::null_mut();
    }
    let place = memory.cast::<T>();
    // SAFETY: new memory of that size, and aligned to a page.
    unsafe { place.write(value) };
    place
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this status.
    Status(i32),
    /// By this signal, as its parent sees it.
    Signal(i32),
}

impl End {
    /// Ends this process at once: nothing else of it runs, no exit handlers, no other thread.
    pub fn now(self) -> ! {
        let status = match self {
            End::Status(status) => status,
            End::Signal(signal) => {
                die_by(signal);
                // The system lets no signal end the first process of a container. It has this status
                // then, as a shell tells of one that a signal ended.
                128 + signal
            }
        };
        // SAFETY: it ends the process.
        unsafe { libc::_exit(status) }
    }
}

/// Has the default action of a signal end this process, if it does.
fn die_by(signal: i32) {
    default_action(signal);
    // SAFETY: all zero is a set.
    let mut only: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a set to make empty.
    unsafe { libc::sigemptyset(&raw mut only) };
    // SAFETY: a set to add to.
    unsafe { libc::sigaddset(&raw mut only, signal) };
    // SAFETY: a set to read, and nowhere to write to.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, ptr::null_mut()) };
    // SAFETY: sends a signal to this thread.
    unsafe { libc::raise(signal) };
}

/// Gives a signal its default action. May be called in a signal handler.
pub(crate) fn default_action(signal: i32) {
    // SAFETY: all zero is the default action, with no flags.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: an action to read, and nowhere to write to.
    unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_alive_until_it_is_waited_for_or_dead() {
        let own = Identity::own();
        assert!(own.start != 0 && own.namespace != 0);
        assert!(!own.is_dead(), "this one lives");
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let number = i32::try_from(child.id()).unwrap();
        let started = |process: &str| tell(process).unwrap().start;
        let identity =
            Identity { number, start: started(&number.to_string()), namespace: own.namespace };
        assert!(!identity.is_dead());
        child.kill().unwrap();
        // Until the system has made it one that nobody has waited for; the test waits for no time.
        while !identity.is_dead() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(identity.is_dead(), "gone");
    }

    #[test]
    fn a_number_is_not_a_process() {
        let own = Identity::own();
        assert!(Identity { start: own.start + 1, ..own }.is_dead(), "the number was another's");
        assert!(!Identity { namespace: 0, ..own }.is_dead(), "not known is alive");
        assert!(!Identity { namespace: 1, start: 1, ..own }.is_dead(), "counted elsewhere");
        assert!(!Identity { start: 0, ..own }.is_dead(), "not known is alive");
    }

    #[test]
    fn what_proc_tells() {
        let line = |name, state, threads| {
            format!("7 ({name}) {state} 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {threads} 0 99 8")
        };
        let told = parse(&line("a) Z 1 (b", "S", 3)).unwrap();
        assert_eq!((told.number, told.is_zombie, told.start), (7, false, 99));
        assert!(parse(&line("a", "Z", 1)).unwrap().is_zombie);
        assert!(!parse(&line("a", "Z", 2)).unwrap().is_zombie, "other threads go on");
        assert!(parse("7 (a").is_none());
    }
}
