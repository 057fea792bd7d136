//! Signal processing: pure functions and push-style streams, with no I/O and no threads.

pub mod egemaps;
mod fbank;
mod log_mel;
mod mel_filters;
mod mel_spectrogram;
mod pitch;
pub mod pool;
mod vocoder_mel;

pub use fbank::{Fbank, FbankWindow, subtract_mean};
pub use log_mel::{HOP, LogMel, LogMelStream};
pub use mel_filters::{Bins, MelFilters};
pub use mel_spectrogram::{Edges, MelSpectrogram, Window};
pub use pitch::{PITCH_HOP, PITCH_RANGE, median_pitch, pitch};
pub use vocoder_mel::{MelShape, VocoderMel};
