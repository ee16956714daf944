//! What the tests of declared actions have in common: `crash` tells what it is, `program` is where the command
//! is found.

pub mod crash;
pub mod program;
