//! What a callback may return, and which of it counts as a failure.

use std::convert::Infallible;
use std::error::Error;
use std::ffi::{CString, OsString};
use std::fmt::{self, Debug, Display};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Output};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// The result of a callback, in the manner of [`std::process::Termination`].
///
/// An `Err` is a failure: it is reported when nobody called (at object death and at exit).
/// Everything else is not.
///
/// It is implemented for `()`, for every `Result` with an error that can be shown, and for the
/// common types of the standard library. For a function that returns something else, wrap it:
/// `|arguments| { function(arguments); }`, or implement the trait. For a closure that never returns
/// (stable Rust has no name for its type) write `|()| -> () { … }`.
///
/// ```
/// use lastly::{Watched, finalize};
///
/// let file = std::env::temp_dir().join("outcome-example");
/// std::fs::write(&file, "")?;
/// let object = Watched::new(());
/// // `remove_file` returns an `io::Result<()>`. Called, its error comes to the caller.
/// assert!(finalize(&object, std::fs::remove_file, file.clone()).call().unwrap().is_ok());
/// assert!(finalize(&object, std::fs::remove_file, file).call().unwrap().is_err());
/// # std::io::Result::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "a callback cannot return `{Self}`",
    label = "lastly does not know whether a `{Self}` counts as a failure",
    note = "to ignore it, wrap the function: `|arguments| -> () {{ function(arguments); }}`"
)]
pub trait Outcome {
    /// The error, if this is a failure.
    fn failure(&self) -> Option<&dyn Debug> {
        None
    }
}

impl<T, E: Debug> Outcome for Result<T, E> {
    fn failure(&self) -> Option<&dyn Debug> {
        self.as_ref().err().map(|error| error as &dyn Debug)
    }
}

macro_rules! never_a_failure {
    ($($type:ty),* $(,)?) => { $(impl Outcome for $type {})* };
}

never_a_failure! {
    (), bool, char, &str, String, OsString, CString, PathBuf, Infallible,
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64,
    Duration, Instant, SystemTime, Child, ExitStatus, Output,
}

impl<T> Outcome for Option<T> {}
impl<T> Outcome for Vec<T> {}
impl<T: ?Sized> Outcome for Box<T> {}
impl<T: ?Sized> Outcome for Rc<T> {}
impl<T: ?Sized> Outcome for Arc<T> {}
impl<T> Outcome for JoinHandle<T> {}
impl<T, const N: usize> Outcome for [T; N] {}
impl<A, B> Outcome for (A, B) {}
impl<A, B, C> Outcome for (A, B, C) {}

/// The error that a callback returned, when it was called through an erased handle, which does
/// not know its type: the text of its `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackError(String);

impl CallbackError {
    pub(crate) fn new(error: &dyn Debug) -> Self {
        Self(format!("{error:?}"))
    }
}

impl Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallbackError({})", self.0)
    }
}

impl Error for CallbackError {}
