//! What several tests need.

pub mod guards;
pub mod program;
