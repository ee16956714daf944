//! Old kernels, and sandboxes that know the calls of old kernels alone: the same holds, by other calls.

use super::*;
use lastly_journal::Unreachable;

/// From now on this thread, and what it starts, has no call with one of these numbers.
fn forbid(calls: &[i64], error: i32) {
    let statement =
        |code: u32, jump: u8, k: u32| libc::sock_filter { code: code as u16, jt: jump, jf: 0, k };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let mut program = vec![statement(load, 0, 0)];
    for (index, call) in calls.iter().enumerate() {
        // To the end but one: all the comparisons that follow, and the permission, are skipped.
        let skipped = (calls.len() - index) as u8;
        program.push(statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, skipped, *call as u32));
    }
    program.push(statement(libc::BPF_RET, 0, libc::SECCOMP_RET_ALLOW));
    program.push(statement(libc::BPF_RET, 0, libc::SECCOMP_RET_ERRNO | error as u32));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: this call takes numbers alone.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: `filter` points to `program`, which lives until the kernel has copied it.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter) };
    assert_eq!(done, 0);
}

fn everything(scratch: &Scratch) {
    let path = scratch.tree("tree");
    link(&scratch.canary(), &path.join("inner/link"));
    let mut last = path.clone();
    (0..50).for_each(|_| last.push("x"));
    fs::create_dir_all(&last).unwrap();
    let declared = place(&path);
    let parent = declared.parent();
    let again = Place::reopen(declared.path(), &parent, true).unwrap();
    let old = expected(&again);
    assert_eq!(
        tree(&again, &old, OsStr::new(TRASH)).unwrap(),
        Outcome::Removed { files: FILLED + 51 }
    );
    assert_eq!(tree(&again, &old, OsStr::new(TRASH)).unwrap(), Outcome::Missing);
    link(&scratch.canary(), &path);
    // Without births it may seem to be the same, if it got the same inode.
    let removed = tree(&again, &old, OsStr::new(TRASH));
    assert!(matches!(removed, Ok(Outcome::Replaced) | Err(Failure::Refused(_))), "{removed:?}");
    assert_eq!(remove_file(&path).unwrap(), Outcome::Removed { files: 1 });
    scratch.assert_all_gone();

    fs::create_dir(scratch.work("above")).unwrap();
    let inside = place(&scratch.work("above/x"));
    let parent = inside.parent();
    fs::rename(scratch.work("above"), scratch.work("moved")).unwrap();
    assert!(matches!(Place::reopen(inside.path(), &parent, true), Err(Unreachable::Gone)));
    link(&scratch.work("moved"), &scratch.work("above"));
    assert!(matches!(Place::reopen(inside.path(), &parent, true), Err(Unreachable::Replaced)));
}

fn without(test: &str, calls: &[i64], error: i32) {
    if children::is_child() {
        let scratch = Scratch::new();
        forbid(calls, error);
        everything(&scratch);
    } else {
        children::assert_passed(children::command(test));
    }
}

#[test]
fn without_openat2() {
    without("removal::without::without_openat2", &[libc::SYS_openat2], libc::ENOSYS);
}

#[test]
fn where_a_sandbox_forbids_openat2() {
    without("removal::without::where_a_sandbox_forbids_openat2", &[libc::SYS_openat2], libc::EPERM);
}

#[test]
fn without_renameat2() {
    without("removal::without::without_renameat2", &[libc::SYS_renameat2], libc::ENOSYS);
}

#[test]
fn without_any_of_them() {
    let calls = [libc::SYS_openat2, libc::SYS_renameat2, libc::SYS_statx];
    without("removal::without::without_any_of_them", &calls, libc::ENOSYS);
}

#[test]
fn mounts_are_left_without_openat2() {
    if mounts::where_mounting_is_allowed("removal::without::mounts_are_left_without_openat2") {
        let scratch = Scratch::new();
        forbid(&[libc::SYS_openat2], libc::ENOSYS);
        mounts::left_and_named(&scratch);
    }
}
