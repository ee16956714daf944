//! Journals that somebody has planted, or that have come here by mistake: nothing is done that they say, and
//! it is told why. Beside them the same, in order: so that the tests can fail.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;

use crate::fixture::{Fixture, is_root};
use crate::journal::{Action, Identity, Journal, REMOVE_FILE, REMOVE_TREE, killed, write};

/// A fixture with a tree in it that is somebody's.
struct Case {
    fixture: Fixture,
    tree: PathBuf,
}

impl Case {
    fn new(name: &str) -> Self {
        let fixture = Fixture::new(&format!("planted-{name}"));
        let tree = fixture.folder.join("somebody's");
        fs::create_dir(&tree).expect("room");
        fs::write(tree.join("file"), "canary").expect("room");
        Self { fixture, tree }
    }

    /// The journal of a dead process that has declared that tree.
    fn journal(&self) -> Journal {
        Journal::of_the_dead(vec![Action::of(&self.tree).record(1)])
    }

    fn journal_with(&self, change: impl FnOnce(&mut Action)) -> Journal {
        let mut action = Action::of(&self.tree);
        change(&mut action);
        Journal::of_the_dead(vec![action.record(1)])
    }

    fn is_whole(&self) -> bool {
        fs::read_to_string(self.tree.join("file")).is_ok_and(|it| it == "canary")
    }

    /// Sweeps, twice, and sees that nothing was done; what was said must have all these in it.
    fn expect_left_alone(self, status: i32, said: &[&str]) {
        let at_first = self.fixture.lastly(&["sweep"]);
        let told =
            String::from_utf8_lossy(&at_first.stdout) + String::from_utf8_lossy(&at_first.stderr);
        let name = self.fixture.folder.display();
        assert_eq!(at_first.status.code(), Some(status), "{name}: {told}");
        for word in said {
            assert!(told.contains(word), "{name}: {told}");
        }
        assert!(self.is_whole(), "{name}: {told}");
        for verb in [&["sweep"][..], &["sweep", "--dry-run"], &["status"], &["status", "--json"]] {
            let output = self.fixture.lastly(verb);
            assert!(output.status.code().is_some_and(|it| it <= 1), "{name}: {output:?}");
            assert!(self.is_whole(), "{name}: {output:?}");
        }
        self.clear();
    }

    /// Sweeps, and sees that it was done.
    fn expect_done(self, arguments: &[&str]) {
        let output = self.fixture.lastly(&[&["sweep"], arguments].concat());
        assert!(output.status.success(), "{}: {output:?}", self.fixture.folder.display());
        assert!(!self.tree.exists(), "{}: {output:?}", self.fixture.folder.display());
        self.clear();
    }

    fn clear(self) {
        fs::remove_dir_all(self.fixture.journals()).expect("ours");
        fs::create_dir(self.fixture.journals()).expect("room");
        self.fixture.clear();
    }
}

#[test]
fn in_order_it_expect_done() {
    let case = Case::new("in-order");
    case.journal().plant(&case.fixture);
    case.expect_done(&[]);
    let case = Case::new("in-order-unknown");
    case.journal_with(|it| it.identity = None).plant(&case.fixture);
    case.expect_done(&[]);
}

#[test]
fn others_may_have_written_it() {
    for (name, mode) in [("group", 0o640), ("other", 0o604), ("written", 0o620)] {
        let case = Case::new(name);
        let path = case.journal().plant(&case.fixture);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
        case.expect_left_alone(0, &["not trusted: it is open to others"]);
    }
    let case = Case::new("hard-link");
    let path = case.journal().plant(&case.fixture);
    fs::hard_link(path, case.fixture.folder.join("another name")).expect("room");
    case.expect_left_alone(0, &["not trusted", "hard link"]);

    let case = Case::new("symlink");
    let journal = case.journal();
    let elsewhere = case.fixture.folder.join("journal");
    write(&elsewhere, &journal.bytes(&elsewhere));
    symlink(elsewhere, case.fixture.journals().join(journal.name())).expect("room");
    case.expect_left_alone(0, &["not trusted", "symbolic link"]);

    // As out of a backup: what it says may have been given up since.
    let case = Case::new("copy");
    let path = case.journal().plant(&case.fixture);
    let copy = path.with_extension("copy");
    fs::copy(&path, &copy).and_then(|_| fs::rename(copy, path)).expect("room");
    case.expect_left_alone(0, &["a copy of another file"]);

    let case = Case::new("no-file");
    fs::create_dir(case.fixture.journals().join(case.journal().name())).expect("room");
    case.expect_left_alone(0, &["not trusted", "no file"]);

    if is_root() {
        let case = Case::new("user");
        let path = case.journal().plant(&case.fixture);
        chown(path, Some(4_321), None).expect("root may");
        case.expect_left_alone(0, &["not trusted: it belongs to another user"]);
    }
}

#[test]
fn others_can_write_to_the_directory() {
    for mode in [0o770, 0o707, 0o777, 0o1777, 0o750] {
        let case = Case::new(&format!("directory-{mode:o}"));
        case.journal().plant(&case.fixture);
        fs::set_permissions(case.fixture.journals(), Permissions::from_mode(mode)).expect("ours");
        case.expect_left_alone(1, &["open to others"]);
    }
    let case = Case::new("above");
    case.journal().plant(&case.fixture);
    fs::set_permissions(&case.fixture.folder, Permissions::from_mode(0o777)).expect("ours");
    case.expect_left_alone(1, &["others can write to"]);
    if is_root() {
        let case = Case::new("directory-user");
        case.journal().plant(&case.fixture);
        chown(case.fixture.journals(), Some(4_321), None).expect("root may");
        case.expect_left_alone(1, &["belongs to another user"]);
    }
}

#[test]
fn its_owner_is_not_known_to_be_dead() {
    let case = Case::new("alive");
    let mut journal = Journal::of(std::process::id(), case.journal().records);
    journal.plant(&case.fixture);
    case.expect_left_alone(0, &["0 done"]);

    let case = Case::new("machine");
    journal = case.journal();
    (journal.machine, journal.boot) = (7, 8);
    journal.plant(&case.fixture);
    case.expect_left_alone(0, &["on another machine"]);

    let case = Case::new("unknown-machine");
    journal = case.journal();
    (journal.machine, journal.boot) = (0, 8);
    journal.plant(&case.fixture);
    case.expect_left_alone(0, &["on a machine without a name"]);

    for (name, pids) in [("pids", true), ("times", false)] {
        let case = Case::new(name);
        journal = case.journal();
        *(if pids { &mut journal.pids } else { &mut journal.times }) += 1;
        journal.plant(&case.fixture);
        case.expect_left_alone(0, &["in another container"]);
    }
    let case = Case::new("pids-trusted");
    journal = case.journal();
    journal.pids += 1;
    journal.plant(&case.fixture);
    case.expect_done(&["--trust-locks"]);

    // A container that was started anew twice, and each time has declared the same.
    let case = Case::new("pids-twice");
    for _ in 0..2 {
        journal = case.journal();
        journal.pids += 1;
        journal.plant(&case.fixture);
    }
    case.expect_done(&["--trust-locks"]);
}

/// What has that number here is another process, though it started at the same moment.
#[test]
fn a_process_of_another_container_is_not_killed() {
    let case = Case::new("pids-process");
    let mut process = Command::new("sleep").arg("60").spawn().expect("it is there");
    let started = Journal::of(process.id(), vec![]).started;
    let mut journal = Journal::of_the_dead(vec![killed(process.id(), started)]);
    journal.pids += 1;
    let planted = journal.plant(&case.fixture);
    let output = case.fixture.lastly(&["sweep", "--trust-locks"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("something else here"), "{output:?}");
    assert!(process.try_wait().expect("it is ours").is_none(), "{output:?}");
    fs::remove_file(planted).expect("it is stuck, and stays");
    // The same, of this one: so the test can fail.
    Journal::of_the_dead(vec![killed(process.id(), started)]).plant(&case.fixture);
    case.fixture.lastly(&["sweep"]);
    assert_eq!(process.wait().expect("it is ours").signal(), Some(9));
    case.clear();
}

#[test]
fn the_machine_was_booted_since() {
    let other_boot = |journal: &Journal| Journal { boot: journal.boot ^ 1, ..journal.clone() };
    let case = Case::new("boot-unsynced");
    other_boot(&case.journal()).plant(&case.fixture);
    case.expect_left_alone(0, &["not written through"]);
    let case = Case::new("boot-unsynced-wanted");
    other_boot(&case.journal()).plant(&case.fixture);
    case.expect_done(&["--unsynced"]);
    let case = Case::new("boot-synced");
    other_boot(&case.journal_with(|it| it.synced = true)).plant(&case.fixture);
    case.expect_done(&[]);
    // The number of a device means nothing then, but that of the file does.
    let case = Case::new("boot-device");
    other_boot(&case.journal_with(|it| {
        it.synced = true;
        it.parent.0 += 1;
        it.identity.as_mut().expect("known").0 += 1;
    }))
    .plant(&case.fixture);
    case.expect_done(&[]);
    let case = Case::new("boot-inode");
    other_boot(&case.journal_with(|it| {
        it.synced = true;
        it.identity.as_mut().expect("known").1 += 1;
    }))
    .plant(&case.fixture);
    case.expect_left_alone(0, &["another is in its place"]);
    // What was in memory is gone: what has its name by now is another's.
    let case = Case::new("boot-memory");
    other_boot(&case.journal_with(|it| (it.synced, it.in_memory) = (true, true)))
        .plant(&case.fixture);
    case.expect_left_alone(0, &["the boot of the machine has done it", "1 done, 0 left"]);
}

#[test]
fn another_version_has_written_it() {
    let foreign = &["written by another version"];
    let case = Case::new("version");
    Journal { version: 2, ..case.journal() }.plant(&case.fixture);
    case.expect_left_alone(0, foreign);
    let case = Case::new("action");
    case.journal_with(|it| it.code = 99).plant(&case.fixture);
    case.expect_left_alone(0, foreign);
    let case = Case::new("record");
    let mut journal = case.journal();
    journal.records.push(crate::journal::Record { kind: 99, entry: 1, body: vec![] });
    journal.plant(&case.fixture);
    case.expect_left_alone(0, foreign);
    let case = Case::new("longer");
    journal = case.journal();
    journal.records[0].body.push(0);
    journal.plant(&case.fixture);
    case.expect_left_alone(0, foreign);
}

#[test]
fn it_was_changed() {
    let damaged = &["damaged at byte"];
    let case = Case::new("number");
    let journal = case.journal();
    // Its records are another journal's.
    let path = case.fixture.journals().join(journal.name());
    let mut bytes = journal.bytes(&path);
    let other = Journal { number: journal.number ^ 1, ..journal.clone() }.bytes(&path);
    let header = Journal { records: vec![], ..journal.clone() }.bytes(&path).len();
    bytes[..header].copy_from_slice(&other[..header]);
    write(&path, &bytes);
    case.expect_left_alone(0, damaged);

    let case = Case::new("twice");
    let journal = case.journal();
    let path = case.fixture.journals().join(journal.name());
    let mut bytes = journal.bytes(&path);
    bytes.extend_from_within(header..);
    write(&path, &bytes);
    case.expect_left_alone(0, damaged);

    let case = Case::new("never-declared");
    let mut journal = case.journal();
    journal.records.push(crate::journal::cancelled(2));
    journal.plant(&case.fixture);
    case.expect_left_alone(0, damaged);
}

#[test]
fn what_it_names_is_not_what_was_declared() {
    let replaced = &["not touched: another is in its place"];
    let case = Case::new("inode");
    case.journal_with(|it| it.identity.as_mut().expect("known").1 += 1).plant(&case.fixture);
    case.expect_left_alone(0, replaced);
    let case = Case::new("birth");
    case.journal_with(|it| it.identity.as_mut().expect("known").2 += 1).plant(&case.fixture);
    case.expect_left_alone(0, replaced);
    let case = Case::new("parent");
    case.journal_with(|it| it.parent.1 += 1).plant(&case.fixture);
    case.expect_left_alone(0, replaced);
    let case = Case::new("older");
    case.journal_with(|it| (it.identity, it.declared) = (None, it.declared + 1))
        .plant(&case.fixture);
    case.expect_left_alone(0, replaced);
}

/// Declared before it was made, and made so much later that it may be another's: who knows that it is not, says so.
#[test]
fn what_it_names_may_be_what_was_declared() {
    const MINUTE: i64 = 60_000_000_001;
    let planted = |name| {
        let case = Case::new(name);
        case.journal_with(|it| (it.identity, it.declared) = (None, it.declared - MINUTE))
            .plant(&case.fixture);
        case
    };
    planted("younger").expect_left_alone(1, &["STUCK", "made long after it was declared"]);
    // If a living process has declared it since, it is that one's.
    let case = planted("younger-taken-over");
    let living = Journal::of(std::process::id(), vec![Action::of(&case.tree).record(1)]);
    let living = living.plant(&case.fixture);
    let told = case.fixture.sweep(&[]);
    assert!(told[1].ends_with("a living process has declared the same"), "{told:?}");
    assert!(case.is_whole());
    fs::remove_file(living).expect("ours");
    case.clear();
    let case = planted("younger-forced");
    case.fixture.sweep(&[]);
    let told = case.fixture.sweep(&[]);
    assert_eq!(told.last().map(String::as_str), Some("0 done, 1 left, 0 failed."));
    let status = case.fixture.lastly(&["status"]).stdout;
    let status = String::from_utf8(status).expect("text");
    let id = status.lines().nth(1).and_then(|line| line.split(' ').next()).expect("it is shown");
    let forced = case.fixture.lastly(&["force", id]);
    assert!(forced.status.success() && !case.tree.exists(), "{status}: {forced:?}");
    case.clear();
}

#[test]
fn its_paths_lead_astray() {
    let case = Case::new("root");
    case.journal_with(|it| it.path = "/".into()).plant(&case.fixture);
    case.expect_left_alone(1, &["not a path that was declared"]);

    let case = Case::new("relative");
    case.journal_with(|it| it.path = "somebody's".into()).plant(&case.fixture);
    case.expect_left_alone(0, &["written by another version"]);

    let case = Case::new("dots");
    let path = case.fixture.folder.join("place/../somebody's");
    case.journal_with(|it| it.path = path).plant(&case.fixture);
    case.expect_left_alone(1, &["not a path that was declared"]);

    let case = Case::new("link-above");
    let link = case.fixture.folder.join("link");
    symlink(&case.fixture.folder, &link).expect("room");
    case.journal_with(|it| it.path = link.join("somebody's")).plant(&case.fixture);
    case.expect_left_alone(0, &["not touched"]);

    let case = Case::new("link");
    let link = case.fixture.folder.join("link");
    symlink(&case.tree, &link).expect("room");
    let of_link = Identity::of(&link);
    case.journal_with(|it| (it.path, it.identity) = (link, Some(of_link))).plant(&case.fixture);
    case.expect_left_alone(1, &["STUCK", "it is a symbolic link"]);
}

#[test]
fn what_it_says_is_refused() {
    let case = Case::new("tree-as-file");
    case.journal_with(|it| it.code = REMOVE_FILE).plant(&case.fixture);
    case.expect_left_alone(1, &["STUCK", "it is a directory"]);

    let case = Case::new("file-as-tree");
    let file = case.tree.join("file");
    let mut action = Action::of(&file);
    action.code = REMOVE_TREE;
    Journal::of_the_dead(vec![action.record(1)]).plant(&case.fixture);
    case.expect_left_alone(1, &["STUCK", "it is not a directory"]);

    if is_root() {
        let case = Case::new("foreign-tree");
        chown(&case.tree, Some(4_321), None).expect("root may");
        case.journal().plant(&case.fixture);
        case.expect_left_alone(1, &["STUCK", "it belongs to user 4321"]);
    }
}

#[test]
fn it_says_the_same_twice() {
    let case = Case::new("duplicates");
    let action = Action::of(&case.tree);
    let records = vec![action.record(1), action.record(2), action.record(1)];
    Journal::of_the_dead(records.clone()).plant(&case.fixture);
    Journal::of_the_dead(records).plant(&case.fixture);
    case.expect_done(&[]);
    // What somebody living has declared is that one's.
    let case = Case::new("taken-over");
    case.journal().plant(&case.fixture);
    Journal::of(std::process::id(), case.journal().records).plant(&case.fixture);
    case.expect_left_alone(0, &["a living process has declared the same"]);
}
