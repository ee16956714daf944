//! Random programs against a naive model: a vector of finalizers and what became of each.

use std::sync::{Arc, Mutex};

use lastly::{Finalizer, Watched, finalize};
use proptest::collection::vec;
use proptest::prelude::*;

/// One step of a random program. Numbers choose among what exists, modulo.
#[derive(Clone, Debug)]
enum Step {
    NewObject,
    Create { object: usize, work: Work },
    Call(usize),
    Detach(usize),
    Peek { finalizer: usize, inside: Inside },
    SetAtExit(usize, bool),
    DropHandle(usize),
    DropObject(usize),
    IntoInner(usize),
}

/// What a callback does besides saying that it ran.
#[derive(Clone, Debug)]
enum Work {
    Nothing,
    Call(usize),
    Detach(usize),
    Create(usize),
    DropObject(usize),
}

/// What is done to the finalizer during a peek at it.
#[derive(Clone, Debug)]
enum Inside {
    Nothing,
    Call,
    Detach,
}

fn work() -> impl Strategy<Value = Work> {
    prop_oneof![
        4 => Just(Work::Nothing),
        1 => any::<usize>().prop_map(Work::Call),
        1 => any::<usize>().prop_map(Work::Detach),
        1 => any::<usize>().prop_map(Work::Create),
        1 => any::<usize>().prop_map(Work::DropObject),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let inside = prop_oneof![Just(Inside::Nothing), Just(Inside::Call), Just(Inside::Detach)];
    prop_oneof![
        2 => Just(Step::NewObject),
        6 => (any::<usize>(), work()).prop_map(|(object, work)| Step::Create { object, work }),
        2 => any::<usize>().prop_map(Step::Call),
        1 => any::<usize>().prop_map(Step::Detach),
        1 => (any::<usize>(), inside)
            .prop_map(|(finalizer, inside)| Step::Peek { finalizer, inside }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(at, on)| Step::SetAtExit(at, on)),
        1 => any::<usize>().prop_map(Step::DropHandle),
        2 => any::<usize>().prop_map(Step::DropObject),
        1 => any::<usize>().prop_map(Step::IntoInner),
    ]
}

/// The world of the real thing. Callbacks reach into it, so nothing is locked while they run.
#[derive(Default)]
struct Real {
    objects: Mutex<Vec<Option<Watched<()>>>>,
    handles: Mutex<Vec<Option<Finalizer>>>,
    events: Mutex<Vec<String>>,
}

impl Real {
    fn say(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    fn create(self: &Arc<Self>, object: usize, work: Work) {
        let mut handles = self.handles.lock().unwrap();
        let objects = self.objects.lock().unwrap();
        let Some(Some(object)) = objects.get(object) else { return };
        let (id, world) = (handles.len(), self.clone());
        let callback = move |work: Work| {
            world.say(format!("run {id}"));
            world.work(work);
        };
        handles.push(Some(finalize(object, callback, work).erase()));
    }

    fn work(self: &Arc<Self>, work: Work) {
        match work {
            Work::Nothing => {}
            Work::Call(id) => self.call(id),
            Work::Detach(id) => self.detach(id),
            Work::Create(object) => self.create(object, Work::Nothing),
            Work::DropObject(object) => self.drop_object(object),
        }
    }

    fn handle(&self, id: usize) -> Option<Finalizer> {
        self.handles.lock().unwrap().get(id).cloned().flatten()
    }

    fn call(&self, id: usize) {
        let Some(handle) = self.handle(id) else { return };
        let ran = handle.call().is_some();
        self.say(format!("call {id}: {ran}"));
    }

    fn detach(&self, id: usize) {
        let Some(handle) = self.handle(id) else { return };
        let detached = handle.detach();
        self.say(format!("detach {id}: {detached}"));
    }

    fn drop_object(&self, object: usize) {
        let dead = self.objects.lock().unwrap().get_mut(object).and_then(Option::take);
        drop(dead);
    }
}

/// The naive model: what the documentation says, with a vector and no pointers.
#[derive(Default)]
struct Model {
    objects: Vec<bool>,
    finalizers: Vec<Entry>,
    events: Vec<String>,
}

struct Entry {
    object: usize,
    work: Work,
    alive: bool,
    handle: bool,
}

impl Model {
    fn create(&mut self, object: usize, work: Work) {
        if self.objects.get(object) == Some(&true) {
            self.finalizers.push(Entry { object, work, alive: true, handle: true });
        }
    }

    fn run(&mut self, id: usize) {
        self.finalizers[id].alive = false;
        self.events.push(format!("run {id}"));
        match self.finalizers[id].work.clone() {
            Work::Nothing => {}
            Work::Call(id) => self.call(id),
            Work::Detach(id) => self.detach(id),
            Work::Create(object) => self.create(object, Work::Nothing),
            Work::DropObject(object) => self.drop_object(object),
        }
    }

    fn has_handle(&self, id: usize) -> bool {
        self.finalizers.get(id).is_some_and(|entry| entry.handle)
    }

    fn call(&mut self, id: usize) {
        if self.has_handle(id) {
            let alive = self.finalizers[id].alive;
            if alive {
                self.run(id);
            }
            self.events.push(format!("call {id}: {alive}"));
        }
    }

    fn detach(&mut self, id: usize) {
        if self.has_handle(id) {
            let alive = std::mem::take(&mut self.finalizers[id].alive);
            self.events.push(format!("detach {id}: {alive}"));
        }
    }

    fn drop_object(&mut self, object: usize) {
        if self.objects.get(object) != Some(&true) {
            return;
        }
        self.objects[object] = false;
        // Newest first; each is looked up anew, as the one before may have ended it.
        for id in (0..self.finalizers.len()).rev() {
            let entry = &self.finalizers[id];
            if entry.object == object && entry.alive {
                self.run(id);
            }
        }
    }
}

fn apply(step: &Step, real: &Arc<Real>, model: &mut Model) {
    let object = |at: &usize| at % model.objects.len().max(1);
    let id = |at: &usize| at % model.finalizers.len().max(1);
    match step {
        Step::NewObject => {
            real.objects.lock().unwrap().push(Some(Watched::new(())));
            model.objects.push(true);
        }
        Step::Create { object: at, work } => {
            let (at, work) = (object(at), choose(work, model));
            real.create(at, work.clone());
            model.create(at, work);
        }
        Step::Call(at) => {
            let id = id(at);
            real.call(id);
            model.call(id);
        }
        Step::Detach(at) => {
            let id = id(at);
            real.detach(id);
            model.detach(id);
        }
        Step::Peek { finalizer, inside } => peek(id(finalizer), inside, real, model),
        Step::SetAtExit(at, on) => {
            if let Some(handle) = real.handle(id(at)) {
                handle.set_at_exit(*on);
                assert_eq!(handle.at_exit(), *on);
            }
        }
        Step::DropHandle(at) => {
            let id = id(at);
            let handle = real.handles.lock().unwrap().get_mut(id).map(Option::take);
            drop(handle);
            if let Some(entry) = model.finalizers.get_mut(id) {
                entry.handle = false;
            }
        }
        Step::DropObject(at) => {
            let at = object(at);
            real.drop_object(at);
            model.drop_object(at);
        }
        Step::IntoInner(at) => {
            let at = object(at);
            let taken = real.objects.lock().unwrap().get_mut(at).and_then(Option::take);
            taken.map(Watched::into_inner);
            model.drop_object(at);
        }
    }
}

/// Callbacks work on what exists when they are created.
fn choose(work: &Work, model: &Model) -> Work {
    let (ids, objects) = (model.finalizers.len().max(1), model.objects.len().max(1));
    match work {
        Work::Nothing => Work::Nothing,
        Work::Call(id) => Work::Call(id % ids),
        Work::Detach(id) => Work::Detach(id % ids),
        Work::Create(object) => Work::Create(object % objects),
        Work::DropObject(object) => Work::DropObject(object % objects),
    }
}

/// Handles of the real world are erased, and cannot peek: this takes a finalizer of its own.
fn peek(salt: usize, inside: &Inside, real: &Arc<Real>, model: &mut Model) {
    let objects = real.objects.lock().unwrap();
    let Some(object) = objects.iter().flatten().next() else { return };
    let world = real.clone();
    let finalizer = finalize(object, move |salt: usize| world.say(format!("peeked {salt}")), salt);
    drop(objects);
    let seen = finalizer.peek(|(), _, seen| {
        match inside {
            Inside::Nothing => {}
            Inside::Call => assert!(finalizer.call().is_none()),
            Inside::Detach => assert!(finalizer.detach().is_none()),
        }
        *seen
    });
    assert_eq!(seen, Some(salt));
    assert_eq!(finalizer.is_alive(), matches!(inside, Inside::Nothing));
    finalizer.detach();
    if matches!(inside, Inside::Call) {
        model.events.push(format!("peeked {salt}"));
    }
}

fn check(steps: &[Step]) {
    let (real, mut model) = (Arc::new(Real::default()), Model::default());
    for step in steps {
        apply(step, &real, &mut model);
        assert_eq!(*real.events.lock().unwrap(), model.events, "after {step:?}");
        let handles = real.handles.lock().unwrap();
        for (handle, entry) in handles.iter().zip(&model.finalizers) {
            if let Some(handle) = handle {
                assert_eq!(handle.is_alive(), entry.alive);
            }
        }
    }
    // Every object dies in the end: the world is in the callbacks, and would leak.
    for at in 0..model.objects.len() {
        real.drop_object(at);
        model.drop_object(at);
    }
    assert_eq!(*real.events.lock().unwrap(), model.events, "at the end");
    let detached = real.handles.lock().unwrap().drain(..).collect::<Vec<_>>();
    drop(detached);
    assert_eq!(Arc::strong_count(&real), 1, "nothing holds what is dead");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(any(miri, lastly_slow)) { 16 } else { 512 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_programs_do_what_the_model_does(steps in vec(step(), 1..80)) {
        check(&steps);
    }
}
