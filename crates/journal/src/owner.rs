//! The process to which a journal belongs, and whether it is dead.
//!
//! **Dead only by proof.** To take a living process for a dead one would remove what it still uses; the
//! reverse only leaves something behind. A process is named by its number, the moment at which it
//! started, and the boot of the machine. It is dead if the machine was booted since, or if there is no
//! such process any more. Nothing is known of another machine's processes, nor of those in another
//! container, whose numbers mean something else.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, geteuid, getpid, pidfd_open, test_kill_process};

use crate::bytes::{Reader, Writer};
use crate::identity::clock;

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub pid: i32,
    /// When it started, in ticks since the machine did.
    pub started: u64,
    /// The program's short name.
    pub name: String,
    /// The effective user.
    pub user: u32,
    place: Here,
}

/// Where and when numbers and times are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Here {
    /// 0: not known.
    machine: u128,
    boot: u128,
    /// The namespaces of numbers and of times.
    pids: u64,
    times: u64,
    /// What paths mean: the namespace of mounts, and device and inode of the root.
    mounts: u64,
    root: (u64, u64),
}

/// What is known of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It is there, or it cannot be proven that it is not.
    Alive,
    /// It is gone, and the machine has not been booted since.
    Dead,
    /// The machine was booted since.
    DeadBeforeBoot,
    /// It is, or was, on another machine.
    Elsewhere,
    /// It was of another boot, of a machine that has no name (`/etc/machine-id`): this one, or another.
    Nameless,
    /// It is, or was, on this machine, in a container whose processes are not seen from here.
    OtherContainer,
}

impl Life {
    /// Whether there is proof of its death.
    #[must_use]
    pub fn is_dead(self) -> bool {
        matches!(self, Self::Dead | Self::DeadBeforeBoot)
    }

    /// Whether it is dead if nobody has its journal open: not that of a program that closes files which it has
    /// not opened, or has become another by `exec`.
    #[must_use]
    pub fn is_dead_if_unlocked(self) -> bool {
        matches!(self, Self::OtherContainer | Self::Nameless)
    }

    /// Whether the machine was booted since, this one or another.
    #[must_use]
    pub fn is_of_another_boot(self) -> bool {
        matches!(self, Self::DeadBeforeBoot | Self::Elsewhere | Self::Nameless)
    }
}

impl Owner {
    /// This process. `None` where the system does not tell who that is: `/proc` is not there.
    #[must_use]
    pub fn own() -> Option<Self> {
        let pid = pid();
        let stat = Stat::of(pid).ok()??;
        Some(Self {
            pid,
            started: stat.started,
            name: stat.name,
            user: geteuid().as_raw(),
            place: Here::now()?,
        })
    }

    /// What is known of it.
    #[must_use]
    pub fn life(&self) -> Life {
        let Some(here) = Here::now() else { return Life::Alive };
        if here.boot != self.place.boot {
            return match (here.machine, self.place.machine) {
                (0, _) | (_, 0) => Life::Nameless,
                (here, there) if here == there => Life::DeadBeforeBoot,
                _ => Life::Elsewhere,
            };
        }
        if (here.pids, here.times) != (self.place.pids, self.place.times) {
            return Life::OtherContainer;
        }
        if self.is_gone() { Life::Dead } else { Life::Alive }
    }

    /// Whether paths mean here what they meant to it.
    #[must_use]
    pub fn sees_the_same(&self) -> bool {
        let here = Here::now();
        here.is_some_and(|it| (it.mounts, it.root) == (self.place.mounts, self.place.root))
    }

    /// Waits until it has ended, all its threads, and tells when that was, by the usual clock, in nanoseconds since
    /// 1970. `ready` is called when its end can no longer be missed.
    ///
    /// `None`: it has let go of who waits, and goes on. Then it has closed its end of the `pipe`; but that alone says
    /// nothing, as some programs close all that they find. So `is_over` is asked, once, whether there is still
    /// something to wait for.
    ///
    /// # Errors
    ///
    /// It cannot be known when it ends: its number means something else here.
    pub fn await_end(
        &self,
        pipe: &impl AsFd,
        ready: impl FnOnce(),
        is_over: impl FnOnce() -> bool,
    ) -> io::Result<Option<i64>> {
        let here = Here::now().ok_or(io::ErrorKind::NotFound)?;
        if (here.boot, here.pids, here.times)
            != (self.place.boot, self.place.pids, self.place.times)
        {
            return Err(io::Error::other("it is in another container, or of another boot"));
        }
        let pid = Pid::from_raw(self.pid).ok_or(io::ErrorKind::InvalidData)?;
        // None: older kernels, or not allowed.
        let process = pidfd_open(pid, PidfdFlags::empty()).ok();
        // After that: if it is the right one, so is what was opened.
        let is_gone = self.is_gone();
        ready();
        let has_ended = || match &process {
            Some(process) => has_ended(process) == Some(true),
            None => self.is_gone(),
        };
        let pause = process.is_none().then_some(Timespec { tv_sec: 0, tv_nsec: 100_000_000 });
        let mut is_over = Some(is_over);
        while !is_gone && !has_ended() {
            let mut asked: Vec<_> =
                process.iter().map(|it| PollFd::new(it, PollFlags::IN)).collect();
            if is_over.is_some() {
                asked.push(PollFd::new(pipe, PollFlags::empty()));
            }
            _ = poll(&mut asked, pause.as_ref());
            let is_closed = asked.pop().is_some_and(|it| !it.revents().is_empty());
            if is_closed && !has_ended() && is_over.take().is_some_and(|it| it()) {
                return Ok(None);
            }
        }
        Ok(Some(clock()))
    }

    /// Whether there is no such process, of those whose numbers are known here.
    fn is_gone(&self) -> bool {
        is_gone(self.pid, self.started) == Some(true)
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.i32(self.pid).u64(self.started).u32(self.user);
        to.u128(self.place.machine).u128(self.place.boot);
        to.u64(self.place.pids).u64(self.place.times).u64(self.place.mounts);
        to.u64(self.place.root.0).u64(self.place.root.1);
        to.text(self.name.as_ref());
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (pid, started, user) = (from.i32()?, from.u64()?, from.u32()?);
        let (machine, boot) = (from.u128()?, from.u128()?);
        let (pids, times, mounts) = (from.u64()?, from.u64()?, from.u64()?);
        let root = (from.u64()?, from.u64()?);
        let place = Here { machine, boot, pids, times, mounts, root };
        let name = from.text()?.to_string_lossy().into_owned();
        Some(Self { pid, started, name, user, place })
    }
}

impl Here {
    fn now() -> Option<Self> {
        // Otherwise the numbers in `/proc` are those of another namespace.
        if Stat::read("self").ok()??.pid != pid() {
            return None;
        }
        let root = fs::metadata("/").ok()?;
        let namespace = |kind| fs::metadata(format!("/proc/self/ns/{kind}")).map(|it| it.ino());
        let id = |path| fs::read_to_string(path).ok().and_then(|text| number(&text));
        let machine = id("/etc/machine-id").or_else(|| id("/var/lib/dbus/machine-id"));
        Some(Self {
            machine: machine.unwrap_or(0),
            boot: id("/proc/sys/kernel/random/boot_id")?,
            pids: namespace("pid").ok()?,
            // Older kernels have none.
            times: namespace("time").unwrap_or(0),
            mounts: namespace("mnt").unwrap_or(0),
            root: (root.dev(), root.ino()),
        })
    }
}

fn pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

/// 32 hexadecimal digits, with or without hyphens.
fn number(text: &str) -> Option<u128> {
    let digits: String = text.trim().chars().filter(|it| *it != '-').collect();
    (digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}

/// Whether the process with this number that started at that moment has ended, all its threads; `None`
/// if that cannot be told. The number must be one of this process's namespace.
pub(crate) fn is_gone(pid: i32, started: u64) -> Option<bool> {
    let pid = Pid::from_raw(pid)?;
    // First of all, so that whoever is looked at from here on is one and the same.
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Some(true),
        // Older kernels, or not allowed: then the moment at which it started has to do.
        Err(_) if test_kill_process(pid) == Err(Errno::SRCH) => return Some(true),
        Err(_) => {
            let stat = Stat::of(pid.as_raw_nonzero().get()).ok()??;
            return Some(stat.started != started);
        }
    };
    let Ok(Some(stat)) = Stat::of(pid.as_raw_nonzero().get()) else {
        // It may have been waited for just now.
        return has_ended(&process);
    };
    if stat.started != started { Some(true) } else { has_ended(&process) }
}

/// Whether the process behind this descriptor has ended, all its threads. One that nobody has waited for
/// yet has.
pub(crate) fn has_ended(process: &impl AsFd) -> Option<bool> {
    has_ended_within(process, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))
}

pub(crate) fn has_ended_within(process: &impl AsFd, time: Option<&Timespec>) -> Option<bool> {
    let mut asked = [PollFd::new(process, PollFlags::IN)];
    poll(&mut asked, time).ok().map(|ready| ready > 0)
}

/// What `/proc` tells of a process.
pub(crate) struct Stat {
    pub(crate) pid: i32,
    pub(crate) name: String,
    pub(crate) group: i32,
    pub(crate) started: u64,
}

impl Stat {
    /// `None`: there is none.
    pub(crate) fn of(pid: i32) -> io::Result<Option<Self>> {
        Self::read(&pid.to_string())
    }

    fn read(process: &str) -> io::Result<Option<Self>> {
        match fs::read(format!("/proc/{process}/stat")) {
            Ok(text) => Self::parse(&text).map(Some).ok_or(io::ErrorKind::InvalidData.into()),
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        // The name stands in parentheses, and may contain any.
        let (before, after) = (text.find('(')?, text.rfind(')')?);
        let mut fields = text.get(after + 2..)?.split(' ');
        Some(Self {
            pid: text[..before].trim().parse().ok()?,
            name: text[before + 1..after].to_owned(),
            group: fields.nth(2)?.parse().ok()?,
            started: fields.nth(16)?.parse().ok()?,
        })
    }
}
