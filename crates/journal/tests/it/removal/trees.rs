//! Trees: which one is removed, what is followed, what is left.

use super::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

#[test]
fn a_tree_is_removed() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: FILLED });
    assert_eq!(tree(&place(&path), &ANY, OsStr::new(TRASH)).unwrap(), Outcome::Missing);
    scratch.assert_all_gone();
}

#[test]
fn names_of_any_bytes() {
    let scratch = Scratch::new();
    let path = scratch.work(OsStr::from_bytes(b"tree\n\xff"));
    fs::create_dir(&path).unwrap();
    for name in
        [&b"new\nline"[..], b"\xff\xfe", b" ", b"-rf", b"...", b"*", b".lastly-0", &[b'x'; 255]]
    {
        let inner = path.join(OsStr::from_bytes(name));
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join(OsStr::from_bytes(name)), "").unwrap();
    }
    assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: 17 });
    scratch.assert_all_gone();
}

#[test]
fn links_inside_are_removed_and_not_followed() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    link(&scratch.canary(), &path.join("absolute"));
    link(Path::new("../../canary"), &path.join("relative"));
    link(Path::new("../.."), &path.join("up"));
    link(&scratch.canary().join("a"), &path.join("inner/file"));
    link(Path::new("/no/such/file"), &path.join("dangling"));
    link(Path::new("."), &path.join("inner/deeper/itself"));
    link(&scratch.canary(), &scratch.work("beside"));
    assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: FILLED + 6 });
    assert_eq!(names(&scratch.path.join("work")), ["beside"]);
    scratch.assert_untouched();
}

#[test]
fn a_link_in_place_of_the_tree_is_left() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    let place = place(&path);
    let old = expected(&place);
    fs::rename(&path, scratch.work("moved")).unwrap();
    for target in [scratch.canary(), scratch.work("moved"), "/no/such/file".into()] {
        link(&target, &path);
        assert_eq!(tree(&place, &old, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(names(&scratch.work("moved")), ["a", "empty", "inner", "z"]);
    scratch.assert_untouched();
}

#[test]
fn another_tree_of_that_name_is_left_even_with_the_same_inode() {
    let scratch = Scratch::new();
    let mut reused = false;
    for _ in 0..20 {
        let path = scratch.tree("tree");
        let inode = path.metadata().unwrap().ino();
        let place = place(&path);
        let old = expected(&place);
        let known = old.identity.unwrap();
        fs::remove_dir_all(&path).unwrap();
        next_birth();
        fill(&path);
        reused |= path.metadata().unwrap().ino() == inode;
        assert_eq!(tree(&place, &old, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
        for same_boot in [true, false] {
            let other = Expected {
                identity: Some(Identity { inode: known.inode + 1, ..known }),
                same_boot,
                ..ANY
            };
            assert_eq!(tree(&place, &other, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
        }
        assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
        fs::remove_dir_all(&path).unwrap();
    }
    if !reused {
        println!("skipped: this file system did not reuse an inode");
    }
    scratch.assert_untouched();
}

#[test]
fn what_was_declared_before_it_was_made_is_known_by_its_birth() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    let place = place(&path);
    let declared = next_birth();
    let since = Expected { not_before: Some(declared), ..ANY };
    let until = Expected { not_after: Some(declared), ..ANY };
    assert_eq!(tree(&place, &since, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
    assert_eq!(
        tree(&place, &until, OsStr::new(TRASH)).unwrap(),
        Outcome::Removed { files: FILLED }
    );
    fill(&path);
    assert_eq!(
        tree(&place, &since, OsStr::new(TRASH)).unwrap(),
        Outcome::Removed { files: FILLED }
    );
    next_birth();
    fill(&path);
    assert_eq!(tree(&place, &until, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
    assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
}

#[test]
fn the_device_may_be_another_but_not_the_birth() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    let place = place(&path);
    let identity = expected(&place).identity.unwrap();
    let with = |identity, same_boot| Expected { identity: Some(identity), same_boot, ..ANY };
    let elsewhere = Identity { device: identity.device ^ 1, ..identity };
    let other_birth = Identity { born: identity.born.map(|born| born - 1), ..identity };
    let unborn = Identity { born: None, ..identity };
    for wrong in [
        with(Identity { born: None, ..elsewhere }, true),
        with(other_birth, true),
        with(other_birth, false),
        with(unborn, false),
    ] {
        assert_eq!(
            tree(&place, &wrong, OsStr::new(TRASH)).unwrap(),
            Outcome::Replaced,
            "{wrong:?}"
        );
    }
    assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
    for same_boot in [false, true] {
        let place = self::place(&path);
        let identity = expected(&place).identity.unwrap();
        let elsewhere = Identity { device: identity.device ^ 1, ..identity };
        assert_eq!(
            tree(&place, &with(elsewhere, same_boot), OsStr::new(TRASH)).unwrap(),
            Outcome::Removed { files: FILLED }
        );
        scratch.tree("tree");
    }
}

#[test]
fn a_trash_that_is_somebody_elses_is_left() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    let trash = scratch.tree(TRASH);
    let removed = remove_tree(&path);
    assert!(matches!(removed, Err(Failure::Left { left: 1, .. })), "{removed:?}");
    assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
    assert_eq!(names(&trash), ["a", "empty", "inner", "z"]);
}

#[test]
fn it_goes_on_in_the_trash_and_leaves_what_came_later() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    // As somebody left it who was killed: in the trash, half gone, with a directory moved up.
    fs::create_dir(path.join(".lastly-0")).unwrap();
    fs::write(path.join(".lastly-0/x"), "").unwrap();
    let place = place(&path);
    let old = expected(&place);
    fs::rename(&path, scratch.work(TRASH)).unwrap();
    fs::remove_dir_all(scratch.work(TRASH).join("inner")).unwrap();
    fill(&path);
    let again = Place::reopen(place.path(), &place.parent(), true).unwrap();
    assert_eq!(
        tree(&again, &old, OsStr::new(TRASH)).unwrap(),
        Outcome::Removed { files: FILLED - 2 }
    );
    assert_eq!(tree(&again, &old, OsStr::new(TRASH)).unwrap(), Outcome::Replaced);
    assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
    assert_eq!(names(&scratch.path.join("work")), ["tree"]);
    scratch.assert_untouched();
}
