//! What is not to be declared is told at once, and does no harm.

use lastly::{Watched, actions, defer, finalize};

use crate::{NOTHING, Reports, file, path, tree, written};

#[test]
fn what_is_refused_is_reported_once_and_fails_when_it_is_its_turn() {
    let reports = Reports::record();
    let path = path("no/such/directory");
    let object = Watched::new(1_u8);
    let line = line!() + 1;
    let cleanup = finalize(&object, actions::remove_tree, path.clone());
    let told = reports.take();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    let begins = format!(
        "lastly: cleanup of u8: lastly::actions::remove_tree is not safe from kill -9: {}: the directory \
         it is in cannot be ",
        path.display()
    );
    assert!(told.starts_with(&begins), "{told}");
    let ends = format!("created at crates/lastly/tests/actions/refusals.rs:{line}:19");
    assert!(told.ends_with(&ends), "{told}");

    assert!(cleanup.is_alive());
    let error = cleanup.call().expect("alive").unwrap_err().to_string();
    assert!(error.contains("the directory it is in cannot be "), "{error}");
    assert_eq!(written(&path), NOTHING);
    assert_eq!(reports.take(), NOTHING);
}

#[test]
fn what_was_never_to_be_removed_is_not() {
    let reports = Reports::record();
    let (file, tree) = (file("a file"), tree("a tree"));
    for (what, why) in [
        ("/", "this is the root directory"),
        ("/usr", "it is a part of the system"),
        ("", "the path is empty"),
        (file.to_str().unwrap(), "it is not a directory; remove it as a file"),
    ] {
        drop(defer(actions::remove_tree, what.into()));
        let told = reports.take();
        assert_eq!(told.len(), 2, "when it is declared, and when it fails: {told:?}");
        assert!(told.iter().all(|told| told.contains(why)), "{told:?}");
    }
    drop(defer(actions::remove_file, tree.clone()));
    assert_eq!(reports.take().len(), 2);
    assert!(file.exists() && tree.exists());
    assert_eq!(written(&file), NOTHING);
}

#[test]
fn a_refused_one_can_be_detached_and_turned_off() {
    let reports = Reports::record();
    let object = Watched::new(1);
    let cleanup = finalize(&object, actions::remove_tree, "/usr".into());
    cleanup.set_at_exit(false);
    cleanup.set_at_exit(true);
    assert!(actions::confirm(&cleanup).unwrap_err().to_string().contains("part of the system"));
    assert!(cleanup.detach().is_some());
    drop(object);
    assert_eq!(reports.take().len(), 1, "when it was declared");
}

#[test]
fn processes_that_must_not_be_killed() {
    let reports = Reports::record();
    for (process, why) in [
        (0, "only a number above 1"),
        (1, "only a number above 1"),
        (std::process::id(), "not its own to kill"),
        (u32::MAX, "there is none"),
    ] {
        defer(actions::kill_process, process).detach();
        let told = reports.take();
        assert!(told.len() == 1 && told[0].contains(why), "{told:?}");
    }
}

#[test]
fn names_of_shared_memory() {
    let reports = Reports::record();
    defer(actions::unlink_shared_memory, "a/b".to_owned()).detach();
    let told = reports.take();
    assert!(told.len() == 1 && told[0].contains("at its beginning only"), "{told:?}");
}
