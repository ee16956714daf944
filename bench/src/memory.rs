//! What a live finalizer costs in memory, its allocator's overhead included.

use std::hint::black_box;

use lastly::{Finalizer, Watched, defer, finalize};
use rust_cc::cleaners::{Cleanable, Cleaner};

use crate::contenders::register_by_hand;

pub(crate) fn table(count: u32) {
    println!("### Memory per live finalizer, with one word of arguments (bytes)\n");
    println!("| | |\n|---|---|");
    let object = Watched::new(1);
    row("**lastly** on one object", count, |n| finalize(&object, drop, u64::from(n)));
    row("**lastly** on one object, handle not kept", count, |n| {
        finalize(&object, drop, u64::from(n));
    });
    row("**lastly** with its object", count, |n| {
        let object = Watched::new(n);
        let handle: Finalizer = finalize(&object, drop, u64::from(n)).erase();
        (object, handle)
    });
    row("**lastly** `defer`", count, |n| defer(drop, u64::from(n)));
    // Not on one cleaner: that refuses the 32,768th reference.
    row("rust-cc, each with a `Cleaner`", count, |n| -> (Cleaner, Cleanable) {
        let (cleaner, n) = (Cleaner::new(), u64::from(n));
        let cleanable = cleaner.register(move || _ = black_box(n));
        (cleaner, cleanable)
    });
    row("registry by hand: `Mutex<BTreeMap>`", count, |n| {
        let n = u64::from(n);
        register_by_hand(Box::new(move || _ = black_box(n)))
    });
    println!();
    while let Some(callback) = crate::contenders::newest_by_hand() {
        callback();
    }
}

/// Makes `count` of them and keeps what it is given for each, whose own size is not counted: where
/// to put the handle is the user's choice.
fn row<R>(name: &str, count: u32, make: impl Fn(u32) -> R) {
    let mut kept = Vec::with_capacity(count as usize);
    let before = allocated();
    kept.extend((0..count).map(make));
    let bytes = (allocated() - before) as f64 / f64::from(count);
    println!("| {name} | {bytes:.0} |");
}

/// Bytes in use, as the C library counts them.
pub(crate) fn allocated() -> usize {
    // SAFETY: only reads the allocator's statistics.
    let all = unsafe { libc::mallinfo2() };
    // What is large, it maps and counts apart.
    all.uordblks + all.hblkhd
}
