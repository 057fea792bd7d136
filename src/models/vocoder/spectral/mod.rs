//! A vocoder that a processor can train: a network says how the spectra of a source are to be shaped, frame by frame.
//!
//! The network is that of Vocos (Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for
//! high-quality audio synthesis", 2024): blocks of ConvNeXt over log-mel frames, whose head gives magnitudes and phases that are
//! transformed back, windowed and added up. Without an adversary, a network does not learn phases that go on from frame to
//! frame. Here they go on by themselves: as in the neural source-filter models (Wang, Takaki and Yamagishi, 2019) there is a
//! source, harmonics of the pitch and noise, and the head says by what its spectra are multiplied.
//!
//! | file | idea |
//! |---|---|
//! | `source` | harmonics and noise, frame by frame |
//! | `network` | frames to the head's values, as a whole and as a stream |
//! | `synthesis` | the head's values and the source to sound, and the slopes of it |
//! | `vocoder` | all of it, as a file and as a stream |

mod network;
mod source;
mod synthesis;
mod vocoder;

pub use network::{Shape, SpectralNetwork};
pub use source::{Excitation, Source};
pub use synthesis::{Frames, Synthesis};
pub use vocoder::{SpectralStream, SpectralVocoder, VocoderCard, inputs};

use crate::dsp::MelShape;

/// The frames that it takes.
pub const MEL: MelShape = MelShape::EZ_VC;
/// Samples of a transform and of its window; four hops.
const FFT: usize = 640;
/// Bins of a spectrum.
pub const BINS: usize = FFT / 2 + 1;
/// Samples of a frame's window before its own hop, and after.
const AROUND: usize = (FFT - MEL.hop) / 2;
