//! Cleanups that run exactly once: when the object dies, when you call them, or when the program
//! ends. Python's `weakref.finalize`, for Rust.

mod deferred;
mod entry;
pub mod exit;
mod finalizer;
mod object;
mod outcome;
pub mod report;
mod ties;
mod watched;

pub use deferred::{Deferred, defer};
pub use finalizer::{Erased, Finalizer, finalize};
pub use object::{Object, Reach};
pub use outcome::{CallbackError, Outcome};
pub use watched::Watched;

use entry::RustDoor;
use lastly_core::Registry;

lastly_core::modelled_static! {
    /// Every live finalizer of the program. A static, because thread-locals are gone when the exit
    /// hook runs.
    static REGISTRY: Registry<RustDoor> = Registry::new();
}
