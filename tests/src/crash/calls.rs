//! Killing each of those who take part before each of its system calls; and again, in what comes after.

use std::io;
use std::process::Command;

use super::run::Report;
use super::script::Script;
use super::trace::{self, Kills, Trace, Victim};
use super::world::{Case, World};

/// Who is killed, and who after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// The owner; its guard does the rest.
    Owner(Script),
    /// What starts the guard; its owner is there, and then is killed.
    Launcher,
    /// The guard; then there is a sweep.
    Guard,
    /// The sweep; then there is another.
    Sweep,
    /// The owner, then its guard, then there is a sweep.
    OwnerThenGuard,
    /// The guard, then the sweep, then there is another.
    GuardThenSweep,
}

/// What is known by name.
pub const COURSES: [(&str, Course); 7] = [
    ("owner", Course::Owner(Script::Short)),
    ("compaction", Course::Owner(Script::Compaction)),
    ("launcher", Course::Launcher),
    ("guard", Course::Guard),
    ("sweep", Course::Sweep),
    ("owner-guard", Course::OwnerThenGuard),
    ("guard-sweep", Course::GuardThenSweep),
];

/// Plays those of its cases that are this one's: `part` of `parts`; of them each `stride`th.
///
/// # Errors
///
/// Something of the system fails.
pub fn play(
    world: &World,
    course: Course,
    (part, parts): (usize, usize),
    stride: usize,
    report: &mut Report,
) -> io::Result<()> {
    let mut calls = 0;
    let is_ours = |number: usize| number % (parts * stride) == part * stride;
    loop {
        if !is_ours(calls) {
            calls += 1;
            continue;
        }
        let goes_on = match course {
            Course::Owner(_) | Course::Launcher | Course::Guard | Course::Sweep => {
                one(world, course, &[calls], report)?
            }
            Course::OwnerThenGuard | Course::GuardThenSweep => {
                let mut inner = 0;
                loop {
                    let reached = one(world, course, &[calls, inner], report)?;
                    match reached {
                        Reached::All => inner += stride,
                        _ if inner > 0 => break Reached::All,
                        _ => break reached,
                    }
                }
            }
        };
        if goes_on == Reached::Nothing {
            return Ok(());
        }
        calls += 1;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// Each victim was killed.
    All,
    /// The first was, but the second ended before.
    First,
    Nothing,
}

fn one(
    world: &World,
    course: Course,
    numbers: &[usize],
    report: &mut Report,
) -> io::Result<Reached> {
    let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let name = format!("{course:?} {}", words.join(" "));
    report.begin(&name);
    let is_guarded = course != Course::Sweep;
    let case = world.case(&name.replace(['(', ')', ' '], "-"), is_guarded)?;
    let at = |victims: &[Victim]| -> Kills {
        victims.iter().copied().zip(numbers.iter().copied()).collect()
    };
    let (reached, swept) = match course {
        Course::Owner(script) => {
            let trace =
                trace::run(&mut owner(&case, script, true)?, &at(&[Victim::Program]), false)?;
            (reached(&trace, 1), false)
        }
        Course::Launcher => (follow(&case, &at(&[Victim::Launcher]))?, true),
        Course::Guard => (follow(&case, &at(&[Victim::Guard]))?, true),
        Course::OwnerThenGuard => (follow(&case, &at(&[Victim::Program, Victim::Guard]))?, true),
        Course::Sweep => {
            owner(&case, Script::Short, false)?.status()?;
            (sweep(&case, numbers[0])?, true)
        }
        Course::GuardThenSweep => {
            let first = follow(&case, &at(&[Victim::Guard]))?;
            let second = if first == Reached::All { sweep(&case, numbers[1])? } else { first };
            let both = if first == Reached::All && second == Reached::Nothing {
                Reached::First
            } else {
                second
            };
            (both, true)
        }
    };
    let verdict = case.judge(swept)?;
    let is_killed = usize::from(reached != Reached::Nothing)
        + usize::from(numbers.len() == 2 && reached == Reached::All);
    if report.end(&verdict, is_killed) {
        case.clear()?;
    }
    Ok(reached)
}

fn owner(case: &Case<'_>, script: Script, traced: bool) -> io::Result<Command> {
    let mut command = case.crash("script")?;
    command.arg(script.word()).arg(if traced { "traced" } else { "alone" }).arg("killed");
    Ok(command)
}

/// Lets the owner play its script, and be killed in the end; whoever it starts is traced too.
fn follow(case: &Case<'_>, kills: &Kills) -> io::Result<Reached> {
    let trace = trace::run(&mut owner(case, Script::Short, true)?, kills, true)?;
    Ok(reached(&trace, kills.len()))
}

fn sweep(case: &Case<'_>, number: usize) -> io::Result<Reached> {
    case.pass_time()?;
    let mut command = case.lastly("sweep");
    trace::from_its_beginning(&mut command);
    let trace = trace::run(&mut command, &Kills::from([(Victim::Program, number)]), false)?;
    Ok(reached(&trace, 1))
}

fn reached(trace: &Trace, wanted: usize) -> Reached {
    let kills_program = wanted == 2;
    match trace.killed.len() {
        0 => Reached::Nothing,
        killed if killed == wanted => Reached::All,
        _ if kills_program && !trace.killed.contains(&Victim::Program) => Reached::Nothing,
        _ => Reached::First,
    }
}
