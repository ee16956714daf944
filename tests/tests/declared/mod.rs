//! What becomes of what was declared: what users notice, and the matrix does not show. The scenes are in
//! `src/scenes/declared.rs`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastly_journal::ATTEMPTS;
use lastly_tests::{guards, program};
use serde_json::Value;

use crate::run::Ended::{self, Killed, Status};
use crate::run::{Child, run_command};

/// Where a scene is played: a directory, and one for its journals.
struct Stage {
    directory: PathBuf,
    journals: PathBuf,
}

impl Stage {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("declared").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("what was left the last time");
        }
        let (directory, journals) = (folder.join("directory"), folder.join("journals"));
        fs::create_dir_all(&directory).expect("a directory for tests");
        DirBuilder::new().mode(0o700).create(&journals).expect("it is new");
        Self { directory, journals }
    }

    fn play(&self, scene: &str, guard: &Path, sweep: &str) -> Child {
        self.start(Command::new(env!("CARGO_BIN_EXE_ending")).arg(scene), guard, sweep)
    }

    fn start(&self, command: &mut Command, guard: &Path, sweep: &str) -> Child {
        command.current_dir(&self.directory);
        command.env("LASTLY_JOURNALS", &self.journals);
        run_command(command.env("LASTLY_GUARD", guard).env("LASTLY_SWEEP", sweep))
    }

    /// With a guard, until that has done its work.
    fn guarded(&self, scene: &str) -> Child {
        let child = self.play(scene, program::lastly(), "0");
        guards::await_end(&self.journals, "");
        child
    }

    fn unguarded(&self, scene: &str) -> Child {
        self.play(scene, Path::new("0"), "0")
    }

    /// The lines of what this command prints.
    fn call(&self, arguments: &[&str]) -> Vec<String> {
        let output = guards::call(&self.journals, arguments);
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    /// What the only journal says of what it has, the oldest first.
    fn actions(&self) -> Vec<Value> {
        let told = guards::call(&self.journals, &["status", "--json"]).stdout;
        let journals: Value = serde_json::from_slice(&told).expect("JSON");
        let mut journals = journals.as_array().expect("a list").iter();
        let actions = journals.next().map(|it| it["actions"].as_array().expect("a list").clone());
        assert_eq!(journals.next(), None, "there is one journal");
        actions.unwrap_or_default()
    }

    fn left(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.directory)
            .expect("it is there")
            .map(|it| it.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

/// The process that the scene has started and declared.
fn process_of(child: &Child) -> i32 {
    let told = child.stdout[0].strip_prefix("the process: ").expect("its number");
    told.parse().expect("a number")
}

fn is_alive(process: i32) -> bool {
    // What is dead and was not waited for has none.
    fs::read_link(format!("/proc/{process}/cwd")).is_ok()
}

const DEAD: Ended = Killed(libc::SIGKILL);

/// What works on files before files; the newest first.
#[test]
fn in_this_order() {
    let stage = Stage::new("in_this_order");
    let child = stage.unguarded("declared-order");
    assert_eq!((stage.left(), child.ended), (["1", "3", "4"].map(str::to_owned).to_vec(), DEAD));
    let process = process_of(&child);
    let told = stage.call(&["sweep"]);
    let expected = [
        format!("  kill_process process {process} and its group: done"),
        format!("  remove_tree {}: done", stage.path("4")),
        format!("  remove_file {}: done", stage.path("3")),
        format!("  remove_tree {}: done", stage.path("1")),
        "4 done, 0 left, 0 failed.".to_owned(),
    ];
    assert_eq!(told[1..], expected, "{told:?}");
    assert_eq!(stage.left(), [""; 0]);
    guards::await_that(|| !is_alive(process));
}

/// A process that writes into a tree is killed before that is removed.
#[test]
fn who_writes_into_it_is_dead_before() {
    let stage = Stage::new("who_writes_into_it_is_dead_before");
    let child = stage.guarded("declared-writer");
    assert_eq!((stage.left(), child.ended), (vec![], DEAD), "{}", child.stderr);
}

/// Scenes, what they leave, what of that nobody removes then, and how they end.
#[test]
fn what_is_left() {
    let cases: &[(&str, &[&str], &[&str], Ended)] = &[
        ("declared-in-a-pause", &["tree"], &[], DEAD),
        ("declared-in-a-backlog", &["tree"], &[], DEAD),
        ("declared-flag-off", &["left"], &["left"], Status(3)),
        ("declared-flag-off-and-killed", &["left", "removed"], &["left"], DEAD),
        ("declared-flag-on-again", &["removed"], &[], DEAD),
        ("declared-given-up", &["left", "removed"], &["left"], DEAD),
        ("declared-died", &["called", "dead", "removed"], &["called", "dead"], DEAD),
        ("declared-and-exec", &["tree"], &[], DEAD),
        ("declared-and-daemon", &["of the parent"], &[], Status(0)),
        ("declared-late", &[], &[], Status(0)),
    ];
    for (scene, left, for_good, ended) in cases {
        let stage = Stage::new(scene);
        let child = stage.guarded(scene);
        assert_eq!(stage.left(), *for_good, "{scene}: {}", child.stderr);
        assert_eq!(child.ended, *ended, "{scene}: {}", child.stderr);
        assert_eq!(stage.call(&["status", "--json"]), ["[]"], "{scene}");

        let stage = Stage::new(scene);
        let child = stage.unguarded(scene);
        assert_eq!(child.ended, *ended, "{scene}: {}", child.stderr);
        assert_eq!(stage.left(), *left, "{scene}");
        stage.call(&["sweep"]);
        assert_eq!(stage.left(), *for_good, "{scene} and a sweep");
        assert_eq!(stage.call(&["status", "--json"]), ["[]"], "{scene} and a sweep");
    }
}

/// An exec is no death, and the heir is not its parent.
#[test]
fn what_is_said() {
    let child = Stage::new("exec").guarded("declared-and-exec");
    assert_eq!(child.stdout, ["it is there"]);
    let child = Stage::new("daemon").guarded("declared-and-daemon");
    assert_eq!(child.stdout, ["the daemon works", "said by the heir"]);
}

/// What does not work is tried so often, then shown, and left alone until somebody forces it.
#[test]
fn what_does_not_work_is_stuck_at_last() {
    let stage = Stage::new("what_does_not_work_is_stuck_at_last");
    stage.unguarded("declared-stuck");
    for attempt in 1..=ATTEMPTS {
        let told = stage.call(&["sweep"]);
        assert_eq!(told.last().expect("some"), "0 done, 0 left, 1 failed.");
        let action = &stage.actions()[0];
        let state = if attempt < ATTEMPTS { "left" } else { "stuck" };
        assert_eq!((&action["state"], &action["attempts"]), (&state.into(), &attempt.into()));
    }
    let action = &stage.actions()[0];
    let reason = action["reason"].as_str().expect("why");
    assert!(reason.contains("File exists"), "{reason}");
    let id = action["id"].as_str().expect("its name");
    let shown = stage.call(&["status"]);
    assert!(
        shown.last().is_some_and(|it| it.starts_with(&format!("{id} is stuck: "))),
        "{shown:?}"
    );

    let obstacle = stage.left().into_iter().find(|it| it.starts_with(".lastly-"));
    fs::remove_file(stage.directory.join(obstacle.expect("it is there"))).expect("it is ours");
    assert_eq!(stage.call(&["sweep"]).last().expect("some"), "0 done, 1 left, 0 failed.");
    assert_eq!(stage.left(), ["tree"]);
    stage.call(&["force", id]);
    assert_eq!((stage.left(), stage.actions()), (vec![], vec![]));
}

/// The guard tries again for some seconds: what was killed may take a while to let go.
#[test]
fn the_guard_tries_again() {
    let stage = Stage::new("the_guard_tries_again");
    stage.play("declared-stuck", program::lastly(), "0");
    let attempts = || stage.actions()[0]["attempts"].as_u64().expect("a number");
    guards::await_that(|| attempts() >= 3);
    let obstacle = stage.left().into_iter().find(|it| it.starts_with(".lastly-"));
    fs::remove_file(stage.directory.join(obstacle.expect("it is there"))).expect("it is ours");
    guards::await_end(&stage.journals, "");
    assert_eq!((stage.left(), stage.actions()), (vec![], vec![]));
}

/// Of what was declared before the machine was booted only that is done which was on the disk. The boot ended all
/// processes: who has the number of one by now is another.
#[test]
fn after_a_boot() {
    let stage = Stage::new("after_a_boot");
    let boot = stage.directory.with_file_name("boot");
    fs::write(&boot, "01234567-89ab-cdef-0123-456789abcdef\n").expect("it is ours");
    // It sees another boot than everybody else.
    let script =
        r#"mount --bind "$1" /proc/sys/kernel/random/boot_id && exec "$2" declared-synced"#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command.arg(&boot).arg(env!("CARGO_BIN_EXE_ending"));
    let child = stage.start(&mut command, Path::new("0"), "0");
    if child.ended != DEAD {
        println!("skipped: it takes root to mount something: {}", child.stderr);
        return;
    }
    let process = process_of(&child);
    let told = stage.call(&["sweep"]);
    let expected = [
        format!(
            "  kill_process process {process} and its group: the boot of the machine has done it"
        ),
        format!("  remove_tree {}: done", stage.path("synced")),
        format!(
            "  remove_tree {}: left alone: the machine was booted since, and it was not written through to the disk",
            stage.path("unsynced")
        ),
        "2 done, 1 left, 0 failed.".to_owned(),
    ];
    assert_eq!(told[1..], expected, "{told:?}");
    assert_eq!((stage.left(), is_alive(process)), (vec!["unsynced".to_owned()], true));
    assert_eq!(stage.actions()[0]["state"], "unsure");
    // Who knows that nothing was lost says so.
    stage.call(&["sweep", "--unsynced"]);
    assert_eq!((stage.left(), stage.actions()), (vec![], vec![]));
    // SAFETY: sends a signal to the process that the scene has left.
    unsafe { libc::kill(-process, libc::SIGKILL) };
}

/// What dead programs left, the next one that declares something does: unless it is told not to.
#[test]
fn the_next_program_sweeps() {
    for (guard, who) in [(program::lastly(), "guard"), (Path::new("0"), "program")] {
        let stage = Stage::new(&format!("the_next_program_sweeps, its {who}"));
        stage.unguarded("declared-given-up");
        assert_eq!(stage.left(), ["left", "removed"]);
        stage.play("declared-late", guard, "0");
        guards::await_end(&stage.journals, "");
        assert_eq!(stage.left(), ["left", "removed"], "{who}: not with LASTLY_SWEEP=0");
        stage.play("declared-late", guard, "1");
        guards::await_end(&stage.journals, "");
        guards::await_that(|| stage.left() == ["left"]);
    }
}
