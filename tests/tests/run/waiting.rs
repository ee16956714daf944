//! The scenes in which callbacks wait: for the end of a pause, or for a cleaner.

use super::Ended::{Killed, Status};
use super::endings::Ending;

pub(super) const ENDINGS: &[Ending] = &[
    Ending("locked-and-dies", &["locked"], Killed(libc::SIGKILL)),
    Ending("locked-and-dies-in-a-pause", &["died", "cleaned", "main returns"], Status(0)),
    Ending("locked-and-dies-with-a-cleaner", &["died", "cleaned", "main returns"], Status(0)),
    Ending(
        "backlog-and-exit",
        &[
            "newest",
            "dies first, is newer",
            "dies last, is older",
            "oldest",
            "done on the cleaner's thread",
        ],
        Status(3),
    ),
    Ending("backlog-and-return", &["main returns", "newer", "older"], Status(0)),
    Ending("backlog-and-flag-off", &["dead"], Status(0)),
    Ending("backlog-turned-off-in-drain", &["dead"], Status(0)),
    Ending("cleaner-runs-at-exit", &["drained first", "done on the cleaner's thread"], Status(0)),
    Ending("cleaner-hangs-at-exit", &["newest", "waits"], Status(0)),
    Ending("cleaner-hangs-and-budget", &["newest"], Status(3)),
    Ending("cleaner-calls-exit", &["newest", "waits, newer", "waits, older", "oldest"], Status(6)),
    Ending(
        "cleaner-in-drain",
        &[
            "main returns",
            "killed",
            "the cleaner has run all: false",
            "created in the drain",
            "of the cleaner",
            "oldest",
        ],
        Status(0),
    ),
    Ending("blocked-and-exit", &["was blocked", "waits"], Status(0)),
    Ending("backlog-and-panic", &["newer", "older"], Status(101)),
    Ending(
        "backlog-and-signal",
        &["newer", "older", "oldest", "done on the cleaner's thread"],
        Killed(libc::SIGTERM),
    ),
    Ending(
        "backlog-and-fork",
        &[
            "waits in the child: 0",
            "dies on both sides",
            "at the child's exit",
            "the child is gone",
            "waits in the parent",
            "dies on both sides",
            "main returns",
        ],
        Status(0),
    ),
    Ending(
        "full-backlog-and-fork",
        &[
            "of the child",
            "of the child",
            "of the child",
            "the child is gone",
            "of the parent",
            "main returns",
        ],
        Status(0),
    ),
    Ending(
        "fork-on-the-cleaner",
        &[
            "of the child",
            "at the child's exit",
            "the child is gone",
            "waits in the parent",
            "main returns",
        ],
        Status(0),
    ),
    Ending(
        "fork-on-the-cleaner-and-go-on",
        &["at the child's exit", "the child ended with 0", "waits in the parent", "main returns"],
        Status(0),
    ),
    Ending("fork-while-handing-over", &["200 children", "main returns"], Status(0)),
    Ending(
        "backlog-and-daemon",
        &["the heir works", "waits, its flag is off", "waits, older", "oldest"],
        Status(0),
    ),
    Ending(
        "backlog-of-the-heirs-own",
        &["the heir works", "waits in the heir", "waits in the dead"],
        Status(0),
    ),
    Ending(
        "pause-and-exit",
        &["newest", "dies first, is newer", "dies last, is older", "oldest"],
        Status(3),
    ),
    Ending("pause-and-flag-off", &["main returns", "dead"], Status(0)),
    Ending("pause-and-panic", &["panicking", "first", "second", "at exit"], Status(101)),
    Ending(
        "pause-forgotten",
        &["still paused", "main returns", "newer", "older", "oldest"],
        Status(0),
    ),
    Ending("pause-and-signal", &["waits", "oldest"], Killed(libc::SIGTERM)),
    Ending(
        "pause-and-fork",
        &[
            "the child is paused",
            "of the child",
            "the child goes on",
            "the child is gone",
            "of the parent",
            "over",
            "main returns",
        ],
        Status(0),
    ),
    Ending("pause-and-exit-elsewhere", &["waits", "oldest"], Status(4)),
    Ending("exit-at-the-end-of-a-pause", &["first", "second"], Status(6)),
];
