//! The networks, one module each: a `Config`, the layers, loading by Hugging Face's tensor names.

pub mod whisper;
