//! One round: starts the first process, sends signals to any at random moments, waits for all, and
//! asks the oracle.
//!
//! Nobody else in the round waits for anybody, so that no number of a process becomes another's, and
//! every status is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::history::History;
use crate::ledger::{self, note, stderr_of};
use crate::oracle::{Trial, Verdict};
use crate::random::Random;
use crate::system::{self, Identity, Status, Waited};

/// Rounds take a fraction of a second.
const WATCHDOG: Duration = Duration::from_secs(40);

/// What is sent to processes, and how often.
const SIGNALS: [(usize, i32); 4] =
    [(4, libc::SIGTERM), (3, libc::SIGINT), (2, libc::SIGHUP), (3, libc::SIGKILL)];

/// Plays a round with this program as the first process, in a folder that is new.
pub(crate) fn play(folder: &Path, seed: u64, mut actor: Command) -> io::Result<Verdict> {
    fs::create_dir_all(crate::places(folder))?;
    ledger::open(folder)?;
    system::adopt_orphans();
    system::leave_no_cores();
    let stderr = File::create(stderr_of(folder, "0"))?;
    actor.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn()?;
    let mut round = Round::new(folder, seed)?;
    let hung = round.last_to_the_end();
    let mut verdict = judge(folder)?;
    verdict.wrongs.extend(hung);
    Ok(verdict)
}

/// Reads what is left of the round.
fn judge(folder: &Path) -> io::Result<Verdict> {
    let text = fs::read_to_string(ledger::path(folder))?;
    let mut history = match History::read(&text) {
        Ok(history) => history,
        Err(wrong) => return Ok(Verdict { wrongs: vec![wrong], ..Verdict::default() }),
    };
    for (path, process) in &mut history.processes {
        if let Ok(stderr) = fs::read(stderr_of(folder, path)) {
            process.reports.count_in(&String::from_utf8_lossy(&stderr));
        }
    }
    let mut left = BTreeSet::new();
    for place in fs::read_dir(crate::places(folder))? {
        left.insert(place?.file_name().to_string_lossy().into_owned());
    }
    Ok(Trial::new(history, left).judge())
}

struct Round {
    random: Random,
    ledger: File,
    /// What was read of the ledger, and is no whole line yet.
    unread: String,
    /// Those who have begun and were not waited for.
    living: BTreeMap<i32, (String, Identity)>,
    /// When to send a signal, the last first.
    signals: Vec<Instant>,
}

impl Round {
    fn new(folder: &Path, seed: u64) -> io::Result<Self> {
        let mut random = Random::new(seed, "signals");
        let count = [0, 0, 1, 2, 4][random.below(5)];
        let begin = Instant::now();
        let moment = |_| begin + Duration::from_micros(random.below(60_000) as u64);
        let mut signals: Vec<_> = (0..count).map(moment).collect();
        signals.sort_by(|one, other| other.cmp(one));
        let ledger = File::open(ledger::path(folder))?;
        Ok(Self { random, ledger, unread: String::new(), living: BTreeMap::new(), signals })
    }

    /// Until there is no process any more. What is wrong, if that takes too long.
    fn last_to_the_end(&mut self) -> Option<String> {
        let deadline = Instant::now() + WATCHDOG;
        let mut hung = None;
        loop {
            match system::wait() {
                Waited::Nobody => return hung,
                Waited::For(number, status) => self.see_off(number, status),
                Waited::InVain => thread::sleep(Duration::from_micros(300)),
            }
            self.read_on();
            if self.signals.last().is_some_and(|moment| *moment <= Instant::now()) {
                self.signals.pop();
                self.send_one();
            }
            if Instant::now() > deadline {
                hung.get_or_insert_with(|| self.describe());
                self.kill_all();
            }
        }
    }

    fn see_off(&mut self, number: i32, status: Status) {
        // It may have begun just before.
        self.read_on();
        self.living.remove(&number);
        note!("ended {number} {status}");
    }

    /// Takes down who has begun meanwhile.
    fn read_on(&mut self) {
        if self.ledger.read_to_string(&mut self.unread).is_err() {
            return; // in the middle of a character, of which there are none
        }
        let whole = self.unread.rfind('\n').unwrap_or(0);
        let rest = self.unread.split_off(whole);
        for words in ledger::lines(&self.unread) {
            if let ["began", path, number, start, ..] = *words {
                let identity = number.parse().and_then(|number| Ok((number, start.parse()?)));
                let (number, start) = identity.expect("the ledger has numbers there");
                self.living.insert(number, (path.to_owned(), Identity { number, start }));
            }
        }
        self.unread = rest;
    }

    /// Sends a signal to one of them.
    fn send_one(&mut self) {
        let living: Vec<_> = self.living.values().filter(|(_, it)| !it.is_dead()).collect();
        if !living.is_empty() {
            let (path, identity) = living[self.random.below(living.len())];
            let signal = self.random.weighed(&SIGNALS);
            note!("signal {path} {signal} -");
            system::send(identity.number, signal);
        }
    }

    /// Also those that have not got out of their fork: with their parents dead, they are this one's.
    fn kill_all(&self) {
        for (path, identity) in self.living.values() {
            note!("signal {path} {} -", libc::SIGKILL);
            system::send(identity.number, libc::SIGKILL);
        }
        for number in system::children() {
            system::send(number, libc::SIGKILL);
        }
        thread::sleep(Duration::from_millis(50));
    }

    /// Who has not come to an end, and what its threads wait for.
    fn describe(&self) -> String {
        let mut text = format!("after {WATCHDOG:?} there are still:");
        for (path, identity) in self.living.values().filter(|(_, it)| !it.is_dead()) {
            write!(text, "\n    {path}, process {}; its threads:", identity.number).ok();
            let tasks = fs::read_dir(format!("/proc/{}/task", identity.number));
            for task in tasks.into_iter().flatten().flatten() {
                let tell = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
                let (name, waits) = (tell("comm"), tell("wchan"));
                write!(text, " {} in {},", name.trim(), waits.trim()).ok();
            }
        }
        text
    }
}
