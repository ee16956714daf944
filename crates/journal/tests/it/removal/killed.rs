//! Removals whose process is killed, and trees that are still written into.

use super::*;
use std::sync::atomic::AtomicBool;

const WORK: &str = "LASTLY_REMOVAL_WORK";

#[test]
fn killed_in_the_middle_and_done_again() {
    if children::is_child() {
        remove_tree(&PathBuf::from(std::env::var_os(WORK).unwrap())).unwrap();
        return;
    }
    let scratch = Scratch::in_memory();
    let path = scratch.work("tree");
    let mut in_the_middle = false;
    for _ in 0..20 {
        fs::create_dir(&path).unwrap();
        for number in 0..10_000 {
            fs::write(path.join(number.to_string()), "").unwrap();
        }
        let place = place(&path);
        let old = expected(&place);
        let mut command = children::command("removal::killed::killed_in_the_middle_and_done_again");
        let mut child =
            command.env(WORK, &path).stdout(std::process::Stdio::null()).spawn().unwrap();
        while path.exists() {
            assert!(child.try_wait().unwrap().is_none_or(|status| status.success()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let again = Place::reopen(place.path(), &place.parent(), true).unwrap();
        match tree(&again, &old, OsStr::new(TRASH)).unwrap() {
            Outcome::Removed { files } => in_the_middle |= files > 1,
            other => assert_eq!(other, Outcome::Missing),
        }
        scratch.assert_all_gone();
        if in_the_middle {
            return;
        }
    }
    panic!("the child was never killed in the middle");
}

#[test]
fn a_tree_that_is_written_into_comes_to_an_end() {
    let scratch = Scratch::in_memory();
    let path = scratch.tree("tree");
    let place = place(&path);
    let old = expected(&place);
    let stop = AtomicBool::new(false);
    // It writes through what it holds open, as a process would that the dead one left behind.
    let inside = fs::File::open(path.join("inner")).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
            let mode = rustix::fs::Mode::RUSR;
            let mut number: u64 = 0;
            while !stop.load(Relaxed) {
                number += 1;
                if rustix::fs::openat(&inside, format!("new-{number}"), flags, mode).is_err() {
                    return;
                }
            }
        });
        for _ in 0..3 {
            let removed = tree(&place, &old, OsStr::new(TRASH));
            assert!(
                matches!(
                    removed,
                    Ok(Outcome::Removed { .. } | Outcome::Missing) | Err(Failure::Left { .. })
                ),
                "{removed:?}"
            );
        }
        stop.store(true, Relaxed);
        writer.join().unwrap();
    });
    tree(&place, &old, OsStr::new(TRASH)).unwrap();
    scratch.assert_all_gone();
}
