//! Declared actions: cleanups that are data, so that somebody else can run them when their owner
//! is gone.

mod identity;
mod place;
pub mod remove;

pub use identity::{Identity, birth_clock};
pub use place::{Found, Kind, Place, Unreachable};
