//! Who hears a stream and its events: taps and sinks, each on a thread of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;

use super::EventSink;
use super::crew::Crew;
use super::instruments::Instruments;
use super::link::{Bound, Counters, Policy, Sender, link};
use super::source::Sound;
use super::stream::{SourcePace, StreamOptions, TICK};
use crate::event::{Draft, EndStatus, Event, EventKind};
use crate::time::Span;
use crate::{Error, Result};

/// How often sinks are shown the gauges.
const GAUGE_INTERVAL: Duration = Duration::from_millis(100);
/// Events that wait for a sink at most: some hours of speech.
const SINK_EVENTS: usize = 8192;

/// Hears the sound of a stream beside the stages, on a thread of its own.
pub trait Tap: Send {
    /// What reports call it.
    fn name(&self) -> &str;

    /// Takes the next piece.
    ///
    /// # Errors
    /// Those that end the tap; the stream goes on.
    fn write(&mut self, sound: &Sound) -> Result<()>;

    /// Ends the stream.
    ///
    /// # Errors
    /// Where what was taken could not be kept.
    fn finish(&mut self) -> Result<()>;
}

/// Starts taps; an error event tells of sound that one had no time for.
pub(super) fn start_taps(
    crew: &mut Crew,
    taps: Vec<Box<dyn Tap>>,
    to_publish: &Sender<Draft>,
    links: &mut Vec<Arc<Counters>>,
) -> Result<Vec<Sender<Sound>>> {
    /// A minute of sound.
    const BOUND: Bound = Bound { items: 4096, samples: 60 * 16_000 };
    let mut senders = Vec::with_capacity(taps.len());
    for mut tap in taps {
        let (sender, mut sound) = link(format!("source to {}", tap.name()), BOUND, Policy::Drop);
        links.push(sender.counters());
        let (closing, name) = (crew.closing(), tap.name().to_owned());
        let to_publish = to_publish.clone();
        crew.start(&name.clone(), move || {
            loop {
                match sound.recv_timeout(TICK) {
                    Ok(piece) => tap.write(&piece)?,
                    Err(RecvTimeoutError::Timeout) if !closing.is_near() => {}
                    Err(_) => break,
                }
            }
            let lost = sound.counters().dropped();
            if lost > 0 {
                let message = format!("{lost} blocks of sound came faster than they could be written");
                let kind = EventKind::Error { stage: name, message };
                to_publish.send(Draft::new(Span::default(), kind)).ok();
            }
            tap.finish()?;
            Ok(EndStatus::Finished)
        })?;
        senders.push(sender);
    }
    Ok(senders)
}

/// Starts sinks. Live, one that is too slow loses events; otherwise the stream waits for it.
pub(super) fn start_sinks(
    crew: &mut Crew,
    sinks: Vec<Box<dyn EventSink>>,
    options: &StreamOptions,
    instruments: &Arc<Instruments>,
    backlog: &Arc<Counters>,
    links: &mut Vec<Arc<Counters>>,
) -> Result<Vec<Sender<Arc<Event>>>> {
    let bound = Bound { items: SINK_EVENTS, samples: u64::MAX };
    let policy = match options.pace {
        SourcePace::Live => Policy::Drop,
        SourcePace::Batch => Policy::Block,
    };
    let mut senders = Vec::with_capacity(sinks.len());
    for mut sink in sinks {
        let name = sink.name().to_owned();
        let (sender, mut events) = link::<Arc<Event>>(format!("publish to {name}"), bound, policy);
        links.push(sender.counters());
        let (instruments, backlog) = (Arc::clone(instruments), Arc::clone(backlog));
        crew.start(&name.clone(), move || {
            let mut shown = Instant::now();
            loop {
                match events.recv_timeout(GAUGE_INTERVAL) {
                    Ok(event) => sink.write(&event)?,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                if shown.elapsed() >= GAUGE_INTERVAL {
                    shown = Instant::now();
                    sink.gauge(&instruments.gauges(backlog.samples()));
                }
            }
            sink.finish()?;
            match events.counters().dropped() {
                0 => Ok(EndStatus::Finished),
                lost => Err(Error::audio(name, format!("{lost} events came faster than they were taken"))),
            }
        })?;
        senders.push(sender);
    }
    Ok(senders)
}
