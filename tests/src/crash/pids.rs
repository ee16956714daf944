//! Numbers of processes that become another's: in a namespace where the next number can be chosen.
//!
//! Of an owner: what it declared is done, and whoever has its number by then is no reason to wait. Of a process
//! that is to be killed: whoever has its number by then is not.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, getegid, geteuid};

use super::run::Report;
use super::script::Script;
use super::system::{self, Child};
use super::world::{Case, World};

/// The number of the resource that is nobody's.
const BYSTANDER: u32 = 9_999;

/// Goes on in a child that is the first process of a namespace. `None`: this is the parent, and that child has ended
/// well, or not.
///
/// # Errors
///
/// The system gives none.
pub fn enter() -> io::Result<Option<bool>> {
    let (user, group) = (geteuid(), getegid());
    let mut flags = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    if !user.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags)?;
    if !user.is_root() {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    // SAFETY: this program has one thread, so the child is whole.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            Ok(Some(waitpid(child, None)? == WaitStatus::Exited(child, 0)))
        }
        ForkResult::Child => {
            let nothing: Option<&str> = None;
            mount(nothing, "/", nothing, MsFlags::MS_PRIVATE | MsFlags::MS_REC, nothing)?;
            mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing)?;
            Ok(None)
        }
    }
}

/// Plays so many cases.
///
/// # Errors
///
/// Something of the system fails.
pub fn play(world: &World, cases: usize, report: &mut Report) -> io::Result<()> {
    for number in 0..cases {
        match number % 3 {
            0 => of_an_owner(world, number, false, report)?,
            1 => of_an_owner(world, number, true, report)?,
            _ => of_a_target(world, number, report)?,
        }
    }
    Ok(())
}

fn of_an_owner(world: &World, number: usize, guarded: bool, report: &mut Report) -> io::Result<()> {
    report.begin(&format!("number of an owner {number}, with a guard: {guarded}"));
    let case = world.case(&format!("number-{number}"), guarded)?;
    let mut owner =
        case.crash("script")?.args([Script::Short.word(), "alone", "killed"]).spawn()?;
    let (pid, started) = (owner.id().cast_signed(), started(owner.id().cast_signed()));
    owner.wait()?;
    // The guard has seen the owner end, whoever has its number, and since when.
    start_bystander(pid, if guarded { None } else { Some(started) })?;
    judge(case, !guarded, report)
}

fn of_a_target(world: &World, number: usize, report: &mut Report) -> io::Result<()> {
    report.begin(&format!("number of a target {number}"));
    let case = world.case(&format!("target-{number}"), false)?;
    case.crash("script")?.args([Script::Target.word(), "alone", "killed"]).status()?;
    let targets = system::descendants();
    let leader = targets.iter().find(|it| it.leads().is_some()).expect("it was made");
    let started = started(leader.pid);
    targets.iter().for_each(|it| system::kill_one(it.pid));
    targets.iter().for_each(|it| system::reap(it.pid));
    start_bystander(leader.pid, Some(started))?;
    judge(case, true, report)
}

fn judge(case: Case<'_>, swept: bool, report: &mut Report) -> io::Result<()> {
    let mut verdict = case.judge(swept)?;
    let number = Some(BYSTANDER);
    let living = system::descendants();
    let is_there = |is_it: &dyn Fn(&Child) -> bool| living.iter().any(is_it);
    if !is_there(&|it| it.leads() == number) || !is_there(&|it| it.is_member_of() == number) {
        verdict.wrongs.push("a bystander was killed".to_owned());
    }
    if report.end(&verdict, 1) {
        case.clear()?;
    }
    Ok(())
}

/// Has a group be led by a process of this number. If it matters: one that did not start when the other did, by a
/// clock that ticks a hundred times in a second.
fn start_bystander(pid: i32, other: Option<u64>) -> io::Result<()> {
    loop {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())?;
        let bystander = system::start_group(BYSTANDER);
        if bystander == pid && Some(started(bystander)) != other {
            return Ok(());
        }
        for child in system::descendants() {
            if child.leads().or(child.is_member_of()) == Some(BYSTANDER) || child.pid == bystander {
                system::kill_one(child.pid);
            }
        }
        system::reap(bystander);
    }
}

fn started(pid: i32) -> u64 {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    let stat = stat.expect("nobody has waited for it");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    fields.split(' ').nth(22 - 3).and_then(|it| it.parse().ok()).expect("a number")
}
