//! What [`TemporaryDirectory`](super::TemporaryDirectory) and [`NamedTemporaryFile`](super::NamedTemporaryFile) have
//! in common: a new name, declared, then made, then confirmed; and the guard that removes it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::io::{self, ErrorKind::AlreadyExists};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};

use lastly_journal::Failure;
use lastly_journal::actions::Action;
use lastly_journal::own;

use crate::actions;
use crate::deferred::{Deferred, defer};

/// How often to try again with another name. One of these names is never taken, but by intent.
const ATTEMPTS: u32 = 8;

/// The settings of something temporary that is to be made: a [`TemporaryDirectory`](super::TemporaryDirectory) or a
/// [`NamedTemporaryFile`](super::NamedTemporaryFile).
#[derive(Debug)]
#[must_use = "to make it, `build` it"]
pub struct TemporaryBuilder<T> {
    pub(super) settings: Settings,
    of: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    prefix: OsString,
    suffix: OsString,
    inside: Option<PathBuf>,
    pub(super) synced: bool,
}

// Not derived: whatever is to be made can have the same settings again.
impl<T> Clone for TemporaryBuilder<T> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), of: PhantomData }
    }
}

impl<T> TemporaryBuilder<T> {
    pub(super) fn new() -> Self {
        let (prefix, suffix) = ("tmp".into(), OsString::new());
        let settings = Settings { prefix, suffix, inside: None, synced: false };
        Self { settings, of: PhantomData }
    }

    /// What its name begins with: `tmp`, if not otherwise.
    pub fn prefix(mut self, prefix: impl AsRef<OsStr>) -> Self {
        prefix.as_ref().clone_into(&mut self.settings.prefix);
        self
    }

    /// What its name ends with, a dot included where one is wanted: nothing, if not otherwise.
    pub fn suffix(mut self, suffix: impl AsRef<OsStr>) -> Self {
        suffix.as_ref().clone_into(&mut self.settings.suffix);
        self
    }

    /// The directory that it is made in: [`std::env::temp_dir`], if not otherwise.
    pub fn inside(mut self, directory: impl AsRef<Path>) -> Self {
        self.settings.inside = Some(directory.as_ref().to_owned());
        self
    }

    /// Whether its removal is on the disk before it is made, so that it does not survive power loss either:
    /// see [`synced`](super::synced). Not, if not otherwise.
    pub fn synced(mut self, synced: bool) -> Self {
        self.settings.synced = synced;
        self
    }
}

impl Settings {
    /// A path that nothing has.
    fn new_path(&self) -> io::Result<PathBuf> {
        for (what, part) in [("prefix", &self.prefix), ("suffix", &self.suffix)] {
            if part.as_bytes().iter().any(|byte| [b'/', 0].contains(byte)) {
                let text = format!(
                    "the {what} {part:?} is to be a part of a name, without slashes and zero bytes; \
                     say by `inside` which directory it is made in"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        let directory = self.inside.clone().unwrap_or_else(env::temp_dir);
        let mut name = self.prefix.clone();
        name.push(own::unguessable_name()?);
        name.push(&self.suffix);
        // So that it is the same path when the program goes to another directory.
        Ok(std::path::absolute(directory)?.join(name))
    }
}

/// Something temporary that was made: where it is, and what removes it, when it is dropped or else.
#[derive(Debug)]
pub(super) struct Made {
    path: PathBuf,
    removal: Box<dyn Removal>,
}

/// A guard whose function's type, which has no name, is forgotten, and what it returns is not.
pub(super) trait Removal: Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    fn call(&self) -> Option<io::Result<()>>;
    fn detach(&self);
    fn is_alive(&self) -> bool;
    fn confirm(&self) -> io::Result<bool>;
    fn report_unprotected(&self, why: &str);
}

impl<F> Removal for Deferred<PathBuf, F>
where
    F: FnOnce(PathBuf) -> io::Result<()> + 'static,
{
    fn call(&self) -> Option<io::Result<()>> {
        (**self).call()
    }

    fn detach(&self) {
        (**self).detach();
    }

    fn is_alive(&self) -> bool {
        (**self).is_alive()
    }

    fn confirm(&self) -> io::Result<bool> {
        actions::confirm(self)
    }

    fn report_unprotected(&self, why: &str) {
        super::report_unprotected(self.held(), why);
    }
}

#[track_caller]
pub(super) fn removal<F>(function: F, path: &Path) -> Box<dyn Removal>
where
    F: FnOnce(PathBuf) -> io::Result<()> + Send + 'static,
{
    Box::new(defer(function, path.to_owned()))
}

/// What directories and files have of their own.
pub(super) trait Kind {
    type Content;

    /// What its removal will be, if that may be declared.
    fn check(path: &Path) -> Result<Box<dyn Action>, Failure>;

    #[track_caller]
    fn declare(path: &Path, synced: bool) -> Box<dyn Removal>;

    fn create(path: &Path) -> io::Result<Self::Content>;
}

impl Made {
    /// Declares, makes and confirms it, under a name that nothing has. Where that is refused, nothing was made, and
    /// nothing is reported.
    #[track_caller]
    pub(super) fn new<K: Kind>(settings: &Settings) -> io::Result<(Self, K::Content)> {
        let mut attempts = 1;
        loop {
            match Self::attempt::<K>(settings) {
                Err(error) if error.kind() == AlreadyExists && attempts < ATTEMPTS => attempts += 1,
                made => return made,
            }
        }
    }

    #[track_caller]
    fn attempt<K: Kind>(settings: &Settings) -> io::Result<(Self, K::Content)> {
        let path = settings.new_path()?;
        let failed = |path: &Path, error: &io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        };
        if K::check(&path)?.is_known() {
            // Another's, which must not be declared.
            return Err(failed(&path, &AlreadyExists.into()));
        }
        let removal = K::declare(&path, settings.synced);
        let made = Self { path, removal };
        let content = match K::create(&made.path) {
            Ok(content) => content,
            Err(error) => return Err(failed(&made.keep(), &error)),
        };
        if let Err(error) = made.removal.confirm() {
            made.removal.report_unprotected(&error.to_string());
        }
        if !made.removal.is_alive() {
            // The end of the program has run it before, in another thread, and found nothing to remove.
            super::perform(|| K::check(&made.path))?;
            let error = io::Error::other("it was not made, as the program is ending");
            return Err(failed(&made.path, &error));
        }
        Ok((made, content))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn close(self) -> io::Result<()> {
        self.removal.call().unwrap_or(Ok(()))
    }

    pub(super) fn keep(self) -> PathBuf {
        self.removal.detach();
        self.path
    }
}
