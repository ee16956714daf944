//! What may not be removed at all.

use super::*;
use lastly_journal::remove::{Reason, Refusal, check_file, check_tree};
use std::os::unix::fs::{PermissionsExt, chown};

#[track_caller]
fn refusal(result: Result<Option<Identity>, Refusal>) -> (Reason, String) {
    let refusal = result.expect_err("it is refused");
    let text = refusal.to_string();
    assert!(text.starts_with(&format!("{} cannot be removed: ", refusal.path.display())), "{text}");
    (refusal.reason, text)
}

#[test]
fn directories_of_the_system_are_refused() {
    for path in [
        "/usr",
        "/etc",
        "/var",
        "/tmp",
        "/home",
        "/dev/shm",
        "/usr/lib",
        "/usr/local/bin",
        "/var/tmp",
        "/proc",
    ] {
        if Path::new(path).exists() {
            let place = place(Path::new(path));
            if place.path() == Path::new(path) {
                assert!(matches!(refusal(check_tree(&place)).0, Reason::System), "{path}");
                assert!(matches!(refusal(check_file(&place)).0, Reason::System), "{path}");
                let removed = tree(&place, &ANY, OsStr::new(TRASH));
                assert!(matches!(removed, Err(Failure::Refused(_))), "{path}: {removed:?}");
            }
        }
    }
}

#[test]
fn homes_are_refused() {
    if !children::is_child() {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.work("homes/me/tree")).unwrap();
        let mut command = children::command("removal::refusals::homes_are_refused");
        command.env("HOME", scratch.work("homes/me"));
        children::assert_passed(command);
        assert!(scratch.work("homes/me/tree").exists());
        return scratch.assert_untouched();
    }
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    assert!(matches!(refusal(check_tree(&place(&home))).0, Reason::Home));
    let (reason, text) = refusal(check_tree(&place(home.parent().unwrap())));
    assert!(matches!(reason, Reason::AboveHome(inside) if inside == home));
    assert!(text.contains(home.to_str().unwrap()), "{text}");
    assert!(check_tree(&place(&home.join("tree"))).unwrap().is_some());
    let removed = tree(&place(&home), &ANY, OsStr::new(TRASH));
    assert!(
        matches!(removed, Err(Failure::Refused(Refusal { reason: Reason::Home, .. }))),
        "{removed:?}"
    );

    let root = Path::new("/root");
    if root.exists() {
        assert!(check_tree(&place(root)).is_err());
    }
}

#[test]
fn a_name_that_is_not_there_yet_may_be_declared() {
    let scratch = Scratch::new();
    assert!(check_tree(&place(&scratch.work("later"))).unwrap().is_none());
    assert!(check_file(&place(&scratch.work("later"))).unwrap().is_none());
    assert!(matches!(refusal(check_tree(&place(Path::new("/usr/later")))).0, Reason::System));
}

#[test]
fn a_tree_is_a_directory_and_a_file_is_none() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    fs::write(scratch.work("file"), "").unwrap();
    link(&path, &scratch.work("link"));
    assert!(check_tree(&place(&path)).unwrap().is_some());
    assert!(check_file(&place(&scratch.work("file"))).unwrap().is_some());
    assert!(check_file(&place(&scratch.work("link"))).unwrap().is_some());

    let (reason, text) = refusal(check_tree(&place(&scratch.work("link"))));
    assert!(matches!(reason, Reason::Symlink) && text.contains("symbolic link"), "{text}");
    assert!(matches!(refusal(check_tree(&place(&scratch.work("file")))).0, Reason::File));
    assert!(matches!(refusal(check_file(&place(&path))).0, Reason::Directory));

    // Declared before they were made, and then made as something else.
    for (name, tree_too) in [("link", true), ("file", true), ("tree", false)] {
        let place = place(&scratch.work(name));
        let removed = if tree_too {
            tree(&place, &ANY, OsStr::new(TRASH))
        } else {
            file(&place, &ANY, OsStr::new(TRASH))
        };
        assert!(matches!(removed, Err(Failure::Refused(_))), "{name}: {removed:?}");
    }
    assert_eq!(names(&scratch.path.join("work")), ["file", "link", "tree"]);
    assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
}

#[test]
fn directories_that_all_share_are_refused() {
    let scratch = Scratch::new();
    let path = scratch.tree("shared");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(matches!(refusal(check_tree(&place(&path))).0, Reason::Shared));
    assert!(matches!(remove_tree(&path), Err(Failure::Refused(_))));
    assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
}

#[test]
fn what_belongs_to_others_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: only root can give files away");
    }
    let scratch = Scratch::new();
    let path = scratch.tree("theirs");
    fs::write(scratch.work("file"), "").unwrap();
    for path in [&path, &scratch.work("file")] {
        chown(path, Some(4711), None).unwrap();
    }
    let (reason, text) = refusal(check_tree(&place(&path)));
    assert!(
        matches!(reason, Reason::Owner { owner: 4711, user: 0 }) && text.contains("4711"),
        "{text}"
    );
    assert!(matches!(refusal(check_file(&place(&scratch.work("file")))).0, Reason::Owner { .. }));
    assert!(matches!(remove_tree(&path), Err(Failure::Refused(_))));
    assert!(matches!(remove_file(&scratch.work("file")), Err(Failure::Refused(_))));
    assert_eq!(names(&scratch.path.join("work")), ["file", "theirs"]);

    // But what was ours when it was declared, its maker may have given away, as root does for a child.
    let place = place(&path);
    let was_ours = Expected { was_ours: true, ..expected(&place) };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(matches!(tree(&place, &was_ours, OsStr::new(TRASH)), Ok(Outcome::Removed { .. })));
}

#[test]
fn a_trash_that_is_no_name_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    let place = place(&path);
    for trash in ["", ".", "..", "/", "a/b", "/tmp/x", "../x", "tree", "x/"] {
        let removed = tree(&place, &expected(&place), OsStr::new(trash));
        assert!(matches!(removed, Err(Failure::Left { .. })), "{trash:?}: {removed:?}");
    }
    assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
    scratch.assert_untouched();
}
