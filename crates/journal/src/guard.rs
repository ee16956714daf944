//! Starting the guard: the small process that waits for the death of this one.
//!
//! It is a program of its own (`lastly`, of the crate `lastly-guard`), never the user's again: that might have
//! begun with side effects. It gets two descriptors: the directory of the journals, and a pipe, on which
//! it says that it is ready. It keeps its end as long as it lives: so a look at ours tells whether it does.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::descriptor::Descriptor;
use crate::directory::Directory;

/// The variable that names the program. Empty, or `0`: there is to be no guard.
pub const VARIABLE: &str = "LASTLY_GUARD";

/// The variable that keeps programs from sweeping when they start: `0`.
pub const SWEEP_VARIABLE: &str = "LASTLY_SWEEP";

/// What the program is called where nobody says where it is.
const PROGRAM: &str = "lastly";

/// The guard's first argument, and the one that has it sweep when it is ready.
pub const GUARD: &str = "guard";
/// See [`GUARD`].
pub const SWEEP: &str = "sweep";

/// What the guard says when it waits for its owner's death.
pub const READY: u8 = b'r';

/// How long to wait for that. Machines can be slow; a program that never starts must not be.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A guard that was started.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Our end of its pipe.
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
            .stdin(Stdio::from(directory.as_fd().try_clone_to_owned()?))
            .stdout(Stdio::from(theirs))
            .stderr(Stdio::null())
            // From the first moment: what kills our group does not concern it.
            .process_group(0);
        if may_sweep() {
            command.arg(SWEEP);
        }
        let mut child = command.spawn()?;
        // Its copy of the other end.
        drop(command);
        let answer = Self::await_ready(&ours);
        if answer.is_err() {
            _ = child.kill();
        }
        // What we have started is over by now: it has started the guard. Somebody else in this process may
        // have waited for it.
        _ = child.wait();
        answer?;
        Ok(Self { pipe: Descriptor::new(ours)? })
    }

    fn await_ready(pipe: &OwnedFd) -> io::Result<()> {
        let mut asked = [PollFd::new(pipe, PollFlags::IN)];
        loop {
            match poll(&mut asked, Some(&PATIENCE)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
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

/// Whether this program's start may sweep.
pub(crate) fn may_sweep() -> bool {
    env::var_os(SWEEP_VARIABLE).is_none_or(|it| it != "0")
}

/// Where the guard's program is: what the environment says; what the door says; beside the running
/// program, or where programs are looked for.
pub(crate) fn find(by_door: Option<&Path>) -> Result<PathBuf, String> {
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
        if is_program(named) {
            return Ok(named.to_owned());
        }
        return Err(format!("{} is not there, or no program", named.display()));
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
