//! Cleanups that run exactly once: when the object dies, when you call them, or when the program
//! ends. Python's `weakref.finalize`, for Rust.
//!
//! ```
//! use lastly::{Gc, finalize};
//!
//! let path = std::env::temp_dir().join("lastly-crate-example");
//! std::fs::create_dir_all(&path)?;
//!
//! let workspace = Gc::new(path.clone()); // like an `Rc`, but its reference cycles die too
//! let cleanup = finalize(&workspace, std::fs::remove_dir_all, path); // object, function, arguments
//!
//! assert!(cleanup.is_alive());
//! cleanup.call().expect("alive")?; // now; or never call it, and it runs when `workspace` dies,
//! assert!(cleanup.call().is_none()); // or at exit: but once
//! # std::io::Result::Ok(())
//! ```
//!
//! # The parts
//!
//! - [`finalize`] ties a cleanup to an object, and gives a handle, the [`Finalizer`]: call, detach,
//!   peek, alive, at exit or not.
//! - Objects are what is in a [`Gc`], a shared pointer whose reference cycles are collected (the
//!   module [`collector`] tells how); or any value that is made one by [`Watched`], in whatever
//!   pointer.
//! - [`defer`] is a scope guard that also runs at exit.
//! - A [`Cleaner`] runs callbacks on a thread of its own, so that who drops an object does not; in a
//!   [pause](paused) they wait, while something is locked, say; and a [`Pressure`] has collections begin
//!   when too much is held that the collector does not see, such as files.
//! - [`actions`] are cleanups that survive `kill -9`: declared, written down, and done by somebody else when
//!   this process cannot; and temporary directories and files that are cleaned up like that.
//! - [`exit`] is the end of the program: newest first, over all threads, within a time if you like.
//! - [`signals`] makes SIGTERM, Ctrl-C and SIGHUP such an end, if you ask for it.
//! - [`report`] is where failures go that nobody is there to take: a panic, an `Err` (see
//!   [`Outcome`] for what counts as one), and cleanups that the end of the program left no time for.
//! - [`live()`] tells what is alive, and what became of the rest; the module [`live`](mod@live) tells how
//!   to have that printed at the end of the program.
//!
//! # What is promised
//!
//! - A callback runs **at most once**, whatever threads, re-entrant calls and the exit do. It runs
//!   exactly once if its object dies, it is called, or the program ends by `return` from `main`,
//!   `exit`, or a panic in `main`; unless it was detached, or was to be left out at exit. (See
//!   [`Finalizer::peek`] for what a look at it changes, [`exit`] for `exit` inside `exit`.)
//! - When an object dies, its value is dropped first; then its callbacks run, newest first. When
//!   a cycle is collected, all its values are dropped, then all its callbacks run, newest first.
//! - At exit what is left runs newest first, in the order of creation over all threads.
//! - What was to run at exit and could not is reported, by name: registered too late, unfinished on
//!   another thread, skipped when time ran out.
//! - What is declared by [`actions`] is done in the place of the process when that was killed, and nothing is
//!   touched but what was declared.
//! - A callback that fails never stops another.
//! - A callback may create, call, detach and peek at finalizers, kill objects, spawn and join
//!   threads, panic, fork; and exit the program, but not in the drain (see [`exit`]).
//! - No lock is held while foreign code runs.
//!
//! # Limitations
//!
//! - **Nothing runs** on `abort`, `_exit`, `kill -9`, power loss, a signal that is not taken over (see
//!   [`signals`]), nor on a panic in a program built with `panic = "abort"`, or when memory runs out. Then only
//!   what was [declared](actions) is done, by others, later.
//! - **A callback that owns its object** keeps it alive until the program ends. With `Gc` and `Rc` this
//!   does not compile; with `Arc` it does, and no type can refuse it. Capture an
//!   [`Arc`'s `Weak`](std::sync::Weak), or only the parts that the cleanup needs.
//! - **Reference cycles** of `Rc` or `Arc` keep their objects alive; the callbacks run at exit. Those of
//!   `Gc` die; [`collector`] has limitations of its own.
//! - **Thread-locals of the main thread**, and locals of `main`, die before the drain.
//! - **The drain may run a callback while other threads still use what it cleans up**: the program
//!   is ending under them. Stop your threads first, or turn the exit flag off.
//! - A callback runs on the thread where the object died, inside that drop: what that thread holds
//!   locked is locked. Where that matters, put it off ([`paused`]), or on another thread ([`Cleaner`]).
//! - A chain of `Watched` objects, each owned by the callback or the value of the one before, dies by
//!   nested drops, as a list of boxes does: a very long one overflows the stack. One of `Gc`s does not.
//! - `exit` from a callback ends the callback: what it had yet to do is not done.
//! - After a `fork`, a child's exit passes over what it inherited; the parent's exit runs it. If the
//!   parent ends without that (it forked a daemon and calls `_exit`, or was killed), the child that was
//!   forked **last** does it at its own end, if the parent has run or given back nothing that is older
//!   than the child. In any doubt, nobody does: also if that fork failed, or the child has become
//!   another program (as [`Command`](std::process::Command) has it where it cannot use `posix_spawn`). What another thread was running or looking at when the
//!   fork happened is dead in the child. A `pthread_atfork` handler that uses finalizers itself waits
//!   for ever.
//! - Linux only: what the engine needs of a system was written for no other yet, and elsewhere it refuses
//!   to compile.

pub mod actions;
mod cleaner;
pub mod collector;
mod deferred;
mod entry;
pub mod exit;
mod finalizer;
mod gc;
mod keeper;
pub mod live;
mod object;
mod outcome;
mod pause;
mod pressure;
#[cfg(doctest)]
mod refused;
pub mod report;
pub mod signals;
mod tied;
mod ties;
mod trace;
mod watched;

pub use cleaner::{Cleaner, CleanerBuilder, WhenFull};
pub use collector::collect;
pub use deferred::{Deferred, defer};
pub use finalizer::{Erased, Finalizer, finalize};
pub use gc::{Gc, Weak};
pub use lastly_derive::Trace;
pub use live::live;
pub use object::{Object, Reach};
pub use outcome::{CallbackError, Outcome};
pub use pause::{Pause, paused};
pub use pressure::Pressure;
pub use trace::{Trace, Tracer};
pub use watched::Watched;

use entry::RustDoor;
use lastly_core::Registry;

lastly_core::modelled_static! {
    /// Every live finalizer of the program. A static, because thread-locals are gone when the exit
    /// hook runs.
    static REGISTRY: Registry<RustDoor> = Registry::new();
}

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
