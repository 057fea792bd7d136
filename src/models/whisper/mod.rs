//! Whisper: an encoder of log-mel frames and a decoder of tokens.
//!
//! Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022. Layer and tensor names
//! are those of `WhisperForConditionalGeneration` in Hugging Face transformers. Any size loads: the shapes in
//! the checkpoint say how many layers, heads, mels and tokens there are.
//!
//! The encoder works on candle tensors. The decoder works on buffers made once, because a step of decoding
//! must not allocate.

mod config;
mod decoder;
mod device_encoder;
mod encoder;

pub use config::Config;
pub use decoder::{CrossCache, CrossWeights, Decoder, DecoderState, Input, Workspace};
pub use encoder::Encoder;

use crate::Result;
use crate::compute::{Precision, Target};
use crate::dsp::LogMel;
use crate::models::loader::{Loader, pack_of};
use crate::weights::Checkpoint;

/// `torch.nn.LayerNorm`'s default, which Whisper keeps.
const EPS: f32 = 1e-5;

/// An encoder, a decoder and the features that they were trained with.
pub struct Whisper {
    /// Sizes of everything.
    pub config: Config,
    /// Log-mel features, `[frames, mels]`.
    pub log_mel: LogMel,
    /// Features to encodings.
    pub encoder: Encoder,
    /// Encodings and tokens to logits.
    pub decoder: Decoder,
}

impl Whisper {
    /// Reads every tensor of `checkpoint`, to be computed on `target`. Of a network on a device the decoder is on the
    /// processor, in f32.
    ///
    /// # Errors
    /// One that names the first tensor that is missing or misshapen.
    pub fn load(checkpoint: &Checkpoint, config: Config, target: impl Into<Target>) -> Result<Self> {
        let precision = match target.into() {
            Target::Processor(precision) => precision,
            Target::Candle(target) => {
                let loader = Loader::new(checkpoint, Precision::F32);
                let encoder = Encoder::on_device(&loader, &config, &target)?;
                let decoder = Decoder::load(&loader, &config)?;
                return Ok(Self { log_mel: LogMel::new(config.mels), encoder, decoder, config });
            }
        };
        let pack = pack_of(checkpoint, precision);
        let loader = Loader::new(checkpoint, precision).with_pack(pack.as_ref());
        let (encoder, decoder) =
            rayon::join(|| Encoder::load(&loader, &config), || Decoder::load(&loader, &config));
        let (encoder, decoder) = (encoder?, decoder?);
        if let Some(pack) = pack {
            pack.finish();
        }
        Ok(Self { log_mel: LogMel::new(config.mels), encoder, decoder, config })
    }
}
