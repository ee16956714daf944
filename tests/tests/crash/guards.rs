//! What guards do: they outlive, are replaced, and keep nobody waiting.

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{
    Fixture, await_that, is_alive, is_allowed, is_root, is_stopped, kill_one, lastly, skip,
};
use crate::journal::{Action, Journal};

#[test]
fn it_does_what_its_owner_left() {
    let fixture = Fixture::new("guard-alone");
    let mut owner = fixture.puppet();
    owner.have(0);
    owner.have(1);
    owner.tell("keep 1");
    owner.kill();
    fixture.await_end();
    assert!(!fixture.is_there(0));
    assert!(fixture.is_there(1));
    fixture.clear();
}

#[test]
fn what_kills_the_group_of_its_owner_does_not_concern_it() {
    let fixture = Fixture::new("group");
    let mut owner = fixture.puppet();
    owner.have(0);
    let [guard] = fixture.guards()[..] else { panic!("one guard") };
    owner.kill_group();
    fixture.await_end();
    assert!(!fixture.is_there(0));
    assert!(!is_alive(guard));
    fixture.clear();
}

#[test]
fn another_takes_its_place_at_the_next_declaration() {
    let fixture = Fixture::new("replaced");
    let mut owner = fixture.puppet();
    owner.have(0);
    let [first] = fixture.guards()[..] else { panic!("one guard") };
    kill_one(first);
    await_that("the guard is dead", || !is_alive(first));
    owner.have(1);
    let [second] = fixture.guards()[..] else { panic!("one guard") };
    assert_ne!(first, second);
    owner.kill();
    fixture.await_end();
    assert!(!fixture.is_there(0) && !fixture.is_there(1));
    fixture.clear();
}

/// As what empties `/tmp` does, or a disk that is full again and again.
#[test]
fn of_a_journal_that_is_gone_no_guard_stays() {
    let fixture = Fixture::new("begun-anew");
    let mut owner = fixture.puppet();
    owner.have(0);
    for number in 1..4 {
        let [journal] = &fixture.journal_names()[..] else { panic!("one journal") };
        fs::remove_file(fixture.journals().join(journal)).expect("it is there");
        owner.have(number);
    }
    await_that("one guard is left", || fixture.guards().len() == 1);
    owner.kill();
    fixture.await_end();
    assert!((0..4).all(|number| !fixture.is_there(number)));
    fixture.clear();
}

/// Its first sweep is a process of its own, which may be at it for long.
#[test]
fn another_takes_its_place_though_its_sweep_goes_on() {
    for round in 1.. {
        let fixture = Fixture::new("sweeps");
        let tree = fixture.folder.join("large");
        fs::create_dir(&tree).expect("room");
        for number in 0..4_000 * round {
            fs::write(tree.join(number.to_string()), "").expect("room");
        }
        Journal::of_the_dead(vec![Action::of(&tree).record(1)]).plant(&fixture);
        let mut owner = fixture.puppet_where(&[], &[("LASTLY_SWEEP", "1")]);
        owner.have(0);
        await_that("the sweep has begun, by moving it away", || !tree.exists());
        let Some((guard, sweep)) = stop_sweep(&fixture) else {
            // It was quicker: it is to have more to do.
            assert!(round < 8, "too quick, each time");
            owner.kill();
            fixture.await_end();
            continue;
        };
        kill_one(guard);
        await_that("the guard is dead", || !is_alive(guard));
        owner.have(1);
        owner.kill();
        await_that("what was declared goes", || !fixture.is_there(0) && !fixture.is_there(1));
        kill(Pid::from_raw(sweep), Signal::SIGCONT).expect("it is there");
        return fixture.clear();
    }
}

/// Stops the sweep that a guard does, unless it is over. The guard, and what was stopped.
fn stop_sweep(fixture: &Fixture) -> Option<(i32, i32)> {
    fixture.guards().into_iter().find_map(|guard| {
        let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children"));
        let sweep = children.ok()?.trim().parse().ok()?;
        kill(Pid::from_raw(sweep), Signal::SIGSTOP).ok()?;
        await_that("it stops, or has ended", || !is_alive(sweep) || is_stopped(sweep));
        is_stopped(sweep).then_some((guard, sweep))
    })
}

#[test]
fn where_it_is_killed_the_sweep_makes_up_for_it() {
    for both_at_once in [false, true] {
        let fixture = Fixture::new(&format!("swept-{both_at_once}"));
        let mut owner = fixture.puppet();
        owner.have(0);
        let [guard] = fixture.guards()[..] else { panic!("one guard") };
        kill_one(guard);
        if !both_at_once {
            await_that("the guard is dead", || !is_alive(guard));
        }
        owner.kill();
        await_that("the guard is dead", || !is_alive(guard));
        assert!(fixture.is_there(0), "nobody is left to do it");
        assert!(fixture.lastly(&["sweep"]).status.success());
        assert!(!fixture.is_there(0));
        fixture.clear();
    }
}

#[test]
fn where_there_is_to_be_none_that_is_told_once_and_the_sweep_does_it() {
    let fixture = Fixture::new("forbidden");
    let mut owner = fixture.puppet_with("0");
    owner.have(0);
    owner.have(1);
    owner.tell("keep 0");
    owner.tell("keep 1");
    let (_, stderr) = owner.listen_to_the_end();
    let told = stderr.lines().filter(|line| line.starts_with("lastly: "));
    assert_eq!(told.count(), 1, "{stderr}");
    assert!(stderr.contains("LASTLY_GUARD"), "{stderr}");

    let mut owner = fixture.puppet_with("0");
    owner.have(2);
    assert!(fixture.guards().is_empty());
    owner.kill();
    assert!(fixture.is_there(2));
    assert!(fixture.lastly(&["sweep"]).status.success());
    assert!(!fixture.is_there(2));
    fixture.clear();
}

/// As where a file system has become read-only, as its disk has errors.
#[test]
fn what_is_given_up_and_cannot_be_struck_out_is_told() {
    if !is_root() {
        return;
    }
    let fixture = Fixture::new("given-up");
    let mut owner = fixture.puppet();
    owner.have(0);
    let [journal] = &fixture.journal_names()[..] else { panic!("one journal") };
    let journal = fixture.journals().join(journal);
    let change = |how| {
        let changed = Command::new("chattr").arg(how).arg(&journal).output();
        changed.is_ok_and(|it| it.status.success())
    };
    if !change("+i") {
        return skip("no file here can be made immutable");
    }
    owner.tell("keep 0");
    assert!(change("-i"));
    // By hand, as it is told.
    fs::remove_file(&journal).expect("it is there");
    let (_, stderr) = owner.listen_to_the_end();
    for words in ["given up may be done", "removed", journal.to_str().expect("text")] {
        assert!(stderr.contains(words), "{stderr}");
    }
    fixture.await_end();
    assert!(fixture.is_there(0));
    fixture.clear();
}

/// As a script may be that starts the guard and does not become it.
#[test]
fn nobody_waits_for_a_program_that_goes_on_in_its_place() {
    let fixture = Fixture::new("goes-on");
    let program = fixture.folder.join("program");
    // By another process: one of ours that is just being forked would have it open for writing.
    let script = r#"printf '#!/bin/sh\nprintf r\nexec sleep 1000\n' > "$0" && chmod +x "$0""#;
    let written = Command::new("sh").args(["-c", script]).arg(&program).status();
    assert!(written.expect("it is there").success());
    let mut owner = fixture.puppet_with(program.to_str().expect("text"));
    owner.have(0);
    assert_eq!(owner.tell("protection"), "guard");
    let children = format!("/proc/{0}/task/{0}/children", owner.pid());
    let children = fs::read_to_string(children).expect("it is alive");
    let sleeper: i32 = children.trim().parse().expect("it has started one");
    owner.kill();
    kill_one(sleeper);
    fixture.sweep(&[]);
    assert!(!fixture.is_there(0));
    fixture.clear();
}

#[test]
fn nobody_waits_for_it() {
    let fixture = Fixture::new("exit");
    let mut owner = fixture.puppet();
    owner.have(0);
    let [guard] = fixture.guards()[..] else { panic!("one guard") };
    let children = format!("/proc/{0}/task/{0}/children", owner.child.id());
    let children = fs::read_to_string(children).expect("it is there");
    assert_eq!(children, "", "no zombie, and the guard is nobody's child");
    // It cannot do anything, so it cannot close anything.
    let guard = Pid::from_raw(guard);
    kill(guard, Signal::SIGSTOP).expect("it is there");
    owner.tell_silently("exit");
    let (said, stderr) = owner.listen_to_the_end();
    assert_eq!((said.as_str(), stderr.as_str()), ("", ""));
    assert!(!fixture.is_there(0));
    assert!(is_alive(guard.as_raw()));
    kill(guard, Signal::SIGCONT).expect("it is there");
    fixture.clear();
}

/// The first process of a container gets what others leave there, and mostly waits for all of it before it ends.
#[test]
fn process_1_has_none_that_it_would_wait_for() {
    let container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !is_allowed(&container) {
        return;
    }
    let fixture = Fixture::new("process-1");
    let mut owner = fixture.puppet_under(&container, lastly().to_str().expect("text"));
    owner.have(0);
    assert_eq!(owner.tell("wait"), "nobody");
    let protection = owner.tell("protection");
    assert!(protection.starts_with("sweep: this is process 1"), "{protection}");
    owner.kill();
    fixture.await_sweep_by_lock(0);
    fixture.clear();
}

/// The same for who has asked for what others leave, as supervisors do.
#[test]
fn who_takes_over_what_others_leave_has_none_either() {
    let fixture = Fixture::new("subreaper");
    let mut owner = fixture.puppet();
    owner.tell("adopt");
    owner.have(0);
    assert_eq!(owner.tell("wait"), "nobody");
    let protection = owner.tell("protection");
    assert!(protection.starts_with("sweep: this process takes over"), "{protection}");
    owner.kill();
    assert!(fixture.is_there(0), "nobody is there to do it");
    fixture.sweep(&[]);
    assert!(!fixture.is_there(0));
    fixture.clear();
}
