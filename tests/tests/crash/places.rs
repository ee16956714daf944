//! Where journals are kept: made only in what can be trusted, and never in what is another user's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use crate::fixture::{Fixture, is_root, lastly};

/// Some user who is not this one.
const ANOTHER: u32 = 4_321;

/// Declares something, with its journals there, and ends. What is told of that must have this in it; with
/// nothing in it, it is that all is in order.
fn declare(fixture: &Fixture, journals: &Path, told: &str) {
    let mut owner = fixture.puppet_in(journals, lastly().to_str().expect("text"));
    owner.tell("declare 0");
    owner.tell("keep 0");
    let (_, stderr) = owner.listen_to_the_end();
    assert_eq!(told.is_empty(), stderr.is_empty(), "{}: {stderr}", journals.display());
    assert!(stderr.contains(told), "{}: {stderr}", journals.display());
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("it is there").flatten();
    names.map(|it| it.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn what_is_missing_of_the_way_is_made_for_the_user_alone() {
    let fixture = Fixture::new("made");
    let home = fixture.folder.join("home");
    fs::create_dir(&home).expect("room");
    symlink("home/./", fixture.folder.join("link")).expect("room");
    // By a link of the user's own, and back again.
    let journals = fixture.folder.join("link/../home/.local/state/journals");
    declare(&fixture, &journals, "");
    for made in [".local", ".local/state", ".local/state/journals"] {
        let metadata = home.join(made).symlink_metadata().expect("it was made");
        assert!(metadata.is_dir());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o700, "{made}");
    }
    fixture.clear();
}

#[test]
fn where_others_can_write_nothing_is_made() {
    let fixture = Fixture::new("not-made");
    let home = fixture.folder.join("home");
    fs::create_dir(&home).expect("room");
    fs::set_permissions(&home, Permissions::from_mode(0o777)).expect("ours");
    declare(&fixture, &home.join(".local/state/journals"), "others can write to");
    assert!(names(&home).is_empty());
    fixture.clear();
}

/// As after `sudo -E`: the environment of one, the rights of another.
#[test]
fn nothing_is_made_in_what_is_another_users() {
    if !is_root() {
        return;
    }
    let fixture = Fixture::new("sudo");
    let home = fixture.folder.join("home");
    fs::create_dir(&home).expect("room");
    chown(&home, Some(ANOTHER), Some(ANOTHER)).expect("root may");
    declare(&fixture, &home.join(".local/state/journals"), "belongs to another user");
    assert!(names(&home).is_empty());
    fixture.clear();
}

/// Neither from another user's directory, nor from one that all share.
#[test]
fn nothing_is_made_where_anothers_link_leads() {
    if !is_root() {
        return;
    }
    let fixture = Fixture::new("led");
    let (shared, elsewhere) = (fixture.folder.join("shared"), fixture.folder.join("elsewhere"));
    fs::create_dir(&shared).and_then(|()| fs::create_dir(&elsewhere)).expect("room");
    symlink(&elsewhere, shared.join("lastly")).expect("room");
    std::os::unix::fs::lchown(shared.join("lastly"), Some(ANOTHER), None).expect("root may");
    for (owner, mode) in [(0, 0o1777), (ANOTHER, 0o755)] {
        chown(&shared, Some(owner), None).expect("root may");
        fs::set_permissions(&shared, Permissions::from_mode(mode)).expect("root may");
        declare(&fixture, &shared.join("lastly/journals"), "belongs to another user");
        assert!(names(&elsewhere).is_empty());
    }
    fixture.clear();
}
