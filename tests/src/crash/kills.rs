//! Killing at random moments: owners, guards, both, whole groups, guards at work.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::random::Random;
use super::run::Report;
use super::system;
use super::world::{Case, World};

/// Owners have begun after some thousand microseconds.
const MOMENTS: usize = 20_000;

/// When they are through, their ledgers have more bytes; after half of them, journals were written anew.
const LEDGER: usize = 24_000;

/// A guard does what is left within so many microseconds.
const REPLAY: usize = 4_000;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Owner,
    /// With all of its group, to which the guard does not belong.
    Group,
    /// The guard, then the owner: perhaps with another guard by then.
    GuardThenOwner,
    Both,
    /// The owner, then the guard, at work.
    OwnerThenGuard,
    /// As before; then the sweep, at work.
    OwnerThenGuardThenSweep,
    /// There was none.
    OwnerWithoutGuard,
    /// It ends in order.
    Nobody,
}

const WAYS: [(usize, Way); 8] = [
    (50, Way::Owner),
    (8, Way::Group),
    (10, Way::GuardThenOwner),
    (8, Way::Both),
    (10, Way::OwnerThenGuard),
    (6, Way::OwnerThenGuardThenSweep),
    (6, Way::OwnerWithoutGuard),
    (2, Way::Nobody),
];

/// Plays those of so many cases that are this one's: `part` of `parts`.
///
/// # Errors
///
/// Something of the system fails.
pub fn play(
    world: &World,
    seed: u64,
    (part, parts): (usize, usize),
    cases: usize,
    report: &mut Report,
) -> io::Result<()> {
    (part..cases).step_by(parts).try_for_each(|number| one(world, seed, number, report))
}

fn one(world: &World, seed: u64, number: usize, report: &mut Report) -> io::Result<()> {
    let mut random = Random::new(seed, &format!("case {number}"));
    let way = random.weighed(&WAYS);
    report.begin(&format!("kill {number} of seed {seed}, {way:?}"));
    let case = world.case(&format!("kill-{number}"), way != Way::OwnerWithoutGuard)?;
    let mut owner =
        case.crash("actor")?.arg(random.number().to_string()).process_group(0).spawn()?;
    let (kills, swept) = kill(&case, way, &mut owner, &mut random)?;
    owner.wait()?;
    let verdict = case.judge(swept)?;
    if report.end(&verdict, kills) {
        case.clear()?;
    }
    Ok(())
}

/// How many were killed, and whether a sweep must make up for that.
fn kill(
    case: &Case<'_>,
    way: Way,
    owner: &mut Child,
    random: &mut Random,
) -> io::Result<(usize, bool)> {
    if way == Way::Nobody {
        return Ok((0, false));
    }
    if random.percent(12) {
        let bytes = random.below(LEDGER) as u64;
        while case.ledger_length() < bytes && owner.try_wait()?.is_none() {
            thread::sleep(Duration::from_micros(100));
        }
    }
    rest(random, MOMENTS);
    let group = Pid::from_raw(owner.id().cast_signed());
    match way {
        Way::Group => drop(killpg(group, Signal::SIGKILL)),
        Way::GuardThenOwner => {
            let killed = kill_guards();
            rest(random, MOMENTS / 4);
            owner.kill()?;
            return Ok((1 + killed, true));
        }
        Way::Both => {
            let killed = kill_guards();
            owner.kill()?;
            return Ok((1 + killed, true));
        }
        Way::OwnerThenGuard | Way::OwnerThenGuardThenSweep => {
            owner.kill()?;
            rest(random, REPLAY);
            let killed = kill_guards();
            if way == Way::OwnerThenGuard {
                return Ok((1 + killed, true));
            }
            owner.wait()?;
            case.pass_time()?;
            let mut sweep = case.lastly("sweep").spawn()?;
            rest(random, 2 * REPLAY);
            sweep.kill()?;
            sweep.wait()?;
            return Ok((2 + killed, true));
        }
        _ => owner.kill()?,
    }
    Ok((1, false))
}

fn rest(random: &mut Random, microseconds: usize) {
    thread::sleep(Duration::from_micros(random.below(microseconds) as u64));
}

fn kill_guards() -> usize {
    let guards = system::descendants().into_iter().filter(system::Child::is_guard);
    guards.map(|guard| system::kill_one(guard.pid)).count()
}
