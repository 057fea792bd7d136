//! From noise to frames: Euler's steps along the flow.

use candle_core::{Result as CandleResult, Tensor};

use super::network::{Condition, FlowDecoder, Hint};
use crate::{Error, Result};

/// Steps that F5-TTS found to be enough, in 32nds, by their number (empirically pruned step sampling).
const PRUNED: [&[u32]; 6] = [
    &[0, 2, 4, 8, 16, 32],
    &[0, 2, 4, 6, 8, 16, 32],
    &[0, 2, 4, 6, 8, 16, 24, 32],
    &[0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32],
    &[0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32],
    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32],
];
/// A guidance below this is none.
const LEAST_GUIDANCE: f64 = 1e-5;

/// How noise becomes frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Steps.
    pub steps: usize,
    /// How much the condition counts beyond what it says itself; 0 for no more.
    pub guidance: f64,
    /// Below zero, more of the steps are early; none at 0.
    pub sway: f64,
}

impl Default for Options {
    /// EZ-VC's.
    fn default() -> Self {
        Self { steps: 12, guidance: 2.0, sway: -1.0 }
    }
}

/// The times of `steps` steps and of the end, from 0 to 1.
pub fn steps(steps: usize, sway: f64) -> Vec<f64> {
    let pruned = PRUNED.iter().find(|table| table.len() == steps + 1);
    let even: Vec<f64> = match pruned {
        Some(table) => table.iter().map(|&at| f64::from(at) / 32.0).collect(),
        None => (0..=steps).map(|at| at as f64 / steps.max(1) as f64).collect(),
    };
    even.into_iter().map(|t| t + sway * ((std::f64::consts::FRAC_PI_2 * t).cos() - 1.0 + t)).collect()
}

/// Normal noise, `[time, mels]`; the same seed gives the same.
pub fn noise(time: usize, mels: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut normal = || {
        let (radius, angle) = (1.0 - random.f64(), std::f64::consts::TAU * random.f64());
        ((-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
    };
    (0..time * mels).map(|_| normal()).collect()
}

/// The frames that `noise`, `[batch, time, mels]`, flows to under `condition`. Frames that are known come out too, as the flow
/// has them; who calls puts the known ones back.
///
/// # Errors
/// [`Error::Setting`] for no steps; those of candle.
pub fn sample(
    decoder: &FlowDecoder,
    condition: &Condition,
    noise: &Tensor,
    options: &Options,
) -> Result<Tensor> {
    if options.steps == 0 {
        return Err(Error::Setting("noise needs at least one step to become sound".into()));
    }
    let told = decoder.embed_units(condition, Hint::All)?;
    let untold = match options.guidance < LEAST_GUIDANCE {
        true => None,
        false => Some(decoder.embed_units(condition, Hint::Nothing)?),
    };
    let (times, mut x) = (steps(options.steps, options.sway), noise.clone());
    for pair in times.windows(2) {
        let time = Tensor::full(pair[0] as f32, x.dim(0)?, x.device())?;
        let velocity = |hint: Hint, units: &Tensor| -> CandleResult<Tensor> {
            decoder.velocity_with(&x, &time, condition, units, hint)
        };
        let mut flow = velocity(Hint::All, &told)?;
        if let Some(untold) = &untold {
            let free = velocity(Hint::Nothing, untold)?;
            flow = (&flow + ((&flow - free)? * options.guidance)?)?;
        }
        x = (&x + (flow * (pair[1] - pair[0]))?)?;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_from_noise_to_sound() {
        for count in [1, 2, 4, 5, 6, 7, 10, 12, 16, 32] {
            let times = steps(count, -1.0);
            assert_eq!(times.len(), count + 1);
            assert!(times.is_sorted() && times[0] == 0.0 && (times[count] - 1.0).abs() < 1e-12, "{times:?}");
        }
        assert_eq!(steps(5, 0.0), [0.0, 0.0625, 0.125, 0.25, 0.5, 1.0]);
        assert_eq!(steps(4, 0.0), [0.0, 0.25, 0.5, 0.75, 1.0]);
        // The first of two steps ends at 1 - cos(pi / 4).
        assert!((steps(2, -1.0)[1] - (1.0 - 0.5f64.sqrt())).abs() < 1e-12);
    }

    #[test]
    fn noise_is_normal_and_comes_again() {
        let drawn = noise(100, 80, 7);
        assert_eq!(drawn, noise(100, 80, 7));
        assert_ne!(drawn, noise(100, 80, 8));
        let mean = drawn.iter().sum::<f32>() / 8000.0;
        let square = drawn.iter().map(|x| x * x).sum::<f32>() / 8000.0;
        assert!(mean.abs() < 0.05 && (square - 1.0).abs() < 0.06, "{mean} {square}");
        assert!(drawn.iter().all(|x| x.is_finite()));
    }
}
