//! Making objects, and references between them.

use std::panic::resume_unwind;

use lastly::{Gc, Weak};

use super::collections::collect_now;
use super::finalizers::register;
use super::{Slot, attempt_drop, keep, keep_any, real, wrong};
use crate::graph::model::{Model, Owner, Whose, model};
use crate::graph::real::{Body, Node, Pointer, Ref, Way};
use crate::graph::steps::{Act, Kind, Op, Step};

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

pub(super) fn make(step: &Step) {
    let &Step { op, a, b, kind, acts } = step;
    match op {
        Op::NewHolding if kind != Kind::Leaf => {
            let (one, other) = (Slot::take(a), Slot::take(b));
            let held: Vec<_> = [&one, &other].into_iter().flatten().map(Slot::its).collect();
            keep_any(make_one(kind, acts, &held));
        }
        Op::NewCyclic | Op::NewCyclicBusy => make_cyclic(op == Op::NewCyclicBusy, a, acts),
        Op::Ring => ring(1 + usize::from(b % 4), acts),
        Op::Chain => chain(20 + usize::from(b % 64), acts),
        _ => keep_any(make_one(kind, acts, &[])),
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
    keep_any(head);
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

pub(super) fn link(op: Op, a: u8, b: u8) {
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

pub(super) fn unlink(op: Op, a: u8, b: u8) {
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

pub(super) fn follow(a: u8, b: u8) {
    let Some(from) = Slot::take(a) else { return };
    let Some(Ok(edges)) = from.body().map(|it| it.edges.try_borrow()) else { return };
    if let Some(edge) = edges.get(usize::from(b) % edges.len().max(1)) {
        keep(edge.clone_for(Owner::Root));
    }
}

pub(super) fn weakly(op: Op, a: u8) {
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
    drop_weak(id);
}

/// Has the object no longer be known weakly; but what hides or is spoilt has to be found again.
pub(super) fn drop_weak(id: usize) {
    let may = |it: &mut Model| {
        let may = !it.ever_spoilt && !it.is_hiding(id);
        it.weaks_dropped |= may;
        may
    };
    if model(may) == Some(true) {
        drop(real(|real| real.weaks[id].take()));
    }
}
