//! The actor: it does what random numbers say, and writes into the ledger what it does.

use std::path::{Path, PathBuf};

use super::door::{DONE, Door};
use super::ledger::Ledger;
use super::random::Random;
use super::resource::{Kind, Resource};
use super::system;

/// How many resources it has in hand at once.
const AT_ONCE: usize = 6;

/// So many steps, if nobody kills it.
const STEPS: usize = 600;

/// What can be done with a resource, with its lines in the ledger.
pub(crate) struct Deeds {
    folder: PathBuf,
    canaries: PathBuf,
    ledger: Ledger,
    door: Door,
}

/// A resource that the actor has in hand.
struct Thing {
    resource: Resource,
    declared: bool,
    made: bool,
    /// Whether it is known which one it is: made before it was declared, or confirmed since.
    known: bool,
    /// Of a group.
    process: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Declare,
    Make,
    Confirm,
    Keep,
    Call,
    Drop,
    Exchange,
    LetBe,
}

impl Deeds {
    pub(crate) fn new(folder: &Path, canaries: &Path) -> Self {
        let ledger = Ledger::open(folder).expect("the case has a folder");
        Self {
            folder: folder.to_owned(),
            canaries: canaries.to_owned(),
            ledger,
            door: Door::default(),
        }
    }

    pub(crate) fn declare(&mut self, resource: Resource, process: Option<i32>, sync: bool) {
        self.ledger.note("declaring", resource);
        self.door.declare(resource, &self.folder, process, sync);
        self.ledger.note("declared", resource);
    }

    pub(crate) fn make(&mut self, resource: Resource) -> Option<i32> {
        self.make_as("making", "made", resource)
    }

    pub(crate) fn make_again(&mut self, resource: Resource) {
        self.make_as("remaking", "remade", resource);
    }

    fn make_as(&mut self, before: &str, after: &str, resource: Resource) -> Option<i32> {
        self.ledger.note(before, resource);
        let made = resource.make(&self.folder, &self.canaries).expect("there is none yet");
        self.ledger.note(after, resource);
        made
    }

    pub(crate) fn confirm(&mut self, resource: Resource) {
        self.ledger.note("confirming", resource);
        assert_eq!(self.door.confirm(resource), DONE);
        self.ledger.note("confirmed", resource);
    }

    pub(crate) fn keep(&mut self, resource: Resource) {
        self.ledger.note("keeping", resource);
        self.door.keep(resource);
        self.ledger.note("kept", resource);
    }

    pub(crate) fn call(&mut self, resource: Resource, process: Option<i32>) {
        self.ledger.note("calling", resource);
        self.door.call(resource);
        process.into_iter().for_each(system::reap);
        self.ledger.note("called", resource);
    }

    pub(crate) fn drop(&mut self, resource: Resource, process: Option<i32>) {
        self.ledger.note("dropping", resource);
        self.door.drop(resource);
        process.into_iter().for_each(system::reap);
        self.ledger.note("dropped", resource);
    }

    /// Puts another in its place, of which nobody has declared anything.
    pub(crate) fn exchange(&mut self, resource: Resource) {
        self.ledger.note("exchanging", resource);
        let path = resource.path(&self.folder);
        // Moved, not removed: what is removed may give its inode to what is made next.
        let away = path.with_file_name(format!("{} away", resource.number));
        std::fs::rename(&path, &away).expect("it is there");
        resource.make(&self.folder, &self.canaries).expect("there is none any more");
        let is_tree = resource.kind == Kind::Tree;
        let removed =
            if is_tree { std::fs::remove_dir_all(&away) } else { std::fs::remove_file(&away) };
        removed.expect("it is there");
        self.ledger.note("exchanged", resource);
    }
}

/// What the program `crash actor` does.
pub fn main(folder: &Path, canaries: &Path, seed: u64) {
    let mut random = Random::new(seed, "actor");
    let mut deeds = Deeds::new(folder, canaries);
    let mut things: Vec<Thing> = vec![];
    let mut number = 0;
    let kinds = [
        (8, Kind::Tree),
        (8, Kind::File),
        (3, Kind::Shared),
        (usize::from(seed.is_multiple_of(2)), Kind::Group),
    ];
    for _ in 0..STEPS {
        if things.len() < AT_ONCE && random.percent(40) {
            let resource = Resource { number, kind: random.weighed(&kinds) };
            number += 1;
            things.push(Thing {
                resource,
                declared: false,
                made: false,
                known: false,
                process: None,
            });
        }
        if !things.is_empty() {
            let index = random.below(things.len());
            let thing = &mut things[index];
            let step = thing.next(&mut random);
            if !thing.take(step, &mut deeds, &mut random) {
                things.swap_remove(index);
            }
        }
    }
}

impl Thing {
    fn next(&self, random: &mut Random) -> Step {
        let Self { resource, declared, made, known, .. } = *self;
        let is_group = resource.kind == Kind::Group;
        let choices: &[_] = match (declared, made, known) {
            (false, false, _) if is_group => &[(1, Step::Make)],
            (false, false, _) => &[(3, Step::Declare), (2, Step::Make)],
            (false, true, _) => &[(6, Step::Declare), (1, Step::LetBe)],
            (true, false, _) => &[(8, Step::Make), (1, Step::Keep), (1, Step::Call)],
            (true, true, false) => {
                &[(6, Step::Confirm), (1, Step::Keep), (1, Step::Call), (1, Step::Drop)]
            }
            (true, true, true) if is_group => &[(2, Step::Keep), (2, Step::Call)],
            (true, true, true) => {
                &[(4, Step::Keep), (3, Step::Call), (3, Step::Drop), (1, Step::Exchange)]
            }
        };
        random.weighed(choices)
    }

    /// Whether it is in hand any longer.
    fn take(&mut self, step: Step, deeds: &mut Deeds, random: &mut Random) -> bool {
        let resource = self.resource;
        match step {
            Step::Declare => {
                deeds.declare(resource, self.process, random.percent(2));
                self.declared = true;
                self.known = self.made;
            }
            Step::Make => {
                self.process = deeds.make(resource);
                self.made = true;
            }
            Step::Confirm => {
                deeds.confirm(resource);
                self.known = true;
            }
            Step::Keep => {
                deeds.keep(resource);
                self.declared = false;
                // Sometimes it is made, or declared, after that.
                return !self.made || random.percent(30);
            }
            Step::Call | Step::Drop => {
                if step == Step::Call {
                    deeds.call(resource, self.process);
                } else {
                    deeds.drop(resource, self.process);
                }
                if resource.kind != Kind::Group && random.percent(50) {
                    deeds.make_again(resource);
                }
                return false;
            }
            Step::Exchange => {
                deeds.exchange(resource);
                if random.percent(50) {
                    deeds.call(resource, None);
                }
                return false;
            }
            Step::LetBe => return false,
        }
        true
    }
}
