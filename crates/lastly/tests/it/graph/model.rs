//! The naive model: a graph of numbers. It knows who refers to whom, and asks of everything that
//! happens whether it may happen now, by plain reachability.
//!
//! It does not foresee in which order a collection drops values, nor when one begins by itself; it
//! follows what it is told: *this value is being dropped*, *this callback runs*. A drop of something
//! that still has references is the beginning of a collection, which then must be of all that
//! cannot be reached at this moment.

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
    /// Its `Trace` panics.
    spoilt: bool,
    /// How often it is mutably borrowed.
    borrowed: usize,
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
        self.spoilt || self.borrowed > 0
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
    /// How often a `Trace` panicked that is not always spoilt; and how often when the last collection
    /// was seen.
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
    fuel: u32,
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

/// Begins anew, or ends.
pub(crate) fn set_model(model: Option<Model>) {
    let mut models = MODELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let id = thread::current().id();
    match model {
        Some(model) => models.insert(id, model),
        None => models.remove(&id),
    };
}

/// Says what is wrong; not by a panic, which a collection would contain.
macro_rules! expect {
    ($model:expr, $condition:expr, $($words:tt)*) => {
        if !$condition {
            $model.fail(format!($($words)*));
        }
    };
}

impl Model {
    pub(crate) fn new(fuel: u32) -> Self {
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

    // References.

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

    // Objects.

    pub(crate) fn conceive(&mut self, kind: Kind) -> usize {
        self.objects.push(Object {
            kind,
            state: State::Unborn,
            count: 0,
            roots: 0,
            edges: Vec::new(),
            hidden: Vec::new(),
            spoilt: false,
            borrowed: 0,
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

    pub(crate) fn spoil(&mut self, id: usize, on: bool) {
        self.objects[id].spoilt = on;
        self.ever_spoilt = true;
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
    /// what is opaque, and leaves it alone.
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

    // Deaths.

    /// What weak references say has to be what is alive.
    pub(crate) fn check_counts(&mut self, counts: &[Option<usize>]) {
        for (id, count) in counts.iter().enumerate() {
            let expected = if self.is_alive(id) { self.objects[id].count } else { 0 };
            if let Some(count) = *count {
                let state = self.objects[id].state;
                expect!(self, count == expected, "{count} pointers to {id} ({state:?}), not {expected}");
            }
        }
    }

    /// The `Drop` of a value begins.
    pub(crate) fn drop_begins(&mut self, id: usize, counts: &[Option<usize>]) {
        self.depth += 1;
        if self.objects[id].state == State::Alive {
            self.found(id, counts);
        }
        let state = self.objects[id].state;
        let may = matches!(state, State::Doomed | State::Garbage | State::Taken);
        expect!(self, may, "the value of {id} is dropped while {state:?}");
        self.objects[id].state = State::Dropping;
        self.check_counts(counts);
    }

    /// A collection began, and this is the first that is dropped.
    fn found(&mut self, id: usize, counts: &[Option<usize>]) {
        let may = self.collecting > 0 || self.owed.is_some() || self.paused == 0 && !self.never;
        expect!(self, may, "a collection while there should be none, of {id}");
        let mut members = self.unreachable(true);
        if std::mem::replace(&mut self.expected_surprises, self.surprises) < self.surprises {
            // It may have given up, or not; what it takes has no weak references any more. (All
            // have one, where a `Trace` may panic.)
            members = self.unreachable(false);
            members.retain(|id| counts[*id] == Some(0));
        }
        expect!(self, members.contains(&id), "a collection takes {id}, which can be reached");
        for &member in &members {
            self.objects[member].state = State::Garbage;
            self.objects[member].collection = Some(self.collections.len());
        }
        self.collections.push(members);
    }

    /// The value and all its fields are dropped.
    pub(crate) fn drop_ends(&mut self, id: usize) {
        self.depth -= 1;
        let state = self.objects[id].state;
        expect!(self, state == State::Dropping, "the value of {id} is gone while {state:?}");
        self.objects[id].state = State::Gone;
    }

    /// Whether some collection has yet to drop values.
    fn is_burying(&self) -> bool {
        let buried = |it: &usize| self.objects[*it].state == State::Gone;
        !self.collections.iter().flatten().all(buried)
    }

    // Finalizers.

    pub(crate) fn register(&mut self, object: usize, acts: [Act; 2]) -> usize {
        let late = self.is_dead(object);
        self.callbacks.push(Callback { object, life: Life::Live, late, acts });
        self.callbacks.len() - 1
    }

    pub(crate) fn is_live(&self, finalizer: usize) -> bool {
        self.callbacks[finalizer].life == Life::Live
    }

    pub(crate) fn check_handles(&mut self, are_alive: &[(usize, bool)]) {
        for &(id, is_alive) in are_alive {
            expect!(self, is_alive == self.is_live(id), "finalizer {id} is alive: {is_alive}");
        }
    }

    pub(crate) fn object_of(&self, finalizer: usize) -> usize {
        self.callbacks[finalizer].object
    }

    pub(crate) fn detach(&mut self, finalizer: usize) {
        self.callbacks[finalizer].life = Life::Detached;
    }

    pub(crate) fn call_begins(&mut self, finalizer: usize) {
        self.calling.push(finalizer);
    }

    pub(crate) fn call_ends(&mut self) {
        self.calling.pop();
    }

    /// A callback runs. What it is to do.
    pub(crate) fn runs(&mut self, finalizer: usize) -> [Act; 2] {
        let life = self.callbacks[finalizer].life;
        expect!(self, life == Life::Live, "finalizer {finalizer} runs, but it is {life:?}");
        if self.calling.last() != Some(&finalizer) {
            self.check_fired(finalizer);
        }
        self.callbacks[finalizer].life = Life::Ran;
        self.callbacks[finalizer].acts
    }

    /// It runs by its object's death: after the value, the newest first, and in a collection after
    /// all values, the newest of all first.
    fn check_fired(&mut self, finalizer: usize) {
        let Callback { object: id, late, .. } = self.callbacks[finalizer];
        let object = &self.objects[id];
        let (state, count, collection) = (object.state, object.count, object.collection);
        expect!(self, object.is_over(), "finalizer {finalizer} runs while {id} is {state:?}");
        if late {
            return expect!(self, count == 0, "{finalizer} runs while there are pointers to {id}");
        }
        let same = |it: usize| it == id || collection.is_some() && self.objects[it].collection == collection;
        let newer = (finalizer + 1..self.callbacks.len())
            .find(|&it| self.is_live(it) && !self.callbacks[it].late && same(self.object_of(it)));
        expect!(self, newer.is_none(), "finalizer {finalizer} runs before {newer:?}");
        let members = collection.map_or(&[][..], |it| &self.collections[it]);
        let left = members.iter().find(|it| self.objects[**it].state != State::Gone).copied();
        expect!(self, left.is_none(), "finalizer {finalizer} runs before {left:?} is dropped");
    }

    // Collections.

    /// Somebody calls `collect`. What must die.
    pub(crate) fn collect_begins(&mut self) -> Asked {
        self.collecting += 1;
        self.expected_surprises = self.surprises;
        Asked {
            surprises: self.surprises,
            die: self.unreachable(true),
            too_deep: self.depth + self.collecting > 24,
            within: self.is_burying() || self.depth > 0,
        }
    }

    pub(crate) fn collect_ends(&mut self, asked: Asked, objects: usize) {
        self.collecting -= 1;
        if self.surprises > asked.surprises {
            return;
        }
        if asked.too_deep {
            return self.owed.get_or_insert_default().extend(asked.die);
        }
        let found = asked.die.len();
        expect!(self, objects == found, "{objects} objects collected, not {found}");
        for &id in &asked.die {
            let state = self.objects[id].state;
            expect!(self, state == State::Gone, "{id} is {state:?} after a collection");
        }
        if !asked.within {
            self.check_all_ran(&asked.die);
        }
    }

    fn check_all_ran(&mut self, objects: &[usize]) {
        let due = |it: &&Callback| it.life == Life::Live && !it.late && objects.contains(&it.object);
        let left = self.callbacks.iter().find(due).map(|it| it.object);
        expect!(self, left.is_none(), "{left:?} is dead, and a finalizer of it did not run");
    }

    // Panics.

    pub(crate) fn raise(&mut self, whose: Whose) {
        self.panics[whose as usize] += 1;
    }

    /// Somebody has it.
    pub(crate) fn sink(&mut self, payload: &str) {
        let whose = match payload {
            "drop" => Whose::Drop,
            "callback" => Whose::Callback,
            "trace" => Whose::Trace,
            _ => return self.fail(format!("a panic: {payload}")),
        };
        self.panics[whose as usize] -= 1;
    }

    pub(crate) fn surprise(&mut self) {
        self.surprises += 1;
    }

    // Between the steps.

    /// Somebody changed when collections begin: that shows only with the next suspect.
    pub(crate) fn change_rules(&mut self) {
        self.done = u64::MAX;
    }

    /// Nothing is going on: everything that is due was done.
    pub(crate) fn settle(&mut self, Statistics { suspects, collections, .. }: Statistics, threshold: usize) {
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
            expect!(self, !(due && self.is_live(it)), "{id} is dead, and finalizer {it} did not run");
        }
        // What was looked at in vain makes it wait for more, but not for more than there is.
        let enough = threshold.max(self.objects.len() / 4 + 1);
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

    /// What a thread that ends has to see die.
    pub(crate) fn left_behind(&self) -> Vec<usize> {
        self.unreachable(true)
    }
}

/// A call of `collect`.
pub(crate) struct Asked {
    die: Vec<usize>,
    surprises: usize,
    /// So many levels deep that it may be put off.
    too_deep: bool,
    /// Values are being dropped, perhaps by a collection; callbacks wait for that.
    within: bool,
}
