//! `lastly sweep`: doing what dead programs left.

use std::io;

use lastly_journal::sweep::{Doubts, Event, Found, Journal, Options, look, sweep};
use lastly_journal::{Directory, Failure, Fate, Life};

use super::words;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Also what was not written through to the disk before the machine was booted: it may have been
    /// given up since, and that note be lost
    #[arg(long)]
    unsynced: bool,
    /// Also what programs left in other containers of this machine, or on a machine without a name
    /// (/etc/machine-id), if nobody has their journal open: not where programs live on that have called exec
    /// (as servers do to reload themselves), or that close files which they have not opened, nor where two
    /// machines share the journals
    #[arg(long)]
    trust_locks: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let Some(directory) = super::directory()? else { return Ok(true) };
    let Arguments { dry_run, unsynced, trust_locks } = *arguments;
    let options = Options { unsynced, trust_locks };
    if dry_run {
        return foretell(&directory, options);
    }
    let mut tally = Tally::default();
    if !sweep(&directory, options, &mut |event| tally.hear(&event))? {
        return Ok(is_nothing_left(&directory, arguments)?);
    }
    println!("{} done, {} left, {} failed.", tally.done, tally.left, tally.failed);
    Ok(tally.failed == 0)
}

/// Where another sweep is going on: what that may not come to, as it hangs, is not done.
fn is_nothing_left(directory: &Directory, arguments: &Arguments) -> io::Result<bool> {
    let found = look(directory)?;
    let journals = found.iter().filter_map(|it| it.state.as_ref().ok());
    let is_due =
        |it: &&Journal| it.life.is_dead() || it.life.is_dead_if_unlocked() && arguments.trust_locks;
    let entries = journals.filter(is_due).flat_map(|journal| &journal.entries);
    let left = entries.filter(|entry| entry.stuck.is_none()).count();
    if left == 0 {
        println!("Another sweep is going on; nothing is left.");
    } else {
        println!(
            "Another sweep is going on: nothing was done here, {left} left. Sweep again when it has ended."
        );
    }
    Ok(left == 0)
}

/// What came of a sweep so far.
#[derive(Default)]
struct Tally {
    done: usize,
    left: usize,
    failed: usize,
}

impl Tally {
    fn hear(&mut self, event: &Event<'_>) {
        match event {
            // Before the work, which may be long: who waits sees at what it is.
            Event::Journal(found) => self.begin(found),
            Event::Entry(entry, fate) => {
                match fate {
                    Fate::Failed(_) | Fate::Stuck(_) => self.failed += 1,
                    Fate::Unsure(_) => self.left += 1,
                    _ => self.done += 1,
                }
                println!("  {}: {}", words::deed(entry), words::plain(&words::fate(fate)));
            }
            Event::Locked(found) => {
                self.left += 1;
                println!("  left for later: somebody has {} open", words::plain(&found.name));
            }
            Event::Failed(what) => {
                self.failed += 1;
                println!("  {}", words::plain(what));
            }
        }
    }

    fn begin(&mut self, found: &Found) {
        match &found.state {
            Ok(journal) if journal.life != Life::Alive => {
                self.left += journal.entries.iter().filter(|it| it.stuck.is_some()).count();
                println!("{}", heading(journal));
            }
            Ok(_) => {}
            Err(trouble) => {
                self.left += 1;
                println!("{}: {trouble}", words::plain(&found.name));
            }
        }
    }
}

fn heading(journal: &Journal) -> String {
    let owner = &journal.owner;
    let actions = journal.entries.len();
    let life = words::life(journal.life);
    format!("{} {}, {life}: {actions} declared", owner.pid, words::plain(&owner.name))
}

fn foretell(directory: &Directory, options: Options) -> Result<bool, Failure> {
    let doubts = Doubts::new(directory, options);
    for found in look(directory)? {
        let journal = match &found.state {
            Ok(journal) => journal,
            Err(trouble) => {
                println!("{}: {trouble}", words::plain(&found.name));
                continue;
            }
        };
        let is_trusted = journal.life.is_dead_if_unlocked() && options.trust_locks;
        if journal.life == Life::Alive {
            continue;
        }
        println!("{}", heading(journal));
        // In the order in which it would be done, but for what belongs to processes.
        for entry in journal.entries.iter().rev() {
            let what = match (&entry.stuck, doubts.of(&found.name, journal, entry)) {
                (Some(_), _) => "left alone: it is stuck",
                (None, Some(why)) => why,
                (None, None) if journal.life.is_dead() || is_trusted => "would be done",
                (None, None) => "left alone",
            };
            println!("  {}: {what}", words::deed(entry));
        }
    }
    Ok(true)
}
