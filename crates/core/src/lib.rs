//! The engine of lastly: what the doors of different languages share, the Rust one (the crate
//! `lastly`) and the Python one (the package `lastly`).
//!
//! A *finalizer* ties a *callback* to an *object*: it runs exactly once, when the object dies, when
//! it is called, or when the program ends, whichever comes first. This crate knows neither
//! objects nor callbacks. It knows *nodes*, and settles three questions about them:
//!
//! - Who may run the callback? Whoever wins the swap of one atomic word (`state`).
//! - Which are alive, and in what order? The registry, lists of nodes in order of creation
//!   (`registry`, `order`, `list`, `lock`).
//! - What happens at the end? The drain, newest first (`drain`), within the time that it is given
//!   (`ending`), also when a signal ends the program (`signals`); and what a forked child inherits of
//!   it (`fork`, `inherited`, `heir`).
//!
//! A *door* implements [`Door`] for its own memory layout, keeps one [`Registry`] in a static, and
//! calls [`Registry::insert`], [`Registry::claim`], [`Registry::peek`] and [`Registry::drain`].
//!
//! Programs use the crate `lastly`, not this one, which makes no promise of stability.
//!
//! # What never happens
//!
//! - Under a lock: an allocation, foreign code, a call into an interpreter.
//! - A callback runs while the engine holds a lock.
//! - A node is freed while the registry, its object or a handle holds it.

mod alive;
mod backlog;
mod claim;
mod cleaner;
mod cleaners;
mod drain;
pub mod ending;
mod event;
mod exit_report;
pub mod fork;
mod groups;
mod heir;
mod inherited;
mod list;
mod lock;
mod node;
mod order;
mod pause;
mod process;
mod registry;
mod report;
mod shard;
pub mod signals;
mod state;
#[doc(hidden)]
pub mod sync;
mod thread;
mod totals;

#[cfg(not(target_os = "linux"))]
compile_error!("lastly: exit hooks, forks and signals were written for Linux only so far");

pub use alive::Look;
pub use claim::{Claim, Peek};
pub use cleaner::{Cleaner, WhenFull};
pub use cleaners::CleanerState;
pub use drain::Terms;
pub use groups::Groups;
pub use lock::{ByHost, ByLock, Exclusion};
pub use node::Node;
pub use order::Now;
pub use pause::Pause;
pub use process::End;
pub use registry::{Door, Registry};
pub use report::{Cause, Description, Problem, Raised, Report, contain};
pub use state::Due;
pub use totals::{Slow, Totals};
