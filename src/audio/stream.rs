//! Decode, mix, resample: any input as blocks of 16 kHz mono.

use std::fmt;
use std::time::Duration;

use super::decode::{Decoder, Frames, Step};
use super::mix::mix_into;
use super::{AudioInfo, AudioInput, Channel, DecodeOptions, Resampler};
use crate::time::{SampleIndex, SampleRate};
use crate::{Error, Result};

/// How much shorter than its header says an input may be without a warning: containers round, and codecs pad.
const SHORTFALL: Duration = Duration::from_millis(150);

/// Something that was wrong with an input, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The input decodes to no audio at all.
    Silent,
    /// Samples that are not finite, or absurdly loud, were taken as silence.
    DamagedSamples(u64),
    /// Packets that could not be decoded were taken as silence.
    DamagedPackets {
        /// How many.
        count: u64,
        /// What was wrong with the first.
        first: String,
    },
    /// The audio ends before its time; what came before is kept.
    CutShort(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("holds no audio"),
            Self::DamagedSamples(count) => write!(f, "{count} damaged samples were taken as silence"),
            Self::DamagedPackets { count, first } => {
                write!(f, "{count} damaged packets were taken as silence; the first: {first}")
            }
            Self::CutShort(reason) => write!(f, "audio is cut short: {reason}"),
        }
    }
}

/// An input as 16 kHz mono, block by block.
///
/// A packet that is damaged becomes silence of its length, so that what follows keeps its time.
pub struct AudioStream {
    name: String,
    decoder: Decoder,
    channel: Channel,
    resampler: Resampler,
    /// Frames of the last packet; at first those that were decoded to learn what they are.
    frames: Frames,
    mono: Vec<f32>,
    opening: Option<Step>,
    delivered: u64,
    /// Samples before resampling, of one channel.
    taken: u64,
    ended: bool,
    damaged_samples: u64,
    damaged_packets: Option<(u64, String)>,
    cut_short: Option<String>,
}

impl AudioStream {
    /// Opens `input` and decodes its first packet, to be sure of what it holds.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, [`Error::Audio`] where nothing in it can be decoded or its format
    /// is out of range, [`Error::Setting`] where the options do not fit.
    pub fn open(input: AudioInput, options: &DecodeOptions) -> Result<Self> {
        let name = input.to_string();
        let mut decoder = Decoder::open(input, options.raw)?;
        let mut frames =
            Frames { rate: decoder.info.rate.0, channels: decoder.info.channels, ..Frames::default() };
        let mut damaged_packets = None;
        let opening = loop {
            match decoder.next(&mut frames)? {
                // Nothing can be said of a packet's length before the rate is known: what is damaged at the very
                // start counts, but leaves no silence.
                Step::Damaged(reason) if frames.interleaved.is_empty() => {
                    count_damaged(&mut damaged_packets, reason)
                }
                Step::Frames if frames.interleaved.is_empty() => {}
                step => break step,
            }
        };
        if let Step::CutShort(reason) = &opening {
            return Err(Error::audio(&name, reason));
        }
        if let (Step::End, Some((_, reason))) = (&opening, &damaged_packets) {
            return Err(Error::audio(&name, reason));
        }
        if let Channel::Only(index) = options.channel
            && index >= frames.channels
        {
            let reason =
                format!("has {} channels, so none of number {index} (counted from 0)", frames.channels);
            return Err(Error::audio(&name, reason));
        }
        if opening != Step::End {
            // A header may give the rate of an extension that is not decoded, as that of HE-AAC does.
            decoder.info.rate = SampleRate(frames.rate);
            decoder.info.channels = frames.channels;
        }
        Ok(Self {
            resampler: Resampler::new(SampleRate(frames.rate))?,
            cut_short: decoder
                .missing
                .map(|bytes| format!("{bytes} bytes that the header promises are missing")),
            name,
            decoder,
            channel: options.channel,
            frames,
            mono: Vec::new(),
            opening: Some(opening),
            delivered: 0,
            taken: 0,
            ended: false,
            damaged_samples: 0,
            damaged_packets,
        })
    }

    /// What the input is.
    pub fn info(&self) -> &AudioInfo {
        &self.decoder.info
    }

    /// Puts the next samples into `block`, in place of what it held, and returns how many: zero at the end and
    /// ever after. A block is as long as it falls out of decoding, some milliseconds to some seconds.
    ///
    /// # Errors
    /// [`Error::Io`] where the operating system fails to read on, [`Error::Audio`] where the input changes to a
    /// format that is out of range.
    pub fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        block.clear();
        while block.is_empty() && !self.ended {
            let step = match self.opening.take() {
                Some(step) => step,
                None => self.decoder.next(&mut self.frames)?,
            };
            self.take(step, block)?;
        }
        self.delivered += block.len() as u64;
        if self.ended {
            self.note_shortfall();
        }
        Ok(block.len())
    }

    /// All samples that are left.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn read_all(&mut self) -> Result<Vec<f32>> {
        let (mut all, mut block) = (Vec::new(), Vec::new());
        while self.read(&mut block)? > 0 {
            all.extend_from_slice(&block);
        }
        Ok(all)
    }

    /// Samples that were decoded so far, at the input's own rate and of one channel; where the rate changes half way, at whichever
    /// it was.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// What was wrong with the input so far; complete once [`read`](Self::read) has returned zero.
    pub fn warnings(&self) -> Vec<Warning> {
        let packets = self.damaged_packets.clone();
        [
            (self.ended && self.delivered == 0).then_some(Warning::Silent),
            (self.damaged_samples > 0).then_some(Warning::DamagedSamples(self.damaged_samples)),
            packets.map(|(count, first)| Warning::DamagedPackets { count, first }),
            self.cut_short.clone().map(Warning::CutShort),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Some decoders take a file that was cut for one that ends.
    fn note_shortfall(&mut self) {
        let Some(promised) = self.decoder.promised.map(|promised| promised.as_secs_f64()) else { return };
        let seconds = SampleIndex(self.delivered).seconds();
        if self.cut_short.is_none() && seconds + SHORTFALL.as_secs_f64() < promised {
            self.cut_short = Some(format!("{seconds:.1} s of the {promised:.1} s that the header promises"));
        }
    }

    fn take(&mut self, step: Step, block: &mut Vec<f32>) -> Result<()> {
        match step {
            Step::Frames => {}
            Step::Damaged(reason) => count_damaged(&mut self.damaged_packets, reason),
            Step::CutShort(reason) => {
                self.cut_short = Some(reason);
                self.ended = true;
            }
            Step::End => self.ended = true,
        }
        if self.ended {
            self.resampler.flush(block);
            return Ok(());
        }
        self.follow_layout(block)?;
        self.mono.clear();
        let Frames { interleaved, channels, .. } = &self.frames;
        self.damaged_samples += mix_into(interleaved, *channels, self.channel, &mut self.mono);
        self.taken += self.mono.len() as u64;
        self.resampler.push(&self.mono, block);
        Ok(())
    }

    /// Chained streams may differ in rate and channels: ends the one and starts the other.
    fn follow_layout(&mut self, block: &mut Vec<f32>) -> Result<()> {
        if let Channel::Only(index) = self.channel
            && index >= self.frames.channels
        {
            return Err(Error::audio(&self.name, format!("changes to {} channels", self.frames.channels)));
        }
        let rate = SampleRate(self.frames.rate);
        if rate != self.resampler.rate() {
            self.resampler.flush(block);
            self.resampler = Resampler::new(rate)?;
        }
        Ok(())
    }
}

fn count_damaged(so_far: &mut Option<(u64, String)>, reason: String) {
    so_far.get_or_insert((0, reason)).0 += 1;
}
