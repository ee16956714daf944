//! The guard process, and the `lastly` command.

fn main() {}
