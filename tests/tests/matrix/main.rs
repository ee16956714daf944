//! How programs end, as `tests/matrix.json` tells: its Rust half on real processes; GUARANTEES.md
//! shows that very table, and names no test that is gone. `python/tests/test_matrix.py` has the
//! other half.

mod declared;
mod guarantees;
mod names;
mod play;
mod table;

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use declared::{GUARDS, Guard};
use play::{Ended, play};
use table::{Cell, Table};

/// At once. Most of them wait for each other's processes.
const THREADS: usize = 4;

#[test]
fn every_cell_is_as_the_table_says() {
    let table = Table::read();
    for_each(&table.cells("Rust"), |cell| {
        let ended = play(cell);
        compare(cell, &ended).map_err(|why| format!("{why}\n{ended:#?}"))
    });
}

#[test]
fn every_cell_of_what_is_declared_is_as_the_table_says() {
    let table = Table::read();
    for_each(&table.declared.expect("a second table").cells("Rust"), |cell| {
        GUARDS.into_iter().try_for_each(|guard| {
            let (expected, seen, ended) = declared::play(cell, guard);
            let why = if seen == expected {
                // Where there is no guard, that is told of.
                let is_quiet = guard == Guard::Nowhere;
                let stderr =
                    if is_quiet { Ok(()) } else { compare_stderr(&cell.row.stderr, &ended.stderr) };
                stderr.err()
            } else {
                Some(format!("expected {expected:#?}, seen {seen:#?}"))
            };
            why.map_or(Ok(()), |why| Err(format!("{guard:?}: {why}\n{}", ended.stderr)))
        })
    });
}

/// Plays these cells, some at once. All that is wrong is told.
fn for_each(cells: &[Cell<'_>], play: impl Fn(&Cell<'_>) -> Result<(), String> + Sync) {
    let cells: Vec<_> = cells.iter().filter(|it| it.row.none.is_none()).collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(String::new());
    let work = || {
        // Relaxed: to each its own.
        while let Some(cell) = cells.get(next.fetch_add(1, Relaxed)) {
            if let Err(why) = play(cell) {
                let mut wrong = wrong.lock().expect("no thread panics here");
                writeln!(wrong, "\n{}, {}: {why}", cell.ending, cell.state).expect("memory");
            }
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| _ = scope.spawn(work)));
    let wrong = wrong.into_inner().expect("no thread panics");
    assert!(wrong.is_empty(), "{wrong}");
}

fn compare(cell: &Cell<'_>, ended: &Ended) -> Result<(), String> {
    let expected = cell.stdout();
    if ended.stdout != expected {
        return Err(format!("expected to print {expected:#?}"));
    }
    let expected = cell.status();
    if ended.status != expected {
        return Err(format!("expected to end with {expected}"));
    }
    if ended.left != cell.row.left {
        return Err(format!("expected to leave {:?}", cell.row.left));
    }
    compare_stderr(&cell.row.stderr, &ended.stderr)
}

/// These lines, in this order; others between them, but none of lastly's. Or nothing at all.
fn compare_stderr(patterns: &[String], stderr: &str) -> Result<(), String> {
    let mut patterns = patterns.iter().peekable();
    let quiet = patterns.peek().is_none();
    for line in stderr.lines() {
        if patterns.next_if(|pattern| matches(pattern, line)).is_none()
            && (quiet || line.starts_with("lastly: "))
        {
            return Err(format!("unexpected on stderr: {line}"));
        }
    }
    patterns.next().map_or(Ok(()), |pattern| Err(format!("missing on stderr: {pattern}")))
}

/// `*` is anything.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == line };
    let Some(line) = line.strip_prefix(begin) else { return false };
    (0..=line.len()).filter(|at| line.is_char_boundary(*at)).any(|at| matches(rest, &line[at..]))
}

#[test]
fn what_is_compared_can_differ() {
    let report = "lastly: cleanup of i32 (exit): say panicked: oh";
    let lines = format!("thread panicked\n{report}\n");
    let patterns = |lines: &[&str]| lines.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert_eq!(compare_stderr(&patterns(&["lastly: *oh"]), &lines), Ok(()));
    assert_eq!(compare_stderr(&patterns(&["thread*", report]), &lines), Ok(()));
    assert!(compare_stderr(&patterns(&[]), &lines).is_err());
    assert!(compare_stderr(&patterns(&["thread*"]), &lines).is_err());
    assert!(compare_stderr(&patterns(&["lastly: *no"]), &lines).is_err());
    assert!(compare_stderr(&patterns(&[report, report]), &lines).is_err());
}
