//! Failures that nobody was there to take.
//!
//! A panic or an `Err` of a callback at object death or at exit is reported once, through one hook;
//! and so is a callback that did not run, or did not end, because the program did: registered too
//! late, still running on another thread, skipped when [time](crate::exit::set_budget) ran out; and so
//! is a [declared action](crate::actions) that is not safe from `kill -9`, as soon as that is known. A
//! [`Report`] says what made it run, the type of the object, the function, where the finalizer was
//! created, what went wrong, and how long it took. The default prints it to stderr:
//!
//! ```text
//! lastly: cleanup of app::Workspace (exit): std::fs::remove_dir_all<std::path::PathBuf> returned an error: Os { code: 2, kind: NotFound, message: "No such file or directory" }
//!     created at src/main.rs:12:19
//!     after 1.2s
//! ```
//!
//! A panic also goes through the program's panic hook, as any panic does, before it is reported.
//! A failure never stops another callback. A hook that panics itself is contained: the report is
//! printed instead.
//!
//! How long a callback took is measured in the drain, and elsewhere if there is a hook, with a clock
//! of a few milliseconds' precision.
//!
//! With the feature `tracing`, `report::to_tracing()` makes each an event.

#[doc(inline)]
pub use lastly_core::{Cause, Problem, Report};

use crate::REGISTRY;

/// Sets the hook that gets the reports. It is called on the thread where the failure happened; for what
/// is skipped when the end is cut short, on one of lastly's own. It may use finalizers itself; but
/// that those come too late, when the program has ended, is printed.
///
/// ```
/// use lastly::{Watched, finalize, report};
/// use std::sync::Mutex;
///
/// static FAILURES: Mutex<Vec<String>> = Mutex::new(Vec::new());
///
/// report::set_hook(|report| {
///     let line = format!("{} ({}) {}", report.object, report.cause, report.problem);
///     FAILURES.lock().unwrap().push(line);
/// });
/// let object = Watched::new(1);
/// finalize(&object, |()| Err::<(), _>("no luck"), ());
/// drop(object);
/// let failures = FAILURES.lock().unwrap();
/// assert_eq!(*failures, ["i32 (object died) returned an error: \"no luck\""]);
/// ```
pub fn set_hook(hook: impl Fn(&Report<'_>) + Send + Sync + 'static) {
    REGISTRY.set_hook(hook);
}

/// Makes every report an event of [`tracing`], of the level `ERROR` and the target `lastly`, with
/// what it says as fields: `cause`, `object`, `function`, `problem`, and where known `created` and
/// `duration`. Needs the feature `tracing`.
///
/// ```
/// lastly::report::to_tracing();
/// ```
#[cfg(feature = "tracing")]
pub fn to_tracing() {
    set_hook(|report| {
        let Report { cause, object, function, created, problem, duration, .. } = report;
        tracing::error!(
            target: "lastly",
            %cause,
            object,
            function,
            created,
            duration = duration.map(tracing::field::debug),
            %problem,
            "a cleanup failed"
        );
    });
}

/// Goes back to the default: a few lines to stderr for each failure.
pub fn reset_hook() {
    REGISTRY.reset_hook();
}
