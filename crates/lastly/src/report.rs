//! Failures that nobody was there to take.
//!
//! A panic or an `Err` of a callback at object death or at exit, and a callback still running when
//! the program ended, is reported once, through one hook. The default prints one line to stderr:
//!
//! ```text
//! lastly: cleanup of app::Workspace (object died): std::fs::remove_dir_all<std::path::PathBuf> returned an error: Os { code: 2, kind: NotFound, message: "No such file or directory" }
//! ```
//!
//! A panic also goes through the program's panic hook, as any panic does, before it is reported.
//! A failure never stops another callback. A hook that panics itself is contained: the report is
//! printed instead.

#[doc(inline)]
pub use lastly_core::{Cause, Problem, Report};

use crate::REGISTRY;

/// Sets the hook that gets the reports. It is called on the thread where the failure happened, and
/// may use finalizers itself.
///
/// ```
/// use lastly::{Watched, finalize, report};
/// use std::sync::Mutex;
///
/// static FAILURES: Mutex<Vec<String>> = Mutex::new(Vec::new());
///
/// report::set_hook(|report| FAILURES.lock().unwrap().push(report.to_string()));
/// let object = Watched::new(1);
/// finalize(&object, |()| Err::<(), _>("no luck"), ());
/// drop(object);
/// let failures = FAILURES.lock().unwrap();
/// assert!(failures[0].starts_with("lastly: cleanup of i32 (object died): "));
/// assert!(failures[0].ends_with("returned an error: \"no luck\""));
/// ```
pub fn set_hook(hook: impl Fn(&Report<'_>) + Send + Sync + 'static) {
    REGISTRY.set_hook(hook);
}

/// Goes back to the default: one line to stderr for each failure.
pub fn reset_hook() {
    REGISTRY.reset_hook();
}
