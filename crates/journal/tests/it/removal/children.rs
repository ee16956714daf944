//! Tests that need a process of their own: they run their own binary again, for themselves alone.

use std::process::{Command, Output, Stdio};

const CHILD: &str = "LASTLY_REMOVAL_CHILD";

/// Whether this is the process of its own.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The command that runs one test in a process of its own.
pub(crate) fn command(test: &str) -> Command {
    again(Command::new("/proc/self/exe"), test)
}

/// The same, started by another command.
pub(crate) fn command_under(starter: &[&str], test: &str) -> Command {
    let mut command = Command::new(starter[0]);
    command.args(&starter[1..]).arg(std::env::current_exe().unwrap());
    again(command, test)
}

fn again(mut command: Command, test: &str) -> Command {
    command
        .args(["--exact", "--nocapture", "--include-ignored", "--test-threads=1", test])
        .env(CHILD, test)
        .stdin(Stdio::null());
    command
}

#[track_caller]
pub(crate) fn assert_passed(mut command: Command) {
    let output = command.output().unwrap();
    assert!(passed(&output), "{}{}", text(&output.stdout), text(&output.stderr));
    let told = text(&output.stdout);
    told.lines().filter(|line| line.starts_with("skipped")).for_each(|line| println!("{line}"));
}

fn passed(output: &Output) -> bool {
    output.status.success() && text(&output.stdout).contains("1 passed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the test in a process that is not root; `true` there, or if this is none already.
#[track_caller]
pub(crate) fn without_privilege(test: &str) -> bool {
    use std::os::unix::process::CommandExt;
    if is_child() || !rustix::process::geteuid().is_root() {
        return true;
    }
    let mut command = command(test);
    command.uid(65534).gid(65534).current_dir("/tmp").env("TMPDIR", "/tmp");
    assert_passed(command);
    false
}
