//! The third death, for [lastly](https://crates.io/crates/lastly): cleanups that are data, written down, so
//! that somebody else can run them when their owner was killed.
//!
//! A process writes what it declares into a **journal**, a file of its own ([`own`], used by both doors).
//! When it dies, somebody else reads it and does what is left: the **guard**, a small process that waits for
//! that ([`guard`] starts it, the crate `lastly-guard` is it), or a **sweep** ([`sweep`]), later, as the guard can
//! be killed too. There is one way to do it (`replay`), and one truth, the file: no message gets lost.
//!
//! - Whether the owner is dead, says [`Owner`]: only by proof.
//! - What can be declared is in [`actions`]: a file for each.
//! - How files are removed, and nothing else, is in [`remove`].
//! - The files: `bytes` (frames and checks), `record` (what they say), `log` (adding to one), [`Directory`].
//!
//! # What never happens
//!
//! - Anything is done that a record says which was cut off, or changed after it was written.
//! - Anything is done while its owner may be alive.
//! - Anything is done by a process that has forked off its owner.
//! - A file is taken by its path alone for what was declared: but by its owner, where lastly has made up the
//!   name, and where somebody forces it.

pub mod actions;
mod bytes;
mod descriptor;
mod directory;
mod failure;
mod fork;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod guard;
mod identity;
mod lock;
mod log;
mod others;
pub mod own;
mod owner;
mod place;
mod record;
pub mod remove;
mod replay;
pub mod sweep;

pub use actions::Performed;
pub use directory::{Directory, VARIABLE};
pub use failure::Failure;
pub use identity::{Identity, birth_clock};
pub use owner::{Life, Owner};
pub use place::{Found, Kind, Place, Unreachable};
pub use record::{Entry, Header, Unreadable};
pub use replay::{ATTEMPTS, Fate};
