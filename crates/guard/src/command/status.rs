//! `lastly status`: who has declared what.

use lastly_journal::sweep::{Found, Journal, look};
use lastly_journal::{Directory, Entry, Failure};
use serde::Serialize;

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
    let found = directory.map(|it| look(&it)).transpose()?.unwrap_or_default();
    if arguments.json {
        let journals: Vec<_> = found.iter().map(Shown::of).collect();
        let text = serde_json::to_string_pretty(&journals).map_err(std::io::Error::from)?;
        println!("{text}");
    } else if !found.is_empty() {
        show(&found);
    }
    Ok(true)
}

fn show(found: &[Found]) {
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
            let (state, why) = words::state(journal, entry);
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

/// A journal, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    journal: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<ShownOwner<'a>>,
    actions: Vec<ShownEntry>,
}

#[derive(Serialize)]
struct ShownOwner<'a> {
    pid: i32,
    name: &'a str,
    state: &'static str,
    /// In seconds since 1970.
    begun: f64,
}

#[derive(Serialize)]
struct ShownEntry {
    id: String,
    action: &'static str,
    subject: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// In seconds since 1970.
    declared: f64,
    synced: bool,
    attempts: u32,
}

impl<'a> Shown<'a> {
    fn of(found: &'a Found) -> Self {
        let journal = &found.name;
        match &found.state {
            Err(trouble) => {
                let trouble = Some(trouble.to_string());
                Self { journal, trouble, owner: None, actions: Vec::new() }
            }
            Ok(said) => {
                let owner = ShownOwner {
                    pid: said.owner.pid,
                    name: &said.owner.name,
                    state: words::life(said.life),
                    begun: seconds(said.begun),
                };
                let actions = said.entries.iter().map(|it| ShownEntry::of(said, it)).collect();
                Self { journal, trouble: None, owner: Some(owner), actions }
            }
        }
    }
}

impl ShownEntry {
    fn of(journal: &Journal, entry: &Entry) -> Self {
        let (state, reason) = words::state(journal, entry);
        Self {
            id: journal.id_of(entry),
            action: entry.action.kind().name,
            subject: entry.action.subject(),
            state,
            reason,
            declared: seconds(entry.declared),
            synced: entry.synced,
            attempts: entry.attempts,
        }
    }
}

fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}
