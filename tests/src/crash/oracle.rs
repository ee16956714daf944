//! The oracle: whether what is there in the end is what the ledger tells.
//!
//! Two things can go wrong, and are counted apart. A **leak**: what was declared and not given up is there. A
//! **wrong deletion**: what was given up, or never declared, or not declared in this form, is gone or
//! changed. Of a step that was cut in its middle, either is right, but where the promise goes further: what
//! is declared stays so while it is made, called, or dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::ledger;
use super::resource::{Kind, Resource, deep_place, place, shared_prefix};
use super::system::Child;

/// What is wrong with a case, and how much there was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is there and should not be.
    pub leaks: Vec<String>,
    /// What is not there, or not whole, and should be.
    pub wrongs: Vec<String>,
    /// How many resources the ledger tells of.
    pub resources: u64,
}

/// A thing in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    No,
    Yes,
    Either,
}

/// Whose it is to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Nobody,
    Declared,
    /// It was just being declared, or given up.
    Unknown,
    /// It is declared, but what is there is another.
    OfAnother,
}

/// What the ledger tells of one resource.
#[derive(Clone, Copy, Debug)]
struct Fate {
    there: There,
    claim: Claim,
}

impl Fate {
    const NEW: Self = Self { there: There::No, claim: Claim::Nobody };

    fn heed(&mut self, what: &str) {
        let Self { there, claim } = self;
        if *claim == Claim::OfAnother {
            return;
        }
        match what {
            "declaring" | "keeping" => *claim = Claim::Unknown,
            "declared" => *claim = Claim::Declared,
            "kept" => *claim = Claim::Nobody,
            "making" | "remaking" => *there = There::Either,
            "made" | "remade" => *there = There::Yes,
            "called" | "dropped" => *self = Self::NEW,
            "exchanging" => (*there, *claim) = (There::Either, Claim::Unknown),
            "exchanged" => (*there, *claim) = (There::Yes, Claim::OfAnother),
            // It stays declared until that is over.
            "calling" | "dropping" | "confirming" | "confirmed" => {}
            _ => panic!("a ledger says {what:?}"),
        }
    }

    /// Whether it must be there in the end; `None`: either.
    fn is_to_be_there(self) -> Option<bool> {
        match (self.claim, self.there) {
            (Claim::Declared, _) | (_, There::No) => Some(false),
            (Claim::Unknown, _) | (_, There::Either) => None,
            (Claim::Nobody | Claim::OfAnother, There::Yes) => Some(true),
        }
    }
}

/// Compares. `living`: the children of this process, which all descendants of the actor are by now.
#[must_use]
pub fn judge(folder: &Path, living: &[Child]) -> Verdict {
    let text = fs::read_to_string(ledger::path(folder)).unwrap_or_default();
    let mut fates: BTreeMap<Resource, Fate> = BTreeMap::new();
    for (what, resource) in ledger::lines(&text) {
        fates.entry(resource).or_insert(Fate::NEW).heed(what);
    }
    let mut verdict = Verdict { resources: fates.len() as u64, ..Verdict::default() };
    for (resource, fate) in &fates {
        if resource.kind == Kind::Group {
            judge_group(*resource, *fate, living, &mut verdict);
        } else {
            judge_file(*resource, *fate, folder, &mut verdict);
        }
    }
    look_for_what_nobody_made(folder, &fates, &mut verdict);
    verdict
}

fn judge_file(resource: Resource, fate: Fate, folder: &Path, verdict: &mut Verdict) {
    let is_there = resource.is_there(folder);
    match fate.is_to_be_there() {
        Some(false) if is_there => verdict.leaks.push(format!("{resource:?}: {fate:?}")),
        Some(true) if !is_there => verdict.wrongs.push(format!("{resource:?}: {fate:?}")),
        _ => {}
    }
    if is_there
        && fate.there == There::Yes
        && let Some(missing) = resource.what_is_missing(folder)
    {
        verdict.wrongs.push(format!("{resource:?}: {fate:?}: {missing}"));
    }
}

fn judge_group(resource: Resource, fate: Fate, living: &[Child], verdict: &mut Verdict) {
    let number = Some(resource.number);
    let leader = living.iter().any(|child| child.leads() == number);
    let member = living.iter().any(|child| child.is_member_of() == number);
    match fate.is_to_be_there() {
        Some(false) if leader || member => {
            verdict.leaks.push(format!("{resource:?}: {fate:?}: leader {leader}, member {member}"));
        }
        Some(true) if !leader || !member => {
            verdict
                .wrongs
                .push(format!("{resource:?}: {fate:?}: leader {leader}, member {member}"));
        }
        _ => {}
    }
}

/// Trash, and the like.
fn look_for_what_nobody_made(
    folder: &Path,
    fates: &BTreeMap<Resource, Fate>,
    verdict: &mut Verdict,
) {
    let names = |it: &Path| -> BTreeSet<OsString> {
        fs::read_dir(it).into_iter().flatten().flatten().map(|it| it.file_name()).collect()
    };
    let known: BTreeSet<_> = fates.keys().map(|it| it.path(folder)).collect();
    for place in [place(folder), deep_place(folder)] {
        for name in names(&place) {
            let is_deeper = name.as_bytes().iter().all(|byte| *byte == b'd');
            // The actor was cut while it exchanged them.
            let is_away = name.as_bytes().ends_with(b" away");
            if !known.contains(&place.join(&name)) && !is_deeper && !is_away {
                verdict.leaks.push(format!("{name:?} in {}", place.display()));
            }
        }
    }
    let prefix = shared_prefix(folder);
    for name in names(Path::new("/dev/shm")) {
        let is_ours = name.as_bytes().starts_with(prefix.as_bytes());
        if is_ours && !known.contains(&Path::new("/dev/shm").join(&name)) {
            verdict.leaks.push(format!("{name:?} in shared memory"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fate;

    /// What is to be there in the end, after these lines.
    fn end_of(lines: &str) -> Option<bool> {
        let mut fate = Fate::NEW;
        lines.split(' ').for_each(|line| fate.heed(line));
        fate.is_to_be_there()
    }

    #[test]
    fn what_is_declared_goes_also_if_it_was_cut_off_while_it_was_made_or_removed() {
        for lines in [
            "declaring declared",
            "declaring declared making",
            "declaring declared making made",
            "making made declaring declared",
            "making made declaring declared calling",
            "making made declaring declared dropping",
            "making made declaring declared calling called",
        ] {
            assert_eq!(end_of(lines), Some(false), "{lines}");
        }
    }

    #[test]
    fn what_nobody_has_declared_or_somebody_has_given_up_stays() {
        for lines in [
            "making made",
            "making made declaring declared keeping kept",
            "declaring declared keeping kept making made",
            "making made declaring declared calling called remaking remade",
            "making made declaring declared exchanging exchanged",
            "making made declaring declared exchanging exchanged calling called",
        ] {
            assert_eq!(end_of(lines), Some(true), "{lines}");
        }
    }

    #[test]
    fn what_was_cut_off_in_the_middle_may_be_either() {
        for lines in [
            "making",
            "making made declaring",
            "making made declaring declared keeping",
            "making made declaring declared calling called remaking",
            "making made declaring declared exchanging",
        ] {
            assert_eq!(end_of(lines), None, "{lines}");
        }
    }
}
