//! Journals of the dead, cut off at every byte, and with every single bit turned over.

use std::fs;
use std::path::{Path, PathBuf};

use lastly_journal::Directory;
use lastly_journal::sweep::{Options, sweep};

use crate::fixture::Fixture;
use crate::journal::{Action, Journal, Record, cancelled, write};

/// What the journal of these tests is about: declared, declared and given up, declared, given up.
const NAMES: [&str; 4] = ["first", "given up", "second", "tree given up"];
const IS_LEFT: [bool; 4] = [true, false, true, false];

struct Bytes {
    fixture: Fixture,
    directory: Directory,
}

impl Bytes {
    fn new(name: &str) -> Self {
        let fixture = Fixture::new(&format!("bytes-{name}"));
        let directory = Directory::open(&fixture.journals()).expect("it is ours");
        Self { fixture, directory }
    }

    fn path(&self, index: usize) -> PathBuf {
        self.fixture.folder.join(NAMES[index])
    }

    /// Makes what is missing, so that all is there.
    fn make(&self) {
        for index in 0..NAMES.len() {
            let path = self.path(index);
            if !path.exists() {
                make(&path, index);
            }
        }
    }

    /// Declares all, then gives up what is to be given up.
    fn records(&self) -> Vec<Record> {
        let ids = || (0..NAMES.len()).zip(1..);
        let declared = ids().map(|(index, id)| Action::of(&self.path(index)).record(id));
        let given_up = ids().filter(|(index, _)| !IS_LEFT[*index]).map(|(_, id)| cancelled(id));
        declared.chain(given_up).collect()
    }

    fn journal(&self, journal: &Journal) -> PathBuf {
        self.fixture.journals().join(journal.name())
    }

    /// Sweeps with such a journal, changed so; what is left of it is removed.
    fn sweep(&self, journal: &Journal, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.journal(journal);
        let mut bytes = journal.bytes(&path);
        change(&mut bytes);
        write(&path, &bytes);
        // While another test starts a program, that has a copy of the lock.
        while !sweep(&self.directory, Options::default(), &mut |_| ()).expect("it can be read") {
            std::thread::yield_now();
        }
        _ = fs::remove_file(path);
    }

    fn what_is_there(&self) -> [bool; 4] {
        std::array::from_fn(|index| self.path(index).exists())
    }

    fn clear(self) {
        self.fixture.clear();
    }
}

fn make(path: &Path, index: usize) {
    if index < 2 {
        fs::write(path, "something").expect("room");
    } else {
        fs::create_dir(path).expect("room");
        fs::write(path.join("in it"), "something").expect("room");
    }
}

/// Of a journal that ends early, what its whole records say is done, and no more: who was about to write the
/// next had not begun what it says.
#[test]
fn cut_off_at_every_byte() {
    let bytes = Bytes::new("cut");
    bytes.make();
    let mut journal = Journal::of_the_dead(bytes.records());
    let path = bytes.journal(&journal);
    let length = journal.bytes(&path).len();
    for end in 0..length {
        journal.records = bytes.records();
        let whole = |count: usize| {
            let records = journal.records[..count].to_vec();
            Journal { records, ..journal.clone() }.bytes(&path).len()
        };
        let count = (1..=journal.records.len()).take_while(|count| whole(*count) <= end).count();
        bytes.sweep(&journal, |it| it.truncate(end));
        let declared = |index: usize| index < count;
        // Those that are given up come after all declarations, in their order.
        let given_up = |index: usize| {
            let before = IS_LEFT[..index].iter().filter(|it| !**it).count();
            !IS_LEFT[index] && NAMES.len() + before < count
        };
        let expected = std::array::from_fn(|index| !declared(index) || given_up(index));
        assert_eq!(bytes.what_is_there(), expected, "cut off at {end} of {length}");
        bytes.make();
    }
    bytes.clear();
}

#[test]
fn every_bit_turned_over() {
    let bytes = Bytes::new("bits");
    bytes.make();
    let journal = Journal::of_the_dead(bytes.records());
    let bits = journal.bytes(&bytes.journal(&journal)).len() * 8;
    for bit in 0..bits {
        bytes.sweep(&journal, |it| it[bit / 8] ^= 1 << (bit % 8));
        assert_eq!(bytes.what_is_there(), [true; 4], "bit {bit} of {bits}");
    }
    // As it was, it is done: so the test can fail.
    bytes.sweep(&journal, |_| ());
    assert_eq!(bytes.what_is_there(), IS_LEFT.map(|it| !it));
    bytes.clear();
}
