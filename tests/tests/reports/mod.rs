//! The report at exit, of real processes. Their scenes are in `src/scenes/reports.rs`.

use crate::run::endings::{Ending, all};
use crate::run::{Child, run_in};

const ASKED: (&str, &str) = ("LASTLY_REPORT", "1");

/// What each process told, in the order of their first lines: a list of cells for each line, but for ages
/// and places. (Which callbacks were slow is left out: any may be.)
fn told(child: &Child) -> Vec<Vec<String>> {
    let mut processes: Vec<(&str, Vec<String>)> = Vec::new();
    for line in child.stderr.lines() {
        let Some((process, line)) =
            line.strip_prefix("lastly[").and_then(|line| line.split_once("]: "))
        else {
            continue;
        };
        if line.starts_with("slow: ") {
            continue;
        }
        match processes.iter_mut().find(|(known, _)| *known == process) {
            Some((_, lines)) => lines.push(shortened(line)),
            None => processes.push((process, vec![shortened(line)])),
        }
    }
    processes.into_iter().map(|(_, lines)| lines).collect()
}

/// Of a row: count, object, function, fate.
fn shortened(line: &str) -> String {
    let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect();
    match cells[..] {
        [count, _, object, function, fate, _] => [count, object, function, fate].join(" | "),
        _ => line.to_owned(),
    }
}

const HEADER: &str = "count | object | function | what became of it";

#[test]
fn it_tells_what_became_of_each() {
    let child = run_in(&[ASKED], "report");
    let closure = "1 | u8 | ending::scenes::reports::every_fate::{{closure}} | run";
    let expected = [
        "the end of the program (exit)",
        "alive when it began: 8 finalizers",
        HEADER,
        "2 | &str | ending::say | run",
        "1 | u8 | ending::say | left out",
        "1 | u8 | ending::say | called",
        "1 | u8 | ending::say | detached",
        "1 | u16 | ending::say | object died",
        closure,
        closure,
        "created 11; called 2, object died 2, exit 5, signal 0, detached 1; failed 1, lost 0",
    ];
    assert_eq!(told(&child), [expected], "{}", child.stderr);
    assert!(child.stderr.contains("  tests/src/scenes/reports.rs:"), "{}", child.stderr);
}

fn one_that_ran(cause: &str, totals: &str) -> Vec<String> {
    let heading = format!("the end of the program ({cause})");
    let row = "1 | &str | ending::say | run";
    [&heading, "alive when it began: 1 finalizer", HEADER, row, totals].map(str::to_owned).to_vec()
}

#[test]
fn it_tells_once_however_the_program_ends() {
    let by_exit =
        "created 1; called 0, object died 0, exit 1, signal 0, detached 0; failed 0, lost 0";
    let by_signal =
        "created 1; called 0, object died 0, exit 0, signal 1, detached 0; failed 0, lost 0";
    let lost_one =
        "created 2; called 0, object died 0, exit 1, signal 0, detached 0; failed 0, lost 1";
    let heir = "created 0; called 0, object died 0, exit 1, signal 0, detached 0; failed 0, lost 0";
    for (scene, cause, totals) in [
        ("report-hand-drain", "exit", by_exit),
        ("report-signal", "signal", by_signal),
        ("report-running-elsewhere", "exit", lost_one),
        ("report-heir", "exit", heir),
    ] {
        let child = run_in(&[ASKED], scene);
        assert_eq!(told(&child), [one_that_ran(cause, totals)], "{scene}: {}", child.stderr);
    }
}

#[test]
fn it_tells_what_was_cut_short() {
    let child = run_in(&[ASKED], "report-budget-and-hang");
    let hung = "1 | u8 | ending::scenes::reports::budget_and_hang::{{closure}} | not finished";
    let expected = [
        "the end of the program (exit)",
        "alive when it began: 3 finalizers",
        HEADER,
        "2 | &str | ending::say | 1 run, 1 skipped",
        hung,
        "created 3; called 0, object died 0, exit 1, signal 0, detached 0; failed 0, lost 2",
    ];
    assert_eq!(told(&child), [expected], "{}", child.stderr);
}

#[test]
fn a_forked_child_has_its_own() {
    let child = run_in(&[ASKED], "report-fork");
    let [of_child, of_parent] = &told(&child)[..] else { panic!("two: {}", child.stderr) };
    assert_eq!(of_child[3], "2 | &str | ending::say | 1 left to the parent, 1 run");
    assert!(of_child[4].starts_with("created 1; called 0, object died 0, exit 1,"));
    assert_eq!(of_parent[3], "1 | &str | ending::say | run");
    assert_eq!(of_parent[4], of_child[4]);

    let child = run_in(&[ASKED], "report-fork-in-drain");
    let [of_child, of_parent] = &told(&child)[..] else { panic!("two: {}", child.stderr) };
    // The callback that has forked comes to its end in both.
    assert!(of_child[1].starts_with("created 1; called 0, object died 0, exit 2,"), "{of_child:?}");
    assert_eq!((of_child.len(), of_parent.len()), (2, 6), "{}", child.stderr);
}

#[test]
fn it_is_quiet_where_there_is_nothing_to_tell_or_nobody_asks() {
    assert_eq!(run_in(&[ASKED], "report-nothing").stderr, "");
    assert_eq!(run_in(&[ASKED], "_exit").stderr, "");
    for environment in [&[("LASTLY_REPORT", "0")][..], &[("LASTLY_REPORT", "")], &[]] {
        assert_eq!(run_in(environment, "report-hand-drain").stderr, "");
    }
    let child = run_in(&[("LASTLY_REPORT", "yes")], "report-hand-drain");
    let line = "lastly: LASTLY_REPORT=yes is neither 1 nor 0, and changes nothing\n";
    assert_eq!((&child.stderr[..], &child.stdout[..]), (line, &["ran".to_owned()][..]));
}

/// A program does and ends as it would without. (But for one that measures its memory: the slowest
/// callbacks take some, and which of them are slow is the machine's to say.)
#[test]
fn it_changes_nothing() {
    for Ending(scene, stdout, ended) in all().filter(|it| it.0 != "gc-come-and-go") {
        let child = run_in(&[ASKED], scene);
        assert_eq!(child.stdout, *stdout, "stdout of {scene}; stderr:\n{}", child.stderr);
        assert_eq!(child.ended, *ended, "end of {scene}; stderr:\n{}", child.stderr);
    }
}
