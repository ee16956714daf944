//! Trees of any depth and size, with few descriptors and little memory.

use super::*;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::process::{Resource, Rlimit, setrlimit};

/// A chain of directories, made from the top without a long path.
fn deepen(path: &Path, depth: u64) {
    fs::create_dir(path).unwrap();
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let mut directory = openat(CWD, path, flags, Mode::empty()).unwrap();
    for _ in 1..depth {
        mkdirat(&directory, "d", Mode::RWXU).unwrap();
        directory = openat(&directory, "d", flags, Mode::empty()).unwrap();
    }
}

/// The most memory this process ever had, in kilobytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sixteen directories, those around the tree, and what the test binary has itself.
fn few_descriptors() {
    setrlimit(Resource::Nofile, Rlimit { current: Some(32), maximum: Some(32) }).unwrap();
}

fn deep(scratch: &Scratch, depth: u64) {
    let path = scratch.work("deep");
    deepen(&path, depth);
    assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: depth });
    scratch.assert_all_gone();
}

fn wide(scratch: &Scratch, files: u64) {
    let path = scratch.work("wide");
    fs::create_dir(&path).unwrap();
    let directory = openat(CWD, &path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    for number in 0..files {
        let name = format!("file-{number}");
        openat(&directory, name, OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
    }
    assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: files + 1 });
    scratch.assert_all_gone();
}

fn in_a_small_process(test: &str, work: impl FnOnce()) {
    if children::is_child() {
        few_descriptors();
        work();
        assert!(peak() < 8 * 1024, "{} kB of memory", peak());
    } else {
        children::assert_passed(children::command(test));
    }
}

#[test]
fn depth_100_000() {
    in_a_small_process("removal::large::depth_100_000", || deep(&Scratch::in_memory(), 100_000));
}

#[test]
#[ignore = "takes half a minute"]
fn depth_1_000_000() {
    in_a_small_process("removal::large::depth_1_000_000", || deep(&Scratch::new(), 1_000_000));
}

#[test]
fn width_100_000() {
    in_a_small_process("removal::large::width_100_000", || wide(&Scratch::in_memory(), 100_000));
}

#[test]
#[ignore = "takes minutes"]
fn width_10_000_000() {
    in_a_small_process("removal::large::width_10_000_000", || wide(&Scratch::new(), 10_000_000));
}

#[test]
fn bushes_deeper_than_what_is_held_open() {
    let scratch = Scratch::new();
    let path = scratch.work("bush");
    let mut all = 1;
    fs::create_dir(&path).unwrap();
    let mut last = path.clone();
    // At each step of a chain some directories and files, also where directories are moved up.
    for depth in 0..60 {
        for name in ["x", ".lastly-0", ".lastly-1"] {
            fs::create_dir(last.join(name)).unwrap();
            fs::write(last.join(name).join("f"), "").unwrap();
            all += 2;
        }
        last = last.join(if depth % 2 == 0 { "x" } else { ".lastly-1" });
    }
    assert_eq!(remove_tree(&path).unwrap(), Outcome::Removed { files: all });
    scratch.assert_all_gone();
}

#[test]
fn when_descriptors_run_out() {
    if !children::is_child() {
        return children::assert_passed(children::command(
            "removal::large::when_descriptors_run_out",
        ));
    }
    let scratch = Scratch::new();
    let path = scratch.work("deep");
    deepen(&path, 1000);
    let place = place(&path);
    let old = expected(&place);
    // Room for three more: what is held, the root, and one below.
    let next = fs::File::open("/").unwrap();
    let limit = Some(u64::from(std::os::fd::AsRawFd::as_raw_fd(&next).unsigned_abs()) + 3);
    drop(next);
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: Some(1024) }).unwrap();
    let removed = tree(&place, &old, OsStr::new(TRASH));
    setrlimit(Resource::Nofile, Rlimit { current: Some(1024), maximum: Some(1024) }).unwrap();
    assert_eq!(removed.unwrap(), Outcome::Removed { files: 1000 });
    scratch.assert_all_gone();
}
