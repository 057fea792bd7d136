//! Threads, links and clocks around the stages of a live stream.

mod sink;

pub use sink::{EventSink, Gauges};
