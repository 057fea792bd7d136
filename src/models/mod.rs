//! The networks, one module each: a `Config`, the layers, loading by the tensor names of Hugging Face or of the authors.

pub mod backend;
pub mod cpc;
mod device;
pub mod encoder;
pub mod encoding;
pub mod export;
pub mod flow;
mod loader;
#[cfg(feature = "ort")]
pub mod onnx;
#[cfg(not(feature = "ort"))]
#[path = "no_onnx.rs"]
pub mod onnx;
mod onnx_output;
pub mod roberta;
pub mod speaker;
pub mod synthesiser;
pub mod trainable;
pub mod vocoder;
pub mod wav2vec2;
pub mod whisper;
