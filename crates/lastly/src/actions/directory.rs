//! [`TemporaryDirectory`].

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lastly_journal::Failure;
use lastly_journal::actions::{Action, remove_tree};

use super::temporary::{Kind, Made, Removal, TemporaryBuilder, removal};
use super::unguessable;

/// A directory that goes with this value, with all that is in it: when this is dropped, when the program ends
/// (also by [`std::process::exit`]), and when it is killed.
///
/// Its removal is declared *before* it is made, so there is no moment at which a `kill -9` leaves it behind. Nobody
/// else comes upon its name, or may look into it.
///
/// ```
/// # let journals = std::env::temp_dir().join(format!("lastly-directory-{}", std::process::id()));
/// # // SAFETY: one thread.
/// # unsafe { std::env::set_var("LASTLY_JOURNALS", &journals) };
/// # lastly::report::set_hook(|_| ());
/// use lastly::actions::TemporaryDirectory;
///
/// let directory = TemporaryDirectory::new()?;
/// std::fs::write(directory.path().join("part-1"), "…")?;
///
/// let path = directory.path().to_owned();
/// directory.close()?; // or drop it, which does not tell
/// assert!(!path.exists());
/// # std::fs::remove_dir_all(&journals)?;
/// # std::io::Result::Ok(())
/// ```
///
/// In a forked child it is its parent's: there it is not removed. What is put in the place of the directory, after
/// that was moved elsewhere, stays.
#[derive(Debug)]
#[must_use = "dropped at once, it is removed at once"]
pub struct TemporaryDirectory(Made);

impl Kind for TemporaryDirectory {
    type Content = ();

    fn check(path: &Path) -> Result<Box<dyn Action>, Failure> {
        remove_tree::declare(path)
    }

    #[track_caller]
    fn declare(path: &Path, synced: bool) -> Box<dyn Removal> {
        if synced {
            removal(unguessable::synced::remove_tree, path)
        } else {
            removal(unguessable::remove_tree, path)
        }
    }

    fn create(path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }
}

impl TemporaryDirectory {
    /// A new directory, in [`std::env::temp_dir`].
    ///
    /// # Errors
    ///
    /// It cannot be made, or its removal may not be declared. Or the program is ending, on another thread: then nothing
    /// is left of it.
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// A directory to be, with settings.
    ///
    /// ```no_run
    /// use lastly::actions::TemporaryDirectory;
    ///
    /// let build = TemporaryDirectory::builder().prefix("build-").inside("target").build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn builder() -> TemporaryBuilder<Self> {
        TemporaryBuilder::new()
    }

    /// Where it is: an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Removes it now, and tells whether that worked.
    ///
    /// # Errors
    ///
    /// Something of it is left. The guard will try again when this process is dead.
    pub fn close(self) -> io::Result<()> {
        self.0.close()
    }

    /// Keeps it: nobody will remove it. Its path.
    #[must_use = "it is yours to remove now"]
    pub fn keep(self) -> PathBuf {
        self.0.keep()
    }
}

impl TemporaryBuilder<TemporaryDirectory> {
    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// As [`TemporaryDirectory::new`]; and for a prefix or suffix that is no part of a name.
    #[track_caller]
    pub fn build(self) -> io::Result<TemporaryDirectory> {
        let (made, ()) = Made::new::<TemporaryDirectory>(&self.settings)?;
        Ok(TemporaryDirectory(made))
    }
}

impl AsRef<Path> for TemporaryDirectory {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}
