//! What the tests of declared actions have in common: `crash` tells what it is.

pub mod crash;
