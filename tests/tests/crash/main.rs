//! Declared actions and the third death: processes are killed, and what they declared goes, and nothing else.
//!
//! `kills` runs the crash run of `tests/src/crash` shortly. The others look at single cases: what guards
//! do, what forks do, and what journals do that nobody has written in earnest.

mod bytes;
mod fixture;
mod forks;
mod guards;
mod images;
mod journal;
mod kills;
mod living;
mod lost;
mod namespaces;
mod places;
mod planted;
mod rights;
mod synced;
mod trash;
