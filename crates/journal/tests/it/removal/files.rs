//! Single files, of every sort.

use super::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;

#[test]
fn every_sort_of_file_is_removed_by_its_own_name() {
    let scratch = Scratch::new();
    fs::write(scratch.work("regular"), "x").unwrap();
    link(&scratch.canary(), &scratch.work("link"));
    link(Path::new("/no/such/file"), &scratch.work("dangling"));
    let _socket = UnixListener::bind(scratch.work("socket")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, scratch.work("pipe"), rustix::fs::Mode::RUSR).unwrap();
    fs::hard_link(scratch.path.join("work-canary"), scratch.work("second-name")).unwrap();
    fs::write(scratch.work(OsStr::from_bytes(b"new\nline\xff")), "").unwrap();
    let all: Vec<_> = fs::read_dir(scratch.path.join("work"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(all.len(), 7);
    for path in all {
        assert_eq!(remove_file(&path).unwrap(), Outcome::Removed { files: 1 }, "{path:?}");
    }
    scratch.assert_all_gone();
}

#[test]
fn a_file_that_is_gone_is_missing() {
    let scratch = Scratch::new();
    assert_eq!(
        file(&place(&scratch.work("x")), &ANY, OsStr::new(TRASH)).unwrap(),
        Outcome::Missing
    );
}

#[test]
fn another_file_of_that_name_is_left() {
    let scratch = Scratch::new();
    let path = scratch.work("x");
    fs::write(&path, "old").unwrap();
    let place = place(&path);
    let old = expected(&place);
    next_birth();
    // Often it gets the same inode.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "new").unwrap();
    assert_eq!(file(&place, &old, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
    fs::remove_file(&path).unwrap();
    link(&scratch.canary().join("a"), &path);
    assert_eq!(file(&place, &old, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(file(&place, &old, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
    assert_eq!(names(&scratch.path.join("work")), ["x"]);
    scratch.assert_untouched();
}

#[test]
fn a_file_in_the_trash_is_removed_and_its_successor_kept() {
    let scratch = Scratch::new();
    let path = scratch.work("x");
    fs::write(&path, "old").unwrap();
    let place = place(&path);
    let old = expected(&place);
    fs::rename(&path, scratch.work(TRASH)).unwrap();
    fs::write(&path, "new").unwrap();
    assert_eq!(file(&place, &old, OsStr::new(TRASH)).unwrap(), Outcome::Removed { files: 1 });
    assert_eq!(file(&place, &old, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}
