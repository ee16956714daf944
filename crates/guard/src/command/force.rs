//! `lastly force`: one entry, by its ID, on somebody's own responsibility.

use lastly_journal::Failure;
use lastly_journal::sweep::{Force, force, look};

use super::words;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Which one, as `lastly status` shows it
    id: String,
    /// Forget it, and leave undone what it says
    #[arg(long)]
    forget: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let Arguments { id, forget } = arguments;
    let Some(directory) = super::directory()? else { return Ok(false) };
    for found in look(&directory)? {
        let Ok(journal) = &found.state else { continue };
        let Some(entry) = journal.entries.iter().find(|entry| journal.id_of(entry) == *id) else {
            continue;
        };
        let how = if *forget { Force::Forget } else { Force::Perform };
        let mut is_done = true;
        force(&directory, &found, entry.id, how, &mut |entry, fate| {
            is_done = fate.is_done();
            println!("{}: {}", words::deed(entry), words::plain(&words::fate(fate)));
        })?;
        if *forget {
            println!("{}: forgotten", words::deed(entry));
        }
        return Ok(is_done);
    }
    eprintln!("lastly: there is no {id}: see `lastly status`");
    Ok(false)
}
