//! Declared actions: cleanups that are data, so that somebody else can run them when their owner
//! is gone.

mod identity;

pub use identity::Identity;
