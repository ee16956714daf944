//! Processes that see other files under the same paths, or other processes under the same numbers: what they
//! declared is not taken for gone, nor are they taken for dead.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

use lastly_journal::ATTEMPTS;
use lastly_tests::crash::door::DONE;
use lastly_tests::crash::resource::place;
use nix::mount::{MsFlags, mount, umount};

use crate::fixture::{Fixture, PUPPET, Puppet, in_mounts_of_its_own, is_allowed, lastly, under};

/// Mounts of a process's own.
const MOUNTS: [&str; 2] = ["unshare", "--mount"];

/// Numbers of processes of a process's own, who is the first of them. It dies with who has started it.
const NUMBERS: [&str; 4] = ["unshare", "--pid", "--fork", "--kill-child"];

/// What a sweep says of what it does not see.
const NOT_SEEN: &str = "its directory is not to be seen: is it mounted?";

/// The mounts that a process sees. They are there as long as this is held.
struct View(File);

impl View {
    fn of(puppet: &Puppet) -> Self {
        Self(File::open(format!("/proc/{}/ns/mnt", puppet.child.id())).expect("it is alive"))
    }

    fn argument(&self) -> String {
        format!("--mount=/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// Sweeps more often than what fails is tried, and sees that something is left and shown.
fn expect_left(fixture: &Fixture, starter: &[&str]) {
    for _ in 0..=ATTEMPTS {
        let told = fixture.sweep_under(starter, &[]);
        assert!(told[1].ends_with(NOT_SEEN), "{told:?}");
        assert_eq!(told[2..], ["0 done, 1 left, 0 failed."]);
    }
    let shown = String::from_utf8(fixture.lastly(&["status"]).stdout).expect("text");
    assert!(shown.contains(" unsure ") && shown.contains(" remove_tree "), "{shown}");
}

/// Sweeps, and sees that it was done.
fn expect_done(fixture: &Fixture, starter: &[&str]) {
    let told = fixture.sweep_under(starter, &[]);
    assert!(told[1].ends_with(": done"), "{told:?}");
    assert_eq!(told[2..], ["1 done, 0 left, 0 failed."]);
}

#[test]
fn what_is_mounted_elsewhere_is_left_and_done_where_it_is_seen() {
    if !is_allowed(&MOUNTS) {
        return;
    }
    let fixture = Fixture::new("mounts");
    let place = place(&fixture.folder);
    let script = r#"mount -t tmpfs none "$0" && exec "$@""#;
    let starter = [&MOUNTS[..], &["sh", "-c", script, text(&place)]].concat();
    let mut owner = fixture.puppet_under(&starter, "0");
    owner.have(0);
    let view = View::of(&owner);
    owner.kill();
    expect_left(&fixture, &[]);
    expect_done(&fixture, &["nsenter", &view.argument()]);
    fixture.clear();
}

/// As a disk that was unplugged, in the same boot.
#[test]
fn what_is_not_mounted_just_now_is_left_and_done_when_it_is() {
    if !in_mounts_of_its_own("namespaces::what_is_not_mounted_just_now_is_left_and_done_when_it_is")
    {
        return;
    }
    let fixture = Fixture::new("unmounted");
    let (place, disk) = (place(&fixture.folder), fixture.folder.join("disk"));
    fs::create_dir(&disk).expect("there is room");
    let (none, empty) = (None::<&str>, MsFlags::empty());
    mount(Some("none"), &disk, Some("tmpfs"), empty, none).expect("it has the right");
    let plug = || mount(Some(&disk), &place, none, MsFlags::MS_BIND, none).expect("the same");
    plug();
    let mut owner = fixture.puppet_with("0");
    owner.have(0);
    umount(&place).expect("nobody uses it");
    owner.kill();
    expect_left(&fixture, &[]);
    plug();
    expect_done(&fixture, &[]);
    // To its owner, who asks for it in so many words, it is what is not there.
    let mut owner = fixture.puppet_with("0");
    owner.have(2);
    umount(&place).expect("nobody uses it");
    assert_eq!(owner.tell("call 2"), DONE);
    owner.kill();
    plug();
    assert_eq!(fixture.sweep(&[]).last().expect("some"), "0 done, 0 left, 0 failed.");
    for mounted in [&place, &disk] {
        umount(mounted).expect("nobody uses it");
    }
    fixture.clear();
}

/// Its owner does not see it by then, and says so: the guard, which it has started before, does.
#[test]
fn what_its_owner_does_not_see_any_more_its_guard_does() {
    if !is_allowed(&MOUNTS) {
        return;
    }
    for end in ["drop 0", "exit"] {
        let fixture = Fixture::new("hidden");
        let mut owner = fixture.puppet();
        owner.have(0);
        owner.tell("hide");
        owner.tell_silently(end);
        let (_, complaints) = owner.listen_to_the_end();
        assert!(complaints.contains(NOT_SEEN), "{complaints}");
        fixture.await_end();
        assert!(!fixture.is_there(0), "{end}");
        fixture.clear();
    }
}

#[test]
fn what_is_below_another_root_is_left_and_done_there() {
    /// Has what programs need be below the new root.
    const SCRIPT: &str = r#"
        root=$1 journals=$2 programs=$3
        shift 3
        for it in /usr /bin /lib /lib64 /proc "$programs"; do
            test ! -e "$it" || { mkdir -p "$root$it" && mount --rbind "$it" "$root$it"; }
        done
        mount --bind "$journals" "$root/journals"
        exec chroot "$root" "$@"
    "#;
    if !is_allowed(&MOUNTS) {
        return;
    }
    let fixture = Fixture::new("root");
    let root = fixture.folder.join("root");
    fs::create_dir_all(place(&root.join("case"))).expect("there is room");
    fs::create_dir(root.join("journals")).expect("there is room");
    let programs = Path::new(PUPPET).parent().expect("it has one");
    assert!(lastly().starts_with(programs), "it was built with this test");
    let journals = fixture.journals();
    let words = ["sh", "-ec", SCRIPT, "sh", text(&root), text(&journals), text(programs)];
    let starter = [&MOUNTS[..], &words].concat();
    let mut command = under(&starter, PUPPET);
    command.args(["puppet", "/case"]).env("LASTLY_JOURNALS", "/journals");
    let mut owner = Puppet::start(command.env("LASTLY_GUARD", "0"));
    owner.have(0);
    let view = View::of(&owner);
    owner.kill();
    let enter = ["nsenter", &view.argument()];
    expect_left(&fixture, &[]);
    // The same mounts, another root.
    expect_left(&fixture, &enter);
    let there = ["chroot", text(&root), "env", "LASTLY_JOURNALS=/journals"];
    expect_done(&fixture, &[&enter[..], &there].concat());
    fixture.clear();
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// In the `/proc` of another namespace, a number is another process's.
#[test]
fn a_proc_that_tells_of_others_proves_no_death() {
    let with_proc = [&NUMBERS[..], &["--mount-proc"]].concat();
    if !is_allowed(&with_proc) {
        return;
    }
    let fixture = Fixture::new("proc");
    let mut owner = fixture.puppet_under(&with_proc, "0");
    owner.have(0);
    // As a daemon does: from here on its lock is free.
    owner.tell("close-all");
    let there = numbers_of(&owner);
    for arguments in [&[][..], &["--trust-locks"]] {
        let told = fixture.sweep_under(&["nsenter", &there], arguments);
        assert!(fixture.is_there(0), "it is alive: {told:?}");
    }
    owner.kill();
    fixture.await_sweep_by_lock(0);
    fixture.clear();
}

/// Who does not know when it started says nothing of itself that others would take for another's.
#[test]
fn who_sees_a_proc_that_tells_of_others_keeps_no_journal() {
    if !is_allowed(&NUMBERS) {
        return;
    }
    let fixture = Fixture::new("own-proc");
    let mut owner = fixture.puppet_under(&NUMBERS, "0");
    owner.have(0);
    owner.tell("close-all");
    let protection = owner.tell("protection");
    let there = numbers_of(&owner);
    let told = fixture.sweep_under(&["nsenter", &there, "unshare", "--mount-proc"], &[]);
    assert!(fixture.is_there(0), "it is alive: {told:?}");
    assert!(protection.starts_with("nothing: /proc does not tell who"), "{protection}");
    owner.tell("call 0");
    assert!(!fixture.is_there(0));
    fixture.clear();
}

/// Where the child of the one that was started is.
fn numbers_of(puppet: &Puppet) -> String {
    format!("--pid=/proc/{}/ns/pid_for_children", puppet.child.id())
}
