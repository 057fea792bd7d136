//! Frames of sounds of any length.

use crate::models::encoder::Encoder;
use crate::time::SampleRate;
use crate::{Error, Result};

/// Seconds heard at once where the encoder has no bound of its own.
const WINDOW_SECONDS: usize = 28;
/// Seconds that are heard before and after the frames that are kept.
const CONTEXT_SECONDS: usize = 2;

/// Hidden state `layer` of a sound, 16 kHz samples: `[frames, width]`, a frame for each hop that is begun at most.
///
/// What is longer than the encoder hears at once is heard in windows that overlap, and of each the frames in its middle are
/// kept, so that no frame is without what is before and after it.
///
/// # Errors
/// Those of the encoder; [`Error::Setting`] where it gives no frame for a sound.
pub fn frames(encoder: &dyn Encoder, samples: &[f32], layer: usize) -> Result<Vec<f32>> {
    let hop = encoder.hop();
    let rate = SampleRate::PIPELINE.0 as usize;
    let longest = encoder.longest().unwrap_or(usize::MAX).min((WINDOW_SECONDS + 2 * CONTEXT_SECONDS) * rate);
    if samples.len() <= longest {
        return values(encoder, samples, layer);
    }
    let context = CONTEXT_SECONDS * rate / hop;
    // Whole frames, so that those of a window lie where those of the whole do.
    let kept = (longest / hop).saturating_sub(2 * context).max(1);
    let (width, mut all) = (encoder.width(), Vec::new());
    for start in (0..samples.len().div_ceil(hop)).step_by(kept) {
        let first = start.saturating_sub(context);
        let end = ((start + kept + context) * hop).min(samples.len());
        let heard = values(encoder, &samples[first * hop..end], layer)?;
        let from = ((start - first) * width).min(heard.len());
        let to = (from + kept * width).min(heard.len());
        all.extend_from_slice(&heard[from..to]);
    }
    Ok(all)
}

fn values(encoder: &dyn Encoder, samples: &[f32], layer: usize) -> Result<Vec<f32>> {
    let state = encoder.encode(&[samples], layer)?;
    let [state] = &state[..] else {
        return Err(Error::Setting(format!("{} states were made of one sound", state.len())));
    };
    // No more frames than hops that are begun: some encoders pad.
    let frames = state.dim(0)?.min(samples.len().div_ceil(encoder.hop()).max(1));
    Ok(state.narrow(0, 0, frames)?.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    /// A frame is the sum of the samples of its hop and of those beside it.
    struct Sums;

    const HOP: usize = 320;

    impl Encoder for Sums {
        fn hop(&self) -> usize {
            HOP
        }

        fn layers(&self) -> usize {
            0
        }

        fn width(&self) -> usize {
            1
        }

        fn longest(&self) -> Option<usize> {
            Some(30 * 16_000)
        }

        fn encode(&self, sounds: &[&[f32]], _layer: usize) -> Result<Vec<Tensor>> {
            let sum = |sound: &&[f32]| {
                assert!(sound.len() <= 30 * 16_000);
                let sums: Vec<f32> = sound.chunks(HOP).map(|hop| hop.iter().sum()).collect();
                let beside = |at: usize| sums.get(at).copied().unwrap_or(0.0);
                let frames: Vec<f32> = (0..sums.len())
                    .map(|at| beside(at.wrapping_sub(1)) + beside(at) + beside(at + 1))
                    .collect();
                Ok(Tensor::from_vec(frames, (sums.len(), 1), &Device::Cpu)?)
            };
            sounds.iter().map(sum).collect()
        }
    }

    #[test]
    fn windows_give_what_the_whole_would() {
        for seconds in [1, 30, 31, 61, 100] {
            let samples: Vec<f32> =
                (0..seconds * 16_000 + 7).map(|at| ((at / HOP) % 13) as f32 / HOP as f32).collect();
            let found = frames(&Sums, &samples, 0).unwrap();
            let sums: Vec<f32> = samples.chunks(HOP).map(|hop| hop.iter().sum()).collect();
            assert_eq!(found.len(), sums.len(), "{seconds} s");
            for (at, &found) in found.iter().enumerate() {
                let beside = |at: usize| sums.get(at).copied().unwrap_or(0.0);
                let expected = beside(at.wrapping_sub(1)) + beside(at) + beside(at + 1);
                assert!((found - expected).abs() < 1e-3, "{seconds} s, frame {at}");
            }
        }
    }
}
