//! `lastly status`: who has declared what.

use lastly_journal::sweep::{Doubts, Found, Journal, Options, look};
use lastly_journal::{Directory, Entry, Failure};
use serde_json::{Value, json};

use super::words;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let directory =
        if arguments.json { Directory::of_user_if_there()? } else { super::directory()? };
    let Some(directory) = directory else {
        if arguments.json {
            println!("[]");
        }
        return Ok(true);
    };
    let (found, doubts) = (look(&directory)?, Doubts::new(&directory, Options::default()));
    if arguments.json {
        let journals: Value = found.iter().map(|it| as_json(&doubts, it)).collect();
        println!("{journals:#}");
    } else if !found.is_empty() {
        show(&doubts, &found);
    }
    Ok(true)
}

fn show(doubts: &Doubts<'_>, found: &[Found]) {
    println!("{:<14}{:<24}{:<8}{:<6}ACTION", "ID", "OWNER", "STATE", "AGE");
    let mut notes = Vec::new();
    for Found { name, state } in found {
        let journal = match state {
            Ok(journal) => journal,
            Err(trouble) => {
                notes.push(format!("{}: {trouble}", words::plain(name)));
                continue;
            }
        };
        for entry in &journal.entries {
            let (state, why) = words::state(doubts, name, journal, entry);
            let id = journal.id_of(entry);
            let owner = owner(journal);
            let age = words::age(entry.declared);
            println!("{id:<14}{owner:<24}{state:<8}{age:<6}{}", words::deed(entry));
            notes.extend(why.map(|why| format!("{id} is {state}: {}", words::plain(&why))));
        }
    }
    for note in notes {
        println!("{note}");
    }
}

fn owner(journal: &Journal) -> String {
    let owner = &journal.owner;
    let dead = if journal.life.is_dead() { ", dead" } else { "" };
    format!("{} {}{dead}", owner.pid, words::plain(&owner.name))
}

/// A journal, for programs. Times are in seconds since 1970.
fn as_json(doubts: &Doubts<'_>, found: &Found) -> Value {
    let mut shown = json!({"journal": found.name, "actions": []});
    match &found.state {
        Err(trouble) => shown["trouble"] = trouble.to_string().into(),
        Ok(journal) => {
            let owner = &journal.owner;
            shown["owner"] = json!({
                "pid": owner.pid,
                "name": owner.name,
                "state": words::life(journal.life),
                "begun": seconds(journal.begun),
            });
            let states = journal.entries.iter().map(|entry| {
                entry_as_json(journal, entry, words::state(doubts, &found.name, journal, entry))
            });
            shown["actions"] = states.collect();
        }
    }
    shown
}

fn entry_as_json(
    journal: &Journal,
    entry: &Entry,
    (state, reason): (&str, Option<String>),
) -> Value {
    json!({
        "id": journal.id_of(entry),
        "action": entry.action.kind().name,
        "subject": entry.action.subject(),
        "state": state,
        "reason": reason,
        "declared": seconds(entry.declared),
        "synced": entry.synced,
        "attempts": entry.attempts,
    })
}

fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}
