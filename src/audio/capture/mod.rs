//! Microphones: sound as it is captured, at 16 kHz mono, with its time.
//!
//! | file | idea |
//! |---|---|
//! | `device` | microphones of the system |
//! | `ring` | from the callback to the reader without locks, with every loss at its place |
//! | `keeper` | the thread that opens the device, watches it and opens it again |
//! | `timeline` | frames and losses of one device after another on the stream's clock |
//! | `drift` | the device's clock against the system's |
//!
//! Sound and gaps together are as long as the stream: nothing that is lost shortens the clock. A device that goes away
//! is a gap, never an error. The callback neither locks nor allocates.

mod device;
mod drift;
pub(in crate::audio) mod keeper;
mod ring;
mod timeline;

use std::ops::Add;
use std::thread;
use std::time::{Duration, Instant};

use self::device::System;
use self::keeper::{Backend, Keeper, Message, Patience};
use self::ring::{Piece, RingReader};
use self::timeline::Timeline;
use crate::Result;
use crate::audio::Channel;
use crate::audio::device::DeviceInfo;
use crate::event::GapReason;

/// How often the ring is looked into while it is empty. The callback wakes nobody: that is a system call, and may wait
/// for a lock of the kernel.
const POLL: Duration = Duration::from_millis(3);

/// What to capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureOptions {
    /// Name or identifier of the device, or a part of one, as [`devices`](crate::audio::device::devices) lists them; none is the system's default.
    pub device: Option<String>,
    /// What becomes of the channels.
    pub channel: Channel,
    /// How much sound waits for its reader at most; what comes then is an overrun.
    pub ring: Duration,
    /// A device from which nothing comes for so long is lost.
    pub heartbeat: Duration,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            device: None,
            channel: Channel::Mix,
            ring: Duration::from_secs(10),
            heartbeat: Duration::from_secs(1),
        }
    }
}

/// The next stretch of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Captured {
    /// Sound.
    Audio {
        /// Samples at 16 kHz, mono.
        samples: Vec<f32>,
        /// When the last of them was captured, as well as the times of the callbacks tell.
        at: Instant,
    },
    /// Sound is missing.
    Gap {
        /// How many samples, at 16 kHz.
        samples: u64,
        /// Why.
        reason: GapReason,
    },
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Times that the system delivered sound.
    pub callbacks: u64,
    /// Times that it came faster than it was read, or than the system took it from the device.
    pub overruns: u64,
    /// Frames lost in overruns, at the device's rate.
    pub lost: u64,
    /// Times that a device was opened again.
    pub reconnects: u64,
}

impl Add for Counters {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            callbacks: self.callbacks + other.callbacks,
            overruns: self.overruns + other.overruns,
            lost: self.lost + other.lost,
            reconnects: self.reconnects + other.reconnects,
        }
    }
}

/// A microphone that is being heard.
pub struct Capture {
    keeper: Keeper,
    timeline: Timeline,
    /// None while there is no device.
    reader: Option<RingReader>,
    device: DeviceInfo,
    /// Of devices that are gone.
    past: Counters,
    interleaved: Vec<f32>,
}

impl Capture {
    /// Opens the device and starts to capture.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) where there is no such device, or it cannot be opened.
    pub fn open(options: &CaptureOptions) -> Result<Self> {
        Self::with_backend(System, options, Patience::default())
    }

    fn with_backend(backend: impl Backend, options: &CaptureOptions, patience: Patience) -> Result<Self> {
        let (keeper, opened) = Keeper::start(backend, options, patience)?;
        let mut capture = Self {
            keeper,
            timeline: Timeline::new(options.channel),
            reader: None,
            device: opened.device.clone(),
            past: Counters::default(),
            interleaved: Vec::new(),
        };
        capture.begin(opened.device, opened.reader)?;
        Ok(capture)
    }

    /// The next sound or gap; waits for it until `timeout` has passed, and is none then.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where a device comes back with a rate that is out of range.
    pub fn read(&mut self, timeout: Duration) -> Result<Option<Captured>> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(captured) = self.timeline.next() {
                return Ok(Some(captured));
            }
            // Asked for first, handled last: what the device delivered until then is in the ring.
            let message = self.keeper.message();
            self.drain();
            match message {
                Some(Message::Lost) => self.lose(),
                Some(Message::Opened(opened)) => {
                    self.past.reconnects += 1;
                    self.begin(opened.device, opened.reader)?;
                }
                None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(self.timeline.next());
                    }
                    if self.timeline.is_empty() {
                        thread::sleep(left.min(POLL));
                    }
                }
            }
        }
    }

    /// The device that is heard, or was heard last.
    pub fn info(&self) -> &DeviceInfo {
        &self.device
    }

    /// By how many parts per million the device's clock is faster than the system's; none until some ten seconds have
    /// told.
    pub fn drift_ppm(&self) -> Option<f64> {
        self.timeline.drift_ppm()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.reader.as_ref().map_or(self.past, |reader| self.past + reader.tally().counters())
    }

    /// Closes the device. What was captured before can still be read.
    pub fn stop(&mut self) {
        self.keeper.stop();
    }

    fn begin(&mut self, device: DeviceInfo, reader: RingReader) -> Result<()> {
        self.timeline.begin(device.rate, device.channels)?;
        self.device = device;
        self.reader = Some(reader);
        Ok(())
    }

    /// Moves all that is in the ring to the timeline.
    fn drain(&mut self) {
        let Some(reader) = &mut self.reader else { return };
        self.interleaved.clear();
        while let Some(piece) = reader.next(&mut self.interleaved) {
            match piece {
                Piece::Clock(clock) => self.timeline.clock(clock),
                Piece::Lost(frames) => self.timeline.overrun(frames),
                Piece::Frames(_) => {
                    self.timeline.frames(&self.interleaved);
                    self.interleaved.clear();
                }
            }
        }
    }

    fn lose(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.past = self.past + reader.tally().counters();
        }
        self.timeline.device_lost(Instant::now());
    }
}
