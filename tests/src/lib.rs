//! What the tests of declared actions have in common: `crash` tells what it is, `program` is where the command
//! is found, `guards` those that are there.

pub mod crash;
pub mod guards;
pub mod program;
