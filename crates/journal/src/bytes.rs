//! How things are written down: bytes in a fixed order, in frames that show what has become of them.
//!
//! ```text
//!   length u32 · kind u8 · 0 u8 · version u16 · sequence u64 · entry u64 · check u32 · body · check u32
//! ```
//!
//! Numbers are little-endian. The first check is of what stands before it, the second of the whole frame:
//! so a frame that ends with the file, cut in the middle, differs from one that was changed, in its length
//! too. Both checks begin with the journal's own number: what belongs to another journal is no frame here.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crc32fast::Hasher;

/// What a reader of other versions must know to leave a journal alone.
pub(crate) const VERSION: u16 = 1;

/// The bytes before the body, and after it.
pub(crate) const HEAD: usize = 28;
const TAIL: usize = 4;

/// No frame is longer: two paths and a little.
const LONGEST: usize = 1 << 16;

/// One record of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) sequence: u64,
    pub(crate) entry: u64,
    pub(crate) body: Vec<u8>,
}

/// What stands at some place of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A frame, and how long it is.
    Frame(Frame, usize),
    /// The end; or the beginning of a frame of which the rest was never written.
    End { torn: bool },
    /// Something else: it was changed after it was written.
    Damage,
    /// Whole, and of a version that this library does not know.
    Foreign,
}

impl Frame {
    /// Puts the frame at the end of `bytes`.
    pub(crate) fn write(&self, seed: u32, bytes: &mut Vec<u8>) {
        let begin = bytes.len();
        let length = HEAD + self.body.len() + TAIL;
        debug_assert!(length <= LONGEST, "paths and reasons are shorter");
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
        bytes.extend_from_slice(&[self.kind, 0]);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.entry.to_le_bytes());
        bytes.extend_from_slice(&check(seed, &bytes[begin..]).to_le_bytes());
        bytes.extend_from_slice(&self.body);
        bytes.extend_from_slice(&check(seed, &bytes[begin..]).to_le_bytes());
    }

    /// What `bytes`, the rest of a journal, begins with.
    pub(crate) fn read(seed: u32, bytes: &[u8]) -> Next {
        if bytes.iter().all(|byte| *byte == 0) {
            // Some file systems write how long a file is before they write what is in it.
            return Next::End { torn: !bytes.is_empty() };
        }
        let Some((head, _)) = bytes.split_at_checked(HEAD) else { return Next::End { torn: true } };
        let mut reader = Reader(head);
        let mut read = || {
            let length = reader.u32()? as usize;
            let kind = reader.u8()?;
            let zero = reader.u8()?;
            let version = reader.u16()?;
            Some((length, kind, zero, version, reader.u64()?, reader.u64()?, reader.u32()?))
        };
        let Some((length, kind, zero, version, sequence, entry, sum)) = read() else {
            return Next::Damage;
        };
        let is_sound = (HEAD + TAIL..=LONGEST).contains(&length) && zero == 0;
        if !is_sound || sum != check(seed, &head[..HEAD - 4]) {
            return Next::Damage;
        }
        let Some((frame, _)) = bytes.split_at_checked(length) else {
            return Next::End { torn: true };
        };
        let (before, sum) = frame.split_at(length - TAIL);
        if Reader(sum).u32() != Some(check(seed, before)) {
            return Next::Damage;
        }
        if version != VERSION {
            return Next::Foreign;
        }
        let body = before[HEAD..].to_vec();
        Next::Frame(Self { kind, sequence, entry, body }, length)
    }
}

/// What the checks of a journal begin with.
pub(crate) fn seed(number: u128) -> u32 {
    check(0, &number.to_le_bytes())
}

fn check(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// Writes the body of a frame.
#[derive(Default)]
pub struct Writer(pub(crate) Vec<u8>);

/// Reads it: `None` where it ends too early.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

macro_rules! number {
    ($($type:ident)*) => {
        impl Writer {
            $(pub(crate) fn $type(&mut self, value: $type) -> &mut Self {
                self.0.extend_from_slice(&value.to_le_bytes());
                self
            })*
        }

        impl Reader<'_> {
            $(pub(crate) fn $type(&mut self) -> Option<$type> {
                let (bytes, rest) = self.0.split_first_chunk()?;
                self.0 = rest;
                Some($type::from_le_bytes(*bytes))
            })*
        }
    };
}

number!(u8 u16 u32 u64 u128 i32 i64);

impl Writer {
    /// At most 65,535 bytes of it: more is cut off.
    pub(crate) fn text(&mut self, text: &OsStr) -> &mut Self {
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
        self.u16(bytes.len() as u16);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn maybe(&mut self, value: Option<i64>) -> &mut Self {
        self.u8(value.is_some().into()).i64(value.unwrap_or(0))
    }
}

impl Reader<'_> {
    pub(crate) fn text(&mut self) -> Option<OsString> {
        let length = usize::from(self.u16()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(OsString::from_vec(text.to_vec()))
    }

    pub(crate) fn maybe(&mut self) -> Option<Option<i64>> {
        let there = self.u8()?;
        let value = self.i64()?;
        match there {
            0 => Some(None),
            1 => Some(Some(value)),
            _ => None,
        }
    }

    /// Whether all was read: what is left over was not written by this version.
    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}
