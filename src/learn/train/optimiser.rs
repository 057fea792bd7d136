//! AdamW on variables, with clipped gradients and a moving mean of the weights.
//!
//! Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), algorithm 2; constants are PyTorch's. The rate rises
//! in a line to its full value and then falls in a line to zero, as F5-TTS and S3PRL-VC train.

use std::collections::BTreeMap;

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use super::vars::Vars;
use crate::{Error, Result};

const MEAN_DECAY: f64 = 0.9;
const SQUARE_DECAY: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// How to learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The full rate.
    pub rate: f64,
    /// Steps in which the rate rises to it.
    pub warm_up: u64,
    /// Steps of the run, at the end of which the rate is zero.
    pub steps: u64,
    /// By how much weights decay, in shares of the rate.
    pub weight_decay: f64,
    /// The norm of all gradients together at most.
    pub clip: f64,
    /// What the moving mean keeps of itself in a step.
    pub mean_decay: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { rate: 1e-3, warm_up: 200, steps: 10_000, weight_decay: 0.01, clip: 1.0, mean_decay: 0.999 }
    }
}

impl Options {
    /// The rate of step `step`, counted from 0.
    pub fn rate_of(&self, step: u64) -> f64 {
        let rising = (step + 1) as f64 / self.warm_up.max(1) as f64;
        let left =
            self.steps.saturating_sub(step) as f64 / self.steps.saturating_sub(self.warm_up).max(1) as f64;
        self.rate * rising.min(left).min(1.0)
    }
}

/// What is remembered of a variable.
pub(super) struct Moments {
    pub mean: Tensor,
    pub square: Tensor,
    /// The moving mean of the variable itself.
    pub smooth: Tensor,
}

/// A step that was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// The loss before it.
    pub loss: f64,
    /// The norm of all gradients together, before it was clipped.
    pub norm: f64,
    /// The rate of it.
    pub rate: f64,
}

/// Learns.
pub struct Trainer {
    /// How.
    pub options: Options,
    pub(super) step: u64,
    pub(super) moments: BTreeMap<String, Moments>,
}

impl Trainer {
    /// Before the first step.
    pub fn new(options: Options) -> Self {
        Self { options, step: 0, moments: BTreeMap::new() }
    }

    /// Steps that were taken.
    pub fn steps_taken(&self) -> u64 {
        self.step
    }

    /// Moves `vars` down the gradient of `loss`, a tensor without axes. Variables that it does not depend on stay as they are.
    ///
    /// # Errors
    /// [`Error::Setting`] where the loss or a gradient is not finite: the variables are then as they were; those of candle.
    pub fn descend(&mut self, vars: &Vars, loss: &Tensor) -> Result<Taken> {
        let value = f64::from(loss.to_scalar::<f32>()?);
        let gradients = loss.backward()?;
        let norm = norm(vars, &gradients)?;
        if !value.is_finite() || !norm.is_finite() {
            return Err(Error::Setting(format!(
                "in step {} the loss is {value} and its slope {norm}; begin anew with a smaller rate",
                self.step
            )));
        }
        let scale = if norm > self.options.clip { self.options.clip / norm } else { 1.0 };
        let rate = self.options.rate_of(self.step);
        self.step += 1;
        let power = i32::try_from(self.step).unwrap_or(i32::MAX);
        let (mean_scale, square_scale) = (1.0 - MEAN_DECAY.powi(power), 1.0 - SQUARE_DECAY.powi(power));
        for (name, var) in vars.all() {
            let Some(gradient) = gradients.get(&var) else { continue };
            let gradient = (gradient.detach() * scale)?;
            let moments = match self.moments.get_mut(&name) {
                Some(moments) => moments,
                None => {
                    let zeros = var.zeros_like()?;
                    let smooth = var.as_tensor().detach().copy()?;
                    self.moments.entry(name).or_insert(Moments { mean: zeros.clone(), square: zeros, smooth })
                }
            };
            moments.mean = ((&moments.mean * MEAN_DECAY)? + (&gradient * (1.0 - MEAN_DECAY))?)?;
            moments.square = ((&moments.square * SQUARE_DECAY)? + (gradient.sqr()? * (1.0 - SQUARE_DECAY))?)?;
            let slope =
                ((&moments.mean / mean_scale)? / ((&moments.square / square_scale)?.sqrt()? + EPSILON)?)?;
            let kept = (var.as_tensor().detach() * (1.0 - rate * self.options.weight_decay))?;
            let moved = (kept - (slope * rate)?)?;
            let share = self.options.mean_decay;
            moments.smooth = ((&moments.smooth * share)? + (&moved * (1.0 - share))?)?;
            var.set(&moved)?;
        }
        Ok(Taken { loss: value, norm, rate })
    }

    /// The moving means of the variables, by name.
    pub fn smooth(&self) -> BTreeMap<String, Tensor> {
        self.moments.iter().map(|(name, moments)| (name.clone(), moments.smooth.clone())).collect()
    }
}

/// The norm of all gradients together.
fn norm(vars: &Vars, gradients: &GradStore) -> Result<f64> {
    let mut sum = 0.0;
    for (_, var) in vars.all() {
        if let Some(gradient) = gradients.get(&var) {
            sum += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
    }
    Ok(sum.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::trainable::{Init, Params};
    use candle_core::Device;

    /// `torch.optim.AdamW([1, -2], lr=0.1, weight_decay=0.01)` on the loss `x0^2 + 3 x1^2`.
    #[test]
    fn steps_are_those_of_pytorch() {
        let vars = Vars::new(0, &Device::Cpu);
        let x = vars.tensor("x", &[2], Init::Zeros).unwrap();
        vars.set("x", &[1.0, -2.0]).unwrap();
        let weights = Tensor::new(&[1.0f32, 3.0], &Device::Cpu).unwrap();
        let options = Options {
            rate: 0.1,
            warm_up: 0,
            steps: u64::MAX,
            weight_decay: 0.01,
            clip: 1e9,
            mean_decay: 0.5,
        };
        let mut trainer = Trainer::new(options);
        let after = [[0.899, -1.898], [0.798_519, -1.796_272_6], [0.698_911_16, -1.694_944_5]];
        let mut smooth = [1.0f32, -2.0];
        for expected in after {
            let loss = (x.sqr().unwrap() * &weights).unwrap().sum_all().unwrap();
            trainer.descend(&vars, &loss).unwrap();
            let found = x.to_vec1::<f32>().unwrap();
            for at in 0..2 {
                assert!((found[at] - expected[at]).abs() < 1e-5, "{found:?}");
                smooth[at] = (smooth[at] + found[at]) / 2.0;
                let mean = trainer.smooth()["x"].to_vec1::<f32>().unwrap();
                assert!((mean[at] - smooth[at]).abs() < 1e-6, "{mean:?}");
            }
        }
        assert_eq!(trainer.steps_taken(), 3);
    }

    #[test]
    fn steep_slopes_are_clipped_and_no_number_is_refused() {
        let vars = Vars::new(0, &Device::Cpu);
        let x = vars.tensor("x", &[1], Init::Ones).unwrap();
        let mut trainer = Trainer::new(Options { clip: 2.0, ..Options::default() });
        let taken = trainer.descend(&vars, &(x.sum_all().unwrap() * 300.0).unwrap()).unwrap();
        assert!((taken.norm - 300.0).abs() < 1e-3 && (taken.loss - 300.0).abs() < 1e-3);
        let mean = trainer.moments["x"].mean.to_vec1::<f32>().unwrap()[0];
        assert!((mean - 0.2).abs() < 1e-6, "{mean}");
        let before = x.to_vec1::<f32>().unwrap();
        let none = (x.sum_all().unwrap() * f64::NAN).unwrap();
        assert!(trainer.descend(&vars, &none).unwrap_err().to_string().contains("smaller rate"));
        assert_eq!(x.to_vec1::<f32>().unwrap(), before);
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let options = Options { rate: 1.0, warm_up: 10, steps: 110, ..Options::default() };
        let rates = [0, 9, 10, 60, 109, 110].map(|step| options.rate_of(step));
        assert_eq!(rates, [0.1, 1.0, 1.0, 0.5, 0.01, 0.0]);
    }
}
