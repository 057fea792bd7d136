//! Vocoders: log-mel frames to sound.
//!
//! [`Generator`] is that of HiFi-GAN (Kong et al., 2020) and of BigVGAN (Lee et al., 2023), from the authors' `config.json` and
//! generator weights (`jik876/hifi-gan` `models.py`, `NVIDIA/BigVGAN` `bigvgan.py`). Weight norm under either of PyTorch's
//! namings is multiplied out at load. A [`Stream`] gives what the whole gives, [`Generator::look_ahead`] samples late: the
//! layers keep what they need of the frames before, so that nothing is computed twice and nothing is cross-faded. [`spectral`] is one
//! that is trained here.

mod config;
mod generator;
mod layers;
mod norm;
pub mod spectral;
mod stack;

pub use config::{Activation, Bias, Config, Final, Scale, Sound};
pub use generator::{Generator, Stream};
