//! Model weights: where they are, how they come to this machine, and what is in them.
//!
//! - [`Checkpoint`] reads safetensors, PyTorch and CTranslate2 files under one naming, that of Hugging Face.
//!   A truncated, corrupted or hostile file gives an error, never a panic or an allocation larger than it.
//! - [`resolve`] turns a model's name or path into its files, and pulls those that are not on this
//!   machine yet. Every file that comes over the network is verified before anyone sees it; two
//!   processes that pull at once do not disturb each other; offline means no network at all.
//! - [`Registry`] lists the models that have names.

mod cache;
mod carded;
mod checkpoint;
mod copy;
mod ctranslate2;
mod digest;
mod files;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
mod hub_listing;
mod onnx_files;
mod package;
mod pickle;
mod pull;
mod pytorch;
mod pytorch_old;
mod registry;
mod safetensors;
mod shards;
mod storage;
mod tensor;
mod whisper_names;
mod zip_members;

pub use cache::Fault;
pub(crate) use carded::{Carded, le_bytes};
pub use checkpoint::Checkpoint;
pub use digest::Sha256;
pub(crate) use digest::text_digest;
pub use files::{ModelFiles, ModelKind};
pub use onnx_files::OnnxFiles;
pub use pull::{Network, PullEvent, PullOptions, find, is_pulled, pull, resolve, resolve_adapter, verify};
pub use registry::{Entry, HubFile, HubSource, PackageSource, PackagedFile, Registry, Source, Task};
pub use tensor::{Values, Weight};
