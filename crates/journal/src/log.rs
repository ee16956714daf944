//! A journal that is open and locked, by its owner or by who makes up for it.
//!
//! Records are only ever added, each by one `write`. What stands in the page cache outlives the process,
//! so that costs no sync; who wants it to outlive the machine asks for one.
//!
//! The lock (`flock`) says that somebody is at work on it. It is never given back but by closing the file:
//! what a forked child inherits is the same lock.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{FlockOperation, OFlags, fdatasync, flock, fsync, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::bytes;
use crate::descriptor::Descriptor;
use crate::directory::{Directory, ENDING, NEW};
use crate::failure::Failure;
use crate::place::Found;
use crate::record::{Entry, Header, Reading, Record, Unreadable};

/// Short journals are not worth writing anew: reading one is quicker than making a file, which may take
/// long where many were just removed.
const SHORT: u64 = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Log {
    file: Descriptor,
    name: String,
    seed: u32,
    /// How many records there are, and how many bytes of them.
    records: u64,
    length: u64,
    /// How long it was when it was last written anew.
    shortest: u64,
}

/// A journal could not be opened by who is not its owner.
#[derive(Debug)]
pub(crate) enum Closed {
    /// It is not there any more.
    Gone,
    /// Somebody else has locked it.
    Locked,
    /// It is not what the owner alone could have made, for this reason.
    Untrusted(&'static str),
    Failed(io::Error),
}

impl From<io::Error> for Closed {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => Self::Gone,
            Some(Errno::LOOP) => Self::Untrusted("it is a symbolic link"),
            _ => Self::Failed(error),
        }
    }
}

impl From<Errno> for Closed {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl Log {
    /// Begins a journal. It is there, for others, with its first record, and locked.
    pub(crate) fn begin(directory: &Directory, header: &Header) -> io::Result<Self> {
        let Header { owner, number, .. } = header;
        let name = format!("{}-{}-{number:032x}{ENDING}", owner.pid, owner.started);
        Self::write_all(directory, name, header, std::iter::empty(), false)
    }

    /// Writes a journal from its beginning, and puts it in the place of what was there.
    fn write_all<'a>(
        directory: &Directory,
        name: String,
        header: &Header,
        entries: impl Iterator<Item = &'a Entry>,
        sync: bool,
    ) -> io::Result<Self> {
        let new = format!("{name}{NEW}");
        // One that is left of an attempt that was cut off is only this owner's.
        match unlinkat(directory, new.as_str(), rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::APPEND;
        let file = Descriptor::new(directory.open_file(&new, flags)?)?;
        let header = Header { file: number_of(&file)?, ..header.clone() };
        let mut bytes = Vec::new();
        Record::Header(&header).frame(0).write(0, &mut bytes);
        let seed = bytes::seed(header.number);
        let mut records = 1;
        for entry in entries {
            Record::Declared(entry).frame(records).write(seed, &mut bytes);
            records += 1;
        }
        let written = (|| {
            flock(&*file, FlockOperation::NonBlockingLockExclusive)?;
            (&*file).write_all(&bytes)?;
            if sync {
                fsync(&*file)?;
            }
            renameat(directory, new.as_str(), directory, name.as_str())?;
            io::Result::Ok(())
        })();
        if let Err(error) = written {
            // Nothing is half begun.
            _ = unlinkat(directory, new.as_str(), rustix::fs::AtFlags::empty());
            return Err(error);
        }
        if sync {
            // It is in place: whatever the disk says now, from here on this is the journal.
            _ = fsync(directory);
        }
        let length = bytes.len() as u64;
        Ok(Self { file, name, seed, records, length, shortest: length })
    }

    /// Opens and locks a journal that belongs to a dead process. `wait`: until nobody else has it.
    pub(crate) fn open(directory: &Directory, name: &str, wait: bool) -> Result<Self, Closed> {
        let flags = OFlags::RDWR | OFlags::APPEND;
        let file = Descriptor::open_private(|| Self::look_at(directory, name, flags))?;
        let lock = if wait {
            FlockOperation::LockExclusive
        } else {
            FlockOperation::NonBlockingLockExclusive
        };
        loop {
            match flock(&*file, lock) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return Err(Closed::Locked),
                Err(error) => return Err(error.into()),
            }
        }
        // It may have been removed, or written anew, before it was locked.
        let there = Self::look_at(directory, name, OFlags::RDONLY)?;
        if !Descriptor::new(there)?.is_same(&file) {
            return Err(Closed::Locked);
        }
        let name = name.to_owned();
        Ok(Self { file, name, seed: 0, records: 0, length: 0, shortest: 0 })
    }

    /// Opens a journal, to be looked at, if it is what the owner alone can have made.
    pub(crate) fn look_at(
        directory: &Directory,
        name: &str,
        flags: OFlags,
    ) -> Result<File, Closed> {
        let file = directory.open_file(name, flags)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Closed::Untrusted("it is no file"));
        }
        if metadata.uid() != geteuid().as_raw() {
            return Err(Closed::Untrusted("it belongs to another user"));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(Closed::Untrusted("it is open to others"));
        }
        if metadata.nlink() > 1 {
            return Err(Closed::Untrusted("it has a second name, a hard link"));
        }
        Ok(file)
    }

    /// What it says. What is cut off at its end is taken away, so that more can be written.
    pub(crate) fn read(&mut self) -> Result<io::Result<Reading>, Unreadable> {
        let (reading, length) = match read_journal(&self.file)? {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        self.seed = bytes::seed(reading.header.number);
        self.records = reading.records;
        self.length = reading.length;
        if length > self.length {
            if let Err(error) = self.file.set_len(self.length) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(reading))
    }

    /// Adds records: all of them, or none.
    pub(crate) fn add(&mut self, records: &[Record<'_>], sync: bool) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(256);
        for (record, sequence) in records.iter().zip(self.records..) {
            record.frame(sequence).write(self.seed, &mut bytes);
        }
        let written = (&*self.file).write(&bytes);
        if !matches!(written, Ok(count) if count == bytes.len()) {
            // What comes after half a record would be damage.
            self.file.set_len(self.length)?;
            return Err(written.err().unwrap_or_else(|| io::ErrorKind::StorageFull.into()));
        }
        if sync {
            if let Err(error) = fdatasync(&self.file) {
                self.file.set_len(self.length)?;
                return Err(error.into());
            }
        }
        self.records += records.len() as u64;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Whether the descriptor is its own.
    pub(crate) fn is_open(&self) -> bool {
        self.file.is_open()
    }

    /// Whether somebody has removed it: what is written into it now nobody finds.
    pub(crate) fn is_removed(&self) -> bool {
        self.file.is_removed()
    }

    /// Opens and locks it again if somebody has closed it.
    pub(crate) fn keep_open(&mut self, directory: &Directory) -> Result<(), Closed> {
        if !self.file.is_open() {
            let Self { file, .. } = Self::open(directory, &self.name, false)?;
            if !file.is_same(&self.file) {
                return Err(Closed::Gone);
            }
            self.file = file;
        }
        Ok(())
    }

    /// Whether most of it may be of what is done with.
    pub(crate) fn is_long(&self) -> bool {
        self.length >= SHORT.max(self.shortest * 4)
    }

    /// Leaves out what is done with.
    pub(crate) fn shorten(&mut self, directory: &Directory) -> io::Result<()> {
        let read = read_journal(&self.file).map_err(|it| io::Error::other(format!("{it:?}")))?;
        let (reading, _) = read?;
        let sync = reading.entries.values().any(|entry| entry.synced);
        let (header, entries) = (&reading.header, reading.entries.values());
        *self = Self::write_all(directory, self.name.clone(), header, entries, sync)?;
        Ok(())
    }

    /// Removes it: nothing is left to do. Closing it comes after that.
    pub(crate) fn remove(self, directory: &Directory) -> io::Result<()> {
        Ok(unlinkat(directory, self.name.as_str(), rustix::fs::AtFlags::empty())?)
    }

    /// Removes it, or at least all that it says: nothing of that must be done, also after a boot.
    pub(crate) fn abolish(self, directory: &Directory) -> io::Result<()> {
        // What is empty says nothing, what was removed has no other name.
        let emptied = match self.file.is_open() {
            true => self.file.set_len(0).and_then(|()| self.file.sync_all()),
            false => Err(io::ErrorKind::NotFound.into()),
        };
        let path = directory.path().join(&self.name);
        let removed = match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(()) if emptied.is_err() => directory.sync(),
            done => done,
        };
        emptied.or(removed).map_err(|error| Failure::with(&error, path.display()).into())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// What a journal says, and how long it is.
pub(crate) fn read_journal(file: &File) -> Result<io::Result<(Reading, u64)>, Unreadable> {
    let bytes = match read_file(file) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    let reading = Reading::of(&bytes)?;
    match number_of(file) {
        Ok(number) if number != reading.header.file => Err(Unreadable::Copied),
        Ok(_) => Ok(Ok((reading, bytes.len() as u64))),
        Err(error) => Ok(Err(error)),
    }
}

/// Inode and birth. The device is not asked: it may have another number after a boot.
fn number_of(file: &File) -> io::Result<(u64, Option<i64>)> {
    let identity = Found::open(file.as_fd())?.identity;
    Ok((identity.inode, identity.born))
}

/// All that is in a file, from its beginning.
fn read_file(mut file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Seek::rewind(&mut file)?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
