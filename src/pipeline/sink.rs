//! Where events go.

use crate::Result;
use crate::event::Event;

/// Takes the events of a stream, in order, on a thread of its own.
///
/// A sink may block: the link before it absorbs that for a while, and then drops what the sink has no time for. It never
/// slows what is before the link.
pub trait EventSink: Send {
    /// What reports call it.
    fn name(&self) -> &str;

    /// Takes an event.
    ///
    /// # Errors
    /// Where it can take neither this event nor any other. An event that is lost while the sink goes on is the sink's
    /// to count and to report.
    fn write(&mut self, event: &Event) -> Result<()>;

    /// Takes what is measured between events, about ten times a second, where it is of use.
    fn gauge(&mut self, _gauges: &Gauges) {}

    /// Ends the stream: everything taken is where it should be when this returns, or its loss is reported.
    ///
    /// # Errors
    /// Where it could not be brought there.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a stream's instruments show now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Gauges {
    /// Seconds of the stream's clock.
    pub position: f64,
    /// Loudest sample of the last tenth of a second, in decibels of full scale; at most 0.
    pub peak_dbfs: f32,
    /// Probability that the last frame is speech.
    pub speech: f32,
    /// Share of the last seconds in which the recogniser was at work.
    pub load: f32,
    /// Seconds of speech that wait for the recogniser.
    pub backlog: f64,
    /// Median seconds from the end of speech to its final, so far.
    pub final_p50: f64,
    /// 95th percentile of the same.
    pub final_p95: f64,
}
