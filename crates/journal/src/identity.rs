//! Which file it is, whatever its name: device, inode, and the moment of its birth.
//!
//! Device and inode alone are not enough: file systems give the inode of a file that is gone to the
//! next one that is made. And after a reboot the same file may be on a device of another number.

#![forbid(unsafe_code)]

use rustix::time::{ClockId, clock_gettime};

/// What tells a file from all others, as far as its file system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970; `None` where the file system does not say.
    pub born: Option<i64>,
}

impl Identity {
    /// Whether both are the same file, seen within one boot of the machine. A file system may have been mounted anew
    /// since, and have another number; but where births are not told, the number must be the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self == other || self.is_across_boots(other)
    }

    /// Whether both are the same file, one of which is held open: nothing else can get its inode then.
    #[must_use]
    pub(crate) fn is_held(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Whether both are the same file, where the machine may have been booted between the two looks: the
    /// number of the device says nothing then. In doubt, not.
    #[must_use]
    pub fn is_across_boots(&self, other: &Self) -> bool {
        self.inode == other.inode && self.born == other.born && self.born.is_some()
    }
}

/// The earliest moment that can be the birth of what is made from now on. File systems write births with a clock
/// that lags some milliseconds behind the usual one, by which a file can seem older than what was done before it
/// was made.
#[must_use]
pub fn birth_clock() -> i64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    nanoseconds(now.tv_sec, now.tv_nsec)
}

/// Now, by the usual clock. No file that is there was born later: file systems take the lagging one, but
/// some keep births apart that are told, by a moment between its ticks.
pub(crate) fn clock() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    nanoseconds(now.tv_sec, now.tv_nsec)
}

/// One number for both parts of a time. Past the year 2262 it stays at the end.
pub(crate) fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
