//! The part of GUARANTEES.md that is made from the table.

use std::fs;

use crate::table::{Cell, LANGUAGES, Table, root};

/// Where it is set, the file is written instead of compared: by `cargo xtask guarantees`.
const WRITE: &str = "LASTLY_WRITE_GUARANTEES";

const BEGIN: &str =
    "<!-- generated from tests/matrix.json by `cargo xtask guarantees`: do not edit -->";
const END: &str = "<!-- end of what is generated -->";

const LEGEND: &str = "\
## How programs end

Each cell of these tables is a real process, that two tests run and compare with [`tests/matrix.json`](tests/matrix.json): what it prints, how it dies and what it leaves behind (`tests/tests/matrix`,
`python/tests/test_matrix.py`). It has two temporary directories, each tied to an object that lives to the end. A cell says **who removes them**, always the newer first, and **how the process dies**: its
exit status, or the signal.

- *main*: main's thread; *thread*: another one of the program's own, which ends it; *lastly*: a thread that lastly starts for it. *in part*: the newer one is removed, the older is left. **nothing**: both are left.
- The state is that of main's thread when the end comes. *in a thread*: another thread does it, or takes the signal, while main waits for it.
- *in a pause*, *with a backlog*: the objects died just before, and their callbacks wait; for the end of the pause, or for a cleaner's thread, which is in a callback.
- *in a forked child*: it happens in a child, and the cell tells what becomes of the child and its own directories. Its parent's it leaves alone, in each of these cells: they are removed by the parent, when it returns.
- Signals are taken over by `lastly::signals::install()`, in Python by `lastly.install_signals()`; *by default*: they are not.
- –: there is no such cell.
";

const LEGEND_OF_DECLARED: &str = "\
## How programs end that have declared something

The same for declared actions: two directories with files in them, whose removal is declared by `finalize(&object, actions::remove_tree, path)`, in Python `finalize(obj, remove_tree, path)`. A cell says **who removes them**,
and **how the process dies**, whose they are. Beside them is what nobody declared, and in each a link to it: it stays, in each of these cells.

- *itself*: the process, as in the tables above. **guard**: its guard, when it is dead. *nobody*: they are its parent's, who lives; when that returns, it removes them.
- Each cell is played with a guard; without one (`LASTLY_GUARD=0`); and with a guard that is killed together with the process. In the last two, what would be the guard's work stays until there is a sweep (`lastly sweep`), which does it.
- The process: *the creator* has made the directories, and declared them. *a forked child* has not, but its parent; *of its own*: it has made and declared two of its own, too. When it has ended, and the guard or the sweep is done, its
  parent's are there, and go when that returns. But of a group that is killed both die, and all of it is the guards'.
- *children of `multiprocessing`*: three at once, by `fork`, `spawn` and `forkserver`, each with two of its own, and with a guard.
";

#[test]
fn they_show_the_table() {
    let path = root().join("GUARANTEES.md");
    let text = fs::read_to_string(&path).expect("it is there");
    let (before, rest) = text.split_once(BEGIN).expect("GUARANTEES.md marks what is generated");
    let (found, after) = rest.split_once(END).expect("GUARANTEES.md marks what is generated");
    let generated = generate(&Table::read());
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, [before, BEGIN, &generated, END, after].concat()).expect("writable");
    } else {
        assert!(found == generated, "GUARANTEES.md lags behind the table: cargo xtask guarantees");
    }
}

fn generate(table: &Table) -> String {
    let mut text = format!("\n\n{LEGEND}");
    for language in LANGUAGES {
        text += &format!("\n### {language}\n\n{}", grid(table, language, removed));
    }
    text = format!("{text}\n{LEGEND_OF_DECLARED}");
    for language in LANGUAGES {
        let declared = table.declared.as_ref().expect("there is a second table");
        let grid = grid(declared, language, removed_as_declared);
        text += &format!("\n### Declared, in {language}\n\n{grid}");
    }
    text + "\n"
}

/// Who removes what a cell is about.
type Removed = fn(&Cell<'_>) -> String;

/// Endings by states; below, what is to be known of some cells.
fn grid(table: &Table, language: &str, removed: Removed) -> String {
    let states: Vec<_> = table.states(language).map(|(_, shown)| shown).collect();
    let mut lines = vec![
        row(&["ending", &states.join(" | ")]),
        "|---|".to_owned() + &"---|".repeat(states.len()),
    ];
    let mut notes = Vec::new();
    for (endings, marks) in rows(table, language, removed, &mut notes) {
        lines.push(row(&[&endings.join(", "), &marks.join(" | ")]));
    }
    if !notes.is_empty() {
        lines.push(String::new());
    }
    let numbered = notes.iter().enumerate();
    lines.extend(numbered.map(|(index, note)| format!("{} {note}  ", raised(index + 1))));
    lines.join("\n") + "\n"
}

/// The marks of each ending; endings that are alike in all of them together.
fn rows<'a>(
    table: &'a Table,
    language: &str,
    removed: Removed,
    notes: &mut Vec<&'a str>,
) -> Vec<(Vec<&'a str>, Vec<String>)> {
    let cells = table.cells(language);
    let mut rows: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (ending, shown) in table.endings(language) {
        let of_ending = cells.iter().filter(|cell| cell.ending == ending);
        let marks: Vec<_> = of_ending.map(|cell| mark(cell, removed, notes)).collect();
        match rows.last_mut() {
            Some((endings, of_last)) if *of_last == marks => endings.push(shown),
            _ => rows.push((vec![shown], marks)),
        }
    }
    rows
}

fn row(cells: &[&str]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// What became of the directories and of the process; and the number of the note.
fn mark<'a>(cell: &Cell<'a>, removed: Removed, notes: &mut Vec<&'a str>) -> String {
    let row = cell.row;
    let text = match row.none {
        Some(_) => "–".to_owned(),
        None => format!("{}, {}", removed(cell), status(cell)),
    };
    let Some(note) = row.none.as_deref().or(row.note.as_deref()) else { return text };
    let index = notes.iter().position(|it| *it == note).unwrap_or_else(|| {
        notes.push(note);
        notes.len() - 1
    });
    format!("{text} {}", raised(index + 1))
}

fn removed(cell: &Cell<'_>) -> String {
    let child = "child's ";
    let removals = cell.row.stdout.iter().filter_map(|line| line.split_once(" removes "));
    let (of_child, others): (Vec<_>, Vec<_>) =
        removals.partition(|(_, name)| name.starts_with(child));
    let of_cell = if cell.state == "child" {
        assert_eq!(others, [("main", "newer"), ("main", "older")], "the parent's, by the parent");
        of_child
    } else {
        others
    };
    let by: Vec<_> = of_cell.iter().map(|(who, _)| *who).collect();
    let names: Vec<_> = of_cell.iter().map(|(_, name)| name.trim_start_matches(child)).collect();
    assert_eq!(names[..], ["newer", "older"][..names.len()], "the newer first");
    assert!(by.iter().all(|who| *who == by[0]), "by one thread");
    assert_eq!(by.len() + cell.row.left.len(), 2, "each is removed or left");
    match by.len() {
        0 => "**nothing**".to_owned(),
        1 => format!("{} in part", by[0]),
        _ => by[0].to_owned(),
    }
}

fn removed_as_declared(cell: &Cell<'_>) -> String {
    let is_of_child = |name: &&String| name.starts_with("child's ");
    let (of_child, others): (Vec<_>, Vec<_>) = cell.row.left.iter().partition(is_of_child);
    let is_child = cell.state != "creator";
    if is_child {
        assert_eq!(others, ["newer", "older"], "the parent's are left to the parent");
    }
    let is_left = cell.row.after.len();
    assert_eq!(is_left, if is_child && cell.ending != "killpg" { 2 } else { 0 }, "or its guard");
    let left = match cell.state {
        "creator" => others,
        "child" if is_left > 0 => return "nobody".to_owned(),
        "child" => others,
        _ => of_child,
    };
    match left.len() {
        0 => "itself",
        1 => "itself in part, then **guard**",
        _ => "**guard**",
    }
    .to_owned()
}

fn status<'a>(cell: &Cell<'a>) -> &'a str {
    let mut stdout = cell.row.stdout.iter();
    let of_child = stdout.find_map(|line| line.strip_prefix("the child's end: "));
    of_child.unwrap_or(&cell.row.status)
}

/// A number as it stands at a word that has a note.
fn raised(number: usize) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().bytes().map(|digit| digits[usize::from(digit - b'0')]).collect()
}
