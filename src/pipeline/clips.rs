//! Keeps the sound of what was confirmed, where the policy asks for it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outlets::Tap;
use super::sink::EventSink;
use super::source::Sound;
use crate::audio::WavRecorder;
use crate::event::{Action, Event, EventKind};
use crate::time::SampleIndex;
use crate::{Error, Result};

/// Samples that are held: three minutes, more than a segment and what waits before it.
const HELD: usize = 180 * 16_000;

/// The sound that a stream had last.
#[derive(Debug, Default)]
struct Held {
    sound: VecDeque<f32>,
    end: u64,
}

/// Hears a stream and writes a WAV file (16 kHz, 16 bits, one channel) for each verdict or speaker that asks to be kept; both ends of
/// it go into the stream, the one as a tap and the other as a sink.
#[derive(Debug, Clone)]
pub struct Clips {
    folder: PathBuf,
    stream: String,
    margin: f64,
    held: Arc<Mutex<Held>>,
}

impl Clips {
    /// Clips of the stream of this name, with `margin` seconds around the evidence, into `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be made.
    pub fn new(folder: impl Into<PathBuf>, stream: &str, margin: f64) -> Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let stream = stream.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        Ok(Self { folder, stream, margin, held: Arc::default() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The samples from `t0` to `t1`, as far as they are held.
    fn sound(&self, t0: f64, t1: f64) -> Vec<f32> {
        let held = self.held();
        let first = held.end - held.sound.len() as u64;
        let at =
            |seconds: f64| (SampleIndex::from_seconds(seconds).0.clamp(first, held.end) - first) as usize;
        let (start, end) = (at(t0 - self.margin), at(t1 + self.margin));
        held.sound.range(start..end.max(start)).copied().collect()
    }
}

impl Tap for Clips {
    fn name(&self) -> &str {
        "clips"
    }

    fn write(&mut self, sound: &Sound) -> Result<()> {
        let mut held = self.held();
        match sound {
            Sound::Block { samples, .. } => {
                held.sound.extend(samples.iter());
                held.end += samples.len() as u64;
            }
            Sound::Gap { samples, .. } => {
                held.sound.extend(std::iter::repeat_n(0.0, (*samples).min(HELD as u64) as usize));
                held.end += samples;
            }
            Sound::Marker(_) => {}
        }
        let surplus = held.sound.len().saturating_sub(HELD);
        held.sound.drain(..surplus);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The end of [`Clips`] that takes events.
pub struct ClipWriter(pub Clips);

impl EventSink for ClipWriter {
    fn name(&self) -> &str {
        "save-clip"
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        if !event.actions().contains(&Action::SaveClip) {
            return Ok(());
        }
        let (t0, t1) = match &event.kind {
            EventKind::Verdict(verdict) => (verdict.evidence.t0, verdict.evidence.t1),
            _ => (event.t0, event.t1),
        };
        let clips = &self.0;
        let path = clips.folder.join(format!("{}-{}.wav", clips.stream, event.id));
        let mut file = WavRecorder::create(path)?;
        file.write(&clips.sound(t0, t1))?;
        file.finish()
    }
}

/// Passes on to a sink the events alone whose actions have one.
pub struct OnlyActions<S> {
    sink: S,
    action: Action,
}

impl<S: EventSink> OnlyActions<S> {
    /// Events that ask for `action` go to `sink`.
    pub fn new(sink: S, action: Action) -> Self {
        Self { sink, action }
    }
}

impl<S: EventSink> EventSink for OnlyActions<S> {
    fn name(&self) -> &str {
        self.sink.name()
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        match event.actions().contains(&self.action) {
            true => self.sink.write(event),
            false => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.sink.finish()
    }
}
