//! What living processes have declared is theirs, whatever a dead one said of it.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::UNIX_EPOCH;

use lastly_tests::crash::resource::{Kind, Resource, place};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::fixture::{Fixture, PUPPET, Puppet, await_that, is_alive, kill_one, lastly};
use crate::journal::{Action, Journal, Record, killed};

/// A fixture, and where in it are the things that are declared.
struct Case {
    fixture: Fixture,
    place: PathBuf,
}

impl Case {
    fn new(name: &str) -> Self {
        let fixture = Fixture::new(&format!("living-{name}"));
        let place = fixture.folder.join("place");
        Self { fixture, place }
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.place.join(name);
        fs::File::create_new(&path).expect("room");
        path
    }

    /// Many files, and the records that declare them.
    fn files(&self, name: &str, count: u64) -> (Vec<PathBuf>, Vec<Record>) {
        let files: Vec<_> = (0..count).map(|it| self.file(&format!("{name}-{it}"))).collect();
        let records = files.iter().zip(1..).map(|(file, id)| Action::of(file).record(id)).collect();
        (files, records)
    }

    /// By what `lastly force` knows what the only dead process has left.
    fn only_id(&self) -> String {
        let status = self.fixture.lastly(&["status"]);
        let said = String::from_utf8(status.stdout).expect("text");
        let left = said.lines().find(|line| line.contains(", dead")).expect("one is left");
        left.split(' ').next().expect("a word").to_owned()
    }

    fn sweep(&self) -> Child {
        Command::new(lastly())
            .arg("sweep")
            .env("LASTLY_JOURNALS", self.fixture.journals())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was built")
    }

    /// This process has planted journals of its own: those do not go.
    fn clear(self) {
        fs::remove_dir_all(self.fixture.journals()).expect("ours");
        fs::create_dir(self.fixture.journals()).expect("room");
        self.fixture.clear();
    }
}

/// How many bytes a process has read that has ended, and that nobody has waited for yet.
fn bytes_read_by(ended: &Child) -> u64 {
    let process = Pid::from_raw(ended.id().cast_signed());
    waitid(Id::Pid(process), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("it is ours");
    let told = fs::read_to_string(format!("/proc/{process}/io")).expect("the kernel counts");
    let read = told.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("told");
    read.parse().expect("a number")
}

#[test]
fn a_sweep_of_many_reads_each_journal_a_few_times() {
    let case = Case::new("many");
    let (files, dead) = case.files("dead", 300);
    let (kept, living) = case.files("living", 300);
    let journals = [Journal::of_the_dead(dead), Journal::of(std::process::id(), living)]
        .map(|journal| journal.plant(&case.fixture));
    let length = |path: &PathBuf| fs::metadata(path).expect("it is there").len();
    let length: u64 = journals.iter().map(length).sum();
    let mut sweep = case.sweep();
    let mut said = String::new();
    sweep.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    let read = bytes_read_by(&sweep);
    assert!(sweep.wait().expect("it is ours").success(), "{said}");
    assert!(read < 10 * length, "{read} bytes, of {length}");
    assert!(!files.iter().any(|it| it.exists()));
    assert!(kept.iter().all(|it| it.exists()));
    case.clear();
}

#[test]
fn what_is_declared_while_a_sweep_goes_on_is_its_owners() {
    let case = Case::new("meanwhile");
    // More than a pipe has room for, by what is said of them.
    let (files, dead) = case.files("dead", 2_000);
    Journal::of_the_dead(dead).plant(&case.fixture);
    let (_, mut records) = case.files("living", 1);
    let mut living = Journal::of(std::process::id(), records.clone());
    let path = living.plant(&case.fixture);
    let mut sweep = case.sweep();
    let (oldest, newest) = (&files[0], files.last().expect("some"));
    await_that("it has begun", || !newest.exists());
    // It waits for somebody to listen.
    records.push(Action::of(oldest).record(2));
    let was = living.bytes(&path).len();
    living.records = records;
    append(&path, &living.bytes(&path)[was..]);
    let mut said = String::new();
    sweep.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    assert!(sweep.wait().expect("it is ours").success(), "{said}");
    assert!(oldest.exists(), "{said}");
    assert!(said.contains("a living process has declared the same"), "{said}");
    assert!(!files[1..].iter().any(|it| it.exists()), "{said}");
    case.clear();
}

/// A worker has a temporary directory in that of who has started it, and goes on without that one.
#[test]
fn what_is_in_a_temporary_directory_of_a_dead_one_holds_that_up() {
    let case = Case::new("inside");
    let mut owner = case.fixture.puppet();
    let outer = PathBuf::from(owner.tell(&format!("temporary {}", case.place.display())));
    let alone = PathBuf::from(owner.tell(&format!("temporary {}", case.place.display())));
    let mut worker = case.fixture.puppet();
    let inner = PathBuf::from(worker.tell(&format!("temporary {}", outer.display())));
    fs::write(inner.join("file"), "the worker's").expect("room");
    owner.kill();
    await_that("its guard has done what it can", || case.fixture.guards().len() == 1);
    assert!(!alone.exists(), "nobody has anything in it");
    assert!(inner.join("file").exists());
    let swept = case.fixture.lastly(&["sweep"]);
    assert!(String::from_utf8_lossy(&swept.stdout).contains("something in it"), "{swept:?}");
    assert!(inner.join("file").exists());
    worker.kill();
    await_that("its guard has done it", || case.fixture.guards().is_empty());
    assert!(!inner.exists());
    assert!(case.fixture.lastly(&["sweep"]).status.success());
    assert!(!outer.exists());
    case.clear();
}

/// The worker of a service that lives is killed: what it has made in the service's does not wait for that.
#[test]
fn a_temporary_directory_in_what_is_a_living_ones_goes() {
    let case = Case::new("around-temporary");
    let mut service = case.fixture.puppet();
    let outer = PathBuf::from(service.tell(&format!("temporary {}", case.place.display())));
    let mut worker = case.fixture.puppet();
    let inner = PathBuf::from(worker.tell(&format!("temporary {}", outer.display())));
    worker.kill();
    await_that("its guard has done it", || case.fixture.guards().len() == 1);
    assert!(!inner.exists() && outer.exists());
    service.kill();
    case.fixture.await_end();
    assert!(!outer.exists());
    case.clear();
}

/// The guard of the master waits for that worker no longer than two seconds: when that one ends, its guard sees to
/// what it has held up.
#[test]
fn what_a_living_one_has_held_up_goes_when_that_ends() {
    let case = Case::new("held-up");
    let sweeps = [("LASTLY_SWEEP", "")];
    let mut master = case.fixture.puppet_where(&[], &sweeps);
    let outer = PathBuf::from(master.tell(&format!("temporary {}", case.place.display())));
    let mut worker = case.fixture.puppet_where(&[], &sweeps);
    let inner = PathBuf::from(worker.tell(&format!("temporary {}", outer.display())));
    master.kill();
    await_that("its guard gives up", || case.fixture.guards().len() == 1);
    assert!(inner.exists());
    let status = String::from_utf8(case.fixture.lastly(&["status"]).stdout).expect("text");
    assert!(status.contains(" is unsure: something in it is a living process's"), "{status}");
    // Long ago.
    let mark = fs::File::options().write(true).open(case.fixture.journals().join("sweep"));
    mark.and_then(|mark| mark.set_modified(UNIX_EPOCH)).expect("it has swept when it began");
    worker.kill();
    case.fixture.await_end();
    assert!(!outer.exists());
    case.clear();
}

/// A worker declares something in what its master had declared before, and is killed: that is no longer in use.
#[test]
fn what_was_declared_in_that_of_a_living_one_goes() {
    let case = Case::new("worker");
    let (all, own) = (case.place.join("all"), case.place.join("all/own"));
    fs::create_dir_all(&own).expect("room");
    let whole = Action::of(&all);
    let part = Action { declared: whole.declared + 1, ..Action::of(&own) };
    let living = Journal::of(std::process::id(), vec![whole.record(1)]).plant(&case.fixture);
    Journal::of_the_dead(vec![part.record(1)]).plant(&case.fixture);
    assert_eq!(case.fixture.sweep(&[])[2..], ["1 done, 0 left, 0 failed."]);
    assert!(!own.exists() && all.exists());
    fs::remove_file(living).expect("ours");
    case.clear();
}

/// What the first life declared, the second uses as part of something greater.
#[test]
fn what_is_in_that_of_a_living_one_is_left() {
    let case = Case::new("around");
    let (app, data) = (case.place.join("app"), case.place.join("app/data"));
    fs::create_dir_all(&data).expect("room");
    let part = Action::of(&data);
    let whole = Action { declared: part.declared + 1, ..Action::of(&app) };
    Journal::of_the_dead(vec![part.record(1)]).plant(&case.fixture);
    let living = Journal::of(std::process::id(), vec![whole.record(1)]).plant(&case.fixture);
    for verb in [&["sweep"][..], &["force", &case.only_id()]] {
        let output = case.fixture.lastly(verb);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("in something that is a living process's"), "{output:?}");
        assert!(data.exists(), "{output:?}");
    }
    // When that one is no more, nobody has anything against it.
    fs::remove_file(living).expect("ours");
    assert!(case.fixture.lastly(&["sweep"]).status.success());
    assert!(!data.exists() && app.exists());
    case.clear();
}

#[test]
fn what_is_a_living_ones_under_another_path_is_left() {
    let case = Case::new("another-path");
    let (one, other) = (case.file("one"), case.place.join("other"));
    fs::hard_link(&one, &other).expect("room");
    Journal::of_the_dead(vec![Action::of(&one).record(1)]).plant(&case.fixture);
    let living = Journal::of(std::process::id(), vec![Action::of(&other).record(1)]);
    let living = living.plant(&case.fixture);
    let swept = case.fixture.lastly(&["sweep"]);
    assert!(String::from_utf8_lossy(&swept.stdout).contains("under another path"), "{swept:?}");
    assert!(one.exists(), "{swept:?}");
    fs::remove_file(living).expect("ours");
    assert!(case.fixture.lastly(&["sweep"]).status.success());
    assert!(!one.exists() && other.exists());
    case.clear();
}

/// The second life has found the worker of the first, and goes on with it.
#[test]
fn the_process_that_a_living_one_has_declared_too_is_left() {
    let case = Case::new("process");
    let mut worker = Command::new("sleep").arg("60").spawn().expect("it is there");
    let started = Journal::of(worker.id(), vec![]).started;
    let declared = vec![killed(worker.id(), started)];
    Journal::of_the_dead(declared.clone()).plant(&case.fixture);
    let living = Journal::of(std::process::id(), declared.clone()).plant(&case.fixture);
    let swept = case.fixture.lastly(&["sweep"]);
    let said = String::from_utf8_lossy(&swept.stdout);
    assert!(said.contains("a living process has declared the same"), "{swept:?}");
    assert!(worker.try_wait().expect("it is ours").is_none(), "{swept:?}");
    // The same, with nobody else: so that the test can fail.
    fs::remove_file(living).expect("ours");
    Journal::of_the_dead(declared).plant(&case.fixture);
    case.fixture.lastly(&["sweep"]);
    assert_eq!(worker.wait().expect("it is ours").signal(), Some(9));
    case.clear();
}

/// Whatever somebody has done with the journal of a living process: what it declared is its own.
#[test]
fn a_living_ones_journal_that_is_not_in_order_is_heeded() {
    let taken_over = "a living process has declared the same";
    type Change = fn(&Path, &Path);
    let changes: [(&str, Change); 2] = [
        ("linked", |journal, other| fs::hard_link(journal, other).expect("room")),
        ("open", |journal, _| chmod(journal, 0o644)),
    ];
    for (name, change) in changes {
        let case = Case::new(name);
        let file = case.file("file");
        Journal::of_the_dead(vec![Action::of(&file).record(1)]).plant(&case.fixture);
        let living = Journal::of(std::process::id(), vec![Action::of(&file).record(1)]);
        change(&living.plant(&case.fixture), &case.place.join("journal"));
        let swept = case.fixture.lastly(&["sweep"]);
        assert!(String::from_utf8_lossy(&swept.stdout).contains(taken_over), "{name}: {swept:?}");
        assert!(file.exists(), "{name}: {swept:?}");
        case.clear();
    }
}

/// A program without a guard sweeps itself, and is killed at it. The worker that it has forked meanwhile lives on.
#[test]
fn a_child_that_is_forked_while_its_parent_sweeps_holds_no_sweep_up() {
    let mut has_met = false;
    for _ in 0..20 {
        let case = Case::new("forked");
        let (files, dead) = case.files("dead", 2_000);
        Journal::of_the_dead(dead).plant(&case.fixture);
        let mut owner =
            case.fixture.puppet_where(&[], &[("LASTLY_GUARD", "0"), ("LASTLY_SWEEP", "")]);
        let newest = files.last().expect("some").display();
        let child = owner.tell(&format!("sweep-and-fork {newest}")).parse().expect("a number");
        owner.kill();
        has_met = files[0].exists();
        // The child may have to come to itself first.
        await_that("its child lets go of the locks", || {
            let told = case.fixture.sweep(&[]);
            told.last().is_some_and(|it| it.ends_with(" done, 0 left, 0 failed."))
        });
        assert!(is_alive(child) && !files[0].exists());
        kill_one(child);
        case.clear();
        if has_met {
            break;
        }
    }
    assert!(has_met, "it was never killed in the middle");
}

#[test]
fn who_sweeps_beside_another_hears_of_that_and_what_is_left() {
    let case = Case::new("beside");
    let (files, dead) = case.files("dead", 2_000);
    Journal::of_the_dead(dead).plant(&case.fixture);
    let mut first = case.sweep();
    await_that("it has begun", || !files.last().expect("some").exists());
    // It waits for somebody to listen.
    let second = case.fixture.lastly(&["sweep"]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let said = String::from_utf8_lossy(&second.stdout);
    assert!(said.starts_with("Another sweep is going on: nothing was done here"), "{said}");
    assert!(files[0].exists(), "{said}");
    first.stdout.take().expect("piped").read_to_string(&mut String::new()).expect("text");
    assert!(first.wait().expect("it is ours").success());
    assert!(!files[0].exists());
    case.clear();
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = fs::File::options().append(true).open(path).expect("it is there");
    file.write_all(bytes).expect("room");
}

#[test]
fn what_a_living_process_has_in_the_tree_of_a_dead_one_keeps_all_of_it() {
    let fixture = Fixture::new("inside");
    let [outer, inner] = [2, 4].map(|number| Resource { number, kind: Kind::Tree });
    let mut dead = fixture.puppet_with("0");
    dead.have(outer.number);
    let inside = outer.path(&fixture.folder).join("inside");
    fs::create_dir_all(place(&inside)).expect("there is room");
    let mut command = Command::new(PUPPET);
    command.arg("puppet").arg(&inside).env("LASTLY_JOURNALS", fixture.journals());
    let mut living = Puppet::start(command.env("LASTLY_GUARD", "0"));
    living.have(inner.number);
    dead.kill();
    for _ in 0..2 {
        let told = fixture.sweep(&[]);
        let why = ": left alone: something in it is a living process's";
        assert!(told.iter().any(|it| it.ends_with(why)), "{told:?}");
        assert_eq!(told.last().expect("some"), "0 done, 1 left, 0 failed.");
        assert!(outer.is_there(&fixture.folder) && inner.is_there(&inside));
    }
    let shown = fixture.lastly(&["status"]).stdout;
    assert_eq!(String::from_utf8_lossy(&shown).matches(" remove_tree ").count(), 2, "{shown:?}");
    // It goes on as if nothing had been.
    living.have(6);
    living.tell("call 6");
    living.kill();
    fixture.sweep(&[]);
    assert!(!outer.is_there(&fixture.folder) && !inner.is_there(&inside));
    fixture.clear();
}
