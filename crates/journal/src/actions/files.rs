//! What the actions on files have in common: a place, and which file it is that is there.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::actions::{About, Performed, Terms};
use crate::bytes::{Reader, Writer};
use crate::failure::Failure;
use crate::identity::Identity;
use crate::place::{Place, Unreachable};
use crate::remove::{self, Expected, Outcome, Refusal};

/// A file, or a directory, that was declared.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Without links above its last name.
    path: PathBuf,
    /// Which directory it is in.
    parent: Identity,
    /// Which one it is; `None` if it was declared before it was made.
    identity: Option<Identity>,
}

pub(super) type Check = fn(&Place) -> Result<Option<Identity>, Refusal>;
pub(super) type Remove = fn(&Place, &Expected, &OsStr) -> Result<Outcome, remove::Failure>;

impl Target {
    pub(super) fn declare(path: &Path, check: Check) -> Result<Self, Failure> {
        let place = Place::declare(path)?;
        let identity = check(&place)?;
        Ok(Self { path: place.path().to_owned(), parent: place.parent(), identity })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn about(&self) -> About<'_> {
        About::File(&self.path, self.identity.as_ref())
    }

    pub(super) fn is_known(&self) -> bool {
        self.identity.is_some()
    }

    pub(super) fn confirm(&mut self, check: Check) -> Result<bool, Failure> {
        if self.identity.is_some() {
            return Ok(true);
        }
        let place = match Place::reopen(&self.path, &self.parent, true) {
            Ok(place) => place,
            Err(Unreachable::Gone | Unreachable::Replaced) => return Ok(false),
            Err(Unreachable::Unknown(error)) => return Err(error.into()),
        };
        self.identity = check(&place)?;
        Ok(self.identity.is_some())
    }

    pub(super) fn perform(&self, terms: &Terms, remove: Remove) -> Result<Performed, Failure> {
        let is_seen = terms.same_boot && terms.same_view;
        let place = match Place::reopen(&self.path, &self.parent, terms.same_boot) {
            Ok(place) => place,
            Err(Unreachable::Gone) if is_seen => return Ok(Performed::Missing),
            Err(Unreachable::Replaced) if is_seen => return Ok(Performed::Replaced),
            Err(Unreachable::Gone | Unreachable::Replaced) => {
                let path = self.path.display();
                let error = io::Error::other("its directory is not to be seen: is it mounted?");
                return Err(Failure::with(&error, path));
            }
            Err(Unreachable::Unknown(error)) => {
                return Err(Failure::with(&error, self.path.display()));
            }
        };
        let born = terms.born.filter(|_| self.identity.is_none());
        if born.is_some() && place.look()?.is_some_and(|found| found.identity.born.is_none()) {
            let path = self.path.display();
            let reason = "it was declared before it was made, and its file system does not tell when \
                          that was; so it may be another's";
            return Err(Failure::refusal(format!("{path}: {reason}")));
        }
        let expected = Expected {
            identity: self.identity,
            same_boot: terms.same_boot,
            not_before: born.map(|(earliest, _)| earliest),
            not_after: born.map(|(_, latest)| latest),
            begun_only: terms.begun_only,
        };
        match remove(&place, &expected, OsStr::new(&terms.trash)) {
            Ok(Outcome::Removed { .. }) => Ok(Performed::Done),
            Ok(Outcome::Missing) => Ok(Performed::Missing),
            Ok(Outcome::Replaced) => Ok(Performed::Replaced),
            Err(remove::Failure::Refused(refusal)) => Err(refusal.into()),
            Err(remove::Failure::Left { left, first, error }) => {
                let (kind, code) = (error.kind(), error.raw_os_error());
                let failure = remove::Failure::Left { left, first, error };
                let text = format!("{}: {failure}", self.path.display());
                Err(Failure::of_system(code, io::Error::new(kind, text)))
            }
            Err(failure @ remove::Failure::Displaced { .. }) => {
                Err(Failure::refusal(failure.to_string()))
            }
        }
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text(self.path.as_os_str());
        write_identity(&self.parent, to);
        to.u8(self.identity.is_some().into());
        if let Some(identity) = &self.identity {
            write_identity(identity, to);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let path = PathBuf::from(from.text()?);
        let parent = read_identity(from)?;
        let identity = match from.u8()? {
            0 => None,
            1 => Some(read_identity(from)?),
            _ => return None,
        };
        path.is_absolute().then_some(Self { path, parent, identity })
    }
}

fn write_identity(identity: &Identity, to: &mut Writer) {
    to.u64(identity.device).u64(identity.inode).maybe(identity.born);
}

fn read_identity(from: &mut Reader<'_>) -> Option<Identity> {
    Some(Identity { device: from.u64()?, inode: from.u64()?, born: from.maybe()? })
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::refusal(refusal.to_string())
    }
}

/// What an action on a file is made of: which kind it is, and how it is checked and removed.
macro_rules! action_on_file {
    ($action:ident, $code:literal, $name:literal, $rank:literal, $boot:literal, $check:path, $remove:path) => {
        /// How journals name it.
        pub(crate) static KIND: $crate::actions::Kind = $crate::actions::Kind {
            code: $code,
            name: $name,
            rank: $rank,
            ends_with_boot: $boot,
            read: |from| Some(Box::new($action($crate::actions::files::Target::read(from)?))),
        };

        #[derive(Debug)]
        struct $action($crate::actions::files::Target);

        impl $crate::actions::Action for $action {
            fn kind(&self) -> &'static $crate::actions::Kind {
                &KIND
            }

            fn subject(&self) -> String {
                self.0.path().display().to_string()
            }

            fn about(&self) -> $crate::actions::About<'_> {
                self.0.about()
            }

            fn is_known(&self) -> bool {
                self.0.is_known()
            }

            fn confirm(&mut self) -> Result<bool, $crate::failure::Failure> {
                self.0.confirm($check)
            }

            fn perform(
                &self,
                terms: &$crate::actions::Terms,
            ) -> Result<$crate::actions::Performed, $crate::failure::Failure> {
                self.0.perform(terms, $remove)
            }

            fn write(&self, to: &mut $crate::bytes::Writer) {
                self.0.write(to);
            }
        }
    };
}

pub(super) use action_on_file;
