//! What a registration asks of the system, each alone: what lastly adds to that is its own.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags, fstat, openat2, statx};
use rustix::pipe::pipe;
use rustix::process::{geteuid, getpid};

use super::Scratch;
use crate::Effort;
use crate::measure::medians;

/// As many bytes as a record of a removal has, with a path of usual length.
pub(super) const RECORD: [u8; 192] = [0; 192];

pub(super) fn table(effort: &Effort, scratch: &Scratch) {
    let (reader, _writer) = pipe().expect("there are descriptors");
    let file = |path: &Path| {
        let options = File::options().append(true).create(true).truncate(false).open(path);
        options.expect("there is room")
    };
    let on_disk = file(&scratch.disk.join("bare"));
    let in_memory = file(&scratch.memory.join("bare"));
    let directory = File::open(&scratch.memory).expect("it is there");
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let looks = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    let parts: [(&str, &dyn Fn()); 7] = [
        ("open its directory, following no link, and close it", &|| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            _ = black_box(openat2(CWD, &scratch.memory, flags, Mode::empty(), resolve));
        }),
        ("look at the directory and at the file", &|| {
            _ = black_box(statx(&directory, "", AtFlags::EMPTY_PATH, looks));
            _ = black_box(statx(&directory, "bare", AtFlags::SYMLINK_NOFOLLOW, looks));
        }),
        ("who we are: process and user", &|| _ = black_box((getpid(), geteuid()))),
        ("whether the guard is there", &|| {
            _ = black_box(poll(&mut [PollFd::new(&reader, PollFlags::empty())], Some(&at_once)));
            _ = black_box(fstat(reader.as_fd()));
        }),
        ("whether the journal is still open", &|| _ = black_box(fstat(&on_disk))),
        ("write the record, on the disk", &|| {
            (&on_disk).write_all(&RECORD).expect("there is room");
        }),
        ("the same in memory", &|| (&in_memory).write_all(&RECORD).expect("there is room")),
    ];
    println!("### Rust: what a registration asks of the system, each alone (ns)\n");
    println!("| | |\n|---|---|");
    let figures = medians(effort.rounds, &parts, |(_, part)| {
        let begin = Instant::now();
        (0..effort.declared).for_each(|_| part());
        begin.elapsed().as_nanos() as f64 / f64::from(effort.declared)
    });
    for ((name, _), figure) in parts.iter().zip(figures) {
        println!("| {name} | {figure:.0} |");
    }
    println!();
}
