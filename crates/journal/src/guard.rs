//! Starting the guard: the small process that waits for the death of this one.
//!
//! It is a program of its own (`lastly`, of the crate `lastly-guard`), never the user's again: that might have
//! begun with side effects. It gets two descriptors: the directory of the journals, and a pipe, on which
//! it says that it is ready. It keeps its end as long as it lives: so a look at ours tells whether it does. And
//! where we close ours, as its journal is gone, it ends.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, child_subreaper, getpid, pidfd_open};

use crate::descriptor::Descriptor;
use crate::directory::Directory;
use crate::sweep::Options;

/// The variable that names the program. Empty, or `0`: there is to be no guard.
pub const VARIABLE: &str = "LASTLY_GUARD";

/// The variable that keeps programs from sweeping when they start: `0`; or has them trust locks: `trust-locks`.
pub const SWEEP_VARIABLE: &str = "LASTLY_SWEEP";

/// What the program is called where nobody says where it is.
const PROGRAM: &str = "lastly";

/// The guard's first argument. Its second is the journal, and a third has it sweep when it is ready.
pub const GUARD: &str = "guard";
const SWEEP: &str = "sweep";
/// The same, as in a container that is started anew each time: see [`Options`].
const TRUST_LOCKS: &str = "trust-locks";

/// What the guard says when it waits for its owner's death.
pub const READY: u8 = b'r';

/// How long to wait for that. Machines can be slow; a program that never says it must not stop this one.
const PATIENCE: Duration = Duration::from_secs(5);

/// And how long, after that, for what has started it to end.
const LEAVE: Duration = Duration::from_secs(1);

/// A guard that was started.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Our end of its pipe. To be closed after the journal is gone: then it looks whether that is so.
    pipe: Descriptor,
}

impl Guard {
    /// Starts one for this journal, and waits until it is ready.
    pub(crate) fn start(program: &Path, directory: &Directory, journal: &str) -> io::Result<Self> {
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut command = Command::new(program);
        command
            .arg0("lastly-guard")
            .args([GUARD, journal])
            .env_clear()
            // Where not to remove anything.
            .envs(env::var_os("HOME").map(|home| ("HOME", home)))
            .stdin(Stdio::from(directory.as_fd().try_clone_to_owned()?))
            .stdout(Stdio::from(theirs))
            .stderr(Stdio::null())
            // From the first moment: what kills our group does not concern it.
            .process_group(0);
        command.args(may_sweep());
        let mut child = command.spawn()?;
        // Its copy of the other end.
        drop(command);
        // None: older kernels, or not allowed.
        let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
        let answer = Self::await_ready(&ours);
        if answer.is_err() && matches!(child.try_wait(), Ok(None)) {
            _ = child.kill();
        }
        // What we have started ends now: it has started the guard. Somebody else in this process may have waited
        // for it. If it goes on, it is no program of ours, but it has said that it is ready.
        if process.is_none_or(|it| await_input(&it, Instant::now() + LEAVE).is_ok()) {
            _ = child.wait();
        }
        answer?;
        Ok(Self { pipe: Descriptor::new(ours)? })
    }

    fn await_ready(pipe: &OwnedFd) -> io::Result<()> {
        await_input(pipe, Instant::now() + PATIENCE)?;
        let mut answer = [0];
        let mut file = File::from(pipe.try_clone()?);
        match file.read(&mut answer)? {
            1 if answer[0] == READY => Ok(()),
            _ => Err(io::Error::other("it ended at once")),
        }
    }

    /// Whether it is there.
    pub(crate) fn is_alive(&self) -> bool {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut asked = [PollFd::new(&self.pipe, PollFlags::empty())];
        matches!(poll(&mut asked, Some(&at_once)), Ok(0)) && self.pipe.is_open()
    }
}

fn await_input(of: impl AsFd, deadline: Instant) -> io::Result<()> {
    let mut asked = [PollFd::new(&of, PollFlags::IN)];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut asked, Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// How this program's start may sweep: with what argument the guard is told.
pub(crate) fn may_sweep() -> Option<&'static str> {
    match env::var_os(SWEEP_VARIABLE) {
        Some(value) if value == "0" => None,
        Some(value) if value == TRUST_LOCKS => Some(TRUST_LOCKS),
        _ => Some(SWEEP),
    }
}

/// How the guard is to sweep which was started with this argument, if at all.
#[must_use]
pub fn options(argument: Option<&OsStr>) -> Option<Options> {
    let argument = argument?;
    let trust_locks = argument == TRUST_LOCKS;
    (trust_locks || argument == SWEEP).then_some(Options { unsynced: false, trust_locks })
}

/// Where the guard's program is: what the environment says; what the door says; beside the running
/// program, or where programs are looked for.
pub(crate) fn find(by_door: Option<&Path>) -> Result<PathBuf, String> {
    if getpid().is_init() {
        return Err("this is process 1: with it all others here end, the guard too".to_owned());
    }
    // The guard leaves who has started it, and would be this process's all the same.
    if matches!(child_subreaper(), Ok(Some(_))) {
        return Err("this process takes over what others have started, the guard too, and may \
                    wait for it"
            .to_owned());
    }
    if let Some(named) = env::var_os(VARIABLE) {
        if named.is_empty() || named == "0" {
            return Err(format!("{VARIABLE} says that there is to be none"));
        }
        let named = PathBuf::from(named);
        if is_program(&named) && named.is_absolute() {
            return Ok(named);
        }
        let named = named.display();
        return Err(format!("{VARIABLE} names {named}, which is no program, or no absolute path"));
    }
    if let Some(named) = by_door {
        if is_program(named) && named.is_absolute() {
            return Ok(named.to_owned());
        }
        return Err(format!("{} is no program, or no absolute path", named.display()));
    }
    let beside = env::current_exe().ok().and_then(|it| Some(it.parent()?.join(PROGRAM)));
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).filter(|it| it.is_absolute()).map(|it| it.join(PROGRAM));
    beside.into_iter().chain(in_path).find(|it| is_program(it)).ok_or_else(|| {
        format!("no program `{PROGRAM}` beside this one or in PATH, and {VARIABLE} is not set")
    })
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}
