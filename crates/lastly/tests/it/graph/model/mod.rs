//! The naive model: a graph of numbers. It knows who refers to whom, and asks of everything that
//! happens whether it may happen now, by plain reachability.
//!
//! It does not foresee in which order a collection drops values, nor when one begins by itself; it
//! follows what it is told: *this value is being dropped*, *this callback runs*. A drop of something
//! that still has references is the beginning of a collection, which then must be of all that
//! cannot be reached at this moment.

/// Says what is wrong; not by a panic, which a collection would contain.
macro_rules! expect {
    ($model:expr, $condition:expr, $($words:tt)*) => {
        if !$condition {
            $model.fail(format!($($words)*));
        }
    };
}

mod deaths;

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::thread::{self, ThreadId};

use lastly::collector::Statistics;

use super::steps::{Act, Kind};

/// Who holds a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The program.
    Root,
    /// An object, where its `Trace` finds it.
    Edge(usize),
    /// An object, where its `Trace` does not look.
    Hidden(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Being made.
    Unborn,
    Alive,
    /// Nobody refers to it: to be dropped at once.
    Doomed,
    /// Found in a collection: to be dropped by that.
    Garbage,
    /// Its value was taken out, and exists elsewhere.
    Taken,
    Dropping,
    Gone,
}

pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// How many references there are.
    pub(crate) count: usize,
    roots: usize,
    edges: Vec<usize>,
    hidden: Vec<usize>,
    /// How often it is mutably borrowed.
    borrowed: usize,
    /// Nobody may look into it.
    excluded: bool,
    /// Its value was taken out, at some time.
    taken: bool,
    /// The collection that found it.
    collection: Option<usize>,
}

impl Object {
    /// Whether what it holds is still there to be dropped.
    fn exists(&self) -> bool {
        self.state != State::Gone
    }

    /// Whether a collection finds nothing in it.
    fn is_opaque(&self) -> bool {
        self.borrowed > 0
    }

    /// Whether its finalizers may fire.
    fn is_over(&self) -> bool {
        self.state == State::Gone || self.taken
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Live,
    Ran,
    Detached,
}

struct Callback {
    object: usize,
    life: Life,
    /// Tied to an object that was dead already: fires when the last pointer to it goes.
    late: bool,
    acts: [Act; 2],
}

/// Whose panic.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    Drop,
    Callback,
    Trace,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) objects: Vec<Object>,
    callbacks: Vec<Callback>,
    /// What dies in each.
    collections: Vec<Vec<usize>>,
    /// The finalizers being called by hand.
    calling: Vec<usize>,
    /// How many calls of `collect` this is in.
    collecting: usize,
    pub(crate) paused: usize,
    pub(crate) never: bool,
    /// What a `collect` left to the outermost level, if one did.
    owed: Option<Vec<usize>>,
    /// How many values are being dropped.
    depth: usize,
    /// Panics that were raised and are nowhere so far, by whose they are.
    panics: [isize; 3],
    /// How often a `Trace` panicked; and how often when the last collection was seen.
    surprises: usize,
    expected_surprises: usize,
    /// How many the collector had after the last step.
    suspects: usize,
    /// How many collections there were.
    done: u64,
    /// Weak references were given up, so that not everything can be found again.
    pub(crate) weaks_dropped: bool,
    /// The `Trace` of some object panics or did.
    pub(crate) ever_spoilt: bool,
    /// What may still be done, so that each program ends.
    fuel: usize,
    /// The first thing that was wrong.
    failure: Option<String>,
}

/// By thread, and not in a thread-local: callbacks run also when those are gone.
static MODELS: LazyLock<Mutex<HashMap<ThreadId, Model>>> = LazyLock::new(Mutex::default);

/// Does something with this thread's model, in which no foreign code runs. `None` if there is none.
pub(crate) fn model<R>(work: impl FnOnce(&mut Model) -> R) -> Option<R> {
    let mut models = MODELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    models.get_mut(&thread::current().id()).map(work)
}

/// Takes away the model of a thread that has ended.
pub(crate) fn take_model_of(thread: ThreadId) -> Option<Model> {
    MODELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(&thread)
}

/// Begins anew, or ends.
pub(crate) fn set_model(model: Option<Model>) {
    let mut models = MODELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let id = thread::current().id();
    match model {
        Some(model) => models.insert(id, model),
        None => models.remove(&id),
    };
}

impl Model {
    pub(crate) fn new(fuel: usize) -> Self {
        Self { fuel, ..Self::default() }
    }

    pub(crate) fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }

    pub(crate) fn failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    pub(crate) fn has_fuel(&mut self) -> bool {
        self.fuel = self.fuel.saturating_sub(1);
        self.fuel > 0
    }

    fn list(&mut self, owner: Owner) -> Option<&mut Vec<usize>> {
        match owner {
            Owner::Root => None,
            Owner::Edge(id) => Some(&mut self.objects[id].edges),
            Owner::Hidden(id) => Some(&mut self.objects[id].hidden),
        }
    }

    fn enter(&mut self, owner: Owner, id: usize) {
        match self.list(owner) {
            Some(list) => list.push(id),
            None => self.objects[id].roots += 1,
        }
    }

    fn leave(&mut self, owner: Owner, id: usize) {
        match self.list(owner) {
            Some(list) => {
                let place = list.iter().position(|it| *it == id).expect("entered before");
                list.swap_remove(place);
            }
            None => self.objects[id].roots -= 1,
        }
    }

    pub(crate) fn add(&mut self, owner: Owner, id: usize) {
        self.enter(owner, id);
        self.objects[id].count += 1;
        // What was found again by a weak reference need not die any more.
        if let Some(owed) = self.owed.as_mut().filter(|it| it.contains(&id)) {
            owed.clear();
        }
    }

    pub(crate) fn remove(&mut self, owner: Owner, id: usize) {
        self.leave(owner, id);
        let object = &mut self.objects[id];
        object.count -= 1;
        if object.count == 0 && object.state == State::Alive {
            object.state = State::Doomed;
        }
    }

    pub(crate) fn shift(&mut self, from: Owner, to: Owner, id: usize) {
        self.leave(from, id);
        self.enter(to, id);
    }

    pub(crate) fn conceive(&mut self, kind: Kind) -> usize {
        self.objects.push(Object {
            kind,
            state: State::Unborn,
            count: 0,
            roots: 0,
            edges: Vec::new(),
            hidden: Vec::new(),
            borrowed: 0,
            excluded: false,
            taken: false,
            collection: None,
        });
        self.objects.len() - 1
    }

    /// It has its first pointer.
    pub(crate) fn born(&mut self, id: usize) {
        self.objects[id].state = State::Alive;
        self.add(Owner::Root, id);
    }

    pub(crate) fn never_born(&mut self, id: usize) {
        self.objects[id].state = State::Gone;
    }

    pub(crate) fn is_alive(&self, id: usize) -> bool {
        self.objects[id].state == State::Alive
    }

    /// Whether it died in a collection, or is about to.
    pub(crate) fn is_dead(&self, id: usize) -> bool {
        self.objects[id].collection.is_some()
    }

    pub(crate) fn is_hiding(&self, id: usize) -> bool {
        !self.objects[id].hidden.is_empty()
    }

    pub(crate) fn borrow(&mut self, id: usize) {
        self.objects[id].borrowed += 1;
    }

    pub(crate) fn give_back(&mut self, id: usize) {
        self.objects[id].borrowed -= 1;
    }

    /// As `borrow`; and not even its `Trace` may run.
    pub(crate) fn exclude(&mut self, id: usize) {
        self.borrow(id);
        self.objects[id].excluded = true;
    }

    pub(crate) fn include(&mut self, id: usize) {
        self.give_back(id);
        self.objects[id].excluded = false;
    }

    /// Its `Trace` runs.
    pub(crate) fn trace(&mut self, id: usize) {
        let object = &self.objects[id];
        let may = object.state == State::Alive && !object.excluded;
        expect!(self, may, "{id} is traced");
    }

    /// The value is about to be taken out by its only pointer, if it can be.
    pub(crate) fn take(&mut self, id: usize) -> bool {
        let object = &mut self.objects[id];
        let can_be = object.state == State::Alive && object.count == 1;
        if can_be {
            object.state = State::Taken;
            object.taken = true;
            self.leave(Owner::Root, id);
            self.objects[id].count = 0;
        }
        can_be
    }

    /// What cannot be reached. `careful`: as far as a collection can know, which finds nothing in
    /// what is mutably borrowed, and leaves it alone.
    fn unreachable(&self, careful: bool) -> Vec<usize> {
        let mut pending = Vec::new();
        for (id, object) in self.objects.iter().enumerate().filter(|(_, it)| it.exists()) {
            let is_alive = object.state == State::Alive;
            let is_opaque = careful && object.is_opaque();
            if is_alive && (object.roots > 0 || is_opaque) {
                pending.push(id);
            }
            pending.extend(&object.hidden);
            if !is_alive || is_opaque {
                pending.extend(&object.edges);
            }
        }
        let mut reached = vec![false; self.objects.len()];
        while let Some(id) = pending.pop() {
            if self.is_alive(id) && !std::mem::replace(&mut reached[id], true) {
                pending.extend(&self.objects[id].edges);
            }
        }
        let is_garbage = |id: &usize| {
            // Leaves die by count.
            self.is_alive(*id) && !reached[*id] && self.objects[*id].kind != Kind::Leaf
        };
        (0..self.objects.len()).filter(is_garbage).collect()
    }

    /// Somebody changed when collections begin: that shows only with the next suspect.
    pub(crate) fn change_rules(&mut self) {
        self.done = u64::MAX;
    }

    /// Nothing is going on: everything that is due was done.
    pub(crate) fn settle(
        &mut self,
        Statistics { suspects, collections, .. }: Statistics,
        threshold: usize,
    ) {
        expect!(self, self.depth == 0, "a value is half dropped");
        expect!(self, self.panics == [0; 3], "panics lost or made up: {:?}", self.panics);
        for id in 0..self.objects.len() {
            let state = self.objects[id].state;
            let settled = matches!(state, State::Alive | State::Taken | State::Gone);
            expect!(self, settled, "{id} is still {state:?}");
        }
        for id in self.owed.take().unwrap_or_default() {
            let state = self.objects[id].state;
            expect!(self, state == State::Gone, "{id} is {state:?} after a collection put off");
        }
        for it in 0..self.callbacks.len() {
            let Callback { object: id, late, .. } = self.callbacks[it];
            let due = self.objects[id].is_over() && (!late || self.objects[id].count == 0);
            expect!(
                self,
                !(due && self.is_live(it)),
                "{id} is dead, and finalizer {it} did not run"
            );
        }
        // What was looked at in vain makes it wait for more, but not for more than there is.
        let patience = if threshold == 1 { 0 } else { self.objects.len() };
        let enough = threshold.max(patience + 1);
        let is_more = suspects > std::mem::replace(&mut self.suspects, suspects);
        let is_new = collections != std::mem::replace(&mut self.done, collections);
        if is_more && !is_new && self.paused == 0 && !self.ever_spoilt {
            expect!(self, suspects < enough, "{suspects} suspects, and no collection");
        }
    }

    /// The program is at its end.
    pub(crate) fn check_all_over(&mut self) {
        for id in 0..self.objects.len() {
            let state = self.objects[id].state;
            expect!(self, state == State::Gone, "{id} is {state:?} at the end");
        }
        for it in 0..self.callbacks.len() {
            expect!(self, !self.is_live(it), "finalizer {it} is alive at the end");
        }
    }

    /// From now on collections come as they will.
    pub(crate) fn thread_ends(&mut self) {
        self.collecting += 1;
    }
}
