//! A stream heard again a fixed time later, censored.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outlets::Tap;
use super::sink::EventSink;
use super::source::Sound;
use crate::event::Event;
use crate::moderation::{CensorStyle, DelayLine, Late, flagged_spans};
use crate::{Error, Result};

/// The samples that are pulled at once.
const BLOCK: usize = 512;

/// What was censored, and what was not in time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlaybackTotals {
    /// Stretches of sound that were to be censored.
    pub flagged: u64,
    /// Those of which a part had been heard.
    pub late: u64,
    /// Seconds of that part.
    pub late_seconds: f64,
}

struct Shared {
    line: DelayLine,
    totals: PlaybackTotals,
}

/// A delay line between a stream's sound and its verdicts. Clones share it.
#[derive(Clone)]
pub struct Playback {
    shared: Arc<Mutex<Shared>>,
    margin: f64,
}

impl Playback {
    /// Sound `delay` seconds later; words are censored with `margin` seconds around them.
    pub fn new(style: CensorStyle, delay: f64, margin: f64) -> Self {
        let shared = Shared { line: DelayLine::new(style, delay), totals: PlaybackTotals::default() };
        Self { shared: Arc::new(Mutex::new(shared)), margin }
    }

    /// What was censored so far.
    pub fn totals(&self) -> PlaybackTotals {
        self.shared().totals
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that hears the stream and writes what comes out of the line: 16 bits, little-endian, 16 kHz, one channel.
///
/// What takes it has no clock of its own here: a sample goes out for each that comes in, so the delay cannot drift.
pub struct PcmOut<W> {
    playback: Playback,
    out: W,
}

impl<W: Write> PcmOut<W> {
    /// Writes to `out`.
    pub fn new(playback: Playback, out: W) -> Self {
        Self { playback, out }
    }

    fn put(&mut self, samples: &[f32]) -> Result<()> {
        let bytes: Vec<u8> =
            samples.iter().flat_map(|sample| ((sample * 32_768.0).round() as i16).to_le_bytes()).collect();
        let written = self.out.write_all(&bytes).and_then(|()| self.out.flush());
        written.map_err(|error| Error::io("stdout", error))
    }

    fn pass(&mut self, samples: &[f32]) -> Result<()> {
        let mut out = [0.0; BLOCK];
        for block in samples.chunks(BLOCK) {
            let out = &mut out[..block.len()];
            {
                let mut shared = self.playback.shared();
                shared.line.push(block);
                shared.line.pull(out);
            }
            self.put(out)?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Tap for PcmOut<W> {
    fn name(&self) -> &str {
        "play"
    }

    fn write(&mut self, sound: &Sound) -> Result<()> {
        match sound {
            Sound::Block { samples, .. } => self.pass(samples),
            Sound::Gap { samples, .. } => {
                let silence = [0.0; BLOCK];
                let mut left = *samples;
                while left > 0 {
                    let count = left.min(BLOCK as u64);
                    self.pass(&silence[..count as usize])?;
                    left -= count;
                }
                Ok(())
            }
            Sound::Marker(_) => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        let mut out = [0.0; BLOCK];
        loop {
            let count = self.playback.shared().line.drain(&mut out);
            self.put(&out[..count])?;
            if count < BLOCK {
                return Ok(());
            }
        }
    }
}

/// The end that hears verdicts; tells of what came too late.
pub struct Flagging {
    playback: Playback,
    notify: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Flagging {
    /// Censors in `playback`, and tells `notify` what had been heard already.
    pub fn new(playback: Playback, notify: Arc<dyn Fn(&str) + Send + Sync>) -> Self {
        Self { playback, notify }
    }
}

impl EventSink for Flagging {
    fn name(&self) -> &str {
        "play"
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        for (t0, t1) in flagged_spans(event, self.playback.margin) {
            let mut shared = self.playback.shared();
            shared.totals.flagged += 1;
            let Some(Late { seconds, of }) = shared.line.censor(t0, t1) else { continue };
            shared.totals.late += 1;
            shared.totals.late_seconds += seconds;
            drop(shared);
            (self.notify)(&format!(
                "{}: too late to censor {seconds:.2} s of {of:.2} s at {t0:.2} s; a longer --delay would have been in time",
                event.id
            ));
        }
        Ok(())
    }
}
