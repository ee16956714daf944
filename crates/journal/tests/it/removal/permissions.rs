//! Directories that permit nothing, and what must be left.

use super::*;
use children::without_privilege;
use std::os::unix::fs::PermissionsExt;

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn directories_of_ours_that_permit_nothing() {
    if !without_privilege("removal::permissions::directories_of_ours_that_permit_nothing") {
        return;
    }
    let scratch = Scratch::new();
    for mode in [0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600] {
        let path = scratch.tree("tree");
        set(&path.join("inner/deeper"), mode);
        set(&path.join("inner"), mode);
        set(&path.join("empty"), mode);
        set(&path, mode);
        assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: FILLED }, "{mode:o}");
        scratch.assert_all_gone();
    }
}

#[test]
fn deep_directories_that_permit_nothing() {
    if !without_privilege("removal::permissions::deep_directories_that_permit_nothing") {
        return;
    }
    let scratch = Scratch::new();
    for mode in [0o000, 0o500] {
        let path = scratch.work("tree");
        let mut all = vec![path.clone()];
        for _ in 0..70 {
            all.push(all[all.len() - 1].join("x"));
        }
        fs::create_dir_all(&all[70]).unwrap();
        all.iter().rev().for_each(|directory| set(directory, mode));
        assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: 71 }, "{mode:o}");
        scratch.assert_all_gone();
    }
}

#[test]
fn permissions_are_not_changed_over_a_link() {
    if !without_privilege("removal::permissions::permissions_are_not_changed_over_a_link") {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    set(&scratch.canary(), 0o500);
    link(&scratch.canary(), &path.join("inner/link"));
    set(&path.join("inner"), 0o500);
    assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: FILLED + 1 });
    assert_eq!(scratch.canary().metadata().unwrap().permissions().mode() & 0o777, 0o500);
    set(&scratch.canary(), 0o700);
    scratch.assert_all_gone();
}

#[test]
fn where_the_parent_forbids_it_what_is_inside_is_removed() {
    if !without_privilege(
        "removal::permissions::where_the_parent_forbids_it_what_is_inside_is_removed",
    ) {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    fs::write(scratch.work("file"), "").unwrap();
    set(&scratch.path.join("work"), 0o500);
    let removed = remove_tree(&path);
    assert!(
        matches!(&removed, Err(Failure::Left { left: 1, first, error })
            if first.as_os_str().is_empty() && error.kind() == std::io::ErrorKind::PermissionDenied),
        "{removed:?}"
    );
    assert!(matches!(remove_file(&scratch.work("file")), Err(Failure::Left { left: 1, .. })));
    assert_eq!(names(&path), [] as [String; 0]);
    assert_eq!(scratch.path.join("work").metadata().unwrap().permissions().mode() & 0o777, 0o500);
    set(&scratch.path.join("work"), 0o700);
    remove_tree(&path).unwrap();
    remove_file(&scratch.work("file")).unwrap();
    scratch.assert_all_gone();
}

#[test]
fn what_cannot_be_removed_is_named_and_the_rest_goes() {
    const TEST: &str = "removal::permissions::what_cannot_be_removed_is_named_and_the_rest_goes";
    const WORK: &str = "LASTLY_REMOVAL_WORK";
    if !rustix::process::geteuid().is_root() && !children::is_child() {
        return println!("skipped: only root can make files of others");
    }
    if children::is_child() {
        let path = PathBuf::from(std::env::var_os(WORK).unwrap());
        let removed = remove_tree(&path);
        let Err(Failure::Left { left, first, error }) = &removed else { panic!("{removed:?}") };
        assert_eq!((*left, error.kind()), (2, std::io::ErrorKind::PermissionDenied));
        assert!(first.starts_with("inner/theirs") || first.starts_with("theirs"), "{first:?}");
        let text = removed.unwrap_err().to_string();
        assert!(text.contains("2 files in it") && text.contains("theirs"), "{text}");
        return;
    }
    use std::os::unix::process::CommandExt;
    let scratch = Scratch::new();
    let path = scratch.tree("tree");
    for theirs in ["theirs", "inner/theirs"] {
        fs::create_dir(path.join(theirs)).unwrap();
        fs::write(path.join(theirs).join("x"), "").unwrap();
    }
    for ours in
        ["work", "work/tree", "work/tree/inner", "work/tree/inner/deeper", "work/tree/empty"]
    {
        std::os::unix::fs::chown(scratch.path.join(ours), Some(65534), None).unwrap();
    }
    let mut command = children::command(TEST);
    command.uid(65534).gid(65534).env(WORK, &path).current_dir("/");
    children::assert_passed(command);
    assert_eq!(
        (names(&path), names(&path.join("inner"))),
        (vec!["inner".into(), "theirs".into()], vec!["theirs".into()])
    );
    scratch.assert_untouched();
}
