//! What went wrong with a cleanup, told once, through one hook.
//!
//! At object death and at exit nobody is there to take a panic or an error, so it is reported. So
//! is a cleanup that was skipped: too late, cut off, out of time. An explicit call has a caller: it
//! gets the result, the error or the panic, and no report is made. (A detach through a handle that
//! cannot hand the callback back drops it; a panic there is reported.)

use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{self, Debug, Display};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::lock::Lock;
use crate::sync::{AtomicU8, AtomicU64, Moment, constructor};

/// What made a finalizer run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It was called.
    Called,
    /// Its object died.
    ObjectDied,
    /// The program ended by itself.
    Exit,
    /// A signal ended the program.
    Signal,
}

impl Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Called => "called",
            Cause::ObjectDied => "object died",
            Cause::Exit => "exit",
            Cause::Signal => "signal",
        })
    }
}

/// What a finalizer is about, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Description {
    /// The type of the object it watches.
    pub object: Cow<'static, str>,
    /// The function it runs.
    pub function: Cow<'static, str>,
    /// Where in the program it was created, where that is recorded.
    pub created: Option<Cow<'static, str>>,
}

/// What went wrong.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Problem<'a> {
    /// The callback panicked with this payload, or the drop of what it held or returned, or its
    /// error when it was shown.
    Panic(&'a (dyn Any + Send)),
    /// The callback returned this error.
    Error(&'a dyn Debug),
    /// The callback failed in the way of another language than Rust.
    Raised(&'a dyn Raised),
    /// The program ends while another thread is still running the callback, or while somebody looks
    /// at it who was to run it after that.
    Unfinished,
    /// It was registered, or its object died, when nothing was run any more.
    TooLate,
    /// The end of the program was cut short before its turn came: the time that it was given was
    /// spent, or another signal came.
    Skipped,
    /// It was declared, so that somebody else can do it if the process is killed; and is not as safe
    /// from that as it could be, for this reason. In everything else it is a finalizer like others.
    Unprotected(&'a str),
}

/// A failure in the way of a door's language: an exception. The door's own hook knows its type.
pub trait Raised: Display + Any {}

impl Problem<'_> {
    /// Whether the callback ran, and failed.
    fn is_failure(&self) -> bool {
        matches!(self, Problem::Panic(_) | Problem::Error(_) | Problem::Raised(_))
    }

    /// Whether it is about a finalizer whose time has not come.
    fn is_early(&self) -> bool {
        matches!(self, Problem::Unprotected(_))
    }
}

impl Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Panic(payload) => write!(f, "panicked: {}", panic_message(*payload)),
            Problem::Error(error) => write!(f, "returned an error: {error:?}"),
            Problem::Raised(exception) => write!(f, "raised {exception}"),
            Problem::Unfinished => f.write_str("was not finished when the program ended"),
            Problem::TooLate => f.write_str("came too late to run"),
            Problem::Skipped => f.write_str("was skipped: the end of the program was cut short"),
            Problem::Unprotected(why) => write!(f, "is not safe from kill -9: {why}"),
        }
    }
}

impl Debug for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a panic without a message)")
}

/// A callback that took less took no time that anybody would ask about.
const WORTH_TELLING: Duration = Duration::from_millis(100);

/// One failure: which finalizer, why it ran, what went wrong.
///
/// Its [`Display`] is the block of lines that the default hook prints.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Report<'a> {
    /// What made it run. (Of [`Problem::Unprotected`], nothing did yet: then it says nothing.)
    pub cause: Cause,
    /// The type of the object it watches.
    pub object: &'a str,
    /// The function it runs.
    pub function: &'a str,
    /// Where in the program it was created, where that is recorded.
    pub created: Option<&'a str>,
    /// What went wrong.
    pub problem: Problem<'a>,
    /// For how long it ran, or has been running, to a few milliseconds; where that was measured.
    pub duration: Option<Duration>,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, object, function, created, problem, duration } = self;
        write!(f, "lastly: cleanup of {object}")?;
        if !problem.is_early() {
            write!(f, " ({cause})")?;
        }
        write!(f, ": {function} {problem}")?;
        if let Some(created) = created {
            write!(f, "\n    created at {created}")?;
        }
        if let Some(duration) = duration.filter(|it| *it >= WORTH_TELLING) {
            write!(f, "\n    after {duration:.1?}")?;
        }
        Ok(())
    }
}

type Hook = dyn Fn(&Report<'_>) + Send + Sync;

thread_local! {
    /// Whether this thread is in the hook. Without a destructor, so that it can be read at any time.
    static REPORTING: Cell<bool> = const { Cell::new(false) };
}

/// While it exists, this thread is in the hook.
struct Reporting {
    before: bool,
}

impl Reporting {
    fn begin() -> Self {
        Self { before: REPORTING.replace(true) }
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        REPORTING.set(self.before);
    }
}

/// Where reports go.
pub(crate) struct Reporter {
    hook: Lock<Option<Arc<Hook>>>,
    /// Who wants to know how long callbacks take: [`HOOK`], [`RECORDING`].
    measures: AtomicU8,
    /// How many reports there were: of callbacks that failed, and of those that were lost at the end.
    failed: AtomicU64,
    lost: AtomicU64,
}

const HOOK: u8 = 1;
const RECORDING: u8 = 2;

impl Reporter {
    constructor! {
        pub(crate) fn new() -> Self {
            Self {
                hook: Lock::new(None),
                measures: AtomicU8::new(0),
                failed: AtomicU64::new(0),
                lost: AtomicU64::new(0),
            }
        }
    }

    /// Makes `hook` the one that gets the reports; `None` is the default. Gives back the old one.
    pub(crate) fn replace(&self, hook: Option<Arc<Hook>>) -> Option<Arc<Hook>> {
        // Relaxed: a report more or less with a duration is all that hangs on it.
        match hook {
            Some(_) => self.measures.fetch_or(HOOK, Relaxed),
            None => self.measures.fetch_and(!HOOK, Relaxed),
        };
        std::mem::replace(&mut *self.hook.lock(), hook)
    }

    /// When a callback begins that nobody else takes the time of.
    #[inline]
    pub(crate) fn moment(&self) -> Option<Moment> {
        // Relaxed: see `replace`.
        (self.measures.load(Relaxed) != 0).then(Moment::now)
    }

    pub(crate) fn record(&self) {
        // Relaxed: as above.
        self.measures.fetch_or(RECORDING, Relaxed);
    }

    #[inline]
    pub(crate) fn is_recording(&self) -> bool {
        // Relaxed: as above.
        self.measures.load(Relaxed) & RECORDING != 0
    }

    pub(crate) fn report(
        &self,
        cause: Cause,
        of: &Description,
        problem: Problem<'_>,
        begun: Option<Moment>,
    ) {
        let Description { object, function, created } = of;
        let duration = begun.map(Moment::elapsed);
        let created = created.as_deref();
        let report = Report { cause, object, function, created, problem, duration };
        // The hook runs without the lock: it may set another one, or fail and be reported on.
        let hook = self.hook.lock().clone();
        if !problem.is_early() {
            let count = if problem.is_failure() { &self.failed } else { &self.lost };
            // Relaxed: whoever waits only wants to see it change.
            count.fetch_add(1, Relaxed);
        }
        // A hook may use finalizers. When the door is shut, each of those comes too late: to tell it of
        // that as well would have no end.
        let endless = REPORTING.get() && matches!(problem, Problem::TooLate);
        let Some(hook) = hook.filter(|_| !endless) else { return print(&report) };
        let _reporting = Reporting::begin();
        contain(
            || hook(&report),
            |panic| {
                print(&report);
                print(&format_args!("lastly: the report hook panicked: {}", panic_message(panic)));
            },
        );
        // The hook may have been replaced meanwhile: then its last reference goes here, and with
        // it a destructor of the user's.
        contain(|| drop(hook), |_| ());
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    pub(crate) fn count(&self) -> u64 {
        self.failed() + self.lost()
    }

    pub(crate) fn forget(&self) {
        // Relaxed: as in `report`.
        self.failed.store(0, Relaxed);
        self.lost.store(0, Relaxed);
    }

    pub(crate) fn lock_for_fork(&self) {
        std::mem::forget(self.hook.lock());
    }

    /// # Safety
    ///
    /// `lock_for_fork` was called before, in this process or by its parent for it.
    pub(crate) unsafe fn unlock_after_fork(&self) {
        // SAFETY: held since `lock_for_fork`, which forgot its guard.
        unsafe { self.hook.unlock() }
    }
}

/// A few lines to stderr, whole or, if their parts cannot be shown, not at all. A stderr that is
/// closed or full is no reason to fail.
///
/// Past the standard library's lock: what hangs may hold it, or a thread that does not exist in this
/// forked child.
pub(crate) fn print(text: &dyn Display) {
    write_to_stderr(format!("{text}\n").as_bytes());
}

pub(crate) fn write_to_stderr(mut text: &[u8]) {
    while !text.is_empty() {
        // SAFETY: so many bytes.
        let written = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
        match usize::try_from(written) {
            Ok(written) => text = &text[written..],
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Runs foreign code and lets no panic out: `on_panic` sees the payload instead. A panic of
/// `on_panic` itself does get out.
///
/// The payload is foreign code as well: its destructor may panic. That must not meet a panic of
/// `on_panic`, so it is dropped apart.
pub fn contain(run: impl FnOnce(), on_panic: impl FnOnce(&(dyn Any + Send))) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        let told = catch_unwind(AssertUnwindSafe(|| on_panic(&*payload)));
        dispose_of(payload);
        if let Err(panic) = told {
            resume_unwind(panic);
        }
    }
}

/// Drops a payload, and that of the panic of its destructor, and so on; but not for ever.
fn dispose_of(mut payload: Box<dyn Any + Send>) {
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        struct Nasty;
        impl Drop for Nasty {
            fn drop(&mut self) {
                std::panic::panic_any(Nasty);
            }
        }
        let mut seen = false;
        contain(|| std::panic::panic_any(Nasty), |payload| seen = payload.is::<Nasty>());
        assert!(seen);
    }
}
