//! The rules of what waits, each seen to fail, beside a history in which it holds.

use super::tests::{fails, holds};

/// One process with a cleaner, that holds two, and a resource of which it has made the finalizer.
const KEPT: [&str; 5] = [
    "began 0 7 1 not none open",
    "cleaner c 0 2 block",
    "kept 0-0 c",
    "created 0-0 0",
    "registered 0-0 0 now",
];
const DIES: [&str; 2] = ["begin 0-0 0 drop t0", "end 0-0 0 drop won"];
const TURN: [&str; 2] = ["running 0-0 0 turn own there c", "done 0-0 0"];
const BARRIER: [&str; 2] = ["barrier c 0 t0 patient", "passed c 0 t0 won"];
const AT_ONCE: [&str; 2] = ["ending 0 _exit 0 -", "ended 7 0"];
const EXITS: [&str; 2] = ["ending 0 exit 0 0", "ended 7 0"];

fn all<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

#[test]
fn handed_over() {
    holds(&all(&[&KEPT, &DIES, &TURN, &AT_ONCE]), &[]);
    // Nobody has waited for it.
    holds(&all(&[&KEPT, &DIES, &AT_ONCE]), &["0-0"]);
    fails(&all(&[&KEPT, &TURN, &AT_ONCE]), &[], "where there was no drop");
    let elsewhere = ["running 0-0 0 turn own there d", TURN[1]];
    fails(&all(&[&KEPT, &DIES, &elsewhere, &AT_ONCE]), &[], "on the thread of d");
    let drain = ["running 0-0 0 drain own there t0", TURN[1]];
    fails(&all(&[&KEPT, &drain, &AT_ONCE]), &[], "as if the program ended");
}

#[test]
fn barriers() {
    holds(&all(&[&KEPT, &DIES, &TURN, &BARRIER, &AT_ONCE]), &[]);
    fails(&all(&[&KEPT, &DIES, &BARRIER, &TURN, &AT_ONCE]), &[], "when c said so");
    fails(&all(&[&KEPT, &DIES, &BARRIER, &AT_ONCE]), &["0-0"], "its object died");
    // It was called meanwhile.
    let call = ["begin 0-0 0 call t1", "running 0-0 0 call own there t1"];
    let called = [&KEPT[..], &DIES, &call, &BARRIER, &AT_ONCE];
    holds(&all(&called), &["0-0"]);
    // A callback waits for what came before itself.
    let own = ["barrier c 0 c patient", "passed c 0 c won"];
    holds(&all(&[&KEPT, &DIES, &[TURN[0]], &own, &[TURN[1]], &AT_ONCE]), &[]);
    holds(&all(&[&KEPT, &DIES, &[TURN[0]], &own, &AT_ONCE]), &["0-0"]);
    let in_vain = [BARRIER[0], "passed c 0 t0 lost"];
    fails(&all(&[&KEPT, &in_vain, &AT_ONCE]), &["0-0"], "0 has not waited for c to the end");
    holds(&all(&[&KEPT, &[BARRIER[0], AT_ONCE[0], in_vain[1], AT_ONCE[1]]]), &["0-0"]);
}

/// It runs where the object dies.
const HERE: [&str; 4] =
    [DIES[0], "running 0-0 0 drop own there t0", "done 0-0 0", "end 0-0 0 drop won"];

#[test]
fn where_the_object_dies() {
    fails(&all(&[&KEPT, &HERE, &AT_ONCE]), &[], "which c should have done");
    holds(&all(&[&KEPT, &["closing c"], &HERE, &AT_ONCE]), &[]);
    let closed = ["closing c", "closed c 0"];
    holds(&all(&[&KEPT, &DIES, &closed, &TURN, &AT_ONCE]), &[]);
    fails(&all(&[&KEPT, &closed, &DIES, &TURN, &AT_ONCE]), &[], "by c, which is closed");
    let helps = ["cleaner c 0 1 help"];
    let kept = [&KEPT[..1], &helps, &KEPT[2..]].concat();
    fails(&all(&[&kept, &HERE, &AT_ONCE]), &[], "which c should have done");
    let another = [
        "kept 0-1 c",
        "created 0-1 0",
        "registered 0-1 0 now",
        "begin 0-1 0 drop t1",
        "end 0-1 0 drop won",
    ];
    holds(&all(&[&kept, &another, &HERE, &AT_ONCE]), &["0-1"]);
    let its_turn = ["running 0-1 0 turn own there c"];
    let gone = [&kept[..], &another, &its_turn, &HERE, &AT_ONCE];
    fails(&all(&gone), &["0-1"], "which c should have done");
    // Where a cleaner's thread would wait for itself, it helps.
    let blocks = [&KEPT[..1], &["cleaner c 0 1 block"], &KEPT[2..], &another].concat();
    fails(&all(&[&blocks, &HERE, &AT_ONCE]), &["0-1"], "which c should have done");
    let own = HERE.map(|line| line.replace(" t0", " c"));
    let own: Vec<_> = own.iter().map(String::as_str).collect();
    holds(&all(&[&blocks, &own, &AT_ONCE]), &["0-1"]);
}

const BEGUN: [&str; 3] = ["began 0 7 1 not none open", "created 0-0 0", "registered 0-0 0 now"];
const PAUSE: [&str; 1] = ["pause 0 t0"];
const UNPAUSE: [&str; 2] = ["unpause 0 t0", "unpaused 0 t0"];
const AFTER: [&str; 2] = ["running 0-0 0 unpause own there t0", "done 0-0 0"];

#[test]
fn pauses() {
    let after = [UNPAUSE[0], AFTER[0], AFTER[1], UNPAUSE[1]];
    holds(&all(&[&BEGUN, &PAUSE, &DIES, &after, &AT_ONCE]), &[]);
    fails(&all(&[&BEGUN, &PAUSE, &DIES, &UNPAUSE, &AT_ONCE]), &["0-0"], "the end of the pause");
    fails(&all(&[&BEGUN, &PAUSE, &HERE, &UNPAUSE, &AT_ONCE]), &[], "in a pause");
    fails(&all(&[&BEGUN, &DIES, &PAUSE, &after, &AT_ONCE]), &[], "at the end of another pause");
    // Of two it is the outer one.
    let early = [&BEGUN[..], &PAUSE, &PAUSE, &DIES, &after, &UNPAUSE, &AT_ONCE];
    fails(&all(&early), &[], "in a pause");
    let late = [&BEGUN[..], &PAUSE, &PAUSE, &DIES, &UNPAUSE, &after, &AT_ONCE];
    holds(&all(&late), &[]);
    // One that never ends.
    holds(&all(&[&BEGUN, &PAUSE, &PAUSE, &DIES, &UNPAUSE, &AT_ONCE]), &["0-0"]);
    // A guard does not wait, and nobody waits for another thread.
    holds(&all(&[&BEGUN, &["guard 0-0"], &PAUSE, &HERE, &AT_ONCE]), &[]);
    holds(&all(&[&BEGUN, &["pause 0 t1"], &HERE, &AT_ONCE]), &[]);
    // It is handed over at the end.
    let kept = [&KEPT[..], &PAUSE, &DIES, &UNPAUSE];
    holds(&all(&[&all(&kept), &TURN, &BARRIER, &AT_ONCE]), &[]);
    fails(&all(&[&all(&kept), &BARRIER, &TURN, &AT_ONCE]), &[], "when c said so");
}

#[test]
fn what_waits_when_the_end_begins() {
    let drain = [EXITS[0], "running 0-0 0 drain own there t0", "done 0-0 0", EXITS[1]];
    let off = ["unwanted 0-0", "off 0-0"];
    for before in [all(&[&KEPT, &off, &DIES]), all(&[&BEGUN, &off, &PAUSE, &DIES])] {
        holds(&all(&[&before, &drain]), &[]);
        fails(&all(&[&before, &EXITS]), &["0-0"], "0 ended in order, and left [\"0-0\"]");
    }
    fails(&all(&[&KEPT, &off, &drain]), &[], "0-0 is off");
}

#[test]
fn the_thread_does_not_go_on() {
    let more = |number: usize| {
        ["kept 0-N c", "created 0-N 0", "registered 0-N 0 now", "begin 0-N 0 drop t0"]
            .map(|line| line.replace('N', &number.to_string()))
    };
    let turn = |number: usize| {
        ["running 0-N 0 turn own there c", "done 0-N 0"]
            .map(|line| line.replace('N', &number.to_string()))
    };
    let [one, two] = [more(1), more(2)];
    let before: Vec<_> = one.iter().chain(&two).map(String::as_str).collect();
    let [one, two] = [turn(1), turn(2)];
    let [one, two] = [&one, &two].map(|it| it.each_ref().map(String::as_str));
    let drain = [EXITS[0], "running 0-0 0 drain own there t0", "done 0-0 0"];
    holds(&all(&[&KEPT, &before, &one, &drain, &two, &EXITS[1..]]), &[]);
    fails(&all(&[&KEPT, &before, &drain, &one, &two, &EXITS[1..]]), &[], "c has run 2 when 0 had");
}

#[test]
fn orders() {
    let two = ["kept 0-1 c", "created 0-1 0", "registered 0-1 0 now"];
    let then = ["begin 0-1 0 drop t1", "end 0-1 0 drop won"];
    let turn = ["running 0-1 0 turn own there c", "done 0-1 0"];
    holds(&all(&[&KEPT, &two, &DIES, &then, &TURN, &turn, &AT_ONCE]), &[]);
    let overtaken = all(&[&KEPT, &two, &DIES, &then, &turn, &TURN, &AT_ONCE]);
    fails(&overtaken, &[], "0-0 was cleaned after 0-1, but died before it");
    let [old, new] = [
        ["running 0-0 0 drain own there t0", "done 0-0 0"],
        ["running 0-1 0 drain own there t0", "done 0-1 0"],
    ];
    holds(&all(&[&KEPT, &two, &EXITS[..1], &new, &old, &EXITS[1..]]), &[]);
    let wrong = all(&[&KEPT, &two, &EXITS[..1], &old, &new, &EXITS[1..]]);
    fails(&wrong, &[], "0 has cleaned 0-0 before 0-1, which is newer");
    let in_a_pause = [&BEGUN[..], &two[1..], &PAUSE, &DIES, &["begin 0-1 0 drop t0", then[1]]];
    let after = ["running 0-1 0 unpause own there t0", "done 0-1 0"];
    let ends = [&UNPAUSE[..1], &AFTER, &after, &UNPAUSE[1..], &AT_ONCE];
    holds(&all(&[&all(&in_a_pause), &all(&ends)]), &[]);
    let ends = [&UNPAUSE[..1], &after, &AFTER, &UNPAUSE[1..], &AT_ONCE];
    fails(&all(&[&all(&in_a_pause), &all(&ends)]), &[], "0-0 was cleaned after 0-1");
}

/// What waits in the parent when it forks.
fn family<'a>(child: &[&'a str]) -> Vec<&'a str> {
    let fork = ["forking 0 0.1", "forked 0 0.1", "began 0.1 8 1 not none open"];
    all(&[&KEPT, &DIES, &fork, child])
}

#[test]
fn forks() {
    let ends = ["ending 0.1 _exit 0 -", "ended 8 0"];
    holds(&family(&all(&[&ends, &TURN, &AT_ONCE])), &[]);
    let childs = ["running 0-0 0.1 turn alive there c", "done 0-0 0.1"];
    fails(&family(&all(&[&childs, &ends, &AT_ONCE])), &[], "where there was no drop");
    // The child's own copy, where it had not died before.
    let copy = ["begin 0-1 0.1 drop t0", "end 0-1 0.1 drop won"];
    let registered = ["kept 0-1 c", "created 0-1 0", "registered 0-1 0 now"];
    let fork = ["forking 0 0.1", "forked 0 0.1", "began 0.1 8 1 not none open"];
    let before = all(&[&KEPT, &registered, &fork, &copy]);
    let drained = ["ending 0.1 exit 0 0", "running 0-1 0.1 drain alive there t0", "done 0-1 0.1"];
    let over = ["ended 8 0", AT_ONCE[0], AT_ONCE[1]];
    holds(&all(&[&before, &drained, &over]), &["0-0"]);
    let childs = ["barrier c 0.1 t0 patient", "passed c 0.1 t0 won"];
    fails(&all(&[&before, &childs, &ends, &AT_ONCE]), &["0-0", "0-1"], "0-1, of 0.1, was handed");
    // Its parent's pause is its own; what waits in it is not.
    let paused = all(&[&BEGUN, &PAUSE, &DIES, &fork, &["pause 0.1 t0", "unpause 0.1 t0"]]);
    let wrong = ["running 0-0 0.1 unpause alive there t0", "done 0-0 0.1", "unpaused 0.1 t0"];
    fails(&all(&[&paused, &wrong, &ends, &AT_ONCE]), &[], "where there was no drop");
    holds(&all(&[&paused, &wrong[2..], &ends, &AT_ONCE]), &["0-0"]);
}

/// What waits when a process is killed is its heir's; what its threads do after a fork is a claim.
#[test]
fn heirs() {
    let ends = ["ending 0.1 exit 0 1", "ended 8 0"];
    let run = ["running 0-0 0.1 drain dead there t0", "done 0-0 0.1"];
    holds(&family(&all(&[&AT_ONCE, &ends[..1], &run, &ends[1..]])), &[]);
    holds(&family(&all(&[&AT_ONCE, &ends])), &["0-0"]);
    let two = ["created 0-1 0", "registered 0-1 0 now"];
    let run_of_two = ["running 0-1 0.1 drain dead there t0", "done 0-1 0.1"];
    let fork = ["forking 0 0.1", "forked 0 0.1", "began 0.1 8 1 not none open"];
    let died_before = all(&[&KEPT, &two, &DIES, &fork, &TURN, &AT_ONCE]);
    // The turn may have come before the fork as well.
    holds(&all(&[&died_before, &ends[..1], &run_of_two, &ends[1..]]), &[]);
    holds(&all(&[&died_before, &ends]), &["0-1"]);
    let dies_after = all(&[&KEPT, &two, &fork, &DIES, &TURN, &AT_ONCE]);
    let inherits = all(&[&dies_after, &ends[..1], &run_of_two, &ends[1..]]);
    fails(&inherits, &[], "0 has claimed 0-0 after the fork of 0.1");
}
