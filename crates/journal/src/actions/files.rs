//! What the actions on files have in common: a place, and which file it is that is there.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::actions::{About, Born, NOT_IN_VIEW, Performed, Terms};
use crate::bytes::{Reader, Writer};
use crate::failure::Failure;
use crate::identity::Identity;
use crate::place::{Place, Unreachable};
use crate::remove::{self, Expected, Outcome, Reason, Refusal};

/// A file, or a directory, that was declared.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Without links above its last name.
    path: PathBuf,
    /// Which directory it is in.
    parent: Identity,
    /// Which one it is; `None` if it was declared before it was made.
    identity: Option<Identity>,
    /// Whether a boot of the machine removes it.
    ends_with_boot: bool,
}

pub(super) type Check = fn(&Place) -> Result<Option<Identity>, Refusal>;
pub(super) type Remove = fn(&Place, &Expected, &OsStr) -> Result<Outcome, remove::Failure>;

impl Target {
    pub(super) fn declare(path: &Path, check: Check) -> Result<Self, Failure> {
        let place = Place::declare(path)?;
        let identity = known(&place, check)?;
        let (path, parent) = (place.path().to_owned(), place.parent());
        Ok(Self { path, parent, identity, ends_with_boot: place.ends_with_boot() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn about(&self) -> About<'_> {
        About::File(&self.path, self.identity.as_ref())
    }

    pub(super) fn ends_with_boot(&self) -> bool {
        self.ends_with_boot
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
            Err(Unreachable::Unknown(error)) => return Err(error.into()),
            Err(_) => return Ok(false),
        };
        self.identity = known(&place, check)?;
        Ok(self.identity.is_some())
    }

    /// A directory that is not there may be one that is not mounted here, or not just now.
    pub(super) fn is_in_view(&self, terms: &Terms) -> bool {
        !matches!(self.reach(terms), Err(Unreachable::Unseen))
    }

    fn reach(&self, terms: &Terms) -> Result<Place, Unreachable> {
        let place = Place::reopen(&self.path, &self.parent, terms.same_boot);
        place.map_err(|why| match why {
            Unreachable::Gone | Unreachable::Replaced if !terms.same_view => Unreachable::Unseen,
            why => why,
        })
    }

    pub(super) fn perform(&self, terms: &Terms, remove: Remove) -> Result<Performed, Failure> {
        let place = match self.reach(terms) {
            Ok(place) => place,
            Err(Unreachable::Gone) => return Ok(Performed::Missing),
            Err(Unreachable::Replaced) => return Ok(Performed::Replaced),
            Err(Unreachable::Unseen) if terms.by_owner => return Ok(Performed::Missing),
            // Somebody forces it, or it has gone out of view just now.
            Err(Unreachable::Unseen) => {
                let error = io::Error::other(NOT_IN_VIEW);
                return Err(Failure::with(&error, self.path.display()));
            }
            Err(Unreachable::Unknown(error)) => {
                return Err(Failure::with(&error, self.path.display()));
            }
        };
        let born = terms.born.filter(|_| self.identity.is_none());
        // What is another's by now is not in doubt.
        let doubtful = born.filter(|_| !terms.begun_only);
        let trash = OsStr::new(&terms.trash);
        if let Some(doubt) = doubtful.map_or(Ok(None), |born| doubt(&place, trash, born))? {
            return Err(Failure::refusal(format!("{}: {doubt}", self.path.display())));
        }
        let expected = Expected {
            identity: self.identity,
            same_boot: terms.same_boot,
            not_before: born.map(|born| born.earliest),
            not_after: born.map(|born| born.latest),
            was_ours: terms.was_ours,
            begun_only: terms.begun_only,
        };
        match remove(&place, &expected, trash) {
            Ok(Outcome::Removed { .. }) => Ok(Performed::Done),
            Ok(Outcome::Missing) => Ok(Performed::Missing),
            Ok(Outcome::Replaced) => Ok(Performed::Replaced),
            Err(remove::Failure::Refused(refusal)) => Err(match refusal.reason {
                // By who asks, or for now.
                Reason::Home | Reason::AboveHome(_) | Reason::MountPoint => {
                    io::Error::other(refusal).into()
                }
                _ => refusal.into(),
            }),
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
        to.u8(u8::from(self.identity.is_some()) | u8::from(self.ends_with_boot) << 1);
        if let Some(identity) = &self.identity {
            write_identity(identity, to);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let path = PathBuf::from(from.text()?);
        let parent = read_identity(from)?;
        let flags = from.u8()?;
        let identity = if flags & 1 != 0 { Some(read_identity(from)?) } else { None };
        let ends_with_boot = flags & 2 != 0;
        let is_understood = path.is_absolute() && flags <= 3;
        is_understood.then_some(Self { path, parent, identity, ends_with_boot })
    }
}

/// Which file is there, if one is.
fn known(place: &Place, check: Check) -> Result<Option<Identity>, Failure> {
    let found = check(place)?;
    Ok(if found.is_some() && place.settle() { check(place)? } else { found })
}

/// Why what is there may be another's, if that is not known. What is in the trash by now was not.
fn doubt(place: &Place, trash: &OsStr, expected: Born) -> io::Result<Option<&'static str>> {
    let begun = place.look_at(trash)?.filter(|found| found.identity.born.is_some());
    if begun.is_some() {
        return Ok(None);
    }
    Ok(match place.look()?.map(|found| found.identity.born) {
        Some(None) => Some(
            "it was declared before it was made, and its file system does not tell when that was; so it may be \
             another's",
        ),
        Some(Some(born)) if born > expected.latest && !expected.until_death => Some(
            "it was made long after it was declared, and who declared it did not say that it was there, or may have \
             been dead by then; so it may be another's",
        ),
        _ => None,
    })
}

fn write_identity(identity: &Identity, to: &mut Writer) {
    to.u64(identity.device).u64(identity.inode).maybe(identity.born);
}

fn read_identity(from: &mut Reader<'_>) -> Option<Identity> {
    Some(Identity { device: from.u64()?, inode: from.u64()?, born: from.maybe()? })
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match &refusal.reason {
            Reason::Unknown(error) => {
                Self::of_system(error.raw_os_error(), io::Error::new(error.kind(), refusal))
            }
            _ => Self::refusal(refusal.to_string()),
        }
    }
}

/// What an action on a file is made of: which kind it is, and how it is checked and removed.
macro_rules! action_on_file {
    ($action:ident, $code:literal, $name:literal, $rank:literal, $check:path, $remove:path) => {
        /// How journals name it.
        pub(crate) static KIND: $crate::actions::Kind = $crate::actions::Kind {
            code: $code,
            name: $name,
            rank: $rank,
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

            fn is_in_view(&self, terms: &$crate::actions::Terms) -> bool {
                self.0.is_in_view(terms)
            }

            fn ends_with_boot(&self) -> bool {
                self.0.ends_with_boot()
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
