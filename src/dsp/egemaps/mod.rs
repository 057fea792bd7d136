//! The extended Geneva minimalistic acoustic parameter set, eGeMAPS v02: 88 numbers that say how a voice sounds.
//!
//! Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research and affective
//! computing" (2016); parameters and order are those of openSMILE's configuration `eGeMAPSv02`.
//!
//! | file | idea |
//! |---|---|
//! | `spectra` | frames, windows, Fourier transforms |
//! | `mel` | loudness and cepstrum |
//! | `timbre` | alpha ratio, Hammarberg index, slopes, flux |
//! | `octaves`, `pitch`, `path` | pitch: octave spectra, sub-harmonic summation, Viterbi search |
//! | `jitter` | jitter and shimmer |
//! | `formants`, `roots` | formants by linear prediction |
//! | `harmonics` | harmonics over noise, levels of harmonics and formants |
//! | `descriptors` | all of these for every frame, smoothed |
//! | `functionals`, `peaks`, `segments` | what is said of a contour as a whole |

mod descriptors;
mod formants;
mod functionals;
mod harmonics;
mod jitter;
mod mel;
mod names;
mod octaves;
mod parabola;
mod path;
mod peaks;
mod pitch;
mod roots;
mod segments;
mod spectra;
mod timbre;

use descriptors::{Sound, Voiced, smooth, smooth_nonzero, sounds, voices};
use functionals::{full, mean, moments, nonzero};
pub use names::NAMES;
use segments::Segments;

/// Samples of a second.
const RATE: f64 = 16_000.0;
/// Samples from one frame to the next: 10 ms.
const HOP: usize = 160;
/// Samples of a frame of sound: 20 ms.
const SHORT: usize = 320;
/// Samples of a frame of voice: 60 ms.
const LONG: usize = 960;
/// Samples are numbers of 16 bits, of which openSMILE takes the largest as 1.
const SCALE: f64 = 32_768.0 / 32_767.0;
/// Power that counts as nothing, for the sound level.
const POWER_FLOOR: f64 = 1e-12;

/// The 88 parameters of `samples`, 16 kHz mono, in the order of [`NAMES`].
///
/// Sound of less than 60 ms has no frame to look at: all its parameters are 0. Parameters of the voice are 0
/// where there is none. Samples beyond full scale are clipped, and those that are no number are silence.
///
/// Source: openSMILE 3, `config/egemaps/v02`; `tests/reference/egemaps.py` compares.
pub fn egemaps(samples: &[f32]) -> [f32; NAMES.len()] {
    let mut values = [0.0; NAMES.len()];
    if samples.len() < LONG {
        return values;
    }
    let samples: Vec<f64> = samples.iter().map(|&sample| clean(sample)).collect();
    let sounds = sounds(&samples);
    let voices = voices(&samples, &sounds);
    for (value, found) in values.iter_mut().zip(describe(&sounds, &voices)) {
        // Sums of nothing are the negative 0.
        *value = found as f32 + 0.0;
    }
    values
}

fn clean(sample: f32) -> f64 {
    if sample.is_nan() { 0.0 } else { f64::from(sample.clamp(-1.0, 1.0)) * SCALE }
}

/// All functionals in their order.
fn describe(sounds: &[Sound], voices: &[Voiced]) -> Vec<f64> {
    let pitch = smooth_nonzero(&contour(voices, |voice| voice.semitones));
    let loudness = smooth(&contour(sounds, |sound| sound.loudness));
    let mut values = Vec::with_capacity(NAMES.len());
    values.extend(full(&nonzero(&pitch)));
    values.extend(full(&loudness));
    describe_sound(sounds, &mut values);
    describe_voice(sounds, voices, &mut values);
    describe_rest(sounds, voices, &mut values);
    describe_rhythm(&pitch, &loudness, &mut values);
    let power = mean(&contour(sounds, |sound| sound.power));
    values.push(10.0 * power.max(POWER_FLOOR).log10());
    values
}

fn contour<T>(frames: &[T], value: impl Fn(&T) -> f64) -> Vec<f64> {
    frames.iter().map(value).collect()
}

/// Flux and cepstrum of all frames.
fn describe_sound(sounds: &[Sound], values: &mut Vec<f64>) {
    values.extend(moments(&smooth(&contour(sounds, |sound| sound.flux))));
    for i in 0..mel::COEFFICIENTS {
        values.extend(moments(&smooth(&contour(sounds, |sound| sound.cepstrum[i]))));
    }
}

/// Voice quality, formants and timbre of frames with voice.
fn describe_voice(sounds: &[Sound], voices: &[Voiced], values: &mut Vec<f64>) {
    let mut push = |value: &dyn Fn(&Sound, &Voiced) -> f64| {
        let contour: Vec<f64> = sounds.iter().zip(voices).map(|(sound, voice)| value(sound, voice)).collect();
        values.extend(moments(&nonzero(&smooth_nonzero(&contour))));
    };
    let if_voiced = |voice: &Voiced, value: f64| if voice.semitones > 0.0 { value } else { 0.0 };
    push(&|_, voice| voice.jitter);
    push(&|_, voice| voice.shimmer);
    push(&|_, voice| voice.hnr);
    push(&|_, voice| voice.first_to_second);
    push(&|_, voice| voice.first_to_third_formant);
    for i in 0..harmonics::LEVELS {
        push(&|sound, voice| if_voiced(voice, sound.formants[i].frequency));
        push(&|sound, voice| if_voiced(voice, sound.formants[i].bandwidth));
        // The level of frames without voice is -201 dB, and goes into the mean: so the reference has it.
        push(&|_, voice| voice.formant_levels[i]);
    }
    push(&|sound, voice| if_voiced(voice, sound.timbre.alpha_ratio));
    push(&|sound, voice| if_voiced(voice, sound.timbre.hammarberg));
    push(&|sound, voice| if_voiced(voice, sound.timbre.slope_low));
    push(&|sound, voice| if_voiced(voice, sound.timbre.slope_high));
    push(&|sound, voice| if_voiced(voice, sound.flux));
    for i in 0..mel::COEFFICIENTS {
        push(&|sound, voice| if_voiced(voice, sound.cepstrum[i]));
    }
}

/// Timbre of frames without voice.
fn describe_rest(sounds: &[Sound], voices: &[Voiced], values: &mut Vec<f64>) {
    let mut push = |value: &dyn Fn(&Sound) -> f64| {
        let unvoiced =
            |(sound, voice): (&Sound, &Voiced)| if voice.semitones > 0.0 { 0.0 } else { value(sound) };
        let contour: Vec<f64> = sounds.iter().zip(voices).map(unvoiced).collect();
        values.push(mean(&nonzero(&smooth_nonzero(&contour))));
    };
    push(&|sound| sound.timbre.alpha_ratio);
    push(&|sound| sound.timbre.hammarberg);
    push(&|sound| sound.timbre.slope_low);
    push(&|sound| sound.timbre.slope_high);
    push(&|sound| sound.flux);
}

/// Peaks of loudness, and stretches with and without voice.
fn describe_rhythm(pitch: &[f64], loudness: &[f64], values: &mut Vec<f64>) {
    let seconds = |contour: &[f64]| (contour.len().max(1) * HOP) as f64 / RATE;
    let voiced = Segments::of(pitch, |value| value != 0.0);
    let unvoiced = Segments::of(pitch, |value| value == 0.0);
    values.push(peaks::count(loudness) as f64 / seconds(loudness));
    values.push(voiced.count as f64 / seconds(pitch));
    values.extend([voiced.mean, voiced.deviation, unvoiced.mean, unvoiced.deviation]);
}
