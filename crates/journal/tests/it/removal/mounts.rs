//! What is mounted in a tree is left, whatever it is.

use super::*;
use lastly_journal::remove::{Reason, Refusal, check_tree};

fn run(command: &str, arguments: &[&OsStr]) {
    let output = Command::new(command).args(arguments).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

fn bind(from: &Path, to: &Path) {
    run("mount", &[OsStr::new("--bind"), from.as_os_str(), to.as_os_str()]);
}

fn unmount(path: &Path) {
    run("umount", &[path.as_os_str()]);
}

/// Runs the test where it may mount; `true` there.
pub(super) fn where_mounting_is_allowed(test: &str) -> bool {
    if children::is_child() {
        return true;
    }
    let starter = ["unshare", "--user", "--map-root-user", "--mount"];
    let allowed = Command::new(starter[0]).args(&starter[1..]).arg("true").output();
    if allowed.is_ok_and(|output| output.status.success()) {
        children::assert_passed(children::command_under(&starter, test));
    } else {
        println!("skipped: no mounts of our own on this machine");
    }
    false
}

#[test]
fn mounts_inside_are_left_and_named() {
    if !where_mounting_is_allowed("removal::mounts::mounts_inside_are_left_and_named") {
        return;
    }
    let scratch = Scratch::new();
    left_and_named(&scratch);
}

pub(super) fn left_and_named(scratch: &Scratch) {
    let path = scratch.tree("tree");
    let points = [path.join("inner/tmpfs"), path.join("inner/bound"), path.join("bound-file")];
    fs::create_dir(&points[0]).unwrap();
    fs::create_dir(&points[1]).unwrap();
    fs::write(&points[2], "").unwrap();
    run("mount", &["-t".as_ref(), "tmpfs".as_ref(), "none".as_ref(), points[0].as_os_str()]);
    fs::write(points[0].join("x"), "mounted").unwrap();
    // On the same device: only the mount is another.
    bind(&scratch.canary(), &points[1]);
    bind(&scratch.canary().join("a"), &points[2]);

    let removed = remove_tree(&path);
    let Err(Failure::Left { left: 3, first, .. }) = &removed else { panic!("{removed:?}") };
    assert!(points.iter().any(|point| point.ends_with(first)), "{first:?}");
    scratch.assert_untouched();
    // It has its name again, by which it may be looked for.
    assert_eq!(names(&path), ["bound-file", "inner"]);
    assert_eq!(names(&path.join("inner")), ["bound", "tmpfs"]);
    assert_eq!(fs::read_to_string(path.join("inner/tmpfs/x")).unwrap(), "mounted");

    for point in ["inner/tmpfs", "inner/bound", "bound-file"] {
        unmount(&path.join(point));
    }
    let place = place(&path);
    assert_eq!(tree(&place, &ANY, OsStr::new(TRASH)).unwrap(), Outcome::Removed { files: 5 });
    scratch.assert_all_gone();
}

#[test]
fn mounts_deep_inside_are_left() {
    if !where_mounting_is_allowed("removal::mounts::mounts_deep_inside_are_left") {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.work("tree");
    let mut last = path.clone();
    (0..50).for_each(|_| last.push("x"));
    fs::create_dir_all(&last).unwrap();
    bind(&scratch.canary(), &last);
    let removed = remove_tree(&path);
    assert!(matches!(removed, Err(Failure::Left { left: 1, .. })), "{removed:?}");
    scratch.assert_untouched();
    // Once more, with the one that is left.
    let removed = tree(&place(&path), &ANY, OsStr::new(TRASH));
    let Err(Failure::Left { left: 1, first, .. }) = &removed else { panic!("{removed:?}") };
    scratch.assert_untouched();
    unmount(&path.join(first));
    assert!(matches!(tree(&place(&path), &ANY, OsStr::new(TRASH)), Ok(Outcome::Removed { .. })));
    scratch.assert_all_gone();
}

#[test]
fn a_mount_point_is_refused() {
    if !where_mounting_is_allowed("removal::mounts::a_mount_point_is_refused") {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    let declared = place(&path);
    let old = expected(&declared);
    bind(&scratch.canary(), &path);
    let refusal = check_tree(&declared).unwrap_err();
    assert!(matches!(refusal.reason, Reason::MountPoint), "{refusal}");
    // What was declared is hidden: it is not another that is there now.
    for removed in [tree(&declared, &old, OsStr::new(TRASH)), remove_tree(&path)] {
        assert!(
            matches!(removed, Err(Failure::Refused(Refusal { reason: Reason::MountPoint, .. }))),
            "{removed:?}"
        );
    }
    scratch.assert_untouched();
    unmount(&path);
    // Onto itself: even the very same directory.
    bind(&path, &path);
    let removed = tree(&declared, &old, OsStr::new(TRASH));
    assert!(
        matches!(removed, Err(Failure::Refused(Refusal { reason: Reason::MountPoint, .. }))),
        "{removed:?}"
    );
    assert_eq!(names(&path), ["a", "empty", "inner", "z"]);
    unmount(&path);
}
