//! What must hold of journals, whatever bytes they are made of. For the fuzzer, and for the tests, which make up
//! bytes themselves.

use crate::actions::{self, Action};
use crate::bytes::{self, Frame};
use crate::record::{Reading, Unreadable};

/// Records are made of so many bytes at most.
const LONG: usize = 96;

/// Takes the bytes in three ways.
///
/// # Panics
///
/// Something does not hold.
pub fn check(bytes: &[u8]) {
    // As they come: mostly nothing, and never a panic.
    _ = Reading::of(bytes);
    let journal = of_sound_frames(bytes);
    if let Ok(reading) = Reading::of(&journal) {
        assert!(reading.length <= journal.len() as u64);
        for entry in reading.entries.values() {
            // What was understood is what was written.
            let written = written(&*entry.action);
            let again = actions::read(&mut bytes::Reader(&written)).expect("it was written so");
            assert_eq!(self::written(&*again), written);
            assert_eq!(again.subject(), entry.action.subject());
        }
        damage(&journal, bytes);
    }
}

fn written(action: &dyn Action) -> Vec<u8> {
    let mut writer = bytes::Writer::default();
    actions::write(action, &mut writer);
    writer.0
}

/// A journal of records whose checks are right and whose content is anything: bytes give the kind, the
/// entry, how long it is, and what it is.
fn of_sound_frames(bytes: &[u8]) -> Vec<u8> {
    let mut journal = Vec::new();
    let Some((&length, rest)) = bytes.split_first() else { return journal };
    let (header, mut rest) = rest.split_at(rest.len().min(usize::from(length)));
    Frame { kind: 0, sequence: 0, entry: 0, body: header.to_vec() }.write(0, &mut journal);
    // The number of the journal is the first thing in its header.
    let number = header.first_chunk().map_or(0, |number| u128::from_le_bytes(*number));
    let seed = bytes::seed(number);
    for sequence in 1.. {
        let [kind, entry, length, after @ ..] = rest else { break };
        let length = usize::from(*length).min(LONG).min(after.len());
        let (body, after) = after.split_at(length);
        rest = after;
        let (kind, entry) = (kind % 8, u64::from(entry % 4));
        Frame { kind, sequence, entry, body: body.to_vec() }.write(seed, &mut journal);
    }
    journal
}

/// One bit of a sound journal is changed, then it is cut off: nothing is done that it says after that, or at
/// all.
fn damage(journal: &[u8], bytes: &[u8]) {
    let place = bytes.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31) ^ usize::from(*byte));
    let bit = place % (journal.len() * 8);
    let mut changed = journal.to_vec();
    changed[bit / 8] ^= 1 << (bit % 8);
    let read = Reading::of(&changed);
    assert!(
        matches!(read, Err(Unreadable::Damaged { .. } | Unreadable::Foreign)),
        "bit {bit} of {} changed, and it reads {read:?}",
        journal.len() * 8
    );
    let cut = &journal[..place % journal.len()];
    if let Ok(reading) = Reading::of(cut) {
        let whole = Reading::of(&cut[..reading.length as usize]).expect("whole records");
        assert_eq!(whole.records, reading.records);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::birth_clock;
    use crate::owner::Owner;
    use crate::record::{Entry, Header, Record};
    use std::path::Path;

    /// A header of this process, and records of all kinds.
    fn journal() -> Vec<u8> {
        let owner = Owner::own().expect("/proc is there");
        let header =
            Header { owner, number: 0x1234_5678_9abc_def0, begun: birth_clock(), file: (1, None) };
        let seed = bytes::seed(header.number);
        let entry = |id, path: &str| Entry {
            id,
            action: actions::remove_tree::declare(Path::new(path)).expect("a path of no system"),
            declared: birth_clock(),
            synced: id % 2 == 0,
            unguessable: false,
            trash: 1 << 100,
            attempts: 0,
            stuck: None,
        };
        let (one, two, three) = (
            entry(1, "/tmp/lastly-no-1"),
            entry(2, "/tmp/lastly-no-2"),
            entry(3, "/tmp/lastly-no-3"),
        );
        let records = [
            Record::Header(&header),
            Record::Declared(&one),
            Record::Declared(&two),
            Record::Cancelled(1),
            Record::Declared(&three),
            Record::Claimed(2),
            Record::Stuck(2, "for no reason"),
            Record::Done(3),
        ];
        let mut bytes = Vec::new();
        for (record, sequence) in records.iter().zip(0..) {
            record.frame(sequence).write(if sequence == 0 { 0 } else { seed }, &mut bytes);
        }
        bytes
    }

    #[test]
    fn a_journal_says_what_was_written() {
        let reading = Reading::of(&journal()).expect("sound");
        assert_eq!(reading.records, 8);
        let ids: Vec<u64> = reading.entries.keys().copied().collect();
        assert_eq!(ids, [2], "1 was cancelled, 3 is done");
        let entry = &reading.entries[&2];
        assert_eq!((entry.attempts, entry.synced), (1, true));
        assert_eq!(entry.stuck.as_deref(), Some("for no reason"));
    }

    #[test]
    fn a_changed_bit_anywhere_stops_the_journal() {
        let journal = journal();
        for bit in 0..journal.len() * 8 {
            let mut changed = journal.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let read = Reading::of(&changed);
            assert!(read.is_err(), "bit {bit} was changed: {read:?}");
        }
    }

    #[test]
    fn a_journal_that_is_cut_off_says_what_its_whole_records_say() {
        let journal = journal();
        let mut ends = vec![];
        let mut last = 0;
        for length in 0..=journal.len() {
            match Reading::of(&journal[..length]) {
                Ok(reading) => {
                    if reading.length > last {
                        last = reading.length;
                        ends.push((length as u64, reading.length));
                    }
                    assert_eq!(reading.length, last, "nothing in between counts");
                }
                Err(error) => assert_eq!(error, Unreadable::Empty, "cut at {length}"),
            }
        }
        assert_eq!(ends.len(), 8, "the eight records, one after the other");
        assert!(ends.iter().all(|(length, end)| length == end), "each counts once it is whole");
    }

    #[test]
    fn zeros_at_the_end_were_never_written() {
        let mut journal = journal();
        let length = journal.len() as u64;
        journal.extend([0; 5000]);
        assert_eq!(Reading::of(&journal).expect("sound").length, length);
    }

    #[test]
    fn records_of_another_journal_are_damage() {
        let mut journal = journal();
        let sound = Reading::of(&journal).expect("sound");
        let mut other = Vec::new();
        Record::Cancelled(2).frame(sound.records).write(bytes::seed(77), &mut other);
        journal.extend(other);
        assert!(matches!(Reading::of(&journal), Err(Unreadable::Damaged { .. })));
    }

    #[test]
    fn a_record_that_comes_twice_is_damage() {
        let journal = journal();
        let last = journal.len() - 32;
        let twice = [&journal[..], &journal[last..]].concat();
        assert!(matches!(Reading::of(&twice), Err(Unreadable::Damaged { .. })));
    }

    #[test]
    fn whatever_the_bytes() {
        let bytes::Next::Frame(header, _) = Frame::read(0, &journal()) else {
            panic!("a journal begins with its header")
        };
        let mut state = 88_172_645_463_325_252u64;
        let mut bytes = Vec::new();
        for round in 0..10_000usize {
            bytes.clear();
            // A sound header now and then, so that what comes after is looked at.
            if round % 2 == 0 {
                bytes.push(u8::try_from(header.body.len()).expect("a short one"));
                bytes.extend(&header.body);
            }
            for _ in 0..round % 300 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.push(state as u8);
            }
            check(&bytes);
        }
    }
}
