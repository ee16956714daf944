//! What the stress run asks of the system, and the standard library has not.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::AtomicU32;

/// Which process it is; its number alone may be another's, later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) number: i32,
    pub(crate) start: u64,
}

impl Identity {
    pub(crate) fn own() -> Self {
        let number = std::process::id().cast_signed();
        let (_, _, start) = stat(number).expect("this process is there");
        Self { number, start }
    }

    /// Whether it is dead, whether or not it has been waited for.
    pub(crate) fn is_dead(self) -> bool {
        let Some((state, threads, start)) = stat(self.number) else { return true };
        // Its first thread may be gone while others go on.
        start != self.start || (matches!(state, 'Z' | 'X') && threads <= 1)
    }
}

/// State, number of threads, and time of start of a process; `None`: there is none.
fn stat(process: i32) -> Option<(char, u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    // As numbered by proc(5), where the state is the third.
    let threads = fields.nth(20 - 4)?.parse().ok()?;
    let start = fields.nth(22 - 21)?.parse().ok()?;
    Some((state, threads, start))
}

/// 0 in the child, the child's number in the parent.
pub(crate) fn fork() -> i32 {
    // SAFETY: the child runs code of this program, which takes no lock that another thread may have
    // held; what it touches of lastly is guarded by lastly's own handlers.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", io::Error::last_os_error());
    child
}

/// A thread past the standard library, which takes a lock where its own threads begin and end: a child
/// that is forked just then could start no thread any more, nor exit.
pub(crate) struct Thread(libc::pthread_t);

impl Thread {
    pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Self {
        extern "C" fn begin(work: *mut c_void) -> *mut c_void {
            // SAFETY: made by `into_raw` below, for this one call.
            let work = unsafe { Box::from_raw(work.cast::<Box<dyn FnOnce() + Send>>()) };
            // A panic of a callback that it calls, which must not get out of here.
            _ = catch_unwind(AssertUnwindSafe(work));
            ptr::null_mut()
        }
        let work: Box<Box<dyn FnOnce() + Send>> = Box::new(Box::new(work));
        let mut thread = MaybeUninit::uninit();
        let work = Box::into_raw(work).cast();
        // SAFETY: room for a thread, and what it begins with, which is its own.
        let error = unsafe { libc::pthread_create(thread.as_mut_ptr(), ptr::null(), begin, work) };
        assert_eq!(error, 0, "pthread_create: {}", io::Error::from_raw_os_error(error));
        // SAFETY: written, as there was no error.
        Self(unsafe { thread.assume_init() })
    }

    pub(crate) fn join(self) {
        // SAFETY: it is joined once, and was not detached.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
    }
}

/// The name that the system has of this thread.
pub(crate) fn thread_name() -> String {
    let mut name = [0_u8; 16];
    // SAFETY: room for a name.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()
}

/// Ends this process without a word.
pub(crate) fn end_at_once(status: i32) -> ! {
    // SAFETY: ends the process; nothing is expected of it afterwards.
    unsafe { libc::_exit(status) }
}

/// Whether there was such a process. It may be one that nobody has waited for.
pub(crate) fn send(process: i32, signal: i32) -> bool {
    // SAFETY: the number is this process's own, or of one that nobody else waits for: no other's.
    unsafe { libc::kill(process, signal) == 0 }
}

/// Whether this child has ended. Does not take its number from it.
pub(crate) fn has_ended(child: i32) -> bool {
    let mut found = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let id = child.unsigned_abs();
    // SAFETY: room for what is found.
    let result = unsafe { libc::waitid(libc::P_PID, id, found.as_mut_ptr(), flags) };
    // SAFETY: all zero is one, too.
    let found = unsafe { found.assume_init() };
    result == 0 && found.si_signo != 0
}

/// The children of this process, which starts them on its one thread.
pub(crate) fn children() -> Vec<i32> {
    let text = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Exited(i32),
    Killed(i32),
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Exited(status) => write!(f, "{status}"),
            Status::Killed(signal) => write!(f, "s{signal}"),
        }
    }
}

impl Status {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word.strip_prefix('s') {
            Some(signal) => signal.parse().ok().map(Status::Killed),
            None => word.parse().ok().map(Status::Exited),
        }
    }
}

/// Who was waited for.
pub(crate) enum Waited {
    For(i32, Status),
    /// There are children, and all live.
    InVain,
    /// There are no children.
    Nobody,
}

/// Waits for any child that has ended.
pub(crate) fn wait() -> Waited {
    let mut status = 0;
    // SAFETY: room for a status.
    match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
        -1 => Waited::Nobody,
        0 => Waited::InVain,
        child if libc::WIFSIGNALED(status) => {
            Waited::For(child, Status::Killed(libc::WTERMSIG(status)))
        }
        child => Waited::For(child, Status::Exited(libc::WEXITSTATUS(status))),
    }
}

/// Has this process be the parent of those whose own is dead, of all that descend from it.
pub(crate) fn adopt_orphans() {
    // SAFETY: it sets a flag of this process.
    let failed = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
    assert_eq!(failed, 0, "prctl: {}", io::Error::last_os_error());
}

/// No core dumps of those who abort.
pub(crate) fn leave_no_cores() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a limit to read.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

/// Has this process's stderr go there.
pub(crate) fn send_stderr_to(file: &File) {
    // SAFETY: both are open, and nobody owns the second.
    unsafe { libc::dup2(file.as_raw_fd(), 2) };
}

/// A number that this process and its descendants share, 0 at first.
pub(crate) fn shared_number() -> &'static AtomicU32 {
    // SAFETY: new memory, wherever there is room.
    let memory = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size_of::<AtomicU32>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(memory, libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
    // SAFETY: memory of that size and alignment, all zero, and never unmapped.
    unsafe { &*memory.cast::<AtomicU32>() }
}
