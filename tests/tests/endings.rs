//! Every ending of a program, on real processes: exact output, exact status.
//!
//! GUARANTEES.md tells in words what the table in `run/endings.rs` demands.

mod declared;
mod reports;
mod run;

use std::path::Path;

use run::Ended::{Killed, Status};
use run::endings::{Ending, all};
use run::{run, run_program, run_program_with, run_within};

#[test]
fn every_ending_is_as_promised() {
    for Ending(scene, stdout, ended) in all() {
        let child = run(scene);
        assert_eq!(child.stdout, *stdout, "stdout of {scene}; stderr:\n{}", child.stderr);
        assert_eq!(child.ended, *ended, "end of {scene}; stderr:\n{}", child.stderr);
    }
}

#[test]
fn what_failed_at_exit_is_reported() {
    assert_eq!(
        run("failures-in-drain").reports(),
        [
            "lastly: cleanup of i32 (exit): ending::scenes::drain::failures_in_drain::{{closure}} panicked: oh",
            "lastly: cleanup of i32 (exit): ending::scenes::drain::failures_in_drain::{{closure}} returned an error: \"no luck\"",
        ]
    );
    assert_eq!(
        run("hook-panics-in-drain").reports(),
        [
            "lastly: cleanup of i32 (exit): ending::scenes::drain::hook_panics_in_drain::{{closure}} returned an error: \"no luck\"",
            "lastly: the report hook panicked: in the hook",
        ]
    );
}

#[test]
fn what_was_not_finished_at_exit_is_reported_by_name() {
    assert_eq!(
        run("hanging-elsewhere").reports(),
        [
            "lastly: cleanup of u8 (exit): ending::scenes::threads::hanging_elsewhere::hangs was not finished when the program ended"
        ]
    );
    assert_eq!(
        run("cleaner-hangs-at-exit").reports(),
        [
            "lastly: cleanup of &str (exit): ending::scenes::cleaners::keep_busy::{{closure}} was not finished when the program ended"
        ]
    );
    assert_eq!(
        run("exit-in-peek").reports(),
        ["lastly: cleanup of i32 (exit): ending::say was not finished when the program ended"]
    );
}

#[test]
fn a_quiet_end_reports_nothing() {
    let quiet = [
        "return",
        "at-exit-off",
        "running-elsewhere",
        "peeked-elsewhere",
        "hand-drain-and-return",
        "exit-in-callback",
        "exit-in-peek-off",
        "fork",
        "fork-in-drain",
        "fork-busy-survivor",
        "backlog-and-exit",
        "cleaner-runs-at-exit",
        "cleaner-calls-exit",
        "blocked-and-exit",
        "backlog-and-signal",
        "backlog-and-fork",
        "fork-on-the-cleaner",
        "backlog-and-daemon",
        "pause-and-exit",
        "pause-and-fork",
        "exit-at-the-end-of-a-pause",
    ];
    for scene in quiet {
        assert_eq!(run(scene).reports(), [""; 0], "{scene}");
    }
    // What comes too late here is reported; what had begun is waited for.
    let busy = run("busy-threads");
    assert!(busy.reports().iter().all(|line| !line.contains("not finished")), "{}", busy.stderr);
}

#[test]
fn what_came_too_late_is_reported_by_name() {
    assert_eq!(
        run("late").reports(),
        ["lastly: cleanup of &str (exit): ending::say came too late to run"]
    );
    // Also when the drain is over.
    assert_eq!(run("door-shut").reports().len(), 3);
}

/// What is running, and all that was yet to run, newest first; each with the place where it was
/// created, and with how long it has been running.
#[test]
fn what_is_cut_short_is_reported_by_name() {
    let was_running = "was not finished when the program ended";
    let was_skipped = "ending::say was skipped: the end of the program was cut short";
    for (scene, reports) in [
        ("second-signal", &["(signal)", "(signal)"][..]),
        ("second-signal-seen-late", &["(signal)", "(signal)"]),
        ("budget-and-hang", &["(exit)", "(exit)", "(exit)"]),
        ("callback-wants-mains-lock", &["(exit)", "(exit)"]),
        ("budget-between", &["(exit)"]),
        ("cleaner-hangs-and-budget", &["(exit)", "(exit)", "(exit)"]),
        ("hand-drain-outlasts-wait", &["(exit)", "(exit)"]),
        ("main-returns-and-callback-exits", &["(signal)", "(signal)"]),
    ] {
        let child = run(scene);
        let found = child.reports();
        assert_eq!(found.len(), reports.len(), "{scene}: {}", child.stderr);
        for (index, (line, cause)) in found.iter().zip(reports).enumerate() {
            let last = index + 1 == reports.len();
            assert!(line.contains(cause), "{scene}: {line}");
            assert!(
                line.ends_with(if last { was_skipped } else { was_running }),
                "{scene}: {line}"
            );
        }
        let places = child.stderr.matches("\n    created at tests/src/").count();
        assert_eq!(places, reports.len(), "{scene}: {}", child.stderr);
    }
    assert_eq!(
        run("hook-hangs").reports(),
        ["lastly: the end of the program was cut short, and what was skipped cannot all be told"]
    );
    assert!(run("budget-and-hang").stderr.contains("\n    after "), "how long it was running");
}

/// Two signals that come at once are one; by which of them the process dies is not said.
#[test]
fn two_signals_at_once_are_one() {
    let child = run("two-signals-at-once");
    assert_eq!((&child.stdout[..], &child.stderr[..]), (&["oldest".to_owned()][..], ""));
    assert!([libc::SIGTERM, libc::SIGHUP].map(Killed).contains(&child.ended), "{:?}", child.ended);
}

/// Who runs the program has the last word on how long its exit may take.
#[test]
fn the_environment_sets_the_budget() {
    let cut = run_within("0.2", "hang-in-drain");
    assert_eq!((cut.ended, cut.reports().len()), (Status(3), 2), "{}", cut.stderr);
    assert_eq!(run_within("", "exit").stderr, "", "as if it were not there");
    let more = run_within("1e9", "budget-between");
    assert_eq!((&more.stdout[..], more.ended), (&["never said".to_owned()][..], Status(3)));

    // A mistake is told of, and changes nothing.
    for mistake in ["soon", "-1", "inf"] {
        let child = run_within(mistake, "exit");
        assert_eq!(
            (&child.stdout[..], child.ended),
            (&["second", "first"].map(str::to_owned)[..], Status(3))
        );
        let told = format!("lastly: LASTLY_EXIT_BUDGET={mistake} is no number of seconds");
        assert!(child.stderr.starts_with(&told), "{}", child.stderr);
    }
}

/// `n` live finalizers, ended from anywhere in the order; the rest drained, each of which registers
/// another.
fn many(n: u32) {
    let child =
        run_program_with(Path::new(env!("CARGO_BIN_EXE_ending")), &["many", &n.to_string()]);
    let expected = [
        format!("created {n}"),
        format!("called {}", n / 4),
        format!("detached {}", n / 4),
        "main returns".to_owned(),
        format!("drained {}", n / 2),
        format!("registered by a callback and drained {}", n / 2 + n / 4),
    ];
    assert_eq!(child.stdout, expected, "stderr:\n{}", child.stderr);
    assert_eq!(child.ended, Status(0));
}

#[test]
fn many_finalizers() {
    many(40_000);
}

/// Half of a million finalizers fail: the other half run, and each failure is reported.
#[test]
#[ignore = "takes long without optimization: part of `cargo xtask test --full`"]
fn half_of_a_million_fail() {
    let program = Path::new(env!("CARGO_BIN_EXE_ending"));
    let child = run_program_with(program, &["half-fail", "1000000"]);
    assert_eq!(child.stdout, ["ran: 500000", "reported: 500000"], "{}", child.stderr);
    assert_eq!(child.ended, Status(0));
}

#[test]
#[ignore = "takes long without optimization: part of `cargo xtask test --full`"]
fn ten_million_finalizers() {
    many(10_000_000);
}

/// As with `Rc`, of so many pointers to one object the next one ends the program.
#[test]
#[ignore = "takes long without optimization: part of `cargo xtask test --full`"]
fn more_pointers_than_can_be_counted() {
    for scene in ["gc-too-many-clones", "gc-too-many-weak-references"] {
        let child = run(scene);
        assert_eq!(child.stdout, ["4294967294"], "{scene}");
        assert_eq!(child.ended, Killed(libc::SIGABRT), "{scene}");
    }
}

/// Built to abort on panic, a program loses what a panic would have run; everything else holds.
#[test]
fn a_program_built_to_abort_on_panic() {
    let program = run::build_to_abort();
    let endings: &[Ending] = &[
        Ending("return", &["main returns", "second", "first"], Status(0)),
        Ending("exit", &["second", "first"], Status(3)),
        Ending("panic", &[], Killed(libc::SIGABRT)),
        Ending("failures-in-drain", &["main returns", "newest"], Killed(libc::SIGABRT)),
    ];
    for Ending(scene, stdout, ended) in endings {
        let child = run_program(&program, scene);
        assert_eq!(child.stdout, *stdout, "stdout of {scene}; stderr:\n{}", child.stderr);
        assert_eq!(child.ended, *ended, "end of {scene}; stderr:\n{}", child.stderr);
    }
}
