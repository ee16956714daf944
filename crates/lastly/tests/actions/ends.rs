//! The ends of a process: in order, and by `kill -9`. Each is a real process, this binary again, with one of the
//! scenes below.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lastly::actions::{self, NamedTemporaryFile, TemporaryDirectory};
use lastly::{Watched, defer, exit, finalize, report};
use lastly_journal::{Directory, guard, sweep};

use crate::{SHARED, directory};

const SCENE: &str = "LASTLY_TEST_SCENE";

const WATCHDOG: Duration = Duration::from_secs(60);

type Scene = fn();

const SCENES: [(&str, Scene); 8] = [
    ("exit", || {
        everything();
        // A turn in the main thread's life, before its thread-locals are gone.
        defer(actions::remove_file, new_file("early")).call().expect("alive").unwrap();
        std::process::exit(0);
    }),
    ("exit, some left out", || {
        let object = forgotten();
        finalize(object, actions::remove_file, new_file("left out")).set_at_exit(false);
        finalize(object, actions::remove_file, new_file("removed"));
        std::process::exit(0);
    }),
    ("killed", || {
        everything();
        kill();
    }),
    ("killed, some given up", || {
        let object = forgotten();
        finalize(object, actions::remove_file, new_file("left out")).set_at_exit(false);
        finalize(object, actions::remove_file, new_file("detached")).detach();
        _ = TemporaryDirectory::builder().prefix("kept").inside(here()).build().unwrap().keep();
        std::mem::forget(TemporaryDirectory::builder().inside(here()).build().unwrap());
        kill();
    }),
    ("budget", || {
        let object = forgotten();
        finalize(object, actions::remove_file, new_file("skipped"));
        finalize(object, |()| thread::sleep(WATCHDOG), ());
        report::set_hook(|_| ());
        exit::set_budget(Some(Duration::from_millis(50)));
        std::process::exit(0);
    }),
    ("forked", || {
        let object = Watched::new(1);
        let cleanup = finalize(&object, actions::remove_file, new_file("the parent's"));
        // SAFETY: what the child does, the test's other thread has no part in.
        let child = unsafe { libc::fork() };
        if child == 0 {
            cleanup.call().expect("alive").unwrap();
            assert!(here().join("the parent's").exists(), "it is not the child's to remove");
            defer(actions::remove_file, new_file("the child's")).call().expect("alive").unwrap();
            std::mem::forget(defer(actions::remove_file, new_file("the child's")));
            kill();
        }
        // SAFETY: our child.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        assert!(cleanup.is_alive());
        std::mem::forget(object);
        kill();
    }),
    ("drained", || {
        everything();
        exit::drain();
        kill();
    }),
    ("overtaken", || {
        // So that the directory of the journals is there.
        _ = actions::protection();
        IS_OVERTAKEN.store(true, Relaxed);
        let error = TemporaryDirectory::builder().inside(here()).build().unwrap_err();
        assert!(error.to_string().contains("not made, as the program is ending"), "{error}");
        kill();
    }),
];

/// Whether the next directory is made by a thread that the end of the program has overtaken.
static IS_OVERTAKEN: AtomicBool = AtomicBool::new(false);

/// In place of the C library's, for all of this program.
///
/// # Safety
///
/// `path` is a C string.
#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(path: *const libc::c_char, mode: libc::mode_t) -> libc::c_int {
    if IS_OVERTAKEN.swap(false, Relaxed) {
        thread::spawn(exit::drain).join().expect("it ends");
    }
    // SAFETY: this function's contract.
    unsafe { libc::mkdirat(libc::AT_FDCWD, path, mode) }
}

/// What the others start; by itself it does nothing.
#[test]
fn scene() {
    let Ok(name) = env::var(SCENE) else { return };
    let (_, play) = SCENES.iter().find(|(scene, _)| *scene == name).expect("there is one");
    play();
}

fn here() -> PathBuf {
    directory().join(env::var(SCENE).expect("in a scene"))
}

fn new_file(name: &str) -> PathBuf {
    let path = here().join(name);
    fs::write(&path, "").expect("writable");
    path
}

fn forgotten() -> &'static Watched<i32> {
    Box::leak(Box::new(Watched::new(1)))
}

fn kill() -> ! {
    // SAFETY: a signal to this process.
    unsafe { libc::raise(libc::SIGKILL) };
    unreachable!("nobody survives that")
}

/// One of each kind.
fn everything() {
    let object = forgotten();
    let tree = here().join("tree");
    fs::create_dir_all(tree.join("inside")).unwrap();
    finalize(object, actions::remove_tree, tree);
    finalize(object, actions::remove_file, new_file("file"));
    finalize(object, actions::synced::remove_file, new_file("synced"));
    finalize(object, actions::remove_file, here().join("made later"));
    new_file("made later");
    let directory = TemporaryDirectory::builder().inside(here()).build().unwrap();
    fs::write(directory.path().join("inside"), "").unwrap();
    let file = NamedTemporaryFile::builder().inside(here()).build().unwrap();
    std::mem::forget((directory, file));
}

struct Played {
    /// What is left of it.
    left: Vec<String>,
    status: ExitStatus,
    /// How many journals it left, and how many actions they say are yet to be done.
    journals: usize,
    open: usize,
}

fn left(here: &Path) -> Vec<String> {
    let names = fs::read_dir(here).expect("it is there").map(|entry| {
        entry.expect("readable").file_name().into_string().expect("our names are text")
    });
    let mut names: Vec<String> = names.filter(|name| name != "journals").collect();
    names.sort_unstable();
    names
}

/// Plays a scene in a process of its own, and then sweeps, as the guard would.
fn play(scene: &str) -> Played {
    let here = directory().join(scene);
    let journals = here.join("journals");
    fs::create_dir_all(&here).expect("writable");
    let mut child = Command::new(env::current_exe().expect("this"))
        .args(["--exact", "ends::scene", "--nocapture", "--test-threads=1"])
        .env(SCENE, scene)
        .env(SHARED, directory())
        .env(lastly_journal::VARIABLE, &journals)
        .env(guard::VARIABLE, "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this is a program");
    let mut stderr = child.stderr.take().expect("piped");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        _ = stderr.read_to_string(&mut text);
        _ = sender.send(text);
    });
    let Ok(said) = receiver.recv_timeout(WATCHDOG) else {
        child.kill().expect("it is our child");
        panic!("{scene} hangs");
    };
    let status = child.wait().expect("it is our child");
    assert!(!said.contains("panicked"), "{said}");
    let directory = Directory::open(&journals).expect("it is trusted");
    let found = sweep::look(&directory).expect("readable");
    let journals_left = found.len();
    let open =
        found.iter().map(|found| found.state.as_ref().expect("readable").entries.len()).sum();
    sweep::sweep(&directory, sweep::Options::default(), &mut |_| ()).expect("nobody else sweeps");
    assert!(sweep::look(&directory).expect("readable").is_empty(), "no journal is left");
    Played { left: left(&here), status, journals: journals_left, open }
}

#[test]
fn at_exit_all_is_done_and_no_journal_is_left() {
    let Played { left, status, journals, .. } = play("exit");
    assert!(left.is_empty(), "{left:?}");
    assert!(status.success());
    assert_eq!(journals, 0);
}

#[test]
fn at_exit_what_was_left_out_stays() {
    let Played { left, open, .. } = play("exit, some left out");
    assert_eq!((left, open), (vec!["left out".to_owned()], 0));
}

#[test]
fn what_was_killed_leaves_all_of_it_to_others() {
    let Played { left, status, open, .. } = play("killed");
    assert!(!status.success() && left.is_empty(), "{left:?}");
    assert_eq!(open, 6);
}

#[test]
fn what_was_given_up_stays() {
    let Played { left, open, .. } = play("killed, some given up");
    assert_eq!(open, 1);
    assert_eq!(left.len(), 3);
    assert!(left[0] == "detached" && left[1].starts_with("kept") && left[2] == "left out");
}

#[test]
fn what_the_budget_left_no_time_for_is_done_by_others() {
    let Played { left, open, .. } = play("budget");
    assert_eq!((left.len(), open), (0, 1), "{left:?}");
}

#[test]
fn a_forked_child_leaves_what_is_its_parents() {
    let Played { left, open, .. } = play("forked");
    assert_eq!((left.len(), open), (0, 2), "{left:?}");
}

#[test]
fn a_drain_by_hand_leaves_nothing_to_do() {
    let Played { left, journals, .. } = play("drained");
    assert_eq!((left.len(), journals), (0, 0), "{left:?}");
}

#[test]
fn what_the_end_has_overtaken_goes_again() {
    let Played { left, .. } = play("overtaken");
    assert!(left.is_empty(), "{left:?}");
}
