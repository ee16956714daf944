//! Finalizers: what is done to them, and what they do.

use std::panic::resume_unwind;

use lastly::{Finalizer, Weak, finalize};

use super::{Slot, attempt, check_counts, keep, perform_act, real, wrong};
use crate::graph::model::{Owner, Whose, model};
use crate::graph::real::{Node, Pointer, Ref};
use crate::graph::steps::{Act, Op, Step};

pub(crate) enum Handle {
    Typed(Finalizer<Weak<Node>, usize, fn(usize)>),
    Erased(Finalizer),
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

pub(super) fn register(object: &Ref, acts: [Act; 2]) {
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

pub(super) fn perform(step: &Step) {
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
                if let Some(found) = found {
                    keep(Ref::new(Pointer::Node(found), object, Owner::Root));
                }
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
