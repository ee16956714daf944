//! Only the creator performs: not its children, not the program that it becomes, and nobody before it is dead.

use std::fs;

use crate::fixture::{Fixture, await_that, is_alive, kill_one};

#[test]
fn a_child_performs_nothing() {
    for what in ["exit", "call", "drop", "kill"] {
        let fixture = Fixture::new(&format!("child-{what}"));
        let mut owner = fixture.puppet();
        owner.have(0);
        owner.tell(&format!("fork {what} 0"));
        assert!(fixture.is_there(0), "its child did {what}");
        assert!(fixture.lastly(&["sweep"]).status.success());
        assert!(fixture.is_there(0), "its child did {what}");
        owner.tell("call 0");
        assert!(!fixture.is_there(0));
        owner.have(2);
        owner.kill();
        fixture.await_end();
        assert!(!fixture.is_there(2));
        fixture.clear();
    }
}

#[test]
fn a_child_that_outlives_its_parent_holds_nothing_up() {
    let fixture = Fixture::new("child-lives");
    let mut owner = fixture.puppet();
    owner.have(0);
    let child = owner.tell("fork live 0").parse().expect("a number");
    owner.kill();
    fixture.await_end();
    assert!(!fixture.is_there(0));
    assert!(is_alive(child));
    kill_one(child);
    fixture.clear();
}

#[test]
fn for_a_child_that_keeps_what_it_inherits_the_guard_waits() {
    let fixture = Fixture::new("child-raw");
    let mut owner = fixture.puppet();
    owner.have(0);
    let child = owner.tell("fork-raw").parse().expect("a number");
    let [guard] = fixture.guards()[..] else { panic!("one guard") };
    owner.kill();
    await_that("the guard waits for the lock", || {
        let locks = fs::read_to_string("/proc/locks").expect("it is there");
        let waits = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.contains(&"->") && words.contains(&guard.to_string().as_str())
        };
        locks.lines().any(waits)
    });
    assert!(fixture.is_there(0));
    let swept = fixture.lastly(&["sweep"]);
    assert!(swept.status.success(), "{swept:?}");
    assert!(fixture.is_there(0));
    kill_one(child);
    fixture.await_end();
    assert!(!fixture.is_there(0));
    fixture.clear();
}

#[test]
fn a_child_has_a_journal_and_a_guard_of_its_own() {
    let fixture = Fixture::new("child-own");
    let mut owner = fixture.puppet();
    owner.have(0);
    let child = owner.tell("fork own 2").parse().expect("a number");
    assert_eq!(fixture.guards().len(), 2);
    owner.kill();
    await_that("what the parent declared goes", || {
        !fixture.is_there(0) && fixture.journal_names().len() == 1
    });
    assert!(fixture.is_there(2));
    assert!(is_alive(child));
    kill_one(child);
    fixture.await_end();
    assert!(!fixture.is_there(2));
    fixture.clear();
}

#[test]
fn another_program_in_the_same_process_is_alive() {
    let fixture = Fixture::new("exec");
    let mut owner = fixture.puppet();
    owner.have(0);
    assert_eq!(owner.tell("exec"), "ready");
    let swept = fixture.lastly(&["sweep"]);
    assert!(swept.status.success(), "{swept:?}");
    assert!(fixture.is_there(0));
    owner.have(2);
    owner.tell("call 2");
    assert!(fixture.is_there(0));
    owner.kill();
    fixture.await_end();
    assert!(!fixture.is_there(0));
    fixture.clear();
}

/// A daemon closes all descriptors; what it opens next has the numbers of the journal, its
/// directory and the guard's pipe.
#[test]
fn a_process_that_has_closed_everything_is_alive_and_goes_on() {
    for opens_files in [true, false] {
        let fixture = Fixture::new(&format!("close-all-{opens_files}"));
        let users = fixture.folder.join("users");
        fs::create_dir(&users).expect("there is room");
        let file = users.join("file");
        fs::write(&file, "the user's").expect("there is room");
        let mut owner = fixture.puppet();
        owner.have(0);
        owner.tell("close-all");
        let opened = if opens_files { &file } else { &users };
        owner.tell(&format!("open {}", opened.display()));
        let swept = fixture.lastly(&["sweep"]);
        assert!(swept.status.success(), "{swept:?}");
        assert!(fixture.is_there(0));
        owner.have(2);
        owner.have(4);
        owner.tell("keep 4");
        owner.have(6);
        owner.tell("call 6");
        assert!(!fixture.is_there(6));
        assert!(fixture.is_there(0) && fixture.is_there(2));
        owner.kill();
        fixture.await_end();
        assert!(!fixture.is_there(0), "declared before");
        assert!(!fixture.is_there(2), "declared after");
        assert!(fixture.is_there(4));
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "the user's");
        assert_eq!(fs::read_dir(&users).expect("it is there").count(), 1);
        fixture.clear();
    }
}
