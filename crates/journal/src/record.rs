//! What is written into a journal, and what it comes to.
//!
//! ```text
//!   intent ──► live ──► cancelled
//!      │        │
//!      └────┬───┘
//!        claimed (once for each attempt) ──► done
//!           └──► stuck
//! ```
//!
//! An *intent* is declared before it is made: it is not known yet which file it will be. *Live* is
//! what is known. Who is about to perform it when the owner is dead *claims* it first. What fails
//! again and again, or must not be done at all, is *stuck* until somebody forces it.

use std::collections::BTreeMap;

use crate::actions::{self, Action};
use crate::bytes::{self, Frame, HEAD, Next, Reader, Writer};
use crate::owner::Owner;

/// The kinds of records. The numbers are those in the files.
mod kind {
    pub(super) const HEADER: u8 = 0;
    pub(super) const DECLARED: u8 = 1;
    pub(super) const CANCELLED: u8 = 2;
    pub(super) const CLAIMED: u8 = 3;
    pub(super) const DONE: u8 = 4;
    pub(super) const STUCK: u8 = 5;
}

/// What a journal begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose it is.
    pub owner: Owner,
    /// Unlike that of any other.
    pub number: u128,
    /// When it was begun, in nanoseconds since 1970.
    pub begun: i64,
    /// In which file it was written: inode and birth. A copy of it, out of a backup, says what may have been given
    /// up since.
    pub file: (u64, Option<i64>),
}

/// A declared action, as far as its journal tells.
#[derive(Debug)]
pub struct Entry {
    /// Which one of its journal's.
    pub id: u64,
    /// What to do.
    pub action: Box<dyn Action>,
    /// When it was declared, in nanoseconds since 1970.
    pub declared: i64,
    /// Whether it was written through to the disk, so that it holds after the machine's death.
    pub synced: bool,
    /// Whether nobody else comes upon its name: lastly has made it up.
    pub unguessable: bool,
    /// Under which name it is put before it is removed: nobody guesses it, and it is the same in each attempt.
    pub trash: u128,
    /// How often somebody has begun to perform it since its owner died.
    pub attempts: u32,
    /// Why nobody tries any more.
    pub stuck: Option<String>,
}

/// One thing to write.
pub(crate) enum Record<'a> {
    Header(&'a Header),
    Declared(&'a Entry),
    Cancelled(u64),
    Claimed(u64),
    Done(u64),
    Stuck(u64, &'a str),
}

impl Record<'_> {
    pub(crate) fn frame(&self, sequence: u64) -> Frame {
        let mut body = Writer::default();
        let (kind, entry) = match self {
            Self::Header(header) => {
                body.u128(header.number).i64(header.begun);
                body.u64(header.file.0).maybe(header.file.1);
                header.owner.write(&mut body);
                (kind::HEADER, 0)
            }
            Self::Declared(entry) => {
                let flags = u8::from(entry.synced) | u8::from(entry.unguessable) << 1;
                // Room for a path of usual length, at once.
                body.0.reserve(256);
                body.i64(entry.declared).u8(flags).u128(entry.trash);
                actions::write(&*entry.action, &mut body);
                (kind::DECLARED, entry.id)
            }
            Self::Cancelled(id) => (kind::CANCELLED, *id),
            Self::Claimed(id) => (kind::CLAIMED, *id),
            Self::Done(id) => (kind::DONE, *id),
            Self::Stuck(id, reason) => {
                let reason: String = reason.chars().take(1000).collect();
                body.text(reason.as_ref());
                (kind::STUCK, *id)
            }
        };
        Frame { kind, sequence, entry, body: body.0 }
    }
}

/// What a journal says.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) header: Header,
    /// What is neither done nor cancelled.
    pub(crate) entries: BTreeMap<u64, Entry>,
    /// How many bytes of it are whole records.
    pub(crate) length: u64,
    /// How many records there are.
    pub(crate) records: u64,
}

/// Why nothing is done that a journal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It has no beginning yet: whoever makes it is not done, or died doing it.
    Empty,
    /// It was changed after it was written, or cut off within its first record and written on.
    Damaged {
        /// At which byte.
        at: u64,
    },
    /// A version of the library has written it that this one does not know.
    Foreign,
    /// It was written in another file, of which this is a copy.
    Copied,
}

impl Reading {
    /// Reads a whole journal. What stands at its end and is cut off counts as never written: its writer
    /// died, and had not begun what it was about to write down.
    pub(crate) fn of(journal: &[u8]) -> Result<Self, Unreadable> {
        let (header, mut place) = match Frame::read(0, journal) {
            Next::Frame(frame, length) => (read_header(&frame)?, length),
            Next::End { .. } => return Err(Unreadable::Empty),
            Next::Damage => return Err(Unreadable::Damaged { at: 0 }),
            Next::Foreign => return Err(Unreadable::Foreign),
        };
        let seed = bytes::seed(header.number);
        let mut this = Self { header, entries: BTreeMap::new(), length: 0, records: 1 };
        loop {
            let damage = Unreadable::Damaged { at: place as u64 };
            let rest = journal.get(place..).unwrap_or_default();
            match Frame::read(seed, rest) {
                Next::Frame(frame, length) => {
                    if frame.sequence != this.records {
                        return Err(damage);
                    }
                    this.heed(&frame, damage)?;
                    this.records += 1;
                    place += length;
                }
                Next::End { .. } => break,
                Next::Damage => return Err(damage),
                Next::Foreign => return Err(Unreadable::Foreign),
            }
        }
        debug_assert!(place >= HEAD, "there is a header");
        this.length = place as u64;
        Ok(this)
    }

    fn heed(&mut self, frame: &Frame, damage: Unreadable) -> Result<(), Unreadable> {
        let mut body = Reader(&frame.body);
        if frame.kind == kind::DECLARED {
            let entry = read_entry(frame.entry, &mut body).ok_or(Unreadable::Foreign)?;
            if !body.is_at_end() {
                return Err(Unreadable::Foreign);
            }
            self.entries.insert(entry.id, entry);
            return Ok(());
        }
        // What says something of an entry that is not there was never written so.
        let entry = self.entries.get_mut(&frame.entry).ok_or(damage)?;
        match frame.kind {
            kind::CANCELLED | kind::DONE => drop(self.entries.remove(&frame.entry)),
            kind::CLAIMED => entry.attempts += 1,
            kind::STUCK => {
                let reason = body.text().ok_or(Unreadable::Foreign)?;
                entry.stuck = Some(reason.to_string_lossy().into_owned());
            }
            _ => return Err(Unreadable::Foreign),
        }
        if body.is_at_end() { Ok(()) } else { Err(Unreadable::Foreign) }
    }
}

fn read_header(frame: &Frame) -> Result<Header, Unreadable> {
    if (frame.kind, frame.sequence, frame.entry) != (kind::HEADER, 0, 0) {
        return Err(Unreadable::Damaged { at: 0 });
    }
    let mut body = Reader(&frame.body);
    let mut read = || {
        let (number, begun) = (body.u128()?, body.i64()?);
        let file = (body.u64()?, body.maybe()?);
        let owner = Owner::read(&mut body)?;
        body.is_at_end().then_some(Header { owner, number, begun, file })
    };
    read().ok_or(Unreadable::Foreign)
}

fn read_entry(id: u64, body: &mut Reader<'_>) -> Option<Entry> {
    let (declared, flags, trash) = (body.i64()?, body.u8()?, body.u128()?);
    if flags > 3 {
        return None;
    }
    let action = actions::read(body)?;
    let (synced, unguessable) = (flags & 1 != 0, flags & 2 != 0);
    Some(Entry { id, action, declared, synced, unguessable, trash, attempts: 0, stuck: None })
}
