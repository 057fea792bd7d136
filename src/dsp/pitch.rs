//! The pitch of a voice, by normalised cross-correlation and a search for the best path: after Talkin, "A robust algorithm for
//! pitch tracking (RAPT)" (1995), without its first pass at a lower rate.

/// Samples at 16 kHz from one frame to the next: 10 ms. The first has its middle half a hop after the start, as the frames of
/// [`VocoderMel::hifi_gan`](super::VocoderMel::hifi_gan).
pub const PITCH_HOP: usize = 160;
/// The lowest and the highest pitch in hertz.
pub const PITCH_RANGE: (f32, f32) = (60.0, 500.0);

const RATE: f32 = 16_000.0;
/// The shortest and the longest period in samples.
const LAGS: (usize, usize) = (32, 267);
/// Samples that are compared with those a period later.
const WINDOW: usize = 320;
/// Candidates of a frame.
const CANDIDATES: usize = 8;
/// Peaks below this share of the highest are none.
const LEAST_PEAK: f32 = 0.3;
/// By how much a long period is worth less than a short one, at the longest.
const LAG_WEIGHT: f32 = 0.3;
/// What it costs to be without voice, beside the highest peak.
const VOICE_BIAS: f32 = 0.0;
/// What it costs to begin or to end.
const ONSET: f32 = 0.2;
/// What a change by an octave costs.
const OCTAVE: f32 = 1.0;
/// Power of a sample that counts as nothing beside noise: 60 dB below full scale.
const QUIET: f32 = 1e-6;

/// A period that may be the pitch's, and how alike neighbouring periods are.
#[derive(Clone, Copy)]
struct Candidate {
    hertz: f32,
    cost: f32,
}

/// A frame's candidates, and what it costs to be without voice.
struct Frame {
    voiced: Vec<Candidate>,
    unvoiced: f32,
}

/// Hertz of each frame of `samples`, 16 kHz, 0 where there is no voice: as many frames as whole hops.
pub fn pitch(samples: &[f32]) -> Vec<f32> {
    let frames: Vec<Frame> = (0..samples.len() / PITCH_HOP).map(|at| frame(samples, at)).collect();
    best_path(&frames)
}

/// The middle of the voiced frames of `pitch` in hertz; none where there are none.
pub fn median_pitch(pitch: &[f32]) -> Option<f32> {
    let mut voiced: Vec<f32> = pitch.iter().copied().filter(|&hertz| hertz > 0.0).collect();
    voiced.sort_by(f32::total_cmp);
    voiced.get(voiced.len() / 2).copied()
}

fn frame(samples: &[f32], at: usize) -> Frame {
    let span = WINDOW + LAGS.1;
    let middle = (at * PITCH_HOP + PITCH_HOP / 2) as i64;
    let start = middle - (span / 2) as i64;
    let sample = |place: i64| usize::try_from(place).ok().and_then(|at| samples.get(at)).copied();
    let mut heard: Vec<f32> = (0..span as i64).map(|at| sample(start + at).unwrap_or(0.0)).collect();
    let mean = heard.iter().sum::<f32>() / span as f32;
    heard.iter_mut().for_each(|x| *x -= mean);
    let correlation = correlation(&heard);
    let highest = correlation.iter().copied().fold(0.0, f32::max);
    let mut voiced = Vec::new();
    for at in 1..correlation.len() - 1 {
        let [before, here, after] = [correlation[at - 1], correlation[at], correlation[at + 1]];
        if here >= before && here > after && here > LEAST_PEAK * highest {
            let bend = before - 2.0 * here + after;
            let shift = if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 };
            let lag = (LAGS.0 + at) as f32 + shift;
            let worth = here * (1.0 - LAG_WEIGHT * lag / LAGS.1 as f32);
            voiced.push(Candidate { hertz: RATE / lag, cost: 1.0 - worth });
        }
    }
    voiced.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    voiced.truncate(CANDIDATES);
    Frame { voiced, unvoiced: VOICE_BIAS + highest }
}

/// How alike the two windows around the middle are whose starts are a lag apart, for each lag.
fn correlation(heard: &[f32]) -> Vec<f32> {
    let mut powers = vec![0.0_f64];
    let mut sum = 0.0;
    powers.extend(heard.iter().map(|&x| {
        sum += f64::from(x).powi(2);
        sum
    }));
    let power = |from: usize| (powers[from + WINDOW] - powers[from]) as f32 + QUIET * WINDOW as f32;
    let of_lag = |lag: usize| {
        let start = (LAGS.1 - lag) / 2;
        let later = start + lag;
        let product = dot(&heard[start..start + WINDOW], &heard[later..later + WINDOW]);
        product / (power(start) * power(later)).sqrt()
    };
    (LAGS.0..=LAGS.1).map(of_lag).collect()
}

/// In parts that can be summed side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
        for at in 0..16 {
            sums[at] += a[at] * b[at];
        }
    }
    sums.iter().sum()
}

/// Viterbi's search; the last state of a frame is to be without voice.
fn best_path(frames: &[Frame]) -> Vec<f32> {
    let mut costs: Vec<f32> = Vec::new();
    let mut ways: Vec<Vec<usize>> = Vec::with_capacity(frames.len());
    for (at, frame) in frames.iter().enumerate() {
        let before = at.checked_sub(1).map(|last| &frames[last]);
        let states = frame.voiced.len() + 1;
        let (mut new, mut from) = (Vec::with_capacity(states), Vec::with_capacity(states));
        for state in 0..states {
            let here = frame.voiced.get(state).map_or(frame.unvoiced, |candidate| candidate.cost);
            let step = |last: usize| {
                let last = before.and_then(|before| before.voiced.get(last));
                change(last, frame.voiced.get(state))
            };
            let best = (0..costs.len())
                .map(|last| (last, costs[last] + step(last)))
                .min_by(|a, b| a.1.total_cmp(&b.1))
                .unwrap_or((0, 0.0));
            new.push(best.1 + here);
            from.push(best.0);
        }
        costs = new;
        ways.push(from);
    }
    let last = costs.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map(|(state, _)| state);
    let mut state = last.unwrap_or(0);
    let mut pitch = vec![0.0; frames.len()];
    for at in (0..frames.len()).rev() {
        pitch[at] = frames[at].voiced.get(state).map_or(0.0, |candidate| candidate.hertz);
        state = ways[at][state];
    }
    pitch
}

fn change(from: Option<&Candidate>, to: Option<&Candidate>) -> f32 {
    match (from, to) {
        (Some(from), Some(to)) => OCTAVE * (to.hertz / from.hertz).log2().abs(),
        (None, None) => 0.0,
        _ => ONSET,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice: harmonics that grow weaker, of a pitch that glides.
    fn glide(from: f32, to: f32, samples: usize) -> Vec<f32> {
        let mut phase = 0.0_f64;
        let sample = |at: usize| {
            let hertz = f64::from(from + (to - from) * at as f32 / samples as f32);
            phase += std::f64::consts::TAU * hertz / f64::from(RATE);
            (1..12).map(|harmonic| (phase * f64::from(harmonic)).sin() / f64::from(harmonic)).sum::<f64>()
                as f32
                * 0.2
        };
        (0..samples).map(sample).collect()
    }

    #[test]
    fn glides_are_followed_within_a_fiftieth() {
        for (from, to) in [(80.0, 120.0), (180.0, 260.0), (300.0, 220.0), (110.0, 400.0)] {
            let samples = glide(from, to, 16_000);
            let found = pitch(&samples);
            assert_eq!(found.len(), 100);
            for (at, &hertz) in found.iter().enumerate().skip(3).take(94) {
                let expected = from + (to - from) * (at as f32 * 160.0 + 80.0) / 16_000.0;
                assert!((hertz / expected - 1.0).abs() < 0.02, "frame {at}: {hertz} for {expected}");
            }
        }
    }

    #[test]
    fn noise_and_silence_have_no_pitch() {
        assert_eq!(pitch(&[0.0; 1600]), [0.0; 10]);
        let mut random = fastrand::Rng::with_seed(3);
        let noise: Vec<f32> = (0..16_000).map(|_| random.f32() - 0.5).collect();
        let voiced = pitch(&noise).iter().filter(|&&hertz| hertz > 0.0).count();
        assert!(voiced < 10, "{voiced} of 100 frames of noise");
        assert!(pitch(&[0.1; 100]).is_empty());
    }

    #[test]
    fn the_median_is_of_voiced_frames() {
        assert_eq!(median_pitch(&[0.0, 100.0, 0.0, 300.0, 200.0]), Some(200.0));
        assert_eq!(median_pitch(&[0.0]), None);
    }
}
