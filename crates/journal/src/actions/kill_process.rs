//! Killing a process, and its group where it leads one.
//!
//! A number alone does not name a process: it is killed only if it started when the declared one did. Of a
//! group, only while its leader is there, waited for or not: when that is gone, nothing proves that what has
//! its number is the same group.

use std::io;

use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, getpgrp, getpid, kill_process, kill_process_group, pidfd_open,
    pidfd_send_signal,
};

use crate::actions::{About, Action, Kind, Performed, Terms};
use crate::bytes::{Reader, Writer};
use crate::failure::Failure;
use crate::owner::{self, Stat};

pub(crate) static KIND: Kind = Kind {
    code: 4,
    name: "kill_process",
    rank: 0,
    read: |from| Some(Box::new(KillProcess::read(from)?)),
};

/// How long its end is waited for.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

#[derive(Debug)]
struct KillProcess {
    pid: i32,
    started: u64,
    /// Whether it led a group when it was declared.
    leads: bool,
}

/// Declares that this process is to be killed, and its group if it leads one.
///
/// # Errors
///
/// There is no such process; or it is the first of all, or this one.
pub fn declare(pid: i32) -> Result<Box<dyn Action>, Failure> {
    let refuse = |reason: &str| Err(Failure::refusal(format!("process {pid}: {reason}")));
    if pid <= 1 {
        return refuse("only a number above 1 names a process that may be killed");
    }
    if pid == getpid().as_raw_nonzero().get() {
        return refuse("that is this one: a process is not its own to kill");
    }
    let stat = Stat::of(pid).map_err(|error| Failure::with(&error, format!("process {pid}")))?;
    let Some(stat) = stat else {
        let none = io::Error::new(io::ErrorKind::NotFound, "there is none");
        return Err(Failure::with(&none, format_args!("process {pid}")));
    };
    let leads = stat.group == pid && pid != getpgrp().as_raw_nonzero().get();
    Ok(Box::new(KillProcess { pid, started: stat.started, leads }))
}

impl KillProcess {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (pid, started, leads) = (from.i32()?, from.u64()?, from.u8()?);
        (pid > 1 && leads < 2).then_some(Self { pid, started, leads: leads == 1 })
    }

    /// What it works on may be removed next, so its end is waited for; the system may take its time with that.
    fn kill(&self, pid: Pid) -> io::Result<Performed> {
        // First of all, so that whoever is looked at from here on is one and the same.
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => Some(process),
            Err(Errno::SRCH) => return Ok(Performed::Missing),
            // Older kernels, or not allowed: between the look and the signal, its number could
            // pass on only if all others were used up.
            Err(_) => None,
        };
        let Some(stat) = Stat::of(self.pid)? else { return Ok(Performed::Missing) };
        if stat.started != self.started {
            return Ok(Performed::Replaced);
        }
        let leads = self.leads && stat.group == self.pid;
        match &process {
            _ if leads => kill_process_group(pid, Signal::KILL)?,
            Some(process) if owner::has_ended(process) == Some(true) => {
                return Ok(Performed::Missing);
            }
            Some(process) => pidfd_send_signal(process, Signal::KILL)?,
            None => kill_process(pid, Signal::KILL)?,
        }
        if let Some(process) = process {
            _ = owner::has_ended_within(&process, Some(&PATIENCE));
        }
        Ok(Performed::Done)
    }
}

impl Action for KillProcess {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn subject(&self) -> String {
        let group = if self.leads { " and its group" } else { "" };
        format!("process {}{group}", self.pid)
    }

    fn about(&self) -> About<'_> {
        About::Process(self.pid, self.started)
    }

    fn ends_with_boot(&self) -> bool {
        true
    }

    fn is_known(&self) -> bool {
        true
    }

    fn confirm(&mut self) -> Result<bool, Failure> {
        Ok(true)
    }

    fn perform(&self, terms: &Terms) -> Result<Performed, Failure> {
        if !terms.same_boot {
            return Ok(Performed::Missing);
        }
        if terms.begun_only {
            // Nobody begins to kill.
            return Ok(Performed::Replaced);
        }
        if !terms.same_numbers {
            let reason = "its number means something else here: it was in another container";
            return Err(Failure::refusal(format!("{}: {reason}", self.subject())));
        }
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(Performed::Missing) };
        match self.kill(pid) {
            Ok(performed) => Ok(performed),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => {
                Ok(Performed::Missing)
            }
            Err(error) => Err(Failure::with(&error, self.subject())),
        }
    }

    fn write(&self, to: &mut Writer) {
        to.i32(self.pid).u64(self.started).u8(self.leads.into());
    }
}
