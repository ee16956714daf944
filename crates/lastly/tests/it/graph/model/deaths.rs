//! What may happen when, in the model: drops, callbacks, collections, panics.

use super::{Callback, Life, Model, State, Whose};
use crate::graph::steps::Act;

impl Model {
    /// What weak references say has to be what is alive.
    pub(crate) fn check_counts(&mut self, counts: &[Option<usize>]) {
        for (id, count) in counts.iter().enumerate() {
            let expected = if self.is_alive(id) { self.objects[id].count } else { 0 };
            if let Some(count) = *count {
                let state = self.objects[id].state;
                expect!(
                    self,
                    count == expected,
                    "{count} pointers to {id} ({state:?}), not {expected}"
                );
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

    pub(crate) fn check_handles(&mut self, are_alive: &[Option<bool>]) {
        for (id, is_alive) in are_alive.iter().enumerate() {
            if let Some(is_alive) = *is_alive {
                expect!(self, is_alive == self.is_live(id), "finalizer {id} is alive: {is_alive}");
            }
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
        expect!(self, !self.is_burying(), "finalizer {finalizer} runs while values are dropped");
        let object = &self.objects[id];
        let (state, count, collection) = (object.state, object.count, object.collection);
        expect!(self, object.is_over(), "finalizer {finalizer} runs while {id} is {state:?}");
        if late {
            return expect!(self, count == 0, "{finalizer} runs while there are pointers to {id}");
        }
        let same = |it: usize| {
            it == id || collection.is_some() && self.objects[it].collection == collection
        };
        let newer = (finalizer + 1..self.callbacks.len())
            .find(|&it| self.is_live(it) && !self.callbacks[it].late && same(self.object_of(it)));
        expect!(self, newer.is_none(), "finalizer {finalizer} runs before {newer:?}");
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
        let due =
            |it: &&Callback| it.life == Life::Live && !it.late && objects.contains(&it.object);
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

    /// A `Trace` panics: nobody knows what the collection makes of that.
    pub(crate) fn surprise(&mut self) {
        self.raise(Whose::Trace);
        self.surprises += 1;
        if let Some(owed) = &mut self.owed {
            owed.clear();
        }
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
