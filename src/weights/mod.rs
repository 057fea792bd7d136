//! Model weights: where they are, how they come to this machine, and what is in them.
//!
//! - [`Checkpoint`] reads safetensors and CTranslate2 files under one naming, that of Hugging Face. A
//!   truncated, corrupted or hostile file gives an error, never a panic or an allocation larger than it.

mod checkpoint;
mod ctranslate2;
mod safetensors;
mod storage;
mod tensor;
mod whisper_names;

pub use checkpoint::Checkpoint;
pub use tensor::{Values, Weight};
