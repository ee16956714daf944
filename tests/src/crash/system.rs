//! What the crash run asks of the system, and the standard library has not.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, setpgid};

/// What processes are called that are resources. The system takes fifteen bytes.
const LEADER: &str = "resource ";
const MEMBER: &str = "member ";

/// Forks a process that leads a group with one more in it. Neither ends by itself.
#[must_use]
pub fn start_group(number: u32) -> i32 {
    // SAFETY: this program has one thread here, so the child is whole.
    match unsafe { fork() }.expect("the system has room for a process") {
        ForkResult::Parent { child } => {
            // In the child too: whoever comes first.
            _ = setpgid(child, child);
            child.as_raw()
        }
        ForkResult::Child => {
            _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            // SAFETY: as above.
            let name = match unsafe { fork() } {
                Ok(ForkResult::Child) => MEMBER,
                _ => LEADER,
            };
            set_name(&format!("{name}{number}"));
            loop {
                nix::unistd::pause();
            }
        }
    }
}

fn set_name(name: &str) {
    let name = std::ffi::CString::new(name).expect("no zero in it");
    nix::sys::prctl::set_name(&name).expect("a process may name itself");
}

/// Waits for this child to have ended.
pub fn reap(process: i32) {
    while waitpid(Pid::from_raw(process), None) == Err(Errno::EINTR) {}
}

/// Has this process be the parent of those whose own is dead, of all that descend from it.
///
/// # Errors
///
/// The system refuses.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// A child of this process that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its number.
    pub pid: i32,
    /// What it calls itself.
    pub name: String,
}

impl Child {
    /// `None`: it has ended.
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
        (!rest.starts_with(['Z', 'X'])).then(|| Self { pid, name: name.to_owned() })
    }

    /// The number of the resource that it is, if it is the leader of a group.
    #[must_use]
    pub fn leads(&self) -> Option<u32> {
        self.name.strip_prefix(LEADER)?.parse().ok()
    }

    /// The number of the resource that it is a part of, if it is no leader.
    #[must_use]
    pub fn is_member_of(&self) -> Option<u32> {
        self.name.strip_prefix(MEMBER)?.parse().ok()
    }

    /// Whether it is a guard, or about to be one.
    #[must_use]
    pub fn is_guard(&self) -> bool {
        self.name == "lastly" || self.name == "lastly-guard"
    }
}

/// The children of this process, and theirs. Each has one thread.
#[must_use]
pub fn descendants() -> Vec<Child> {
    let mut found: Vec<Child> = vec![];
    let mut parents = vec![std::process::id().cast_signed()];
    while let Some(parent) = parents.pop() {
        let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        for number in text.unwrap_or_default().split_whitespace() {
            let child = number.parse().ok().and_then(Child::of);
            parents.extend(child.iter().map(|it| it.pid));
            found.extend(child);
        }
    }
    found
}

/// Waits for those of this process's children that have ended.
pub fn reap_all() {
    while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive) | Err(_))
    {
    }
}

/// Kills a process that is this one, or its child, or a child's.
pub fn kill_one(pid: i32) {
    _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// Has this process end by a signal if it has not come further until then.
pub fn set_watchdog(seconds: u32) {
    nix::unistd::alarm::set(seconds);
}

/// Ends this process at once, by the signal that cannot be heeded.
pub fn kill_this() -> ! {
    kill_one(std::process::id().cast_signed());
    unreachable!("it was killed");
}
