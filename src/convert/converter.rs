//! One voice to another, of a sound of any length in bounded memory.
//!
//! Sound is heard in windows that overlap. Log-mel frames are cross-faded where they do, and the vocoder goes on through all of
//! them as one stream, so that no join is heard. What comes out has as many samples as what went in.

use super::content::Contents;
use super::decoder::Decoder;
use super::units::{Codebook, frames};
use crate::audio::AudioSource;
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
        source: &mut dyn AudioSource,
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
        self.tail =
            Voiced { mel: window.mel.split_off(ready * MEL.mels), pitch: window.pitch.split_off(ready) };
        self.stream.push(&window.mel, &window.pitch, out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::decoder::{DecoderCard, DecoderShape};
    use super::super::units::tests_support::codebook;
    use super::*;
    use crate::learn::head;
    use crate::learn::train::Vars;
    use crate::models::trainable::Tensors;
    use crate::models::vocoder::spectral::{Shape, SpectralNetwork, VocoderCard};
    use candle_core::{Device, Tensor};

    /// A frame is the mean, the power and the first sample of its hop.
    struct Simple;

    impl Encoder for Simple {
        fn hop(&self) -> usize {
            320
        }

        fn layers(&self) -> usize {
            5
        }

        fn width(&self) -> usize {
            3
        }

        fn encode(&self, sounds: &[&[f32]], _layer: usize) -> Result<Vec<Tensor>> {
            let frames = |sound: &&[f32]| {
                let frame = |hop: &[f32]| {
                    let count = hop.len() as f32;
                    let power = hop.iter().map(|x| x * x).sum::<f32>() / count;
                    [hop.iter().sum::<f32>() / count, power, hop[0]]
                };
                let values: Vec<f32> = sound.chunks(320).flat_map(frame).collect();
                Ok(Tensor::from_vec(values.clone(), (values.len() / 3, 3), &Device::Cpu)?)
            };
            sounds.iter().map(frames).collect()
        }
    }

    fn begun(begin: impl FnOnce(&Vars)) -> Tensors {
        let vars = Vars::new(3, &Device::Cpu);
        begin(&vars);
        Tensors::new(vars.all().into_iter().map(|(name, var)| (name, var.as_tensor().clone())).collect())
    }

    /// Networks that have learnt nothing but the level of speech.
    fn converter() -> Converter {
        let shape = DecoderShape { content: 5, width: 8, speaker: 2 };
        let decoder = begun(|vars| {
            shape.network(vars).unwrap();
            vars.set("proj.bias", &[-4.0; 80]).unwrap();
        });
        let card = DecoderCard {
            shape,
            softness: 0.1,
            codebook: String::new(),
            speaker: head::Encoder { name: "none".into(), sha256: None },
            data: Vec::new(),
            steps: 0,
            seconds: 0.0,
            validation: 0.0,
            seed: 0,
            created_by: "awaaz".into(),
        };
        let shape = Shape { width: 8, hidden: 16, blocks: 2 };
        let vocoder = begun(|vars| {
            SpectralNetwork::new(vars, shape).unwrap();
        });
        let of_vocoder = VocoderCard {
            shape,
            data: Vec::new(),
            steps: 0,
            seconds: 0.0,
            validation: 0.0,
            seed: 0,
            created_by: "awaaz".into(),
        };
        Converter {
            encoder: Box::new(Simple),
            codebook: codebook(),
            decoder: Decoder::new(&decoder, card).unwrap(),
            vocoder: SpectralVocoder::new(&vocoder, of_vocoder).unwrap(),
            threads: Threads::new(1).unwrap(),
        }
    }

    /// A voice that glides from 100 to 200 Hz.
    fn glide(samples: usize) -> Vec<f32> {
        let mut phase = 0.0_f64;
        let sample = |at: usize| {
            phase += std::f64::consts::TAU * (100.0 + 100.0 * at as f64 / samples as f64) / 16_000.0;
            (1..10).map(|harmonic| (phase * f64::from(harmonic)).sin()).sum::<f64>() as f32 * 0.05
        };
        (0..samples).map(sample).collect()
    }

    /// Comes in blocks.
    struct Blocks<'a>(std::slice::Chunks<'a, f32>);

    impl AudioSource for Blocks<'_> {
        fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
            *block = self.0.next().unwrap_or_default().to_vec();
            Ok(block.len())
        }
    }

    fn converted(converter: &Converter, source: &mut dyn AudioSource, pitch: Pitch, seed: u64) -> Vec<f32> {
        let target = Target { vector: vec![0.6, 0.8], pitch: Some(220.0) };
        let mut out = Vec::new();
        let manner = Manner { target: &target, pitch, seed };
        let count = converter.convert(source, manner, &mut |samples| {
            out.extend_from_slice(samples);
            Ok(())
        });
        assert_eq!(count.unwrap(), out.len() as u64);
        out
    }

    #[test]
    fn as_many_samples_come_out_as_went_in_and_blocks_do_not_matter() {
        let converter = converter();
        for samples in [1, 159, 160, 5000, WINDOW, WINDOW + 777] {
            let sound = glide(samples);
            let whole = converted(&converter, &mut &sound[..], Pitch::Keep, 1);
            assert_eq!(whole.len(), samples);
            assert_eq!(converted(&converter, &mut Blocks(sound.chunks(4567)), Pitch::Keep, 1), whole);
            assert!(samples != 5000 || converted(&converter, &mut &sound[..], Pitch::Keep, 2) != whole);
        }
        let none = converter.convert(
            &mut &[][..],
            Manner { target: &Target { vector: vec![1.0, 0.0], pitch: None }, pitch: Pitch::Keep, seed: 0 },
            &mut |_| Ok(()),
        );
        assert!(none.unwrap_err().to_string().contains("no sound"));
    }

    /// The greatest step from one sample to the next is no greater where windows join than elsewhere.
    #[test]
    fn joins_are_not_heard() {
        let converter = converter();
        let sound = glide(2 * WINDOW);
        let out = converted(&converter, &mut &sound[..], Pitch::Keep, 1);
        let steps: Vec<f32> = out.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        let most = |range: std::ops::Range<usize>| steps[range].iter().copied().fold(0.0, f32::max);
        let inner = most(OVERLAP..WINDOW - 2 * OVERLAP);
        let join = WINDOW - OVERLAP;
        let here = most(join - 800..join + OVERLAP + 800);
        assert!(here < 1.25 * inner, "{here} beside {inner}");
    }

    #[test]
    fn pitch_moves_to_the_targets_middle_or_stays() {
        let converter = converter();
        let sound = glide(10 * 16_000);
        let middle = |pitch_of: Pitch| {
            let out = converted(&converter, &mut &sound[..], pitch_of, 1);
            median_pitch(&pitch(&out)).unwrap()
        };
        let (kept, moved) = (middle(Pitch::Keep), middle(Pitch::Target));
        assert!((kept - 150.0).abs() < 8.0 && (moved - 220.0).abs() < 12.0, "{kept} and {moved}");
    }

    #[test]
    fn copies_are_as_long_as_their_source() {
        let sound = glide(4321);
        assert_eq!(converter().copy_synthesis(&sound, 0).unwrap().len(), 4321);
    }
}
