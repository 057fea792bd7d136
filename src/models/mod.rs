//! The networks, one module each: a `Config`, the layers, loading by Hugging Face's tensor names.

pub mod cpc;
pub mod encoder;
mod loader;
#[cfg(feature = "ort")]
pub mod onnx;
pub mod wav2vec2;
pub mod whisper;
