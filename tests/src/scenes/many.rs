//! The scene of many finalizers, all alive at once.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use lastly::{Finalizer, Watched, defer, finalize};

use crate::say;

static DRAINED: AtomicU32 = AtomicU32::new(0);
static SECOND: AtomicU32 = AtomicU32::new(0);

/// Creates `n`, calls one in four and detaches one in four, from all over the order; the rest
/// drains, and each that drains registers another.
pub(crate) fn many(n: u32) {
    // The oldest: it runs last.
    let tell = |()| {
        say(&format!("drained {}", DRAINED.load(Relaxed)));
        say(&format!("registered by a callback and drained {}", SECOND.load(Relaxed)));
    };
    std::mem::forget(defer(tell, ()));
    let object = Box::leak(Box::new(Watched::new(1)));
    let drained = |id: u32| {
        DRAINED.fetch_add(1, Relaxed);
        std::mem::forget(defer(|_| _ = SECOND.fetch_add(1, Relaxed), id));
    };
    let create = |id| finalize(&*object, drained, id).erase();
    let finalizers: Vec<Finalizer> = (0..n).map(create).collect();
    say(&format!("created {}", finalizers.len()));
    // A stride that shares no divisor with `n` visits each once, far apart.
    let stride = 7_919;
    let visit = |from: u32, to: u32| {
        (from..to).map(|step| &finalizers[(u64::from(step) * stride % u64::from(n)) as usize])
    };
    let called = visit(0, n / 4).filter(|finalizer| finalizer.call().is_some()).count();
    say(&format!("called {called}"));
    DRAINED.store(0, Relaxed);
    SECOND.store(0, Relaxed);
    let detached = visit(n / 4, n / 2).filter(|finalizer| finalizer.detach()).count();
    say(&format!("detached {detached}"));
}
