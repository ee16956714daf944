//! Many cases, some at a time, in processes of their own, to which their orphans go.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::oracle::Verdict;
use super::system;

/// No case takes so many seconds.
const WATCHDOG: u32 = 90;

/// How many wrong cases are told of.
const SHOWN: usize = 10;

/// How much there was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases.
    pub cases: u64,
    /// Processes killed.
    pub kills: u64,
    /// Resources that ledgers tell of.
    pub resources: u64,
    /// What is there and should not be.
    pub leaks: u64,
    /// What is not there, or changed, and should be.
    pub wrongs: u64,
}

impl Tally {
    fn numbers(&mut self) -> [&mut u64; 5] {
        let Self { cases, kills, resources, leaks, wrongs } = self;
        [cases, kills, resources, leaks, wrongs]
    }

    fn parse(words: &str) -> Option<Self> {
        let mut tally = Self::default();
        let mut words = words.split(' ');
        for number in tally.numbers() {
            *number = words.next()?.parse().ok()?;
        }
        Some(tally)
    }

    fn add(&mut self, mut other: Self) {
        for (number, more) in self.numbers().into_iter().zip(other.numbers()) {
            *number += *more;
        }
    }

    /// Whether nothing was wrong, and there was something to be wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.leaks == 0 && self.wrongs == 0 && self.kills > 0 && self.resources > 0
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cases, kills, resources, leaks, wrongs } = self;
        write!(
            f,
            "{cases} cases, {kills} kills, {resources} resources, {leaks} leaks, {wrongs} wrong deletions"
        )
    }
}

/// What one process tells of its cases, on its stdout.
#[derive(Debug, Default)]
pub struct Report {
    name: String,
    /// Only of what is wrong.
    is_silent: bool,
    /// Of all so far.
    pub tally: Tally,
}

impl Report {
    /// One that is not for who runs many processes.
    #[must_use]
    pub fn silent() -> Self {
        Self { is_silent: true, ..Self::default() }
    }

    /// A case begins.
    pub fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        // So that it is known which one hangs.
        system::set_watchdog(WATCHDOG);
        if !self.is_silent {
            say(&format!("begin {name}"));
        }
    }

    /// It is over. Whether all is well with it.
    pub fn end(&mut self, verdict: &Verdict, kills: usize) -> bool {
        let Verdict { leaks, wrongs, resources } = verdict;
        for (what, all) in [("LEAK", leaks), ("WRONG DELETION", wrongs)] {
            all.iter().for_each(|it| say(&format!("wrong {}: {what}: {it}", self.name)));
        }
        let counts = format!("1 {kills} {resources} {} {}", leaks.len(), wrongs.len());
        if !self.is_silent {
            say(&format!("tally {counts}"));
        }
        self.tally.add(Tally::parse(&counts).expect("so it is written"));
        leaks.is_empty() && wrongs.is_empty()
    }
}

fn say(line: &str) {
    let line = line.replace('\n', "\\n");
    writeln!(io::stdout(), "{line}").expect("somebody listens");
}

/// Has as many processes as there are processors play a part of the cases each, by `crash play`, in
/// folders in this one. Shows how far they are, if that is wanted.
///
/// # Errors
///
/// One of them cannot be started.
pub fn run(folder: &Path, lastly: &Path, words: &[String], progress: bool) -> io::Result<Tally> {
    let parts = thread::available_parallelism()?.get();
    let state = Mutex::new(State::new(progress));
    let work = |part: usize| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("play").arg(folder.join(part.to_string())).arg(lastly);
        command.arg(part.to_string()).arg(parts.to_string()).args(words);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut last = String::new();
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            let line = line?;
            state.lock().expect("no panic").hear(&line);
            if let Some(case) = line.strip_prefix("begin ") {
                case.clone_into(&mut last);
            }
        }
        let status = child.wait()?;
        if !status.success() {
            println!("WRONG: who played {last:?} ended with {status}");
            state.lock().expect("no panic").tally.wrongs += 1;
        }
        io::Result::Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..parts).map(|part| scope.spawn(move || work(part))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    Ok(state.into_inner().expect("no panic").tally)
}

struct State {
    tally: Tally,
    shown: usize,
    progress: Option<Instant>,
}

impl State {
    fn new(progress: bool) -> Self {
        Self { tally: Tally::default(), shown: 0, progress: progress.then(Instant::now) }
    }

    fn hear(&mut self, line: &str) {
        if let Some(tally) = line.strip_prefix("tally ").and_then(Tally::parse) {
            self.tally.add(tally);
        } else if let Some(wrong) = line.strip_prefix("wrong ") {
            self.shown += 1;
            if self.shown <= SHOWN {
                println!("{wrong}");
            }
        }
        if let Some(last) = &mut self.progress
            && last.elapsed() > Duration::from_secs(5)
        {
            *last = Instant::now();
            println!("  {}", self.tally);
        }
    }
}
