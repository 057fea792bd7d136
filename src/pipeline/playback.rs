//! A stream heard again a fixed time later, censored.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outlets::Tap;
use super::sink::EventSink;
use super::source::Sound;
use crate::event::{Event, EventKind, VerdictStatus};
use crate::moderation::{DelayLine, Late, Stretch, flagged_stretches};
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
    /// Seconds of alerts that were taken back before they were heard.
    pub taken_back: f64,
}

struct Shared {
    line: DelayLine,
    totals: PlaybackTotals,
    /// Whether the stream has ended.
    has_ended: bool,
}

/// A delay line between a stream's sound and its verdicts. Clones share it.
#[derive(Clone)]
pub struct Playback {
    shared: Arc<Mutex<Shared>>,
    margin: f64,
}

impl Playback {
    /// Sound `delay` seconds later; words are censored with `margin` seconds around them.
    pub fn new(delay: f64, margin: f64) -> Self {
        let shared =
            Shared { line: DelayLine::new(delay), totals: PlaybackTotals::default(), has_ended: false };
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

/// Gives a piece of a stream to `pass` in blocks: what is missing is silence.
fn in_blocks(sound: &Sound, mut pass: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
    match sound {
        Sound::Block { samples, .. } => samples.chunks(BLOCK).try_for_each(pass),
        Sound::Gap { samples, .. } => {
            let silence = [0.0; BLOCK];
            let mut left = *samples;
            while left > 0 {
                let count = left.min(BLOCK as u64);
                pass(&silence[..count as usize])?;
                left -= count;
            }
            Ok(())
        }
        Sound::Marker(_) => Ok(()),
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

    fn pass(&mut self, block: &[f32]) -> Result<()> {
        let mut out = [0.0; BLOCK];
        let out = &mut out[..block.len()];
        {
            let mut shared = self.playback.shared();
            shared.line.push(block);
            shared.line.pull(out);
        }
        self.put(out)
    }
}

impl<W: Write + Send> Tap for PcmOut<W> {
    fn name(&self) -> &str {
        "play"
    }

    fn write(&mut self, sound: &Sound) -> Result<()> {
        in_blocks(sound, |block| self.pass(block))
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

/// The end that hears the stream and leaves what comes out of the line to a device, whose clock reads it.
#[cfg(feature = "mic")]
pub struct DeviceOut {
    playback: Playback,
    player: crate::audio::playout::Player,
}

#[cfg(feature = "mic")]
impl DeviceOut {
    /// Fills `playback`, from which `player` reads.
    pub fn new(playback: Playback, player: crate::audio::playout::Player) -> Self {
        Self { playback, player }
    }
}

#[cfg(feature = "mic")]
impl Tap for DeviceOut {
    fn name(&self) -> &str {
        "play"
    }

    fn write(&mut self, sound: &Sound) -> Result<()> {
        in_blocks(sound, |block| {
            self.playback.shared().line.push(block);
            Ok(())
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.playback.shared().has_ended = true;
        self.player.finish();
        Ok(())
    }
}

#[cfg(feature = "mic")]
impl crate::audio::playout::PlaySource for Playback {
    fn pull(&mut self, out: &mut [f32]) -> usize {
        let mut shared = self.shared();
        if shared.has_ended {
            return shared.line.drain(out);
        }
        shared.line.pull(out);
        out.len()
    }

    fn catch_up(&mut self) {
        self.shared().line.catch_up();
    }

    fn delay(&self) -> Option<f64> {
        let shared = self.shared();
        (shared.line.is_running() && !shared.has_ended).then(|| shared.line.delay())
    }
}

/// The end that hears verdicts; tells of what came too late.
pub struct Flagging {
    playback: Playback,
    notify: Arc<dyn Fn(&str) + Send + Sync>,
    /// What was censored for alerts of segments that are not concluded.
    alerted: HashMap<u64, Vec<Stretch>>,
}

impl Flagging {
    /// Censors in `playback`, and tells `notify` what had been heard already.
    pub fn new(playback: Playback, notify: Arc<dyn Fn(&str) + Send + Sync>) -> Self {
        Self { playback, notify, alerted: HashMap::new() }
    }
}

impl Flagging {
    /// Keeps what was censored for an alert until its segment is concluded, and takes it back where the alert is withdrawn.
    fn remember(&mut self, segment: u64, status: VerdictStatus, stretches: &[Stretch]) {
        match status {
            VerdictStatus::Alert => self.alerted.entry(segment).or_default().extend(stretches),
            VerdictStatus::Confirmed => drop(self.alerted.remove(&segment)),
            VerdictStatus::Withdrawn => {
                let alerted = self.alerted.remove(&segment).unwrap_or_default();
                let mut shared = self.playback.shared();
                let freed: f64 = alerted.into_iter().map(|stretch| shared.line.take_back(stretch)).sum();
                shared.totals.taken_back += freed;
            }
        }
    }
}

impl EventSink for Flagging {
    fn name(&self) -> &str {
        "play"
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let stretches = flagged_stretches(event, self.playback.margin);
        if let EventKind::Verdict(verdict) = &event.kind {
            self.remember(verdict.segment, verdict.status, &stretches);
        }
        for stretch in stretches {
            let mut shared = self.playback.shared();
            shared.totals.flagged += 1;
            let Some(Late { seconds, of }) = shared.line.censor(stretch) else { continue };
            shared.totals.late += 1;
            shared.totals.late_seconds += seconds;
            drop(shared);
            (self.notify)(&format!(
                "{}: too late to censor {seconds:.2} s of {of:.2} s at {:.2} s; a longer --delay would have been in time",
                event.id, stretch.t0
            ));
        }
        Ok(())
    }
}
