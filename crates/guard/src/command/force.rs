//! `lastly force`: entries, by their IDs, on somebody's own responsibility.

use lastly_journal::sweep::{Force, force, look};
use lastly_journal::{Directory, Failure};

use super::words;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Which ones, as `lastly status` shows them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Forget them, and leave undone what they say
    #[arg(long)]
    forget: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let Some(directory) = super::directory()? else { return Ok(false) };
    let mut are_done = true;
    for id in &arguments.ids {
        are_done &= run_one(&directory, id, arguments.forget)?;
    }
    Ok(are_done)
}

fn run_one(directory: &Directory, id: &str, forget: bool) -> Result<bool, Failure> {
    for found in look(directory)? {
        let Ok(journal) = &found.state else { continue };
        let Some(entry) = journal.entries.iter().find(|entry| journal.id_of(entry) == id) else {
            continue;
        };
        let how = if forget { Force::Forget } else { Force::Perform };
        let mut is_done = true;
        force(directory, &found, entry.id, how, &mut |entry, fate| {
            is_done = fate.is_done();
            println!("{}: {}", words::deed(entry), words::plain(&words::fate(fate)));
        })?;
        if forget {
            println!("{}: forgotten", words::deed(entry));
        }
        return Ok(is_done);
    }
    eprintln!("lastly: there is no {id}: see `lastly status`");
    Ok(false)
}
