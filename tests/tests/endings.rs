//! Every ending of a program, on real processes: exact output, exact status.
//!
//! GUARANTEES.md tells in words what the table below demands.

mod run;

use std::path::Path;

use run::{Ended, run, run_program, run_program_with, run_within};

/// One ending: its scene, what the program prints to stdout, and how it dies.
struct Ending(&'static str, &'static [&'static str], Ended);

use Ended::{Killed, Status};

const ENDINGS: &[Ending] = &[
    Ending("return", &["main returns", "second", "first"], Status(0)),
    Ending("exit", &["second", "first"], Status(3)),
    Ending("exit-on-thread", &["from the thread", "from main"], Status(4)),
    Ending("panic", &["first"], Status(101)),
    Ending("panic-with-locals", &["local", "leaked"], Status(101)),
    Ending("abort", &[], Killed(libc::SIGABRT)),
    Ending("_exit", &[], Status(5)),
    Ending("sigterm", &[], Killed(libc::SIGTERM)),
    Ending(
        "order-over-threads",
        &[
            "main returns",
            "8 another thread",
            "7 main",
            "6 thread",
            "5 main",
            "4 thread",
            "3 main",
            "2 thread",
            "1 main",
        ],
        Status(0),
    ),
    Ending("at-exit-off", &["main returns", "newest", "oldest"], Status(0)),
    Ending("turned-off-in-drain", &["main returns", "newest", "oldest"], Status(0)),
    Ending(
        "turned-on-in-drain",
        &["main returns", "turning on", "passed over, two", "passed over, one", "oldest"],
        Status(0),
    ),
    Ending(
        "registers-in-drain",
        &[
            "main returns",
            "newest",
            "registering",
            "registered second",
            "registered first",
            "oldest",
        ],
        Status(0),
    ),
    Ending("endless-registration", &["main returns", "the last generation", "oldest"], Status(0)),
    Ending("calls-and-detaches-in-drain", &["main returns", "called", "done"], Status(0)),
    Ending(
        "object-dies-in-drain",
        &["main returns", "died with its object", "killed it"],
        Status(0),
    ),
    Ending("spawns-and-joins-in-drain", &["main returns", "on a thread", "oldest"], Status(0)),
    Ending("failures-in-drain", &["main returns", "newest", "middle", "oldest"], Status(0)),
    Ending("hook-panics-in-drain", &["main returns", "oldest"], Status(0)),
    Ending(
        "exit-in-callback",
        &["newest of the object", "oldest of the object", "elsewhere"],
        Status(6),
    ),
    Ending("exit-in-call", &["of the object", "elsewhere"], Status(6)),
    Ending(
        "exit-in-value-drop",
        &["exiting", "newest of the object", "oldest of the object", "elsewhere"],
        Status(7),
    ),
    Ending("exit-in-drain", &["main returns", "newest"], Killed(libc::SIGABRT)),
    Ending("exit-in-peek", &["elsewhere"], Status(9)),
    Ending("running-elsewhere", &["drained first", "finished elsewhere"], Status(0)),
    Ending("hanging-elsewhere", &["drained"], Status(0)),
    Ending("registers-elsewhere", &["registered elsewhere"], Status(0)),
    Ending("busy-threads", &["oldest"], Status(0)),
    Ending("hand-drain-and-return", &["main returns", "slow", "older", "oldest"], Status(0)),
    Ending("exit-in-peek-off", &[], Status(9)),
    Ending("count-to-clock", &["main returns", "newest", "newer", "older", "oldest"], Status(0)),
    Ending("come-and-go", &["grown by 0", "main returns"], Status(0)),
    Ending("late", &["main returns", "first", "oldest", "second"], Status(0)),
    Ending("late-and-peeked", &["main returns", "run by the peeker"], Status(0)),
    Ending(
        "reported-by-hand-drain",
        &["main returns", "reported: was not finished when the program ended"],
        Status(0),
    ),
    Ending("peeked-elsewhere", &["looked", "run by the peeker"], Status(0)),
    Ending(
        "door-shut",
        &[
            "main returns",
            "drained",
            "alive: true",
            "ran: false",
            "alive: false",
            "detached: true",
            "over",
        ],
        Status(0),
    ),
    Ending("drain-by-hand", &["first", "drained"], Status(0)),
    Ending("leaked-cycle", &["main returns", "of the cycle"], Status(0)),
    Ending("rust-cc-cycle", &["main returns", "newer", "of the cycle"], Status(0)),
    Ending("dumpster-cycle", &["main returns", "of the cycle", "newer, but later"], Status(0)),
    Ending("static", &["main returns", "of the static"], Status(0)),
    Ending("forgotten-guard", &["main returns", "forgotten"], Status(0)),
    Ending("thread-local", &["main returns", "of the thread-local", "newer, but later"], Status(0)),
    Ending("guards-and-exit", &["second", "first"], Status(0)),
    Ending("exit-while-creating", &["unaccounted for: 0", "some came too late: true"], Status(0)),
    Ending("half-fail", &["ran: 50000", "reported: 50000"], Status(0)),
    Ending("panics-with-anything", &["main returns", "newest", "oldest"], Status(0)),
    Ending("out-of-memory", &["main returns", "newest", "oldest"], Status(0)),
    Ending("out-of-memory-and-abort", &["main returns", "newest"], Killed(libc::SIGABRT)),
    Ending("main-holds-a-lock", &["newest", "locked elsewhere: true", "oldest"], Status(3)),
    Ending("callback-wants-mains-lock", &["newest"], Status(3)),
    Ending("self-capture", &["not dead", "main returns", "it is 1"], Status(0)),
    Ending(
        "fork",
        &["of the child", "the child is gone", "main returns", "of the parent"],
        Status(0),
    ),
    Ending(
        "fork-object-dies",
        &["called", "object died", "the child is gone", "called", "object died", "main returns"],
        Status(0),
    ),
    Ending(
        "fork-busy-survivor",
        &["done in the child", "main returns", "of the parent"],
        Status(0),
    ),
    Ending(
        "fork-in-drain",
        &[
            "main returns",
            "newest, of the parent",
            "of the child",
            "the child ended with 0",
            "oldest, of the parent",
        ],
        Status(0),
    ),
    Ending("fork-while-creating", &["200 children", "main returns"], Status(0)),
    Ending(
        "fork-while-draining",
        &["of the child", "the child is gone", "main returns"],
        Status(0),
    ),
    Ending(
        "gc-exit-in-drop",
        &["exiting", "5, due", "4, elsewhere", "3, due", "2, due", "oldest, elsewhere"],
        Status(7),
    ),
    Ending(
        "gc-exit-in-callback",
        &[
            "dropped",
            "newest of the node",
            "6, elsewhere",
            "4, due",
            "3, elsewhere",
            "2, due",
            "oldest, elsewhere",
        ],
        Status(6),
    ),
    Ending(
        "gc-exit-in-both",
        &["exiting", "3, of the inner", "2, of the outer", "1, of the inner"],
        Status(7),
    ),
    Ending(
        "gc-exit-in-death",
        &["of the list", "of the list", "of the list", "elsewhere"],
        Status(8),
    ),
    Ending("gc-exit-where-deaths-wait", &["of the lists"; 101], Status(8)),
    Ending("gc-exit-on-thread", &["dropped", "due", "of main"], Status(6)),
    Ending("gc-exit-at-thread-end", &["dropped", "due", "of main"], Status(6)),
    Ending("gc-reachable", &["main returns", "newest", "of the circle", "oldest"], Status(0)),
    Ending(
        "gc-garbage-and-return",
        &[
            "main returns",
            "dropped",
            "of the circle",
            "newer than the circle",
            "older than the circle",
        ],
        Status(0),
    ),
    Ending(
        "gc-garbage-and-exit",
        &["dropped", "of the circle", "newer than the circle", "older than the circle"],
        Status(3),
    ),
    Ending(
        "gc-garbage-and-exit-elsewhere",
        &["newer than the circle", "of the circle", "older than the circle"],
        Status(3),
    ),
    Ending(
        "gc-garbage-and-panic",
        &[
            "the held one dropped",
            "of the held one",
            "dropped",
            "of the circle",
            "newer than the circle",
            "older than the circle",
        ],
        Status(101),
    ),
    Ending(
        "gc-thread-local",
        &["first", "main returns", "dropped", "of the thread-local", "newer, but later"],
        Status(0),
    ),
    Ending(
        "gc-leaked-by-a-thread",
        &["alive: true", "main returns", "newest", "of the thread", "oldest"],
        Status(0),
    ),
    Ending(
        "gc-in-drain",
        &[
            "main returns",
            "first",
            "newest",
            "dropped in the drain",
            "newer of the drain",
            "older of the drain",
            "upgrades: false",
            "end of the list",
        ],
        Status(0),
    ),
    Ending(
        "gc-fork-in-callback",
        &[
            "dropped",
            "newest of the circle",
            "of the child",
            "oldest of the circle",
            "main returns",
            "of the parent",
        ],
        Status(0),
    ),
    Ending(
        "gc-fork-in-drop",
        &["of the child", "the child is gone", "of the circle", "main returns"],
        Status(0),
    ),
    Ending(
        "gc-child-goes-on",
        &[
            "dropped",
            "of the circle",
            "collected in the child: 1",
            "own dropped",
            "own",
            "main returns",
            "dropped",
            "of the circle",
        ],
        Status(0),
    ),
    Ending("gc-come-and-go", &["grown by 0"], Status(0)),
    Ending("fork-in-first-finalize", &["300 children", "main returns"], Status(0)),
    Ending("no-thread-left", &["at exit"], Killed(libc::SIGTERM)),
    Ending("deep-callback", &["3000 levels"], Killed(libc::SIGTERM)),
    Ending("main-returns-and-callback-exits", &["main returns"], Killed(libc::SIGTERM)),
    Ending("installs-at-once", &["hangs"], Killed(libc::SIGTERM)),
    Ending("signal-and-budget", &[], Killed(libc::SIGTERM)),
    Ending("signal-to-main-while-another-exits", &["oldest"], Killed(libc::SIGTERM)),
    Ending(
        "budget-of-a-drain-that-was-taken-over",
        &["oldest", "older than lastly's hook"],
        Status(3),
    ),
    Ending("child-of-what-overran", &["the child ended with 3"], Status(3)),
    Ending("hand-drain-outlasts-wait", &["main returns"], Status(0)),
    Ending("hook-registers-late", &["main returns", "at exit", "1 calls of the hook"], Status(0)),
    Ending("fork-beside-set-var", &["main returns", "at exit"], Status(0)),
    Ending(
        "stranger-forks",
        &["its child has ended", "main returns", "run by the owner"],
        Status(0),
    ),
    Ending("skipped-is-not-inherited", &["the child has ended"], Status(1)),
    Ending("generations", &["grown by 0", "of the first, by the last"], Status(0)),
    Ending("signal-to-itself", &["newest", "oldest"], Killed(libc::SIGTERM)),
    Ending("second-signal", &["newest", "hangs"], Killed(libc::SIGINT)),
    Ending("signal-in-drain", &["oldest"], Killed(libc::SIGTERM)),
    Ending("exit-in-signal-drain", &["oldest"], Killed(libc::SIGHUP)),
    Ending("ignored-stays-ignored", &["main returns", "at exit"], Status(0)),
    Ending("handler-stays", &["its own handler", "main returns", "at exit"], Status(0)),
    Ending("later-handler-replaces", &["its own handler", "main returns", "at exit"], Status(0)),
    Ending(
        "pre-forking-server",
        &[
            "of a worker",
            "a worker ended with 15",
            "of a worker",
            "a worker ended with 15",
            "of a worker",
            "a worker ended with 15",
            "of the master",
        ],
        Killed(libc::SIGTERM),
    ),
    Ending(
        "child-of-signal-drain",
        &["of the child", "the child ended with 15", "of the parent"],
        Killed(libc::SIGTERM),
    ),
    Ending("budget-between", &[], Status(3)),
    Ending("hook-hangs", &[], Status(3)),
    Ending("budget-and-hang", &["newest"], Status(3)),
    Ending("daemon", &["the daemon works", "created by the daemon", "created before"], Status(0)),
    Ending("daemon-and-sigterm", &["the daemon works", "created before"], Status(0)),
    Ending("heir-of-killed", &["the heir works", "of the killed"], Killed(libc::SIGKILL)),
    Ending(
        "heir-with-own",
        &["newest, of the heir", "newer, of the heir", "older, of the dead", "oldest, of the dead"],
        Status(0),
    ),
    Ending(
        "several-children",
        &["the first child", "the last child", "of the dead, by the last child"],
        Status(0),
    ),
    Ending("owner-alive", &["the child ends first", "main returns", "of the parent"], Status(0)),
    Ending("owner-drained", &["of the parent", "the child ends last"], Status(0)),
    Ending("owner-ran-one", &["run by the parent", "the child ends last"], Status(0)),
    Ending("owner-gave-one-back", &["the child ends last"], Status(0)),
    Ending(
        "owner-ran-a-newer-one",
        &["of the parent, newer than the child", "the heir works", "of the parent, by the heir"],
        Status(0),
    ),
    Ending("child-ran-one", &["called in the child", "of the parent, by the heir"], Status(0)),
    Ending("grandchild-of-heir", &["of the third", "of the second", "of the first"], Status(0)),
    Ending(
        "grandchild-of-another",
        &[
            "the grandchild works",
            "of the second",
            "the last child works",
            "of the first, by its last child",
        ],
        Status(0),
    ),
    Ending("last-child-execs", &["the first child"], Status(0)),
    Ending(
        "stranger",
        &["the stranger ended with 0", "main returns", "run by the parent"],
        Status(0),
    ),
];

#[test]
fn every_ending_is_as_promised() {
    for Ending(scene, stdout, ended) in ENDINGS {
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
        ("budget-and-hang", &["(exit)", "(exit)", "(exit)"]),
        ("callback-wants-mains-lock", &["(exit)", "(exit)"]),
        ("budget-between", &["(exit)"]),
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
