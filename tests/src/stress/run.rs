//! Many rounds, some at a time, each in a process of its own, to which its orphans go.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::oracle::Tally;
use crate::random::Random;

/// How many rounds go between two lines of progress.
const STRIDE: u64 = 50;

struct State {
    next: u64,
    done: u64,
    tally: Tally,
    failures: Vec<Failure>,
}

struct Failure {
    round: u64,
    wrongs: String,
}

/// Plays these rounds: the first, and how many. Stops at one that fails, and says how to repeat it.
pub(crate) fn run(
    folder: &Path,
    seed: u64,
    (first, rounds): (u64, u64),
    actor: &[&str],
) -> io::Result<bool> {
    println!("stress: seed {seed}, {rounds} rounds from round {first}");
    let begin = Instant::now();
    let end = first + rounds;
    let failures = vec![];
    let state = Mutex::new(State { next: first, done: 0, tally: Tally::default(), failures });
    let at_once = thread::available_parallelism()?.get();
    let work = || {
        while let Some(round) = next(&state, end) {
            let output = play(folder, seed, round, actor)?;
            take_down(&mut state.lock().expect("no panic"), round, rounds, &output);
        }
        io::Result::Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    let State { done, tally, failures, .. } = state.into_inner().expect("no panic");
    for Failure { round, wrongs } in &failures {
        println!("\nround {round} of seed {seed} failed:\n{}", wrongs.trim_end());
        println!("what its processes did: {}", folder_of(folder, *round).display());
        let python = if actor.is_empty() { "" } else { " --python" };
        println!(
            "to repeat it, perhaps often, as the moments differ: \
             cargo xtask stress{python} --seed {seed} --first {round} --rounds 1"
        );
    }
    println!("{done} rounds in {:.1?}: {}", begin.elapsed(), in_words(&tally));
    println!("seed {seed}");
    Ok(failures.is_empty())
}

/// The next round, unless one has failed.
fn next(state: &Mutex<State>, end: u64) -> Option<u64> {
    let mut state = state.lock().expect("no panic");
    let round = (state.next < end && state.failures.is_empty()).then_some(state.next)?;
    state.next += 1;
    Some(round)
}

fn play(folder: &Path, seed: u64, round: u64, actor: &[&str]) -> io::Result<Output> {
    let folder = folder_of(folder, round);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let seed = Random::new(seed, &format!("round {round}")).number();
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("round").arg(&folder).arg(seed.to_string()).args(actor);
    let output = command.output()?;
    if output.status.success() {
        fs::remove_dir_all(&folder)?;
    }
    Ok(output)
}

fn folder_of(folder: &Path, round: u64) -> std::path::PathBuf {
    folder.join(format!("round-{round}"))
}

fn take_down(state: &mut State, round: u64, rounds: u64, output: &Output) {
    state.done += 1;
    let text = String::from_utf8_lossy(&output.stdout);
    let (first, wrongs) = text.split_once('\n').unwrap_or_default();
    if let Some(tally) = Tally::parse(first) {
        state.tally.add(&tally);
    }
    if !output.status.success() {
        let wrongs = format!("{wrongs}{}", String::from_utf8_lossy(&output.stderr));
        state.failures.push(Failure { round, wrongs });
    } else if state.done.is_multiple_of(STRIDE) {
        println!("  {} of {rounds} rounds", state.done);
    }
}

fn in_words(tally: &Tally) -> String {
    let Tally {
        processes,
        signals,
        resources,
        called,
        died,
        handed_over,
        paused,
        drained,
        inherited,
        due_to_heirs,
        reported,
        left,
    } = tally;
    format!(
        "{processes} processes, {signals} signals, {resources} resources; {died} cleaned as their \
         object died, {handed_over} by cleaners, {paused} after pauses, {called} by calls, {drained} at the end, {inherited} by an heir ({due_to_heirs} \
         had to be); {reported} reported as not done; {left} left by those who may"
    )
}
