//! Signal processing: pure functions and push-style streams, with no I/O and no threads.

pub mod egemaps;
mod log_mel;
pub mod pool;

pub use log_mel::{HOP, LogMel, LogMelStream};
