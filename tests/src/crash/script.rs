//! What an actor does whose every system call is looked at: each thing once, always the same.

use std::path::Path;

use super::actor::Deeds;
use super::resource::{Kind, Resource};
use super::{system, trace};

/// Which script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// From the first declaration on: of each kind something is declared, made, given up, called.
    Short,
    /// A journal is written anew.
    Compaction,
    /// A group of processes is declared.
    Target,
}

impl Script {
    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Compaction => "compaction",
            Self::Target => "target",
        }
    }

    /// See [`word`](Self::word).
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Short, Self::Compaction, Self::Target].into_iter().find(|it| it.word() == word)
    }
}

const fn tree(number: u32) -> Resource {
    Resource { number, kind: Kind::Tree }
}

const fn file(number: u32) -> Resource {
    Resource { number, kind: Kind::File }
}

/// What the program `crash script` does. In the end it kills itself, or ends in order.
pub fn main(folder: &Path, canaries: &Path, script: Script, traced: bool, killed: bool) {
    let mut deeds = Deeds::new(folder, canaries);
    match script {
        Script::Short => short(&mut deeds, traced),
        Script::Compaction => compaction(&mut deeds, traced),
        Script::Target => target(&mut deeds),
    }
    if killed {
        system::kill_this();
    }
}

fn short(deeds: &mut Deeds, traced: bool) {
    let [first, kept, called, never] = [tree(0), tree(2), file(4), file(6)];
    let shared = Resource { number: 8, kind: Kind::Shared };
    deeds.make(never);
    deeds.make(called);
    if traced {
        trace::begin();
    }
    deeds.declare(first, None, false);
    deeds.make(first);
    deeds.confirm(first);
    deeds.declare(called, None, true);
    deeds.declare(kept, None, false);
    deeds.make(kept);
    deeds.declare(shared, None, false);
    deeds.make(shared);
    deeds.keep(kept);
    deeds.call(called, None);
    deeds.make_again(called);
}

/// Resources of odd numbers have long paths.
fn compaction(deeds: &mut Deeds, traced: bool) {
    let [left, kept, called] = [tree(1), tree(3), file(5)];
    deeds.declare(left, None, false);
    deeds.make(left);
    deeds.make(kept);
    deeds.declare(kept, None, false);
    deeds.make(called);
    for number in (101..).step_by(2).take(17) {
        deeds.declare(file(number), None, false);
        deeds.keep(file(number));
    }
    if traced {
        trace::begin();
    }
    for number in (201..).step_by(2).take(2) {
        deeds.declare(file(number), None, false);
        deeds.keep(file(number));
    }
    deeds.declare(called, None, false);
    deeds.keep(kept);
    deeds.call(called, None);
}

fn target(deeds: &mut Deeds) {
    let group = Resource { number: 10, kind: Kind::Group };
    let process = deeds.make(group);
    deeds.declare(group, process, false);
}
