//! What went wrong with a cleanup, told once, through one hook.
//!
//! At object death and at exit nobody is there to take a panic or an error, so it is reported.
//! An explicit call has a caller: it gets the result, the error or the panic, and no report is
//! made. (A detach through a handle that cannot hand the callback back drops it; a panic there is
//! reported.)

use std::any::Any;
use std::fmt::{self, Debug, Display};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::lock::Lock;
use crate::sync::constructor;

/// What made a finalizer run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It was called.
    Called,
    /// Its object died.
    ObjectDied,
    /// The program ended.
    Exit,
}

impl Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Called => "called",
            Cause::ObjectDied => "object died",
            Cause::Exit => "exit",
        })
    }
}

/// What a finalizer is about, by name.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The type of the object it watches.
    pub object: &'static str,
    /// The function it runs.
    pub function: &'static str,
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
    /// The program ends while another thread is still running the callback, or while somebody looks
    /// at it who was to run it after that.
    Unfinished,
    /// Another thread registered it while the program was ending, too late to be run.
    TooLate,
}

impl Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Panic(payload) => write!(f, "panicked: {}", panic_message(*payload)),
            Problem::Error(error) => write!(f, "returned an error: {error:?}"),
            Problem::Unfinished => f.write_str("was not finished when the program ended"),
            Problem::TooLate => f.write_str("was registered too late to run"),
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

/// One failure: which finalizer, why it ran, what went wrong.
///
/// Its [`Display`] is the line that the default hook prints.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Report<'a> {
    /// What made it run.
    pub cause: Cause,
    /// The type of the object it watches.
    pub object: &'a str,
    /// The function it runs.
    pub function: &'a str,
    /// What went wrong.
    pub problem: Problem<'a>,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, object, function, problem } = self;
        write!(f, "lastly: cleanup of {object} ({cause}): {function} {problem}")
    }
}

type Hook = dyn Fn(&Report<'_>) + Send + Sync;

/// Where reports go.
pub(crate) struct Reporter(Lock<Option<Arc<Hook>>>);

impl Reporter {
    constructor! {
        pub(crate) fn new() -> Self {
            Self(Lock::new(None))
        }
    }

    /// Makes `hook` the one that gets the reports; `None` is the default. Gives back the old one.
    pub(crate) fn replace(&self, hook: Option<Arc<Hook>>) -> Option<Arc<Hook>> {
        std::mem::replace(&mut *self.0.lock(), hook)
    }

    pub(crate) fn report(&self, cause: Cause, of: Description, problem: Problem<'_>) {
        let Description { object, function } = of;
        let report = Report { cause, object, function, problem };
        // The hook runs without the lock: it may set another one, or fail and be reported on.
        let hook = self.0.lock().clone();
        let Some(hook) = hook else { return print(&report) };
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

    pub(crate) fn lock_for_fork(&self) {
        std::mem::forget(self.0.lock());
    }

    /// # Safety
    ///
    /// `lock_for_fork` was called before, in this process or by its parent for it.
    pub(crate) unsafe fn unlock_after_fork(&self) {
        // SAFETY: held since `lock_for_fork`, which forgot its guard.
        unsafe { self.0.unlock() }
    }
}

/// One line to stderr, whole or, if its parts cannot be shown, not at all. A stderr that is closed
/// or full is no reason to fail.
fn print(line: &dyn Display) {
    let line = format!("{line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
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
