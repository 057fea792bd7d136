//! Low-level descriptors: what is said of every frame, and their smoothing.

use super::formants::{FORMANTS, Formant, Formants};
use super::harmonics::{Harmonics, LEVELS};
use super::jitter::Periods;
use super::mel::{COEFFICIENTS, Mel};
use super::octaves::Octaves;
use super::path::pitch_path;
use super::pitch::candidates;
use super::spectra::{LONG_FFT, SHORT_FFT, Spectrum, frames, gauss, hamming};
use super::timbre::{Timbre, flux};
use super::{HOP, LONG, SHORT};

/// Root mean square below which a frame has no voice.
const SILENCE: f64 = 0.001;
/// The semitone scale starts here, in hertz.
const SEMITONE_BASE: f64 = 27.5;

/// What a short frame is like.
pub(super) struct Sound {
    /// Mean power.
    pub power: f64,
    pub loudness: f64,
    pub timbre: Timbre,
    pub flux: f64,
    pub cepstrum: [f64; COEFFICIENTS],
    pub formants: [Formant; FORMANTS],
}

/// What the voice of a long frame is like; all is 0 without one, but for levels of formants.
#[derive(Clone, Copy)]
pub(super) struct Voiced {
    /// Pitch in semitones over 27.5 Hz.
    pub semitones: f64,
    pub jitter: f64,
    pub shimmer: f64,
    pub hnr: f64,
    pub first_to_second: f64,
    pub first_to_third_formant: f64,
    pub formant_levels: [f64; LEVELS],
}

/// The descriptors of all short frames.
pub(super) fn sounds(samples: &[f64]) -> Vec<Sound> {
    let mut spectrum = Spectrum::new(hamming(), SHORT_FFT);
    let (mel, mut formants) = (Mel::new(), Formants::new());
    let mut previous: Vec<f64> = Vec::new();
    let sound = |index: usize| {
        let frame = &samples[index * HOP..][..SHORT];
        spectrum.transform(frame);
        let bands = mel.bands(&spectrum.magnitude);
        let sound = Sound {
            power: frame.iter().map(|x| x * x).sum::<f64>() / SHORT as f64,
            loudness: mel.loudness(&bands),
            timbre: Timbre::of(&spectrum.magnitude),
            // The first frame changed from nothing that is known.
            flux: if index == 0 { 0.0 } else { flux(&previous, &spectrum.magnitude) },
            cepstrum: mel.cepstrum(&bands),
            formants: formants.find(&spectrum.complex),
        };
        previous.clone_from(&spectrum.magnitude);
        sound
    };
    (0..frames(samples.len(), SHORT)).map(sound).collect()
}

/// The descriptors of long frames up to one after the last whose pitch is decided in time; `sounds` has at least as many short
/// ones.
pub(super) fn voices(samples: &[f64], sounds: &[Sound]) -> Vec<Voiced> {
    let count = frames(samples.len(), LONG);
    let mut spectrum = Spectrum::new(gauss(), LONG_FFT);
    let pitch = pitch(samples, count, &mut spectrum);
    let (mut harmonics, mut periods) = (Harmonics::new(), Periods::default());
    let voiced = |(index, &pitch): (usize, &f64)| {
        let start = index * HOP;
        let perturbation = periods.frame(samples, start, pitch);
        if pitch > 0.0 {
            spectrum.transform(&samples[start..][..LONG]);
        }
        let voice = harmonics.describe(&spectrum.magnitude, pitch, &sounds[index].formants);
        Voiced {
            semitones: semitones(pitch),
            jitter: perturbation.jitter,
            shimmer: perturbation.shimmer,
            hnr: voice.hnr,
            first_to_second: voice.first_to_second,
            first_to_third_formant: voice.first_to_third_formant,
            formant_levels: voice.formants,
        }
    };
    pitch.iter().enumerate().map(voiced).collect()
}

/// The pitch of the first long frames in hertz, 0 where they are unvoiced or silent.
fn pitch(samples: &[f64], count: usize, spectrum: &mut Spectrum) -> Vec<f64> {
    let mut octaves = Octaves::new();
    let mut loud = Vec::with_capacity(count);
    let frames = (0..count).map(|index| {
        spectrum.transform(&samples[index * HOP..][..LONG]);
        loud.push(spectrum.rms > SILENCE);
        octaves.transform(&spectrum.magnitude);
        candidates(&octaves.spectrum)
    });
    let pitch = pitch_path(frames);
    pitch.into_iter().zip(loud).map(|(pitch, loud)| if loud { pitch } else { 0.0 }).collect()
}

fn semitones(pitch: f64) -> f64 {
    if pitch > 0.0 { (12.0 * (pitch / SEMITONE_BASE).log2()).max(1.0) } else { 0.0 }
}

/// Averages over three frames.
pub(super) fn smooth(values: &[f64]) -> Vec<f64> {
    windows(values).map(|window| window.iter().sum::<f64>() / 3.0).collect()
}

/// Averages over those of three frames that are not 0; what is 0 stays so. The last frame is there only for the one
/// before it.
pub(super) fn smooth_nonzero(values: &[f64]) -> Vec<f64> {
    let average = |window: [f64; 3]| {
        let count = window.iter().filter(|&&x| x != 0.0).count().max(1);
        window.iter().sum::<f64>() / count as f64
    };
    let described = values.len().saturating_sub(1);
    let windows = windows(values).take(described);
    windows.map(|window| if window[1] == 0.0 { 0.0 } else { average(window) }).collect()
}

/// Every frame between its neighbours; the ends are repeated.
fn windows(values: &[f64]) -> impl Iterator<Item = [f64; 3]> {
    let last = values.len().saturating_sub(1);
    (0..values.len()).map(move |i| [i.saturating_sub(1), i, i + 1].map(|at| values[at.min(last)]))
}
