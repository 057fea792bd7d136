//! One voice to another, of a sound of any length in bounded memory.
//!
//! Sound is heard in windows that overlap. Log-mel frames are cross-faded where they do, and the vocoder goes on through all of
//! them as one stream, so that no join is heard. What comes out has as many samples as what went in.

use super::content::Contents;
use super::decoder::Decoder;
use super::units::{Codebook, frames};
use crate::compute::Threads;
use crate::dsp::{VocoderMel, median_pitch, pitch};
use crate::models::encoder::Encoder;
use crate::models::vocoder::spectral::{MEL, SpectralStream, SpectralVocoder};
use crate::{Error, Result};

/// Samples at 16 kHz of a window.
const WINDOW: usize = 20 * 16_000;
/// Samples that a window shares with the next.
const OVERLAP: usize = 16_000;

/// Whose pitch is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pitch {
    /// The source's, as it is.
    Keep,
    /// The source's, moved so that its middle is the target's.
    Target,
}

/// Whose voice it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The vector that tells who speaks.
    pub vector: Vec<f32>,
    /// The middle of the pitch in hertz; none where no voice was heard.
    pub pitch: Option<f32>,
}

/// Where samples at 16 kHz come from: puts the next ones into the buffer in place of what it held, and says how many; none at the
/// end.
pub trait Samples {
    /// The next samples.
    ///
    /// # Errors
    /// Those of the source.
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize>;
}

impl Samples for crate::audio::AudioStream {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        crate::audio::AudioStream::read(self, block)
    }
}

/// All at once.
impl Samples for &[f32] {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        block.clear();
        block.extend_from_slice(self);
        *self = &[];
        Ok(block.len())
    }
}

/// What converts.
pub struct Converter {
    /// The network whose frames the codebook is for.
    pub encoder: Box<dyn Encoder>,
    /// What takes the speaker out of them.
    pub codebook: Codebook,
    /// What makes frames of another voice.
    pub decoder: Decoder,
    /// What makes sound of frames.
    pub vocoder: SpectralVocoder,
    /// Where it is computed.
    pub threads: Threads,
}

/// How one sound is converted.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// Whose voice it becomes.
    pub target: &'a Target,
    /// Whose pitch is spoken.
    pub pitch: Pitch,
    /// The seed of the vocoder's noise.
    pub seed: u64,
}

/// Log-mel frames and the pitch of each.
#[derive(Default)]
struct Voiced {
    mel: Vec<f32>,
    pitch: Vec<f32>,
}

impl Converter {
    /// Converts `source`; gives what is ready, 16 kHz, to `take`, which may end the work with an error. Returns how many samples
    /// there were.
    ///
    /// # Errors
    /// Those of the source, of `take` and of the networks; [`Error::Setting`] where there is no sample.
    pub fn convert(
        &self,
        source: &mut dyn Samples,
        manner: Manner,
        take: &mut dyn FnMut(&[f32]) -> Result<()>,
    ) -> Result<u64> {
        let contents = Contents::new(&self.codebook)?;
        let mut joiner = Joiner { stream: self.vocoder.stream(manner.seed), tail: Voiced::default() };
        let (mut heard, mut block, mut out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut count, mut given, mut shift) = (0_u64, 0_u64, None);
        loop {
            let ended = source.read(&mut block)? == 0;
            count += block.len() as u64;
            heard.extend_from_slice(&block);
            while heard.len() > WINDOW {
                let frames = self.window(&contents, &heard[..WINDOW], manner, &mut shift)?;
                joiner.push(frames, OVERLAP / MEL.hop, &mut out)?;
                heard.drain(..WINDOW - OVERLAP);
                given += out.len() as u64;
                take(&out)?;
                out.clear();
            }
            if ended {
                break;
            }
        }
        if count == 0 {
            return Err(Error::Setting("there is no sound to convert".into()));
        }
        heard.resize(heard.len().next_multiple_of(MEL.hop), 0.0);
        joiner.push(self.window(&contents, &heard, manner, &mut shift)?, 0, &mut out)?;
        joiner.stream.finish(&mut out)?;
        out.truncate((count - given) as usize);
        take(&out)?;
        Ok(count)
    }

    /// The same from frames of the source itself, without the decoder: what the vocoder alone does to a sound.
    ///
    /// # Errors
    /// Those of the vocoder.
    pub fn copy_synthesis(&self, samples: &[f32], seed: u64) -> Result<Vec<f32>> {
        let mut padded = samples.to_vec();
        padded.resize(padded.len().next_multiple_of(MEL.hop), 0.0);
        let mel = VocoderMel::hifi_gan(MEL).frames(&padded);
        let mut sound = self.threads.run(|| self.vocoder.sound(&mel, &pitch(&padded), seed))?;
        sound.truncate(samples.len());
        Ok(sound)
    }

    /// Frames of the target's voice. By how much the pitch moves is found in the first window in which there is a voice.
    fn window(
        &self,
        contents: &Contents,
        samples: &[f32],
        manner: Manner,
        shift: &mut Option<f32>,
    ) -> Result<Voiced> {
        let Manner { target, pitch: whose, .. } = manner;
        self.threads.run(|| {
            let heard = frames(self.encoder.as_ref(), samples, self.codebook.card().layer)?;
            let contents = contents.mixtures(&heard, self.decoder.card().softness)?;
            let mut pitch = pitch(samples);
            if let (Pitch::Target, None, Some(own), Some(goal)) =
                (whose, *shift, median_pitch(&pitch), target.pitch)
            {
                *shift = Some(goal / own);
            }
            pitch.iter_mut().for_each(|hertz| *hertz *= shift.unwrap_or(1.0));
            let mel = self.decoder.frames(&contents, &pitch, &target.vector)?;
            Ok(Voiced { mel, pitch })
        })
    }
}

/// Cross-fades windows and gives them to the vocoder.
struct Joiner<'a> {
    stream: SpectralStream<'a>,
    /// The end of the last window, over which the next one begins.
    tail: Voiced,
}

impl Joiner<'_> {
    /// Takes the frames of a window, of which the last `kept` are shared with the next.
    fn push(&mut self, mut window: Voiced, kept: usize, out: &mut Vec<f32>) -> Result<()> {
        let shared = self.tail.pitch.len().min(window.pitch.len());
        for frame in 0..shared {
            let share = (frame as f32 + 0.5) / shared as f32;
            for band in 0..MEL.mels {
                let at = frame * MEL.mels + band;
                window.mel[at] = self.tail.mel[at] * (1.0 - share) + window.mel[at] * share;
            }
            // Between two pitches there is none that is right.
            if share < 0.5 {
                window.pitch[frame] = self.tail.pitch[frame];
            }
        }
        let ready = window.pitch.len().saturating_sub(kept);
        self.tail = Voiced {
            mel: window.mel.split_off(ready * MEL.mels),
            pitch: window.pitch.split_off(ready),
        };
        self.stream.push(&window.mel, &window.pitch, out)
    }
}
