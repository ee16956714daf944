//! Where journals are kept: made only in what can be trusted, and never in what is another user's.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use nix::libc;

use crate::fixture::{Fixture, is_root, skip};

/// Some user who is not this one.
const ANOTHER: u32 = 4_321;

/// What is told when something is declared, with its journals there.
fn told(fixture: &Fixture, journals: &Path) -> String {
    let mut owner =
        fixture.puppet_where(&[], &[("LASTLY_JOURNALS", journals.to_str().expect("text"))]);
    owner.tell("declare 0");
    owner.tell("keep 0");
    owner.listen_to_the_end().1
}

/// The same must have this in it; with nothing in it, it is that all is in order.
fn declare(fixture: &Fixture, journals: &Path, told: &str) {
    let stderr = self::told(fixture, journals);
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

/// Many systems have each user's directories be writable by a group that has nobody else in it. What an access
/// control list lets others do looks the same.
#[test]
fn what_a_list_lets_others_write_to_is_not_the_users_alone() {
    let fixture = Fixture::new("list");
    let home = fixture.folder.join("home");
    fs::create_dir(&home).expect("room");
    fs::set_permissions(&home, Permissions::from_mode(0o775)).expect("ours");
    if !told(&fixture, &home.join("before")).is_empty() {
        return skip("this user's group has others in it");
    }
    if !let_write(&home, ANOTHER) {
        return skip("there are no access control lists here");
    }
    assert_eq!(home.metadata().expect("it is there").permissions().mode() & 0o777, 0o775);
    declare(&fixture, &home.join("before"), "others can write to");
    declare(&fixture, &home.join("after"), "others can write to");
    assert_eq!(names(&home), ["before"]);
    // What is advised helps, and leaves that user in the list.
    fs::set_permissions(&home, Permissions::from_mode(0o755)).expect("ours");
    declare(&fixture, &home.join("after"), "");
    fixture.clear();
}

/// As `setfacl --modify user:NUMBER:rwx` does.
fn let_write(folder: &Path, user: u32) -> bool {
    // Version, then kind, rights and number of each: the owner, this user, the group, the most that both may
    // have, all others.
    let nobody = u32::MAX;
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (kind, rights, number) in
        [(1_u16, 7_u16, nobody), (2, 7, user), (4, 5, nobody), (16, 7, nobody), (32, 5, nobody)]
    {
        list.extend(kind.to_le_bytes().into_iter().chain(rights.to_le_bytes()));
        list.extend(number.to_le_bytes());
    }
    let path = CString::new(folder.as_os_str().as_bytes()).expect("a path");
    let name = c"system.posix_acl_access".as_ptr();
    // SAFETY: two strings that end in zero, and so many bytes.
    unsafe { libc::setxattr(path.as_ptr(), name, list.as_ptr().cast(), list.len(), 0) == 0 }
}
