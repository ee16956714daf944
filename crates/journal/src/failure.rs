//! Why something could not be done.

use std::fmt::{self, Display};
use std::io;

/// Why an action was not declared, or not performed.
#[derive(Debug)]
pub struct Failure {
    /// Whether it is refused: trying again is in vain.
    pub refused: bool,
    /// The number by which the system tells what went wrong, if it was the system.
    pub code: Option<i32>,
    error: io::Error,
}

impl Failure {
    /// It must not be done, for this reason.
    pub(crate) fn refusal(reason: impl Into<String>) -> Self {
        Self {
            refused: true,
            code: None,
            error: io::Error::new(io::ErrorKind::InvalidInput, reason.into()),
        }
    }

    /// It may work another time. Of the system's number for what went wrong, `error` knows nothing.
    pub(crate) fn of_system(code: Option<i32>, error: io::Error) -> Self {
        Self { refused: false, code, error }
    }

    /// Whether it was not there, or what it is in.
    pub(crate) fn is_missing(&self) -> bool {
        self.error.kind() == io::ErrorKind::NotFound
    }

    /// It may work another time.
    pub(crate) fn with(error: &io::Error, doing: impl Display) -> Self {
        let code = error.raw_os_error();
        let error = io::Error::new(error.kind(), format!("{doing}: {error}"));
        Self { refused: false, code, error }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { refused: false, code: error.raw_os_error(), error }
    }
}
