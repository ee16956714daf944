//! Where it is: paths that may be declared, and places that are opened again.

use super::*;
use lastly_journal::{Kind, Unreachable};
use std::os::unix::ffi::OsStrExt;

fn error_of(path: impl AsRef<Path>) -> String {
    Place::declare(path.as_ref()).expect_err("it is no place").to_string()
}

#[test]
fn what_is_no_place_is_told() {
    assert!(error_of("").contains("empty"));
    assert!(error_of("/").contains("root directory"));
    assert!(error_of("/tmp/..").contains("ends in `..`"));
    assert!(error_of("/no/such/directory/x").contains("cannot be opened"));
    assert!(error_of(OsStr::from_bytes(b"/tmp/a\0b")).contains("zero byte"));
    let scratch = Scratch::new();
    fs::write(scratch.work("file"), "").unwrap();
    assert!(error_of(scratch.work("file/x")).contains("cannot be opened"));
}

#[test]
fn links_above_are_followed_and_the_last_is_kept() {
    let scratch = Scratch::new();
    link(&scratch.path.join("work"), &scratch.path.join("above"));
    link(&scratch.canary(), &scratch.work("last"));
    let place = place(&scratch.path.join("above/last/"));
    assert_eq!(place.path(), scratch.work("last"));
    assert_eq!(place.look().unwrap().unwrap().kind, Kind::Symlink);
    assert_eq!(
        Place::declare(&scratch.work("x/../y")).unwrap_err().kind(),
        std::io::ErrorKind::NotFound
    );
}

#[test]
fn what_is_there_is_described() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    let place = place(&path);
    let found = place.look().unwrap().unwrap();
    let known = fs::symlink_metadata(&path).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!((found.identity.device, found.identity.inode), (known.dev(), known.ino()));
    assert_eq!(
        (found.kind, found.owner, found.links),
        (Kind::Directory, known.uid(), known.nlink())
    );
    if let Ok(born) = known.created() {
        let since = born.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        assert_eq!(found.identity.born, Some(since as i64));
    }
    let absent = self::place(&scratch.work("absent"));
    assert!(absent.look().unwrap().is_none());
    assert_eq!(absent.parent(), place.parent());
}

#[test]
fn a_place_is_opened_again() {
    let scratch = Scratch::new();
    let declared = place(&scratch.tree("tree"));
    let parent = declared.parent();
    for same_boot in [true, false] {
        let again = Place::reopen(declared.path(), &parent, same_boot).unwrap();
        assert_eq!(
            again.look().unwrap().unwrap().identity,
            declared.look().unwrap().unwrap().identity
        );
    }
    // Mounted anew, devices may have other numbers; but what has no birth may be anything then.
    let renumbered = Identity { device: parent.device + 1, ..parent };
    for same_boot in [true, false] {
        Place::reopen(declared.path(), &renumbered, same_boot).unwrap();
    }
    let unborn = Identity { born: None, ..parent };
    assert!(matches!(Place::reopen(declared.path(), &unborn, false), Err(Unreachable::Unseen)));
    // On another device, it is not the one that was declared, nor has that gone.
    let elsewhere = Identity { born: None, ..renumbered };
    assert!(matches!(Place::reopen(declared.path(), &elsewhere, true), Err(Unreachable::Unseen)));
    let another = Identity { inode: parent.inode + 1, ..parent };
    assert!(matches!(Place::reopen(declared.path(), &another, true), Err(Unreachable::Replaced)));
}

#[test]
fn another_directory_on_the_way_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.work("above")).unwrap();
    fs::create_dir(scratch.work("above/parent")).unwrap();
    let declared = place(&scratch.work("above/parent/x"));
    let parent = declared.parent();
    let again = || Place::reopen(declared.path(), &parent, true);
    again().unwrap();

    // The parent itself, reached over a link: the right directory, by a way that was not declared.
    fs::rename(scratch.work("above"), scratch.work("moved")).unwrap();
    assert!(matches!(again(), Err(Unreachable::Gone)));
    link(&scratch.work("moved"), &scratch.work("above"));
    assert!(matches!(again(), Err(Unreachable::Replaced)));
    fs::remove_file(scratch.work("above")).unwrap();

    fs::create_dir_all(scratch.work("above/parent")).unwrap();
    assert!(matches!(again(), Err(Unreachable::Replaced)));
    fs::remove_dir(scratch.work("above/parent")).unwrap();
    link(&scratch.work("moved/parent"), &scratch.work("above/parent"));
    assert!(matches!(again(), Err(Unreachable::Replaced)));
    fs::remove_file(scratch.work("above/parent")).unwrap();
    fs::write(scratch.work("above/parent"), "").unwrap();
    assert!(matches!(again(), Err(Unreachable::Replaced)));
}

#[test]
fn a_path_that_was_never_declared_is_refused() {
    let scratch = Scratch::new();
    let parent = place(&scratch.work("x")).parent();
    for path in ["work/x".into(), scratch.path.join("canary/../work/x"), "".into(), "/".into()] {
        let path: PathBuf = path;
        assert!(
            matches!(Place::reopen(&path, &parent, true), Err(Unreachable::Unknown(_))),
            "{path:?}"
        );
    }
}

#[test]
fn a_place_stays_in_its_directory() {
    let scratch = Scratch::new();
    let place = place(&scratch.tree("a"));
    fs::rename(scratch.path.join("work"), scratch.path.join("elsewhere")).unwrap();
    link(&scratch.canary(), &scratch.path.join("work"));
    assert_eq!(
        tree(&place, &expected(&place), OsStr::new(TRASH)).unwrap(),
        Outcome::Removed { files: FILLED }
    );
    assert_eq!(names(&scratch.path.join("elsewhere")), [] as [String; 0]);
    scratch.assert_untouched();
}
