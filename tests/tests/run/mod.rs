//! Running a program under a watchdog, and what became of it.

pub(crate) mod endings;
mod waiting;

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use wait_timeout::ChildExt;

/// No scene takes long (ten million finalizers: ten seconds); a hang must not take the suite's.
const WATCHDOG: Duration = Duration::from_secs(60);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Killed(i32),
}

pub(crate) struct Child {
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: String,
    pub(crate) ended: Ended,
}

impl Child {
    /// The lines that lastly wrote to stderr.
    pub(crate) fn reports(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("lastly: ")).collect()
    }
}

/// Plays a scene of the program `ending`.
pub(crate) fn run(scene: &str) -> Child {
    run_program(Path::new(env!("CARGO_BIN_EXE_ending")), scene)
}

pub(crate) fn run_program(program: &Path, scene: &str) -> Child {
    run_program_with(program, &[scene])
}

pub(crate) fn run_program_with(program: &Path, arguments: &[&str]) -> Child {
    run_command(Command::new(program).args(arguments))
}

/// Plays a scene, with a time for its exit set from outside.
pub(crate) fn run_within(budget: &str, scene: &str) -> Child {
    run_in(&[("LASTLY_EXIT_BUDGET", budget)], scene)
}

/// Plays a scene, with this in its environment.
pub(crate) fn run_in(environment: &[(&str, &str)], scene: &str) -> Child {
    let program = env!("CARGO_BIN_EXE_ending");
    run_command(Command::new(program).arg(scene).envs(environment.iter().copied()))
}

pub(crate) fn run_command(command: &mut Command) -> Child {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built with this test");
    let stdout = collect(child.stdout.take().expect("piped"));
    let stderr = collect(child.stderr.take().expect("piped"));
    let Some(status) = child.wait_timeout(WATCHDOG).expect("it is our child") else {
        child.kill().expect("it is our child");
        panic!("{command:?} hangs; so far it said: {}", stdout.join().expect("no panic"));
    };
    let ended = match status.code() {
        Some(code) => Ended::Status(code),
        None => Ended::Killed(status.signal().expect("no status, so a signal")),
    };
    let stdout = stdout.join().expect("no panic").lines().map(str::to_owned).collect();
    Child { stdout, stderr: stderr.join().expect("no panic"), ended }
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).expect("text");
        text
    })
}

/// Builds the program `ending` with `panic = "abort"`, beside the build of this test.
pub(crate) fn build_to_abort() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("abort");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "lastly-tests", "--bin", "ending"])
        .args(["--profile", "abort", "--target-dir"])
        .arg(&target)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the program builds to abort on panic");
    target.join("abort/ending")
}
