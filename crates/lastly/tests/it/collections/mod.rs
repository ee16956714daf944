//! Collections: when they come, what dies in them, in which order, and what the code of those that
//! die may do meanwhile.

mod automatic;
mod dead;
mod deep;
mod inside;
mod limits;
mod order;
mod threads;
