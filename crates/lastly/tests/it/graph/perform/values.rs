//! Values: dropped, changed, taken out.

use std::any::Any;
use std::panic::resume_unwind;
use std::thread::panicking;

use lastly::Gc;

use super::collections::collect_now;
use super::finalizers::Handle;
use super::objects::drop_weak;
use super::{Slot, attempt_drop, counts, keep, keep_any, perform_act, real, wrong};
use crate::graph::model::{Owner, Whose, model};
use crate::graph::real::{Body, Pointer, Ref};
use crate::graph::steps::{Act, Op};

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

/// How many weak references to an object there are.
fn weaks_of(id: usize) -> Option<usize> {
    let is_typed = |handle: &Option<Handle>| matches!(handle, Some(Handle::Typed(_)));
    real(|real| {
        let typed = (0..real.finalizers.len()).filter(|at| is_typed(&real.finalizers[*at]));
        let of_it = typed.filter(|at| model(|it| it.object_of(*at)) == Some(id)).count();
        of_it + usize::from(real.weaks[id].is_some())
    })
}

pub(super) fn get_mut(a: u8, b: u8, acts: [Act; 2]) {
    let Some(mut slot) = Slot::take(a) else { return };
    let Some(its) = slot.its.as_mut() else { return };
    let id = its.id;
    if b % 4 < 2 {
        drop_weak(id);
    }
    let (count, is_alive) = (its.pointer().strong_count(), its.pointer().is_alive());
    let (weaks, expected) = (its.pointer().weak_count(), weaks_of(id));
    if is_alive && Some(weaks) != expected {
        wrong(format!("{weaks} weak references to {id}, not {expected:?}"));
    }
    let expected = is_alive && count == 1 && weaks == 0;
    let found = its.pointer_mut().body_mut();
    if found.is_some() != expected {
        wrong(format!("{id} can be changed: {}, not {expected}", found.is_some()));
    }
    let Some(body) = found else { return };
    body.acts = acts;
    if b % 2 == 0 {
        change(body);
    }
}

/// While it is borrowed, nobody else may look into it.
fn change(body: &mut Body) {
    let id = body.id;
    let edges = body.edges.get_mut();
    model(|it| it.exclude(id));
    let edge = edges.pop();
    collect_now();
    attempt_drop(edge);
    model(|it| it.include(id));
    edges.shrink_to_fit();
}

pub(super) fn try_unwrap(a: u8) {
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
        Ok(_) => panic!("{id} was unwrapped"),
    }
}

pub(super) fn sibling(op: Op, a: u8, me: Option<&Body>) {
    let Some(Ok(mut edges)) = me.map(|it| it.edges.try_borrow_mut()) else { return };
    let Some(at) = usize::from(a).checked_rem(edges.len()) else { return };
    let mut its = None;
    if op == Op::CloneSibling {
        its = Some(edges[at].clone_for(Owner::Root));
    } else {
        its.insert(edges.swap_remove(at)).give(Owner::Root);
    }
    drop(edges);
    keep_any(its);
}
