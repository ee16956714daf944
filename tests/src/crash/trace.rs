//! Killing a process before any one of its system calls, by `ptrace`.
//!
//! At the stop before the call nothing of it has happened yet. So one run for each call goes through all
//! states in which a process can be killed, as far as others can see.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Who is to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// The program that was started.
    Program,
    /// What it starts, to start the guard.
    Launcher,
    /// The guard.
    Guard,
}

/// Before which of its calls, counted from 0, each of them is killed.
pub type Kills = BTreeMap<Victim, usize>;

/// What the traced processes did.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// How many calls each has begun.
    pub calls: BTreeMap<Victim, usize>,
    /// Who was killed.
    pub killed: BTreeSet<Victim>,
}

/// Has this process stop, so that who has started it can go on by [`run`].
pub fn begin() {
    ptrace::traceme().expect("nobody else traces this process");
    raise(Signal::SIGSTOP).expect("a process may stop itself");
}

/// Has a program be traced from its first call.
pub fn from_its_beginning(command: &mut Command) {
    // SAFETY: one call of the system, between fork and exec.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
}

/// Runs a program that lets itself be traced, until it and what it started have ended. Follows what it
/// starts, if somebody of those is to be killed or counted.
///
/// # Errors
///
/// The program cannot be started, or not be traced.
pub fn run(command: &mut Command, kills: &Kills, follow: bool) -> io::Result<Trace> {
    let program = Pid::from_raw(command.spawn()?.id().cast_signed());
    let mut tracer = Tracer { kills, follow, traced: BTreeMap::new(), trace: Trace::default() };
    match waitpid(program, None)? {
        WaitStatus::Stopped(..) => {}
        other => {
            return Err(io::Error::other(format!("it does not let itself be traced: {other:?}")));
        }
    }
    let mut options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
    if follow {
        options |= Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC;
    }
    ptrace::setoptions(program, options)?;
    tracer.traced.insert(program, Traced::new(Some(Victim::Program)));
    tracer.go_on(program, None);
    tracer.run()?;
    Ok(tracer.trace)
}

struct Tracer<'a> {
    kills: &'a Kills,
    follow: bool,
    traced: BTreeMap<Pid, Traced>,
    trace: Trace,
}

struct Traced {
    /// Who it is; `None`: not known yet, or nobody of interest.
    role: Option<Victim>,
    /// It has made its first stop, which is not its own.
    has_begun: bool,
    in_call: bool,
}

impl Traced {
    fn new(role: Option<Victim>) -> Self {
        Self { role, has_begun: true, in_call: false }
    }
}

impl Tracer<'_> {
    fn run(&mut self) -> io::Result<()> {
        while !self.traced.is_empty() {
            let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return Ok(()),
                Err(error) => return Err(error.into()),
                Ok(status) => status,
            };
            match status {
                WaitStatus::Exited(process, _) | WaitStatus::Signaled(process, ..) => {
                    self.traced.remove(&process);
                }
                WaitStatus::PtraceSyscall(process) => self.call(process),
                WaitStatus::PtraceEvent(process, _, event) => self.event(process, event),
                WaitStatus::Stopped(process, signal) => self.stopped(process, signal),
                _ => {}
            }
        }
        Ok(())
    }

    fn call(&mut self, process: Pid) {
        let Some(traced) = self.traced.get_mut(&process) else { return };
        traced.in_call = !traced.in_call;
        if let (true, Some(role)) = (traced.in_call, traced.role) {
            let count = self.trace.calls.entry(role).or_default();
            if self.kills.get(&role) == Some(count) {
                self.trace.killed.insert(role);
                _ = kill(process, Signal::SIGKILL);
                return;
            }
            *count += 1;
        }
        self.go_on(process, None);
    }

    /// It has started another, or another program.
    fn event(&mut self, process: Pid, event: i32) {
        let role = self.traced.get(&process).and_then(|it| it.role);
        if event != Event::PTRACE_EVENT_EXEC as i32
            && let Ok(child) = ptrace::getevent(process)
        {
            let child = Pid::from_raw(i32::try_from(child).expect("the number of a process"));
            let role = match role {
                Some(Victim::Program) => Some(Victim::Launcher),
                Some(Victim::Launcher) => Some(Victim::Guard),
                _ => None,
            };
            let has_stopped = self.traced.contains_key(&child);
            self.traced.insert(child, Traced { role, has_begun: has_stopped, in_call: false });
            if has_stopped {
                self.go_on(child, None);
            }
        }
        self.go_on(process, None);
    }

    fn stopped(&mut self, process: Pid, signal: Signal) {
        match self.traced.get_mut(&process) {
            // Its parent's stop, which tells who it is, comes later.
            None => {
                self.traced.insert(process, Traced { role: None, has_begun: true, in_call: false });
            }
            Some(traced) if !traced.has_begun => {
                traced.has_begun = true;
                self.go_on(process, None);
            }
            // The stop of an exec, where nobody follows.
            Some(_) if signal == Signal::SIGTRAP => self.go_on(process, None),
            Some(_) => self.go_on(process, Some(signal)),
        }
    }

    fn go_on(&self, process: Pid, signal: Option<Signal>) {
        let role = self.traced.get(&process).and_then(|it| it.role);
        let is_counted = role.is_some_and(|it| !self.follow || it != Victim::Program)
            || role.is_some_and(|it| self.kills.contains_key(&it));
        // Whoever was killed meanwhile goes on by itself.
        _ = if is_counted {
            ptrace::syscall(process, signal)
        } else {
            ptrace::cont(process, signal)
        };
    }
}

/// A call of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which one.
    pub number: libc::c_long,
    /// What its first argument is the descriptor of.
    pub file: PathBuf,
}

/// Runs a program, and lists those calls of its first thread, from its beginning on, that are about files.
///
/// # Errors
///
/// The program cannot be started, or not be traced.
pub fn list(command: &mut Command) -> io::Result<Vec<Call>> {
    from_its_beginning(command);
    let program = Pid::from_raw(command.spawn()?.id().cast_signed());
    waitpid(program, None)?;
    ptrace::setoptions(program, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL)?;
    let (mut calls, mut in_call, mut signal) = (vec![], false, None);
    loop {
        ptrace::syscall(program, signal.take())?;
        match waitpid(program, None)? {
            WaitStatus::PtraceSyscall(_) => {
                in_call = !in_call;
                calls.extend(Call::of(program).filter(|_| in_call));
            }
            WaitStatus::Stopped(_, sent) => signal = Some(sent),
            _ => return Ok(calls),
        }
    }
}

impl Call {
    /// The one that it is in.
    fn of(process: Pid) -> Option<Self> {
        let told = fs::read_to_string(format!("/proc/{process}/syscall")).ok()?;
        let mut words = told.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let first = u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?;
        let file = fs::read_link(format!("/proc/{process}/fd/{first}")).ok()?;
        Some(Self { number, file })
    }
}
