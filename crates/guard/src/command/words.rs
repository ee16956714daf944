//! How things are called on the terminal.

use std::fmt::Write;

use lastly_journal::sweep::{Doubts, Journal};
use lastly_journal::{Entry, Fate, Life, Performed};

/// What is known of an owner.
pub(super) fn life(life: Life) -> &'static str {
    match life {
        Life::Alive => "alive",
        Life::Dead => "dead",
        Life::DeadBeforeBoot => "dead since the machine was booted",
        Life::Elsewhere => "on another machine",
        Life::OtherContainer => "in another container",
        Life::Nameless => "on a machine without a name, this one or another, before a boot",
    }
}

/// How an entry stands: a word for a column, and why.
pub(super) fn state(
    doubts: &Doubts<'_>,
    name: &str,
    journal: &Journal,
    entry: &Entry,
) -> (&'static str, Option<String>) {
    if let Some(why) = &entry.stuck {
        return ("stuck", Some(why.clone()));
    }
    match journal.life {
        Life::Alive if entry.action.is_known() => ("live", None),
        Life::Alive => ("intent", None),
        Life::Elsewhere | Life::OtherContainer | Life::Nameless => {
            ("unsure", Some(format!("its owner is, or was, {}", life(journal.life))))
        }
        Life::Dead | Life::DeadBeforeBoot => match doubts.of(name, journal, entry) {
            Some(why) => ("unsure", Some(why.to_owned())),
            None => ("left", None),
        },
    }
}

/// What came of an entry.
pub(super) fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Performed(Performed::Done) => "done".to_owned(),
        Fate::Performed(Performed::Missing) => "gone already".to_owned(),
        Fate::Performed(Performed::Replaced) => "not touched: another is in its place".to_owned(),
        Fate::EndedWithBoot => "the boot of the machine has done it".to_owned(),
        Fate::TakenOver => "not touched: a living process has declared the same".to_owned(),
        Fate::Failed(why) => format!("failed, and is tried again: {why}"),
        Fate::Stuck(why) => format!("STUCK: {why}"),
        Fate::Unsure(why) => format!("left alone: {why}"),
    }
}

/// How long ago that was, in nanoseconds since 1970.
pub(super) fn age(since: i64) -> String {
    let seconds = (lastly_journal::birth_clock() - since).max(0) / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// What others have named, for a terminal: nothing in it moves the cursor.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            _ = write!(plain, "{}", character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// The action and what it is about.
pub(super) fn deed(entry: &Entry) -> String {
    format!("{} {}", entry.action.kind().name, plain(&entry.action.subject()))
}
