//! What holds for declared actions, on real files and real processes, in one binary.

mod removal;
