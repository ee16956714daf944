//! Does what the steps say, with the real thing and the model at once.
//!
//! Everything is done to what was taken out of its place, never to a clone: a clone that goes makes
//! a suspect, and would hide that one was forgotten. And nothing is borrowed while foreign code
//! may run, which comes back here.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::panicking;

use lastly::collector::{self, Paused};
use lastly::{Finalizer, Gc, Weak, collect, finalize};

use super::model::{Owner, State, Whose, model};
use super::real::{Body, Fuse, Node, Pointer, Ref, Way};
use super::steps::{Act, Kind, Op, Step};

/// What the program holds.
#[derive(Default)]
pub(crate) struct Real {
    pub(crate) handles: Vec<Option<Ref>>,
    /// By object.
    pub(crate) weaks: Vec<Option<Way>>,
    /// By finalizer.
    pub(crate) finalizers: Vec<Option<Handle>>,
    pub(crate) unwrapped: Vec<Box<dyn Any>>,
    pub(crate) pauses: Vec<Paused>,
}

pub(crate) enum Handle {
    Typed(Finalizer<Weak<Node>, usize, fn(usize)>),
    Erased(Finalizer),
}

thread_local! {
    static REAL: RefCell<Real> = RefCell::default();
}

/// Runs no foreign code in `work`. `None` where the thread is ending.
pub(crate) fn real<R>(work: impl FnOnce(&mut Real) -> R) -> Option<R> {
    REAL.try_with(|real| work(&mut real.borrow_mut())).ok()
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Keeps in what panics.
pub(crate) fn attempt<R>(work: impl FnOnce() -> R) -> Option<R> {
    let tried = catch_unwind(AssertUnwindSafe(work));
    tried.map_err(|payload| model(|it| it.sink(&message(&*payload)))).ok()
}

pub(crate) fn attempt_drop<T>(its: T) {
    attempt(|| drop(its));
}

/// Says that something is wrong.
fn wrong(what: impl Into<String>) {
    let what = what.into();
    model(|it| it.fail(what));
}

/// A handle that was taken out of its place, and goes back there.
struct Slot {
    place: usize,
    its: Option<Ref>,
}

impl Slot {
    /// The `n`th, modulo, or the next that is there.
    fn take(n: u8) -> Option<Self> {
        real(|real| {
            let all = real.handles.len();
            let mut places = (0..all).map(|it| (it + usize::from(n)) % all);
            let place = places.find(|it| real.handles[*it].is_some())?;
            Some(Self { place, its: real.handles[place].take() })
        })?
    }

    fn its(&self) -> &Ref {
        self.its.as_ref().expect("not given up")
    }

    fn body(&self) -> Option<&Body> {
        self.its().pointer().node()
    }

    fn give_up(mut self) -> Ref {
        self.its.take().expect("given up once")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let its = self.its.take();
        if its.is_some() {
            let left = real(|real| std::mem::replace(&mut real.handles[self.place], its));
            debug_assert!(left.is_none_or(|it| it.is_none()), "nobody takes the place");
        }
    }
}

fn keep(its: Ref) {
    let mut its = Some(its);
    real(|real| real.handles.push(its.take()));
}

/// The strong counts that the weak references say.
fn counts() -> Vec<Option<usize>> {
    let count = |way: &Option<Way>| way.as_ref().map(Way::strong_count);
    real(|real| real.weaks.iter().map(count).collect()).unwrap_or_default()
}

pub(crate) fn check_counts() {
    let counts = counts();
    model(|it| it.check_counts(&counts));
}

/// The beginning of every value's drop.
pub(crate) fn value_drops(body: &Body) {
    let counts = counts();
    model(|it| it.drop_begins(body.id, &counts));
    let siblings = body.edges.try_borrow().map(|it| it.iter().for_each(check_sibling));
    if siblings.is_err() {
        wrong(format!("{} is borrowed, and dropped", body.id));
    }
    for act in body.acts {
        perform_act(act, Some(body));
    }
    if body.acts.iter().any(|act| act.op == Op::Panic) && !panicking() {
        model(|it| it.raise(Whose::Drop));
        resume_unwind(Box::new("drop"));
    }
}

/// What dies together sees each other as dead.
fn check_sibling(sibling: &Ref) {
    let pointer = sibling.pointer();
    let Some((is_alive, is_dead)) = model(|it| (it.is_alive(sibling.id), it.is_dead(sibling.id)))
    else {
        return;
    };
    if pointer.is_alive() != is_alive || is_alive == is_dead {
        wrong(format!("is {} alive? {}, not {is_alive}", sibling.id, pointer.is_alive()));
    }
    if pointer.body().map(|it| it.id) != is_alive.then_some(sibling.id) {
        wrong(format!("{} is not found, or is another", sibling.id));
    }
}

/// Every callback.
fn callback(finalizer: usize) {
    let Some(acts) = model(|it| it.runs(finalizer)) else { return };
    check_counts();
    for act in acts {
        perform_act(act, None);
    }
    if acts.iter().any(|act| act.op == Op::Panic) {
        model(|it| it.raise(Whose::Callback));
        resume_unwind(Box::new("callback"));
    }
}

fn perform_act(Act { op, a }: Act, me: Option<&Body>) {
    let kind = Step::of([0, 0, 0, a, 0, 0, 0, 0]).kind;
    perform(&Step { op, a, b: a.rotate_left(4), kind, acts: [Act::NOTHING; 2] }, me);
}

/// Does one step; in the `Drop` of `me`, if in one.
pub(crate) fn perform(step: &Step, me: Option<&Body>) {
    if model(|it| it.has_fuel()) == Some(true) {
        attempt(|| perform_any(step, me));
    }
}

fn perform_any(step: &Step, me: Option<&Body>) {
    let &Step { op, a, b, .. } = step;
    match op {
        Op::Nothing | Op::Panic => {}
        Op::New | Op::NewHolding | Op::NewCyclic | Op::NewCyclicBusy | Op::Ring | Op::Chain => {
            make(step);
        }
        Op::Clone => drop(Slot::take(a).map(|it| keep(it.its().clone_for(Owner::Root)))),
        Op::DropHandle => drop(Slot::take(a).map(Slot::give_up)),
        Op::DropAll => drop(real(|real| std::mem::take(&mut real.handles))),
        Op::Link | Op::LinkHidden | Op::Give | Op::Move => link(op, a, b),
        Op::Unlink | Op::UnlinkBorrowed | Op::UnlinkAll => unlink(op, a, b),
        Op::Follow => follow(a, b),
        Op::Upgrade | Op::DropWeak | Op::Downgrade => weakly(op, a),
        Op::Finalize | Op::Call | Op::Detach | Op::DropFinalizer => finalizer(step),
        Op::Collect => _ = collect_now(),
        Op::CollectBorrowed => collect_borrowed(a),
        Op::Threshold | Op::Pause | Op::GoOn => set(op, a),
        Op::GetMut => get_mut(a, b, step.acts),
        Op::TryUnwrap => try_unwrap(a),
        Op::DropUnwrapped => drop(real(|real| real.unwrapped.pop())),
        Op::Spoil | Op::SpoilOnce => spoil(op, a, b),
        Op::CloneSibling | Op::TakeSibling => sibling(op, a, me),
    }
}

/// Makes an object of the body, and a handle to it.
fn make_one(kind: Kind, acts: [Act; 2], held: &[&Ref]) -> Option<Ref> {
    let id = conceive(kind)?;
    let held = held.iter().map(|it| it.clone_for(Owner::Edge(id))).collect();
    let pointer = Pointer::new(kind, Body::new(id, acts, held));
    Some(bear(id, pointer))
}

fn conceive(kind: Kind) -> Option<usize> {
    real(|real| real.weaks.push(None))?;
    model(|it| it.conceive(kind))
}

fn bear(id: usize, pointer: Pointer) -> Ref {
    model(|it| it.born(id));
    let way = pointer.downgrade();
    real(|real| real.weaks[id] = Some(way));
    Ref::known(pointer, id)
}

fn make(step: &Step) {
    let &Step { op, a, b, kind, acts } = step;
    match op {
        Op::NewHolding if kind != Kind::Leaf => {
            let (one, other) = (Slot::take(a), Slot::take(b));
            let held: Vec<_> = [&one, &other].into_iter().flatten().map(Slot::its).collect();
            make_one(kind, acts, &held).map(keep);
        }
        Op::NewCyclic | Op::NewCyclicBusy => make_cyclic(op == Op::NewCyclicBusy, a, acts),
        Op::Ring => ring(1 + usize::from(b % 4), acts),
        Op::Chain => chain(20 + usize::from(b % 64), acts),
        _ => drop(make_one(kind, acts, &[]).map(keep)),
    }
}

fn make_cyclic(is_busy: bool, a: u8, acts: [Act; 2]) {
    let Some(id) = conceive(Kind::Node) else { return };
    let make = |weak: &Weak<Node>| {
        let way = Way::Node(weak.clone());
        if way.upgrade().is_some() {
            wrong("alive before it is made");
        }
        real(|real| real.weaks[id] = Some(way));
        if is_busy && a % 2 == 1 {
            model(|it| it.never_born(id));
            model(|it| it.raise(Whose::Callback));
            resume_unwind(Box::new("callback"));
        }
        if is_busy {
            collect_now();
        }
        Node(Body::new(id, acts, Vec::new()))
    };
    let pointer = Pointer::Node(Gc::new_cyclic(make));
    model(|it| it.born(id));
    keep(Ref::known(pointer, id));
}

/// Each with a finalizer, the newest first in the ring.
fn ring(length: usize, acts: [Act; 2]) {
    let nodes: Vec<_> = (0..length).filter_map(|_| make_one(Kind::Node, acts, &[])).collect();
    for (at, node) in nodes.iter().enumerate() {
        let next = &nodes[(at + 1) % nodes.len()];
        connect(next.pointer().node(), |id| node.clone_for(Owner::Edge(id)));
        register(node, acts);
    }
}

/// The last of it does something.
fn chain(length: usize, acts: [Act; 2]) {
    let mut head = make_one(Kind::Node, acts, &[]);
    for _ in 1..length {
        let Some(next) = head else { return };
        head = make_one(Kind::Node, [Act::NOTHING; 2], &[&next]);
    }
    if let Some(head) = head {
        keep(head);
    }
}

/// Gives the object of this body a reference.
fn connect(body: Option<&Body>, reference: impl FnOnce(usize) -> Ref) {
    let Some(body) = body else { return };
    let mut edge = None;
    if let Ok(mut edges) = body.edges.try_borrow_mut() {
        edges.push(reference(body.id));
    } else {
        edge = Some(reference(body.id));
    }
    drop(edge);
}

fn link(op: Op, a: u8, b: u8) {
    let Some(from) = Slot::take(a) else { return };
    let Some(to) = Slot::take(b) else { return };
    match op {
        Op::LinkHidden => {
            let known = real(|real| real.weaks[from.its().id].is_some());
            let Some(body) = from.body().filter(|_| known == Some(true)) else { return };
            let edge = to.its().clone_for(Owner::Hidden(body.id));
            body.hidden.borrow_mut().push(edge);
        }
        Op::Give if from.body().is_some() => {
            let mut given = to.give_up();
            connect(from.body(), |id| {
                given.give(Owner::Edge(id));
                given
            });
        }
        Op::Move if to.body().is_some() => {
            let taken = from.body().and_then(|it| it.edges.try_borrow_mut().ok()?.pop());
            let Some(mut taken) = taken else { return };
            connect(to.body(), |id| {
                taken.give(Owner::Edge(id));
                taken
            });
        }
        _ => connect(from.body(), |id| to.its().clone_for(Owner::Edge(id))),
    }
}

fn unlink(op: Op, a: u8, b: u8) {
    let Some(from) = Slot::take(a) else { return };
    let Some(body) = from.body() else { return };
    let Ok(mut edges) = body.edges.try_borrow_mut() else { return };
    if edges.is_empty() {
        return;
    }
    if op == Op::UnlinkAll {
        let all = std::mem::take(&mut *edges);
        drop(edges);
        return drop(all);
    }
    let at = usize::from(b) % edges.len();
    let edge = edges.swap_remove(at);
    if op == Op::Unlink {
        drop(edges);
        return drop(edge);
    }
    model(|it| it.borrow(body.id));
    attempt_drop(edge);
    model(|it| it.give_back(body.id));
}

fn follow(a: u8, b: u8) {
    let Some(from) = Slot::take(a) else { return };
    let Some(Ok(edges)) = from.body().map(|it| it.edges.try_borrow()) else { return };
    if let Some(edge) = edges.get(usize::from(b) % edges.len().max(1)) {
        keep(edge.clone_for(Owner::Root));
    }
}

fn weakly(op: Op, a: u8) {
    if op == Op::Downgrade {
        let Some(from) = Slot::take(a) else { return };
        let way = from.its().pointer().downgrade();
        return drop(real(|real| real.weaks[from.its().id].replace(way)));
    }
    let all = real(|real| real.weaks.len()).unwrap_or(0);
    let Some(id) = usize::from(a).checked_rem(all) else { return };
    if op == Op::Upgrade {
        let found = real(|real| real.weaks[id].as_ref().map(Way::upgrade)).flatten();
        let Some(found) = found else { return };
        if found.is_some() != (model(|it| it.is_alive(id)) == Some(true)) {
            wrong(format!("{id} can be upgraded: {}", found.is_some()));
        }
        let Some(found) = found else { return };
        return keep(Ref::new(found, id, Owner::Root));
    }
    // What hides or is spoilt has to be found again, to be collected.
    let may = |it: &mut super::model::Model| {
        let may = !it.ever_spoilt && !it.is_hiding(id);
        it.weaks_dropped |= may;
        may
    };
    if model(may) == Some(true) {
        drop(real(|real| real.weaks[id].take()));
    }
}

fn register(object: &Ref, acts: [Act; 2]) {
    let Some(id) = model(|it| it.register(object.id, acts)) else { return };
    let handle = match object.pointer() {
        Pointer::Node(it) => Handle::Typed(finalize(it, callback as fn(usize), id)),
        Pointer::Rough(it) => Handle::Erased(finalize(it, callback, id).erase()),
        Pointer::Dyn(it) => Handle::Erased(finalize(it, callback, id).erase()),
        Pointer::Leaf(it) => Handle::Erased(finalize(it, callback, id).erase()),
    };
    real(|real| {
        real.finalizers.resize_with(id, || None);
        real.finalizers.push(Some(handle));
    });
}

fn finalizer(step: &Step) {
    let &Step { op, a, b, acts, .. } = step;
    if op == Op::Finalize {
        let Some(object) = Slot::take(a) else { return };
        return register(object.its(), acts);
    }
    let all = real(|real| real.finalizers.len()).unwrap_or(0);
    let Some(id) = usize::from(a).checked_rem(all) else { return };
    if op == Op::DropFinalizer {
        return drop(real(|real| real.finalizers[id].take()));
    }
    let clone = |handle: &Handle| match handle {
        Handle::Typed(it) => Handle::Typed(it.clone()),
        Handle::Erased(it) => Handle::Erased(it.clone()),
    };
    let Some(Some(handle)) = real(|real| real.finalizers[id].as_ref().map(clone)) else { return };
    match op {
        Op::Call => call(id, handle),
        _ if b % 4 == 0 => peek(id, handle),
        _ => detach(id, handle),
    }
}

impl Handle {
    pub(crate) fn is_alive(&self) -> bool {
        match self {
            Handle::Typed(it) => it.is_alive(),
            Handle::Erased(it) => it.is_alive(),
        }
    }

    fn erase(self) -> Finalizer {
        match self {
            Handle::Typed(it) => it.erase(),
            Handle::Erased(it) => it,
        }
    }
}

fn call(id: usize, handle: Handle) {
    let handle = handle.erase();
    let is_live = model(|it| it.is_live(id)).unwrap_or(false);
    model(|it| it.call_begins(id));
    let ran = attempt(|| handle.call().is_some()).unwrap_or(true);
    model(|it| it.call_ends());
    if ran != is_live || handle.is_alive() {
        wrong(format!("finalizer {id} was live: {is_live}, and ran: {ran}"));
    }
}

fn detach(id: usize, handle: Handle) {
    let is_live = model(|it| it.is_live(id)).unwrap_or(false);
    let object = model(|it| it.object_of(id)).unwrap_or(0);
    let mut detached = false;
    match handle {
        Handle::Typed(it) => {
            if let Some((found, _, argument)) = it.detach() {
                detached = argument == id;
                found.map(|it| keep(Ref::new(Pointer::Node(it), object, Owner::Root)));
            }
        }
        Handle::Erased(it) => detached = it.detach(),
    }
    if detached != is_live {
        wrong(format!("finalizer {id} was live: {is_live}, and detached: {detached}"));
    }
    if is_live {
        model(|it| it.detach(id));
    }
}

fn peek(id: usize, handle: Handle) {
    let Handle::Typed(handle) = handle else { return };
    let is_live = model(|it| it.is_live(id)).unwrap_or(false);
    let object = model(|it| it.object_of(id)).unwrap_or(0);
    let seen = handle.peek(|found, _, argument| {
        let found = found.map(|it| Ref::new(Pointer::Node(it), object, Owner::Root));
        let is_alive = model(|it| it.is_alive(object)) == Some(true);
        if found.is_some() != is_alive || *argument != id {
            wrong(format!("finalizer {id} shows something else"));
        }
        found
    });
    if seen.is_some() != is_live {
        wrong(format!("finalizer {id} was live: {is_live}, and seen: {}", seen.is_some()));
    }
    // Only now: while somebody looks, claims wait.
    if let Some(Some(found)) = seen {
        keep(found);
    }
}

/// How many objects were collected.
pub(crate) fn collect_now() -> usize {
    let Some(asked) = model(|it| it.collect_begins()) else { return 0 };
    let done = collect();
    model(|it| it.collect_ends(asked, done.objects));
    done.objects
}

fn collect_borrowed(a: u8) {
    let Some(from) = Slot::take(a) else { return };
    let Some(body) = from.body() else { return };
    let Ok(edges) = body.edges.try_borrow_mut() else { return };
    model(|it| it.borrow(body.id));
    collect_now();
    model(|it| it.give_back(body.id));
    drop(edges);
}

fn set(op: Op, a: u8) {
    model(|it| it.change_rules());
    match op {
        Op::Threshold => {
            let threshold = [1, 2, 4, 1000, usize::MAX][usize::from(a) % 5];
            collector::set_threshold(threshold);
            model(|it| it.never = threshold == usize::MAX);
        }
        Op::Pause => {
            model(|it| it.paused += 1);
            let pause = collector::pause();
            real(|real| real.pauses.push(pause));
        }
        _ => {
            let pause = real(|real| real.pauses.pop()).flatten();
            model(|it| it.paused -= usize::from(pause.is_some()));
            drop(pause);
        }
    }
}

fn get_mut(a: u8, b: u8, acts: [Act; 2]) {
    let Some(mut slot) = Slot::take(a) else { return };
    let Some(its) = slot.its.as_mut() else { return };
    let id = its.id;
    let is_of_it = |handle: &&Option<Handle>| matches!(handle, Some(Handle::Typed(_)));
    let weaks = real(|real| {
        let of_it = |at: &usize| model(|it| it.object_of(*at)) == Some(id);
        let typed = real.finalizers.iter().enumerate().filter(|(_, it)| is_of_it(it));
        typed.filter(|(at, _)| of_it(at)).count() + usize::from(real.weaks[id].is_some())
    });
    let (count, is_alive) = (its.pointer().strong_count(), its.pointer().is_alive());
    if is_alive && Some(its.pointer().weak_count()) != weaks {
        wrong(format!("{} weak references to {id}, not {weaks:?}", its.pointer().weak_count()));
    }
    let expected = is_alive && count == 1 && weaks == Some(0);
    let found = its.pointer_mut().body_mut();
    if found.is_some() != expected {
        wrong(format!("{id} can be changed: {}, not {expected}", found.is_some()));
    }
    let Some(body) = found else { return };
    body.acts = acts;
    if b % 2 == 0 {
        // While it is borrowed, nobody else may look into it.
        let edges = body.edges.get_mut();
        model(|it| it.borrow(id));
        let edge = edges.pop();
        collect_now();
        attempt_drop(edge);
        model(|it| it.give_back(id));
        edges.shrink_to_fit();
    }
}

fn try_unwrap(a: u8) {
    let Some(slot) = Slot::take(a) else { return };
    if !matches!(slot.its().pointer(), Pointer::Node(_) | Pointer::Rough(_)) {
        return;
    }
    let its = slot.give_up();
    let id = its.id;
    let can_be = model(|it| it.take(id)).unwrap_or(false);
    if !can_be {
        return keep(match its.give_up() {
            Pointer::Node(it) => try_in_vain(Pointer::Node, Gc::try_unwrap(it), id),
            Pointer::Rough(it) => try_in_vain(Pointer::Rough, Gc::try_unwrap(it), id),
            other => Ref::known(other, id),
        });
    }
    let value: Option<Box<dyn Any>> = match its.give_up() {
        Pointer::Node(it) => Gc::into_inner(it).map(|it| Box::new(it) as _),
        Pointer::Rough(it) => Gc::into_inner(it).map(|it| Box::new(it) as _),
        _ => None,
    };
    match value {
        Some(value) => drop(real(|real| real.unwrapped.push(value))),
        None => wrong(format!("{id} cannot be unwrapped")),
    }
}

fn try_in_vain<T>(of: fn(Gc<T>) -> Pointer, tried: Result<T, Gc<T>>, id: usize) -> Ref {
    match tried {
        Err(its) => Ref::known(of(its), id),
        Ok(_) => panic!("{id} was unwrapped, though it has {:?}", State::Alive),
    }
}

fn spoil(op: Op, a: u8, b: u8) {
    if model(|it| it.weaks_dropped) != Some(false) {
        return;
    }
    let Some(slot) = Slot::take(a) else { return };
    let Pointer::Rough(rough) = slot.its().pointer() else { return };
    let Some(rough) = Gc::try_deref(rough) else { return };
    let was_blown = matches!(rough.fuse.get(), Fuse::Blown);
    let fuse = match op {
        Op::SpoilOnce => Fuse::Burns(b % 4),
        _ if was_blown => Fuse::Whole,
        _ => Fuse::Blown,
    };
    rough.fuse.set(fuse);
    model(|it| it.spoil(rough.body.id, matches!(fuse, Fuse::Blown)));
}

fn sibling(op: Op, a: u8, me: Option<&Body>) {
    let Some(Ok(mut edges)) = me.map(|it| it.edges.try_borrow_mut()) else { return };
    let Some(at) = usize::from(a).checked_rem(edges.len()) else { return };
    let mut its = None;
    if op == Op::CloneSibling {
        its = Some(edges[at].clone_for(Owner::Root));
    } else {
        its.insert(edges.swap_remove(at)).give(Owner::Root);
    }
    drop(edges);
    its.map(keep);
}
