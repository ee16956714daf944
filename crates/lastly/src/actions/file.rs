//! [`NamedTemporaryFile`].

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lastly_journal::Failure;
use lastly_journal::actions::{Action, remove_file};

use super::temporary::{Kind, Made, Removal, TemporaryBuilder, removal};
use super::unguessable;

/// A file, open for reading and writing, whose name goes with this value: when this is dropped, when the program
/// ends (also by [`std::process::exit`]), and when it is killed.
///
/// As [`TemporaryDirectory`](super::TemporaryDirectory), for one file. Use it where others need its name; a file that
/// needs none is best made without (`O_TMPFILE`).
///
/// ```
/// # let journals = std::env::temp_dir().join(format!("lastly-file-{}", std::process::id()));
/// # // SAFETY: one thread.
/// # unsafe { std::env::set_var("LASTLY_JOURNALS", &journals) };
/// # lastly::report::set_hook(|_| ());
/// use lastly::actions::NamedTemporaryFile;
/// use std::io::Write;
///
/// let mut script = NamedTemporaryFile::builder().suffix(".sh").build()?;
/// writeln!(script, "exit 3")?;
/// let status = std::process::Command::new("sh").arg(script.path()).status()?;
/// assert_eq!(status.code(), Some(3));
/// script.close()?; // or drop it, which does not tell
/// # std::fs::remove_dir_all(&journals)?;
/// # std::io::Result::Ok(())
/// ```
///
/// If another file is put in its place (renamed over it), that one stays.
#[derive(Debug)]
#[must_use = "dropped at once, it is removed at once"]
pub struct NamedTemporaryFile {
    file: File,
    made: Made,
}

impl Kind for NamedTemporaryFile {
    type Content = File;

    fn check(path: &Path) -> Result<Box<dyn Action>, Failure> {
        remove_file::declare(path)
    }

    #[track_caller]
    fn declare(path: &Path, synced: bool) -> Box<dyn Removal> {
        if synced {
            removal(unguessable::synced::remove_file, path)
        } else {
            removal(unguessable::remove_file, path)
        }
    }

    fn create(path: &Path) -> io::Result<File> {
        // This follows no link either.
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
    }
}

impl NamedTemporaryFile {
    /// A new file, in [`std::env::temp_dir`].
    ///
    /// # Errors
    ///
    /// It cannot be made, or its removal may not be declared. Or the program is ending, on another thread: then nothing
    /// is left of it.
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// A file to be, with settings.
    pub fn builder() -> TemporaryBuilder<Self> {
        TemporaryBuilder::new()
    }

    /// Where it is: an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.made.path()
    }

    /// The open file.
    #[must_use]
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// The open file.
    #[must_use]
    pub fn as_file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// The same file, opened once more: with a place of its own in it.
    ///
    /// # Errors
    ///
    /// It cannot be opened; or there is another in its place.
    pub fn reopen(&self) -> io::Result<File> {
        let path = self.path();
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        let (ours, there) = (self.file.metadata()?, file.metadata()?);
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            let text = format!("{}: another file is in its place", path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(file)
    }

    /// Removes its name now, and tells whether that worked.
    ///
    /// # Errors
    ///
    /// It is still there. The guard will try again when this process is dead.
    pub fn close(self) -> io::Result<()> {
        self.made.close()
    }

    /// Keeps it: nobody will remove it. The open file, and its path.
    #[must_use = "it is yours to remove now"]
    pub fn keep(self) -> (File, PathBuf) {
        (self.file, self.made.keep())
    }
}

impl TemporaryBuilder<NamedTemporaryFile> {
    /// Makes the file.
    ///
    /// # Errors
    ///
    /// As [`NamedTemporaryFile::new`]; and for a prefix or suffix that is no part of a name.
    #[track_caller]
    pub fn build(self) -> io::Result<NamedTemporaryFile> {
        let (made, file) = Made::new::<NamedTemporaryFile>(&self.settings)?;
        Ok(NamedTemporaryFile { file, made })
    }
}

impl AsRef<Path> for NamedTemporaryFile {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

impl Read for NamedTemporaryFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

impl Write for NamedTemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for NamedTemporaryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
