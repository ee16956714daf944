//! The second table: what becomes of what was declared, when the process that declared it ends. Each cell is played
//! with a guard, without one, and with one that is killed together with its owner.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread;

use lastly_tests::{guards, program};
use wait_timeout::ChildExt;

use crate::play::{Ended, WATCHDOG, empty_directory, files, in_words, number, send};
use crate::table::Cell;

/// Beside the trees: not declared, and a link in each tree leads there.
const CANARY: &str = "canary";
const JOURNALS: &str = "journals";

/// Who is there when the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    There,
    Nowhere,
    /// Together with the process.
    Killed,
}

pub(crate) const GUARDS: [Guard; 3] = [Guard::There, Guard::Nowhere, Guard::Killed];

/// What was seen, in the words of the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Of the process that the cell is about.
    status: Option<String>,
    /// Before anybody else does anything, where the guard is not to.
    left: Option<Vec<String>>,
    /// When the guard has done its work, or the sweep.
    after: Vec<String>,
    /// When the parent has returned, too; and what `lastly status` knows of then.
    at_the_end: (Vec<String>, String),
    canary: Vec<String>,
}

pub(crate) struct Play {
    directory: PathBuf,
    guard: Guard,
    /// What the program is sent, and to whom.
    signal: Option<i32>,
    is_for_the_group: bool,
    /// By its process number.
    program: i32,
}

/// The same of what is expected, and what was seen of this cell; and what is on stderr.
pub(crate) fn play(cell: &Cell<'_>, guard: Guard) -> (Seen, Seen, Ended) {
    let expected = Seen {
        status: Some(cell.status()),
        left: (guard != Guard::There).then(|| cell.row.left.clone()),
        after: cell.row.after.clone(),
        at_the_end: (vec![], "[]\n".to_owned()),
        canary: vec!["file".to_owned()],
    };
    let directory =
        empty_directory(&format!("declared, {}, {}, {guard:?}", cell.ending, cell.state));
    fs::DirBuilder::new().mode(0o700).create(directory.join(JOURNALS)).expect("it is empty");
    fs::create_dir(directory.join(CANARY)).expect("it is empty");
    fs::write(directory.join(CANARY).join("file"), "").expect("it is empty");
    let mut command = Command::new(env!("CARGO_BIN_EXE_matrix"));
    command.args(["declared", cell.ending, cell.state]).current_dir(&directory);
    command.env("RUST_BACKTRACE", "0").env("LASTLY_JOURNALS", directory.join(JOURNALS));
    command.env(
        "LASTLY_GUARD",
        if guard == Guard::Nowhere { "0".as_ref() } else { program::lastly() },
    );
    // By each program itself: what is left here is the sweep's that this begins.
    command.env("LASTLY_SWEEP", "0").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program was built with this test");

    let program = i32::try_from(child.id()).expect("a process number");
    let (signal, is_for_the_group) = (number(cell.signal()), cell.ending == "killpg");
    let play = Play { directory, guard, signal, is_for_the_group, program };
    let (stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let mut stderr = child.stderr.take().expect("piped");
    let complaints = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).expect("text");
        text
    });
    let listener = thread::spawn(move || {
        let seen = play.listen(stdin, stdout);
        (play, seen)
    });
    let status = child.wait_timeout(WATCHDOG).expect("it is our child");
    // What hangs, and what it forked.
    // SAFETY: sends a signal to the group of our child.
    unsafe { libc::kill(-program, libc::SIGKILL) };
    child.wait().expect("it is our child");
    let status = status.map_or_else(|| "it hangs".to_owned(), in_words);
    let (play, mut seen) = listener.join().expect("no panic");
    if seen.status.is_none() {
        play.settle(program, &mut seen);
        seen.status = Some(status.clone());
    }
    play.end(&mut seen);
    let stderr = complaints.join().expect("no panic");
    (expected, seen, Ended { stdout: vec![], stderr, status, left: vec![] })
}

impl Play {
    /// Has the program go on, step by step. What is seen when a child has ended, and its parent has not.
    fn listen(&self, mut stdin: ChildStdin, stdout: ChildStdout) -> Seen {
        let mut seen = Seen::default();
        let mut ending = 0;
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("text");
            let (word, rest) = line.rsplit_once(' ').expect("two words");
            match word {
                "ready" => {
                    ending = rest.parse().expect("a process number");
                    self.begin(ending, &mut stdin);
                }
                "hangs" if self.signal.is_some() => {
                    send(rest.parse().expect("a process number"), libc::SIGHUP);
                }
                "hangs" => {}
                "the child's end:" => {
                    seen.status = Some(rest.to_owned());
                    self.settle(ending, &mut seen);
                    go(&mut stdin);
                }
                _ => panic!("unexpected on stdout: {line}"),
            }
        }
        seen
    }

    /// It is time for this process to end.
    fn begin(&self, ending: i32, stdin: &mut ChildStdin) {
        if self.guard == Guard::Killed {
            // From here on it does nothing: so it and its owner die at one moment.
            self.guards().into_iter().for_each(guards::stop);
        }
        match self.signal {
            Some(signal) if self.is_for_the_group => send(-self.program, signal),
            Some(signal) => send(ending, signal),
            None => go(stdin),
        }
    }

    /// This process has ended: has everybody do what is theirs to do then.
    fn settle(&self, ended: i32, seen: &mut Seen) {
        match self.guard {
            Guard::There => {
                // The group, if that has ended, has two.
                let whose = if self.is_for_the_group { String::new() } else { format!("{ended}-") };
                guards::await_end(&self.directory.join(JOURNALS), &whose);
            }
            Guard::Nowhere | Guard::Killed => {
                self.guards().into_iter().for_each(guards::kill);
                seen.left = Some(self.trees());
                let swept = self.lastly(&["sweep"]);
                assert!(swept.status.success(), "{swept:?}");
            }
        }
        seen.after = self.trees();
    }

    /// The program has ended.
    fn end(&self, seen: &mut Seen) {
        guards::await_end(&self.directory.join(JOURNALS), "");
        let status = String::from_utf8(self.lastly(&["status", "--json"]).stdout).expect("text");
        seen.at_the_end = (self.trees(), status);
        seen.canary = files(&self.directory.join(CANARY));
    }

    fn lastly(&self, arguments: &[&str]) -> Output {
        guards::call(&self.directory.join(JOURNALS), arguments)
    }

    /// Of the program, and of its children.
    fn guards(&self) -> Vec<i32> {
        guards::of(&self.directory.join(JOURNALS), "")
    }

    fn trees(&self) -> Vec<String> {
        let all = files(&self.directory);
        all.into_iter().filter(|name| ![CANARY, JOURNALS].contains(&&**name)).collect()
    }
}

fn go(stdin: &mut ChildStdin) {
    stdin.write_all(&[0]).expect("the program waits for it");
}
