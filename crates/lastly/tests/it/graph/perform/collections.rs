//! Collections, and what they go by.

use lastly::{Gc, collect, collector};

use super::{Slot, real};
use crate::graph::model::model;
use crate::graph::real::{Fuse, Pointer};
use crate::graph::steps::Op;

/// How many objects were collected.
pub(crate) fn collect_now() -> usize {
    let Some(asked) = model(|it| it.collect_begins()) else { return 0 };
    let done = collect();
    model(|it| it.collect_ends(asked, done.objects));
    done.objects
}

pub(super) fn collect_borrowed(a: u8) {
    let Some(from) = Slot::take(a) else { return };
    let Some(body) = from.body() else { return };
    let Ok(edges) = body.edges.try_borrow_mut() else { return };
    model(|it| it.borrow(body.id));
    collect_now();
    model(|it| it.give_back(body.id));
    drop(edges);
}

pub(super) fn set(op: Op, a: u8) {
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

pub(super) fn spoil(op: Op, a: u8, b: u8) {
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
    model(|it| it.ever_spoilt = true);
}
