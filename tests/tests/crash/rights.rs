//! Programs that have more rights than who starts them, who has chosen their environment: they keep no journal
//! where it says, and start no guard that it names.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use lastly_tests::crash::resource::place;

use crate::fixture::{PUPPET, Puppet, is_root, skip};

/// Somebody who is not root.
const USER: u32 = 65_534;

/// `CAP_NET_BIND_SERVICE`, in force from the start: as `setcap` writes it.
const CAPABILITY: [u32; 5] = [0x0200_0001, 1 << 10, 0, 0, 0];

/// Puts both into the stage.
const FILL: &str = r#"
    cp "$0" program
    printf '%s\n' '#!/bin/sh' ': > "$0 was here"' > bait/lastly
    chmod 755 program bait/lastly
"#;

/// A place where every user gets, with a program in it, and somebody's that is called as the guard is.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn new(name: &str) -> Self {
        let name = format!("lastly-rights-{name}-{}", std::process::id());
        let this = Self { folder: env::temp_dir().join(name) };
        fs::create_dir_all(place(&this.folder)).expect("there is room");
        for (directory, mode) in [(this.bait(), 0o1777), (this.journals(), 0o700)] {
            fs::create_dir(&directory).expect("there is room");
            fs::set_permissions(directory, Permissions::from_mode(mode)).expect("it is ours");
        }
        // By another process: what this one writes, the children of other tests may have open, too.
        let mut copy = Command::new("sh");
        copy.args(["-ec", FILL, PUPPET]).current_dir(&this.folder);
        assert!(copy.status().expect("there is a shell").success());
        this
    }

    fn program(&self) -> PathBuf {
        self.folder.join("program")
    }

    fn bait(&self) -> PathBuf {
        self.folder.join("bait")
    }

    fn journals(&self) -> PathBuf {
        self.folder.join("journals")
    }

    /// Starts the program as the other user, who names a guard.
    fn puppet(&self, by_path: bool) -> Puppet {
        let mut command = Command::new(self.program());
        command.arg("puppet").arg(&self.folder).env("LASTLY_JOURNALS", self.journals());
        match by_path {
            true => command.env_remove("LASTLY_GUARD").env("PATH", self.bait()),
            false => command.env("LASTLY_GUARD", self.bait().join("lastly")),
        };
        Puppet::start(command.uid(USER).gid(USER))
    }

    /// What protects what it declares; whether it keeps a journal; whether somebody's program was started.
    fn declare(&self, mut puppet: Puppet) -> (String, bool, bool) {
        puppet.tell("declare 0");
        let protection = puppet.tell("protection");
        let has_journal = fs::read_dir(self.journals()).expect("it is there").next().is_some();
        puppet.listen_to_the_end();
        (protection, has_journal, self.bait().join("lastly was here").exists())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.folder);
    }
}

fn expected() -> (String, bool, bool) {
    let why = "nothing: a program that has more rights than who runs it keeps no journal";
    (why.to_owned(), false, false)
}

#[test]
fn a_set_uid_program_keeps_no_journal_and_starts_nothing() {
    if !is_root() {
        return;
    }
    for by_path in [false, true] {
        for gives_up_the_difference in [false, true] {
            let stage = Stage::new("set-uid");
            let mode = Permissions::from_mode(0o4755);
            fs::set_permissions(stage.program(), mode).expect("it is ours");
            let mut puppet = stage.puppet(by_path);
            if told_of(&puppet, "Uid:")[1] != "0" {
                return skip("programs get no other user here");
            }
            if gives_up_the_difference {
                puppet.tell("be-root");
            }
            assert_eq!(stage.declare(puppet), expected(), "root: {gives_up_the_difference}");
        }
    }
}

#[test]
fn a_program_with_capabilities_keeps_no_journal_and_starts_nothing() {
    if !is_root() {
        return;
    }
    for by_path in [false, true] {
        let stage = Stage::new("no-capabilities");
        chown(stage.journals(), Some(USER), Some(USER)).expect("root may");
        // Without: so that the test can fail.
        let (protection, has_journal, was_started) = stage.declare(stage.puppet(by_path));
        assert!(protection.starts_with("sweep: ") && has_journal && was_started, "{protection}");
        drop(stage);

        let stage = Stage::new("capabilities");
        chown(stage.journals(), Some(USER), Some(USER)).expect("root may");
        let given = give_capability(&stage.program());
        let puppet = stage.puppet(by_path);
        if told_of(&puppet, "CapEff:") == ["0000000000000000"] {
            return skip(&format!("programs get no capabilities here: {given:?}"));
        }
        assert_eq!(stage.declare(puppet), expected());
    }
}

/// What the system tells of a process under this word.
fn told_of(puppet: &Puppet, word: &str) -> Vec<String> {
    let told = fs::read_to_string(format!("/proc/{}/status", puppet.child.id()));
    let told = told.expect("it is alive");
    let line = told.lines().find_map(|line| line.strip_prefix(word)).expect("all have one");
    line.split_whitespace().map(str::to_owned).collect()
}

fn give_capability(program: &Path) -> io::Result<()> {
    let value = CAPABILITY.map(u32::to_le_bytes).concat();
    let path = CString::new(program.as_os_str().as_bytes()).expect("no zero in it");
    let name = c"security.capability";
    // SAFETY: two strings, and as many bytes as it is told.
    let set = unsafe {
        libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
