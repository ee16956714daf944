//! Each rule, seen to fail, beside a history in which it holds.

use super::*;

/// What is wrong with a round, by its ledger and the resources that are left.
fn wrongs(ledger: &[&str], left: &[&str]) -> Vec<String> {
    let text: String = ledger.iter().map(|line| format!("\n{line} .")).collect();
    let history = History::read(&text).unwrap();
    let left = left.iter().map(|name| (*name).to_owned()).collect();
    Trial::new(history, left).judge().wrongs
}

#[track_caller]
pub(super) fn holds(ledger: &[&str], left: &[&str]) {
    assert_eq!(wrongs(ledger, left), [""; 0]);
}

#[track_caller]
pub(super) fn fails(ledger: &[&str], left: &[&str], why: &str) {
    let wrongs = wrongs(ledger, left);
    assert!(wrongs.iter().any(|wrong| wrong.contains(why)), "{why:?} is not in {wrongs:?}");
}

/// One process, with one resource.
const BEGUN: [&str; 3] = ["began 0 7 1 not none open", "created 0-0 0", "registered 0-0 0 now"];

fn one<'a>(then: &[&'a str]) -> Vec<&'a str> {
    [&BEGUN[..], then].concat()
}

#[test]
fn cleaned_once() {
    let run = ["running 0-0 0 drain own there t0", "done 0-0 0"];
    let end = ["ending 0 exit 3 0", "ended 7 3"];
    let once = one(&[end[0], run[0], run[1], end[1]]);
    holds(&once, &[]);
    fails(&once, &["0-0"], "was cleaned, and is still there");
    fails(&one(&end), &["0-0"], "ended in order, and left [\"0-0\"]");
    fails(&one(&end), &[], "nobody has cleaned it");
    fails(&one(&[end[0], run[0], run[1], run[0], run[1], end[1]]), &[], "more than once");
    let gone = one(&[end[0], "running 0-0 0 drain own gone t0", run[1], end[1]]);
    fails(&gone, &[], "gone before anybody");
}

#[test]
fn not_what_is_off_or_was_given_back() {
    let end = ["ending 0 exit 3 0", "ended 7 3"];
    let run = ["running 0-0 0 drain own there t0", "done 0-0 0"];
    let off = ["unwanted 0-0", "off 0-0"];
    holds(&one(&[off[0], off[1], end[0], end[1]]), &["0-0"]);
    fails(&one(&[off[0], off[1], end[0], run[0], run[1], end[1]]), &[], "0-0 is off");
    holds(&one(&[off[0], end[0], run[0], run[1], off[1], end[1]]), &[]);
    let back = ["begin 0-0 0 detach t0", "end 0-0 0 detach won"];
    holds(&one(&[back[0], back[1], end[0], end[1]]), &["0-0"]);
    fails(&one(&[back[0], back[1], end[0], run[0], run[1], end[1]]), &[], "given back");
}

#[test]
fn what_dies_is_cleaned() {
    let died = ["begin 0-0 0 drop t0", "end 0-0 0 drop won"];
    let run = ["running 0-0 0 drop own there t0", "done 0-0 0"];
    let end = ["ending 0 _exit 0 -", "ended 7 0"];
    holds(&one(&[died[0], run[0], run[1], died[1], end[0], end[1]]), &[]);
    fails(&one(&[died[0], died[1], end[0], end[1]]), &["0-0"], "its object died");
    holds(&one(&[died[0], end[0], died[1], end[1]]), &["0-0"]);
}

#[test]
fn endings() {
    holds(&one(&["ending 0 _exit 4 -", "ended 7 4"]), &["0-0"]);
    fails(&one(&["ending 0 _exit 4 -", "ended 7 5"]), &["0-0"], "ended: 5; was by _exit, with 4");
    fails(&one(&["ending 0 _exit 4 -"]), &["0-0"], "ended: it did not");
    fails(&one(&["ending 0 exit 4 0", "ended 7 s11"]), &["0-0"], "ended: s11");
    holds(&one(&["signal 0 15 -", "ended 7 s15"]), &["0-0"]);
    fails(&one(&["ended 8 s6", "ending 0 _exit 4 -", "ended 7 4"]), &["0-0"], "its fork");
    fails(&one(&["signal 0 1 -", "ended 7 s15"]), &["0-0"], "got signals [1]");
}

#[test]
fn signals_that_are_taken() {
    let taken = ["installing 0", "installed 0"];
    let run = ["running 0-0 0 drain own there t0", "done 0-0 0"];
    let first = one(&[taken[0], taken[1], "signal 0 15 -"]);
    holds(&[&first[..], &run, &["ended 7 s15"]].concat(), &[]);
    fails(&[&first[..], &["ended 7 s15"]].concat(), &["0-0"], "ended in order, and left");
    let second = [&first[..], &["signal 0 2 -"]].concat();
    holds(&[&second[..], &["reported 0 skipped", "ended 7 s2"]].concat(), &["0-0"]);
    fails(&[&second[..], &["ended 7 s2"]].concat(), &["0-0"], "0 are reported");
    let told = [&first[..], &run, &["reported 0 unfinished", "ended 7 s15"]].concat();
    fails(&told, &[], "0 had time");
    let lied = [&second[..], &run, &["reported 0 skipped", "ended 7 s2"]].concat();
    fails(&lied, &[], "did not run only 0");
}

/// A child that is forked with a copy of the resource.
fn family<'a>(parent_ends: &[&'a str], child: &[&'a str]) -> Vec<&'a str> {
    let fork = ["forking 0 0.1", "forked 0 0.1", "began 0.1 8 1 not none open"];
    [&BEGUN[..], &fork, parent_ends, child].concat()
}

const AT_ONCE: [&str; 2] = ["ending 0 _exit 0 -", "ended 7 0"];
const INHERITS: [&str; 4] =
    ["ending 0.1 exit 0 1", "running 0-0 0.1 drain dead there t0", "done 0-0 0.1", "ended 8 0"];

#[test]
fn the_heir() {
    holds(&family(&AT_ONCE, &INHERITS), &[]);
    let does_not = ["ending 0.1 exit 0 1", "ended 8 0"];
    fails(&family(&AT_ONCE, &does_not), &["0-0"], "0.1 is the heir of 0-0");
    // Its parent may have lived then.
    holds(&family(&[], &["ending 0.1 exit 0 0", "ended 8 0", AT_ONCE[0], AT_ONCE[1]]), &["0-0"]);
    let alive = "running 0-0 0.1 drain alive there t0";
    let of_the_living = [INHERITS[0], alive, INHERITS[2], INHERITS[3], AT_ONCE[0], AT_ONCE[1]];
    fails(&family(&[], &of_the_living), &[], "its owner alive");
}

#[test]
fn nobody_else() {
    let another = ["forking 0 0.2", "forked 0 0.2", "began 0.2 9 1 not none open"];
    let ends = ["ending 0.2 _exit 0 -", "ended 9 0"];
    let two = [&another[..], &ends, &AT_ONCE].concat();
    fails(&family(&two, &INHERITS), &[], "0 has forked 0.2 after 0.1");
    let claim = ["created 0-1 0", "begin 0-0 0 detach t0", "end 0-0 0 detach won"];
    fails(&family(&[&claim[..], &AT_ONCE].concat(), &INHERITS), &["0-1"], "0 has claimed 0-0");
    let drain =
        ["ending 0 exit 0 0", "running 0-0 0 drain own there t0", "done 0-0 0", "ended 7 0"];
    fails(&family(&drain, &INHERITS), &[], "0-0 was cleaned more than once");
    fails(&family(&drain, &INHERITS), &[], "0 has drained after the fork");
}

#[test]
fn doors() {
    let began = ["began 0 7 1 not none open", "ending 0 _exit 0 -", "ended 7 0"];
    holds(&began, &[]);
    fails(&["began 0 7 1 not none shut", began[1], began[2]], &[], "a door that was shut");
}
