//! The networks, one module each: a `Config`, the layers, loading by the tensor names of Hugging Face or of the authors.

pub mod cpc;
pub mod encoder;
mod loader;
#[cfg(feature = "ort")]
pub mod onnx;
pub mod wav2vec2;
pub mod whisper;
