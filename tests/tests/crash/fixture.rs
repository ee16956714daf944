//! A folder with journals of its own, and programs in it that do what they are told.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lastly_tests::crash::resource::{Kind, Resource, deep_place};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Nothing takes long; a hang must not take the suite's time.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) use lastly_tests::program::lastly;

/// A folder for a test, removed when it has passed.
pub(crate) struct Fixture {
    pub(crate) folder: PathBuf,
}

impl Fixture {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{name}"));
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("nobody else has it");
        }
        fs::create_dir_all(deep_place(&folder)).expect("there is room");
        let this = Self { folder };
        fs::DirBuilder::new().mode(0o700).create(this.journals()).expect("there is room");
        fs::write(this.folder.join("0"), "canary").expect("there is room");
        this
    }

    pub(crate) fn journals(&self) -> PathBuf {
        self.folder.join("journals")
    }

    /// Whether the tree of this number is there.
    pub(crate) fn is_there(&self, number: u32) -> bool {
        Resource { number, kind: Kind::Tree }.is_there(&self.folder)
    }

    pub(crate) fn puppet(&self) -> Puppet {
        self.puppet_with(lastly().to_str().expect("text"))
    }

    /// With this guard.
    pub(crate) fn puppet_with(&self, guard: &str) -> Puppet {
        self.puppet_that("0", guard)
    }

    /// One that sweeps, as it has no guard that could.
    pub(crate) fn puppet_that_sweeps(&self) -> Puppet {
        self.puppet_that("", "0")
    }

    fn puppet_that(&self, sweeps: &str, guard: &str) -> Puppet {
        let mut child = Command::new(env!("CARGO_BIN_EXE_crash"))
            .arg("puppet")
            .arg(&self.folder)
            .env("LASTLY_JOURNALS", self.journals())
            .env("LASTLY_GUARD", guard)
            .env("LASTLY_SWEEP", sweeps)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("it was built with this test");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut puppet = Puppet { child, input, output };
        assert_eq!(puppet.hear(), "ready");
        puppet
    }

    pub(crate) fn lastly(&self, arguments: &[&str]) -> Output {
        Command::new(lastly())
            .args(arguments)
            .env("LASTLY_JOURNALS", self.journals())
            .output()
            .expect("it was built")
    }

    /// The journals' names.
    pub(crate) fn journal_names(&self) -> Vec<String> {
        let names = fs::read_dir(self.journals()).expect("it is there").flatten();
        let names = names.map(|it| it.file_name().to_string_lossy().into_owned());
        names.filter(|name| name != "sweep").collect()
    }

    /// The guards of this folder: they hold its journals' directory.
    pub(crate) fn guards(&self) -> Vec<i32> {
        let journals = self.journals();
        let processes = fs::read_dir("/proc").expect("it is there").flatten();
        let numbers = processes.filter_map(|it| it.file_name().to_str()?.parse().ok());
        let is_guard = |process: &i32| {
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            let held = fs::read_link(format!("/proc/{process}/fd/0"));
            name.starts_with("lastly") && held.is_ok_and(|it| it == journals)
        };
        numbers.filter(is_guard).collect()
    }

    /// Waits until no guard is left, and no journal.
    pub(crate) fn await_end(&self) {
        await_that("guards and journals go", || {
            self.guards().is_empty() && self.journal_names().is_empty()
        });
    }

    /// It has passed.
    pub(crate) fn clear(self) {
        assert_eq!(fs::read_to_string(self.folder.join("0")).expect("it is there"), "canary");
        self.await_end();
        fs::remove_dir_all(&self.folder).expect("nobody else has it");
    }
}

/// A program that does what it is told.
pub(crate) struct Puppet {
    pub(crate) child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Puppet {
    /// Its answer.
    pub(crate) fn tell(&mut self, line: &str) -> String {
        self.tell_silently(line);
        self.hear()
    }

    /// What it does not answer, or will not for now.
    pub(crate) fn tell_silently(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it listens");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("text");
        assert!(!line.is_empty(), "it ended: {:?}", self.read_stderr());
        line.trim_end().to_owned()
    }

    fn read_stderr(&mut self) -> String {
        let mut text = String::new();
        let stderr = self.child.stderr.as_mut().expect("piped");
        stderr.read_to_string(&mut text).expect("text");
        text
    }

    /// Declares a tree, and makes it.
    pub(crate) fn have(&mut self, number: u32) {
        self.tell(&format!("declare {number}"));
        self.tell(&format!("make {number}"));
        self.tell(&format!("confirm {number}"));
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// With all of its group.
    pub(crate) fn kill_group(&mut self) {
        killpg(self.pid(), Signal::SIGKILL).expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// All that it says from here on, to the end of its output, and of its errors.
    pub(crate) fn listen_to_the_end(mut self) -> (String, String) {
        drop(self.input);
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("text");
        let mut stderr = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
        assert!(self.child.wait().expect("it is ours").success());
        (said, stderr)
    }
}

pub(crate) fn kill_one(process: i32) {
    kill(Pid::from_raw(process), Signal::SIGKILL).expect("it is there");
}

/// Whether this process is there and not only waited for.
pub(crate) fn is_alive(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Waits for something to become true.
pub(crate) fn await_that(what: &str, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
