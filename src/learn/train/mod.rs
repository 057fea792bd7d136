//! Training of networks of candle tensors: what is learnt, how a step is taken, and how a run outlives its process.
//!
//! [`Vars`] are the tensors that are learnt, [`Trainer`] takes AdamW's steps down their gradients, clipped, with a moving mean
//! of the weights beside them; all of it is one safetensors file, from which a run goes on as if it had never stopped. What a
//! step learns from is drawn by the step's number alone ([`random_of`]), so that nothing else must be kept. [`Curve`] writes
//! down how the loss went.

mod checkpoint;
mod curve;
mod optimiser;
mod vars;

pub use curve::{Curve, Point};
pub use optimiser::{Options, Taken, Trainer};
pub use vars::Vars;

/// The random numbers of step `step` of a run: the same, wherever it was begun.
pub fn random_of(seed: u64, step: u64) -> fastrand::Rng {
    // Neighbouring seeds of the generator itself give numbers that are alike.
    let mut mixer = fastrand::Rng::with_seed(seed ^ step.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    fastrand::Rng::with_seed(mixer.u64(..))
}
