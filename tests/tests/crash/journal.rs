//! Journals as they are described in `crates/journal/src/bytes.rs` and `record.rs`, written by other code
//! than the library's: so that what nobody else would write can be, and what it reads is what is described.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use crc32fast::Hasher;

use crate::fixture::Fixture;

/// What actions are called.
pub(crate) const REMOVE_TREE: u8 = 1;
pub(crate) const REMOVE_FILE: u8 = 2;
const KILL_PROCESS: u8 = 4;

/// Under what number something is put before it is removed.
const TRASH: u128 = 1;

/// What records are called.
const HEADER: u8 = 0;
pub(crate) const DECLARED: u8 = 1;
pub(crate) const CANCELLED: u8 = 2;

#[derive(Clone)]
pub(crate) struct Journal {
    pub(crate) number: u128,
    pub(crate) pid: i32,
    pub(crate) started: u64,
    pub(crate) machine: u128,
    pub(crate) boot: u128,
    pub(crate) pids: u64,
    pub(crate) times: u64,
    pub(crate) version: u16,
    pub(crate) records: Vec<Record>,
}

#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) kind: u8,
    pub(crate) entry: u64,
    pub(crate) body: Vec<u8>,
}

/// Which file: device, inode, birth.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(pub(crate) u64, pub(crate) u64, pub(crate) i64);

#[derive(Clone)]
pub(crate) struct Action {
    pub(crate) code: u8,
    pub(crate) path: PathBuf,
    pub(crate) parent: Identity,
    pub(crate) identity: Option<Identity>,
    pub(crate) in_memory: bool,
    pub(crate) synced: bool,
    /// In nanoseconds since 1970.
    pub(crate) declared: i64,
}

impl Identity {
    pub(crate) fn of(path: &Path) -> Self {
        let metadata = path.symlink_metadata().expect("it is there");
        let born = metadata.created().expect("the file system tells");
        let born = born.duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
        Self(metadata.dev(), metadata.ino(), i64::try_from(born).expect("before 2262"))
    }

    fn write(self, to: &mut Vec<u8>) {
        to.extend(self.0.to_le_bytes());
        to.extend(self.1.to_le_bytes());
        to.push(1);
        to.extend(self.2.to_le_bytes());
    }
}

impl Action {
    /// What is there is to be removed.
    pub(crate) fn of(path: &Path) -> Self {
        let identity = Identity::of(path);
        Self {
            code: if path.is_dir() { REMOVE_TREE } else { REMOVE_FILE },
            path: path.to_owned(),
            parent: Identity::of(path.parent().expect("it has one")),
            identity: Some(identity),
            in_memory: false,
            synced: false,
            declared: identity.2,
        }
    }

    pub(crate) fn record(&self, entry: u64) -> Record {
        let mut body = vec![];
        body.extend(self.declared.to_le_bytes());
        body.push(u8::from(self.synced));
        body.extend(TRASH.to_le_bytes());
        body.push(self.code);
        write_text(self.path.as_os_str().as_bytes(), &mut body);
        self.parent.write(&mut body);
        body.push(u8::from(self.identity.is_some()) | u8::from(self.in_memory) << 1);
        if let Some(identity) = self.identity {
            identity.write(&mut body);
        }
        Record { kind: DECLARED, entry, body }
    }
}

/// A process that leads no group is to be killed.
pub(crate) fn killed(process: u32, started: u64) -> Record {
    let mut body = 0_i64.to_le_bytes().to_vec();
    body.push(0);
    body.extend(TRASH.to_le_bytes());
    body.push(KILL_PROCESS);
    body.extend(process.to_le_bytes());
    body.extend(started.to_le_bytes());
    body.push(0);
    Record { kind: DECLARED, entry: 1, body }
}

pub(crate) fn cancelled(entry: u64) -> Record {
    Record { kind: CANCELLED, entry, body: vec![] }
}

impl Journal {
    /// That of a process that is dead.
    pub(crate) fn of_the_dead(records: Vec<Record>) -> Self {
        let mut child =
            Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("it is there");
        let journal = Self::of(child.id(), records);
        child.kill().and_then(|()| child.wait()).expect("it is ours");
        journal
    }

    /// That of this process.
    pub(crate) fn of(process: u32, records: Vec<Record>) -> Self {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it is there");
        let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
        let started = fields.split(' ').nth(22 - 3).expect("so many fields");
        let namespace =
            |kind| fs::metadata(format!("/proc/self/ns/{kind}")).map_or(0, |it| it.ino());
        Self {
            number: u128::from_le_bytes(
                fs::read("/proc/sys/kernel/random/uuid").expect("it is there")[..16]
                    .try_into()
                    .expect("so many bytes"),
            ),
            pid: process.cast_signed(),
            started: started.parse().expect("a number"),
            machine: id("/etc/machine-id"),
            boot: id("/proc/sys/kernel/random/boot_id"),
            pids: namespace("pid"),
            times: namespace("time"),
            version: 1,
            records,
        }
    }

    /// As it stands in this file, which is made if it is not there: a journal says in which file it is.
    pub(crate) fn bytes(&self, file: &Path) -> Vec<u8> {
        if !file.exists() {
            write(file, &[]);
        }
        let Identity(_, inode, born) = Identity::of(file);
        let mut body = vec![];
        body.extend(self.number.to_le_bytes());
        body.extend(0_i64.to_le_bytes());
        body.extend(inode.to_le_bytes());
        body.push(1);
        body.extend(born.to_le_bytes());
        body.extend(self.pid.to_le_bytes());
        body.extend(self.started.to_le_bytes());
        body.extend(nix::unistd::geteuid().as_raw().to_le_bytes());
        body.extend(self.machine.to_le_bytes());
        body.extend(self.boot.to_le_bytes());
        body.extend(self.pids.to_le_bytes());
        body.extend(self.times.to_le_bytes());
        let root = fs::metadata("/").expect("it is there");
        let mounts = fs::metadata("/proc/self/ns/mnt").expect("it is there").ino();
        for number in [mounts, root.dev(), root.ino()] {
            body.extend(number.to_le_bytes());
        }
        write_text(b"planted", &mut body);
        let mut bytes = vec![];
        self.frame(0, 0, &Record { kind: HEADER, entry: 0, body }, &mut bytes);
        let seed = check(0, &self.number.to_le_bytes());
        for (record, sequence) in self.records.iter().zip(1..) {
            self.frame(seed, sequence, record, &mut bytes);
        }
        bytes
    }

    fn frame(&self, seed: u32, sequence: u64, record: &Record, bytes: &mut Vec<u8>) {
        let begin = bytes.len();
        let length = u32::try_from(28 + record.body.len() + 4).expect("short");
        bytes.extend(length.to_le_bytes());
        bytes.extend([record.kind, 0]);
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(record.entry.to_le_bytes());
        bytes.extend(check(seed, &bytes[begin..]).to_le_bytes());
        bytes.extend(&record.body);
        bytes.extend(check(seed, &bytes[begin..]).to_le_bytes());
    }

    pub(crate) fn name(&self) -> String {
        format!("{}-{}-{:032x}.journal", self.pid, self.started, self.number)
    }

    /// Puts it where the library would.
    pub(crate) fn plant(&self, fixture: &Fixture) -> PathBuf {
        let path = fixture.journals().join(self.name());
        write(&path, &self.bytes(&path));
        path
    }
}

/// Writes a file as the library would: for the user alone.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    let mut options = fs::File::options();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(path).expect("room");
    file.write_all(bytes).expect("room");
}

fn write_text(text: &[u8], to: &mut Vec<u8>) {
    to.extend(u16::try_from(text.len()).expect("short").to_le_bytes());
    to.extend(text);
}

fn check(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

fn id(path: &str) -> u128 {
    let text = fs::read_to_string(path).unwrap_or_default();
    u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap_or(0)
}
