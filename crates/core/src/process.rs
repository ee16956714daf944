//! Processes, as the system knows them: whether the one that made something is dead, memory that
//! children share, and ways to end this one at once.
//!
//! A number alone does not name a process: when it has ended, another may get its number. With the
//! moment at which it started, it does. To take a living process for a dead one would remove what it
//! still uses; the reverse only leaves something behind. So **what is not known counts as alive**.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicPtr, AtomicU32};
use std::time::Duration;

use crate::sync::Deadline;

/// Which process it is, for those who ask later whether it is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    number: i32,
    /// When it started, in ticks since the machine did. 0: not known.
    start: u64,
    view: View,
}

/// In which namespaces numbers and times are counted: containers have their own. 0: not known, or
/// there are none of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct View {
    processes: u64,
    times: u64,
}

/// What `/proc` tells of a process.
struct Told {
    number: i32,
    /// Computing, about to, or on the way to its end: not waiting for what may never come.
    is_busy: bool,
    is_zombie: bool,
    start: u64,
}

/// How long to wait for one that may be about to end, and how long between two looks.
const PATIENCE: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(1);

/// Which ancestor is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ancestor {
    Parent,
    Older,
}

impl Identity {
    /// Of this process.
    pub(crate) fn own() -> Self {
        let start = tell("self").map_or(0, |told| told.start);
        Self { number: number(), start, view: View::own() }
    }

    /// Whether this process, an ancestor of the calling one, is dead.
    pub(crate) fn is_dead(&self, ancestor: Ancestor) -> bool {
        match ancestor {
            // This is simple: a child whose parent dies gets another.
            // SAFETY: it only tells a number.
            Ancestor::Parent => match unsafe { libc::getppid() } {
                // One that this process cannot see: in a namespace around its own.
                0 => false,
                parent => parent != self.number,
            },
            Ancestor::Older => self.is_gone(),
        }
    }

    /// The same, with a little patience. Who forks a daemon calls `_exit` next, and a daemon that has
    /// little to do may be at its own end before that; so one that is just busy is waited for.
    pub(crate) fn is_dead_or_about_to_be(&self, ancestor: Ancestor) -> bool {
        let deadline = Deadline::after(PATIENCE);
        loop {
            // Before the question: what ends between the two is dead then.
            let told = tell(&self.number.to_string());
            if self.is_dead(ancestor) {
                return true;
            }
            if deadline.passed() || told.is_some_and(|it| !it.is_busy) {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn is_gone(&self) -> bool {
        // The numbers must be those that were meant, here and in `/proc`.
        let known = self.start != 0 && self.view.processes != 0 && self.view == View::own();
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

impl View {
    fn own() -> Self {
        let namespace =
            |kind| fs::metadata(format!("/proc/self/ns/{kind}")).map_or(0, |it| it.ino());
        Self { processes: namespace("pid"), times: namespace("time") }
    }
}

/// The number of this process.
pub(crate) fn number() -> i32 {
    // SAFETY: it only tells a number.
    unsafe { libc::getpid() }
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
        is_busy: matches!(field(3)?, "R" | "D" | "Z" | "X"),
        // The first thread may be gone while others go on: that is no dead process.
        is_zombie: matches!(field(3)?, "Z" | "X") && threads <= 1,
        start: field(22)?.parse().ok()?,
    })
}

/// A word that a child does not get, however it was made: the system gives it a page of zeros. By this
/// a process knows that it is not the one it was, also where numbers are the same: the first process
/// of a container may be a child of the first of another.
pub(crate) struct Witness(AtomicPtr<AtomicU32>);

impl Witness {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// This is the process.
    pub(crate) fn swear(&self) {
        // Relaxed: what is in it is this process's own.
        if self.0.load(Relaxed).is_null() {
            self.0.store(page_for_this_process_alone(), Relaxed);
        }
        // SAFETY: null, or a page that is never given back.
        if let Some(word) = unsafe { self.0.load(Relaxed).as_ref() } {
            word.store(1, Relaxed);
        }
    }

    /// Whether this is another process than the one that swore. False if nobody did, or if the system
    /// does not know such pages. May be called in a signal handler.
    pub(crate) fn is_foreign(&self) -> bool {
        // SAFETY: null, or a page that is never given back.
        let word = unsafe { self.0.load(Relaxed).as_ref() };
        word.is_some_and(|word| word.load(Relaxed) == 0)
    }
}

/// New memory that every child finds empty; null if the system has none.
fn page_for_this_process_alone() -> *mut AtomicU32 {
    let word = map::<AtomicU32>(libc::MAP_PRIVATE);
    let length = size_of::<AtomicU32>();
    // SAFETY: null, for which it fails, or mapped just now.
    if unsafe { libc::madvise(word.cast(), length, libc::MADV_WIPEONFORK) } == 0 {
        return word;
    }
    unmap(word);
    ptr::null_mut()
}

/// Puts a value into memory that this process shares with every child that it forks from now on.
/// Null if there is no room.
pub(crate) fn share<T>(value: T) -> *mut T {
    let place = map::<T>(libc::MAP_SHARED);
    if !place.is_null() {
        // SAFETY: new memory of that size, and aligned to a page.
        unsafe { place.write(value) };
    }
    place
}

/// New memory from the system, all zero; null if there is no room.
fn map<T>(kind: i32) -> *mut T {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: new memory, wherever there is room.
    let memory = unsafe {
        libc::mmap(ptr::null_mut(), size_of::<T>(), access, kind | libc::MAP_ANONYMOUS, -1, 0)
    };
    if memory == libc::MAP_FAILED { ptr::null_mut() } else { memory.cast() }
}

/// Gives memory of `map` back; of what is shared, this process's view of it. Nobody uses it then.
pub(crate) fn unmap<T>(memory: *mut T) {
    // SAFETY: null, for which it fails, or mapped by `map` with this size.
    unsafe { libc::munmap(memory.cast(), size_of::<T>()) };
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
        assert!(own.start != 0 && own.view.processes != 0);
        assert!(!own.is_gone(), "this one lives");
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let number = i32::try_from(child.id()).unwrap();
        let started = |process: &str| tell(process).unwrap().start;
        let identity = Identity { number, start: started(&number.to_string()), view: own.view };
        assert!(!identity.is_gone());
        child.kill().unwrap();
        // Until the system has made it one that nobody has waited for; the test waits for no time.
        while !identity.is_gone() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(identity.is_gone(), "waited for");
    }

    #[test]
    fn a_number_is_not_a_process() {
        let own = Identity::own();
        let seen_from = |view: View| Identity { view, ..own };
        assert!(Identity { start: own.start + 1, ..own }.is_gone(), "the number was another's");
        // What is not known is alive.
        assert!(!Identity { start: 0, ..own }.is_gone());
        let other = Identity { start: own.start + 1, ..own };
        for view in [
            View { processes: 0, ..own.view },
            View { processes: 1, ..own.view },
            View { times: 1, ..own.view },
        ] {
            assert!(!seen_from(view).is_gone());
            assert!(!Identity { view, ..other }.is_gone(), "counted elsewhere: {view:?}");
        }
    }

    /// Whatever its number is.
    #[test]
    fn a_child_made_past_the_c_library_is_foreign() {
        let witness = Witness::new();
        assert!(!witness.is_foreign(), "nobody swore");
        witness.swear();
        assert!(!witness.is_foreign());
        // SAFETY: the child only looks, and ends.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            End::Status(i32::from(witness.is_foreign())).now();
        }
        let mut status = 0;
        let child = i32::try_from(child).unwrap();
        // SAFETY: waits for our own child.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(libc::WEXITSTATUS(status), 1);
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
