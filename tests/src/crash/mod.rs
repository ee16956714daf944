//! The crash run: processes that declare actions are killed, and what they declared is compared with what is
//! there in the end. `cargo xtask crash` runs it long, `cargo test` shortly.
//!
//! A *case* has a folder of its own, with its journals, its ledger, and a place for *resources*: trees, files,
//! shared memory, groups of processes. The *actor* declares and makes and gives up resources, and writes
//! into the *ledger* what it is about to do, and what it has done. Somebody kills it, its guard, or the
//! sweep that comes after them: at random moments, or before any one of their system calls. Then the
//! *oracle* reads the ledger, and looks at the place. It knows nothing of journals.
//!
//! All around are *canaries*: files that nobody has declared, to which links lead from inside the trees.

pub mod actor;
pub mod calls;
pub mod door;
pub mod kills;
pub mod ledger;
pub mod oracle;
pub mod pids;
pub mod puppet;
#[path = "../stress/random.rs"]
pub(crate) mod random;
pub mod resource;
pub mod run;
pub mod script;
pub mod system;
pub mod trace;
pub mod world;
