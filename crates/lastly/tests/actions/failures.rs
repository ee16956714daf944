//! What is gone already is no failure; what cannot be removed is one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use lastly::{actions, defer};

use crate::{hear_of_no_guard, path, tree};

#[test]
fn what_is_not_there_is_no_failure() {
    let nowhere = path("never made");
    actions::remove_tree(nowhere.clone()).unwrap();
    actions::remove_file(nowhere.join("in it")).unwrap();
    actions::kill_process(u32::MAX).unwrap();
    let above = tree("gone by then");
    let cleanup = defer(actions::remove_tree, above.join("a"));
    fs::remove_dir_all(above).unwrap();
    cleanup.call().expect("alive").unwrap();
}

/// Removes a directory that somebody moves elsewhere meanwhile, until that has been told.
fn race(name: &str, remove: impl Fn(PathBuf) -> io::Result<()>) {
    hear_of_no_guard();
    let above = tree(name);
    let error = (0..50).find_map(|number| {
        let path = above.join(number.to_string());
        fs::create_dir(&path).unwrap();
        for file in 0..300 {
            fs::write(path.join(file.to_string()), "").unwrap();
        }
        let over = AtomicBool::new(false);
        let removed = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) && !move_away(&above) {
                    thread::yield_now();
                }
            });
            let removed = remove(path);
            over.store(true, Relaxed);
            removed
        });
        _ = fs::remove_dir_all(above.join("elsewhere"));
        removed.err()
    });
    let error = error.expect("it is told");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

/// Moves what is being removed, if something is.
fn move_away(above: &Path) -> bool {
    let names = fs::read_dir(above).unwrap().filter_map(|entry| Some(entry.ok()?.file_name()));
    let mut trash = names.filter(|name| name.as_encoded_bytes().starts_with(b".lastly-"));
    trash.next().is_some_and(|name| fs::rename(above.join(name), above.join("elsewhere")).is_ok())
}

#[test]
fn what_goes_elsewhere_while_it_is_removed_is_told() {
    race("raced, called", actions::remove_tree);
    race("raced, in turn", |path| defer(actions::remove_tree, path).call().expect("alive"));
}
