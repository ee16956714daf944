//! A folder with journals of its own, and programs in it that do what they are told.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lastly_tests::crash::door::DONE;
use lastly_tests::crash::resource::{Kind, Resource, deep_place};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, geteuid};

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
        self.puppet_where(&[], &[])
    }

    /// With this guard.
    pub(crate) fn puppet_with(&self, guard: &str) -> Puppet {
        self.puppet_under(&[], guard)
    }

    /// The same, started by another command.
    pub(crate) fn puppet_under(&self, starter: &[&str], guard: &str) -> Puppet {
        self.puppet_where(starter, &[("LASTLY_GUARD", guard)])
    }

    /// The same, with these variables in place of those that all have.
    pub(crate) fn puppet_where(&self, starter: &[&str], variables: &[(&str, &str)]) -> Puppet {
        let mut command = under(starter, PUPPET);
        command.arg("puppet").arg(&self.folder).env("LASTLY_GUARD", lastly());
        command.env("LASTLY_JOURNALS", self.journals());
        Puppet::start(command.envs(variables.iter().copied()))
    }

    pub(crate) fn lastly(&self, arguments: &[&str]) -> Output {
        self.lastly_under(&[], arguments)
    }

    /// The same, started by another command.
    pub(crate) fn lastly_under(&self, starter: &[&str], arguments: &[&str]) -> Output {
        let mut command = under(starter, lastly());
        command.args(arguments).env("LASTLY_JOURNALS", self.journals());
        command.output().expect("it was built")
    }

    /// What a sweep tells, line by line.
    pub(crate) fn sweep(&self, arguments: &[&str]) -> Vec<String> {
        self.sweep_under(&[], arguments)
    }

    /// The same, started by another command.
    pub(crate) fn sweep_under(&self, starter: &[&str], arguments: &[&str]) -> Vec<String> {
        let swept = self.lastly_under(starter, &[&["sweep"], arguments].concat());
        assert_eq!(String::from_utf8_lossy(&swept.stderr), "");
        String::from_utf8_lossy(&swept.stdout).lines().map(str::to_owned).collect()
    }

    /// Sweeps until this tree is gone: whose owner, in a container of its own, has only just been killed.
    pub(crate) fn await_sweep_by_lock(&self, number: u32) {
        await_that("a sweep does it when its lock is free", || {
            self.sweep(&["--trust-locks"]);
            !self.is_there(number)
        });
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

/// What [`Puppet`]s are.
pub(crate) const PUPPET: &str = env!("CARGO_BIN_EXE_crash");

/// A program, started by another command.
pub(crate) fn under(starter: &[&str], program: impl AsRef<OsStr>) -> Command {
    let [first, rest @ ..] = starter else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// Whether this is root, as a test needs it. If not, that is told.
#[track_caller]
pub(crate) fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        skip("it takes root");
    }
    is_root
}

/// Tells which test does nothing here, and why, also where what tests say is kept back.
#[track_caller]
pub(crate) fn skip(why: &str) {
    _ = writeln!(io::stderr(), "{}: skipped: {why}", Location::caller());
}

/// Whether this command, by which others are to be started, can be had here. If not, that is told.
#[track_caller]
pub(crate) fn is_allowed(starter: &[&str]) -> bool {
    let tried = under(starter, "true").stdin(Stdio::null()).output();
    let is_allowed = geteuid().is_root() && tried.is_ok_and(|it| it.status.success());
    if !is_allowed {
        skip(&format!("it takes root, and `{}`", starter.join(" ")));
    }
    is_allowed
}

/// Whether this test, of this name, runs where it can mount something and nobody else sees it: it is run there, in a
/// process of its own. False: that has passed, or cannot be.
#[track_caller]
pub(crate) fn in_mounts_of_its_own(test: &str) -> bool {
    const CHILD: &str = "LASTLY_TEST_MOUNTS";
    let starter = ["unshare", "--mount"];
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    if is_allowed(&starter) {
        let mut command = under(&starter, std::env::current_exe().expect("this one"));
        command.args(["--exact", "--nocapture", "--test-threads=1", test]).env(CHILD, "1");
        let output = command.stdin(Stdio::null()).output().expect("it was tried");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    false
}

/// A program that does what it is told.
pub(crate) struct Puppet {
    pub(crate) child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Puppet {
    /// Starts it, by this command.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if !command.get_envs().any(|(name, _)| name == "LASTLY_SWEEP") {
            command.env("LASTLY_SWEEP", "0");
        }
        let mut child = command.process_group(0).spawn().expect("it was built with this test");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut puppet = Self { child, input, output };
        assert_eq!(puppet.hear(), "ready");
        puppet
    }

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
        assert_eq!(self.tell(&format!("confirm {number}")), DONE);
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
    state(process).is_some_and(|it| !matches!(it, 'Z' | 'X'))
}

/// Whether it was stopped.
pub(crate) fn is_stopped(process: i32) -> bool {
    state(process) == Some('T')
}

/// As the letter that `/proc` has for it.
fn state(process: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Waits for something to become true.
pub(crate) fn await_that(what: &str, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
