//! What is synced is on the disk when that is said: by what the system was asked to write through until then.

use std::fs::{self, File};
use std::io::{Write, pipe};
use std::path::Path;
use std::process::{Command, Stdio};

use lastly_tests::crash::trace::{self, Call};

use crate::fixture::{Fixture, PUPPET};

#[test]
fn what_is_synced_can_be_found_on_the_disk() {
    let fixture = Fixture::new("synced");
    let (home, said) = (fixture.folder.join("home"), fixture.folder.join("said"));
    // A user who has just been made: all the way to the journals is new.
    fs::create_dir(&home).expect("there is room");
    let (input, mut orders) = pipe().expect("there is room");
    orders.write_all(b"declare 0\nsync 2\nsync 4\n").expect("it fits");
    drop(orders);
    let mut command = Command::new(PUPPET);
    command.arg("puppet").arg(&fixture.folder).env("HOME", &home).env("LASTLY_GUARD", "0");
    command.env_remove("XDG_STATE_HOME").env_remove("LASTLY_JOURNALS").env("LASTLY_SWEEP", "0");
    command.stdin(input).stdout(File::create(&said).expect("there is room")).stderr(Stdio::null());
    let calls = trace::list(&mut command).expect("it lets itself be traced");

    // It begins by saying that it is ready.
    let is_said = |call: &Call| call.number == libc::SYS_write && call.file == said;
    let [_, plain, first, second, _] = calls.split(is_said).collect::<Vec<_>>()[..] else {
        panic!("it answers each time: {calls:?}")
    };
    let journals = home.join(".local/state/lastly/journals");
    assert!(plain.iter().any(|it| it.file.parent() == Some(&journals)), "it has a journal");
    assert_eq!(written_through(plain), [""; 0].map(Path::new), "that was not asked for");
    // The directories that it is in up to the home, which was there before.
    let above: Vec<&Path> = journals.ancestors().take(5).collect();
    assert_eq!(above.last(), Some(&&*home));
    let through = written_through(first);
    assert_eq!(through[0].parent(), Some(&*journals), "the journal: {through:?}");
    let missing: Vec<_> = above.iter().filter(|it| !through[1..].contains(it)).collect();
    assert!(missing.is_empty(), "names in these: {missing:?}");
    assert_eq!(written_through(second), through[..1], "its name is there by now");
    fixture.clear();
}

/// What the system was asked for, in this order.
fn written_through(calls: &[Call]) -> Vec<&Path> {
    let asked = |call: &&Call| [libc::SYS_fsync, libc::SYS_fdatasync].contains(&call.number);
    calls.iter().filter(asked).map(|it| it.file.as_path()).collect()
}
