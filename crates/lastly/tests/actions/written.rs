//! What is written down, and when it is struck out.

use std::fs;
use std::sync::mpsc;

use lastly::actions::{self, synced};
use lastly::{Cleaner, Deferred, Finalizer, Pressure, Watched, defer, finalize};

use crate::{NOTHING, Reports, file, path, tree, written};

#[test]
fn when_the_object_dies_it_is_done_and_struck_out() {
    let reports = Reports::record();
    let path = tree("dies");
    let object = Watched::new(1);
    let cleanup = finalize(&object, actions::remove_tree, path.clone());
    assert_eq!(written(&path), ["remove_tree: known"]);
    drop(object);
    assert!(!path.exists() && !cleanup.is_alive());
    assert_eq!(written(&path), NOTHING);
    assert_eq!(reports.take(), NOTHING);
}

#[test]
fn a_call_does_it_once() {
    let path = file("called");
    let object = Watched::new(1);
    let cleanup = finalize(&object, actions::remove_file, path.clone());
    assert_eq!(written(&path), ["remove_file: known"]);
    assert!(cleanup.call().expect("alive").is_ok());
    assert!(!path.exists() && cleanup.call().is_none());
    assert_eq!(written(&path), NOTHING);
    // What comes later under its name is not its business.
    fs::write(&path, "another").unwrap();
    drop(object);
    assert!(path.exists());
}

#[test]
fn a_call_through_an_erased_handle_does_it() {
    let path = file("called, erased");
    let object = Watched::new(1);
    let cleanup: Finalizer = finalize(&object, actions::remove_file, path.clone()).erase();
    assert!(cleanup.call().expect("alive").is_ok());
    assert!(!path.exists());
    assert_eq!(written(&path), NOTHING);
}

#[test]
fn detached_it_is_not_done_by_anybody() {
    let (typed, erased) = (file("detached"), file("detached, erased"));
    let object = Watched::new(1);
    let cleanup = finalize(&object, actions::remove_file, typed.clone());
    let ((), function, arguments) = cleanup.detach().expect("alive");
    assert_eq!(arguments, typed);
    assert!(finalize(&object, actions::remove_file, erased.clone()).erase().detach());
    drop(object);
    assert!(typed.exists() && erased.exists());
    assert_eq!(written(&typed), NOTHING);
    assert_eq!(written(&erased), NOTHING);
    // What was given back is a function like others.
    function(arguments).unwrap();
    assert!(!typed.exists());
}

#[test]
fn a_detach_that_meets_a_peek_is_written_down_too() {
    let path = file("detached while somebody looks");
    let object = Watched::new(1);
    let cleanup = finalize(&object, actions::remove_file, path.clone());
    cleanup.peek(|(), _, _| assert!(cleanup.detach().is_none()));
    assert_eq!(written(&path), NOTHING);
    assert!(path.exists() && !cleanup.is_alive());
}

#[test]
fn the_exit_flag_is_that_of_the_guard_too() {
    let path = file("left out at exit");
    let object = Watched::new(1);
    let cleanup = finalize(&object, actions::remove_file, path.clone());
    cleanup.set_at_exit(false);
    assert_eq!(written(&path), NOTHING);
    let cleanup = cleanup.erase();
    cleanup.set_at_exit(true);
    cleanup.set_at_exit(true);
    assert_eq!(written(&path), ["remove_file: known"]);
    cleanup.set_at_exit(false);
    drop(object);
    assert!(!path.exists(), "at the death of its object it is done all the same");
}

#[test]
fn it_is_declared_by_cleaners_pressures_and_guards() {
    let [cleaned, weighed, deferred, boxed] = ["cleaned", "weighed", "deferred", "boxed"].map(tree);
    let object = Watched::new(1);
    let cleaner = Cleaner::new(10);
    cleaner.finalize(&object, actions::remove_tree, cleaned.clone());
    Pressure::new(10).finalize(&object, actions::remove_tree, weighed.clone());
    let guard = defer(actions::remove_tree, deferred.clone());
    let erased: Deferred = defer(actions::remove_tree, boxed.clone()).erase();
    for path in [&cleaned, &weighed, &deferred, &boxed] {
        assert_eq!(written(path), ["remove_tree: known"], "{}", path.display());
    }
    drop((object, guard, erased));
    assert!(cleaner.drain(None));
    for path in [&cleaned, &weighed, &deferred, &boxed] {
        assert!(!path.exists(), "{}", path.display());
        assert_eq!(written(path), NOTHING, "{}", path.display());
    }
}

#[test]
fn what_waits_for_a_cleaner_is_written_down_until_it_is_done() {
    let path = file("waits");
    let cleaner = Cleaner::new(10);
    let (busy, free) = mpsc::channel::<()>();
    let first = Watched::new(1);
    cleaner.finalize(&first, move |()| _ = free.recv(), ());
    drop(first);
    let object = Watched::new(2);
    cleaner.finalize(&object, actions::remove_file, path.clone());
    drop(object);
    assert!(path.exists());
    assert_eq!(written(&path), ["remove_file: known"]);
    drop(busy);
    assert!(cleaner.drain(None));
    assert_eq!(written(&path), NOTHING);
}

#[test]
fn a_panic_in_the_scope_is_a_death_like_others() {
    let path = tree("panics");
    let inner = path.clone();
    let panic = std::panic::catch_unwind(move || {
        let _guard = defer(actions::remove_tree, inner);
        std::panic::panic_any("oh");
    });
    assert!(panic.is_err() && !path.exists());
    assert_eq!(written(&path), NOTHING);
}

#[test]
fn synced_is_written_so() {
    let path = tree("synced");
    let guard = defer(synced::remove_tree, path.clone());
    assert_eq!(written(&path), ["remove_tree: known, synced"]);
    drop(guard);
    assert!(!path.exists());
}

#[test]
fn what_is_declared_before_it_is_made_can_be_confirmed() {
    let path = path("made later");
    let guard = defer(actions::remove_file, path.clone());
    assert_eq!(written(&path), ["remove_file: to be made"]);
    assert!(!actions::confirm(&guard).unwrap());
    fs::write(&path, "").unwrap();
    assert!(actions::confirm(&guard).unwrap());
    assert_eq!(written(&path), ["remove_file: known"]);
    guard.call().expect("alive").unwrap();
    assert!(!path.exists() && !actions::confirm(&guard).unwrap());
}

#[test]
fn a_directory_in_place_of_the_file_is_not_confirmed() {
    let path = path("a directory instead");
    let guard = defer(actions::remove_file, path.clone());
    fs::create_dir(&path).unwrap();
    let error = actions::confirm(&guard).unwrap_err().to_string();
    assert!(error.ends_with("it is a directory; remove it as a tree"), "{error}");
    guard.detach();
    fs::remove_dir(&path).unwrap();
}

#[test]
fn what_took_its_place_is_not_touched() {
    let reports = Reports::record();
    let (lock, other) = (file("lock"), file("lock.new"));
    let guard = defer(actions::remove_file, lock.clone());
    fs::rename(other, &lock).unwrap();
    drop(guard);
    assert!(lock.exists());
    assert_eq!(written(&lock), NOTHING);
    assert_eq!(reports.take(), NOTHING);
}

#[test]
fn a_closure_and_a_pointer_are_not_declared() {
    let (path, pointed) = (file("in a closure"), file("by a pointer"));
    let closure = defer(|path| actions::remove_file(path).unwrap(), path.clone());
    let pointer = defer(actions::remove_file as fn(_) -> _, pointed.clone());
    assert_eq!(written(&path), NOTHING);
    assert_eq!(written(&pointed), NOTHING);
    assert!(!actions::confirm(&closure).unwrap());
    drop((closure, pointer));
    assert!(!path.exists() && !pointed.exists());
}

#[test]
fn the_functions_do_it_at_once() {
    let (tree, file, gone) = (tree("at once"), file("at once, a file"), path("gone/with/it"));
    actions::remove_tree(tree.clone()).unwrap();
    synced::remove_file(file.clone()).unwrap();
    assert!(!tree.exists() && !file.exists());
    // Missing is fine.
    actions::remove_tree(tree).unwrap();
    actions::remove_file(gone).unwrap();
}

#[test]
fn shared_memory_and_processes() {
    let name = format!("lastly-actions-{}", std::process::id());
    let memory = std::path::Path::new("/dev/shm").join(&name);
    fs::write(&memory, "").unwrap();
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let object = Watched::new(1);
    finalize(&object, actions::unlink_shared_memory, format!("/{name}"));
    finalize(&object, actions::kill_process, child.id());
    assert_eq!(written(&memory), ["unlink_shared_memory: known"]);
    let process = format!("process {}", child.id());
    assert_eq!(written(process.as_ref()), ["kill_process: known"]);
    drop(object);
    assert!(!memory.exists());
    assert!(!child.wait().unwrap().success());
    // Missing is fine.
    actions::kill_process(child.id()).unwrap();
    actions::unlink_shared_memory(name).unwrap();
}

#[test]
fn many_threads_declare_and_end() {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for turn in 0..50 {
                    let path = file(&format!("thread-{thread}-{turn}"));
                    let object = Watched::new(turn);
                    let cleanup = finalize(&object, actions::remove_file, path.clone());
                    match turn % 3 {
                        0 => drop(object),
                        1 => cleanup.call().expect("alive").unwrap(),
                        _ => {
                            cleanup.detach().expect("alive");
                            fs::remove_file(&path).unwrap();
                        }
                    }
                    assert!(!path.exists());
                    assert_eq!(written(&path), NOTHING);
                }
            });
        }
    });
}
