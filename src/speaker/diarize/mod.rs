//! Who speaks when, in a recording that is there as a whole.

mod turn;

pub use turn::{Turn, joined, overlaps, union};
