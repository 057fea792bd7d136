//! What stands for ONNX Runtime where the feature `ort` is not built in: there are no such networks.

use std::convert::Infallible;
use std::path::Path;

pub use super::onnx_output::{OnnxOutput, OutputKind};
use crate::{Error, Result};

/// How a model is opened.
#[derive(Debug, Clone, Default)]
pub struct OnnxOptions {
    /// Threads inside layers.
    pub threads: usize,
}

/// A network in ONNX Runtime, of which there is none.
pub struct OnnxModel(Infallible);

impl OnnxModel {
    /// Opens nothing.
    ///
    /// # Errors
    /// [`Error::Model`] always, with how to build a program that can.
    pub fn open(path: &Path, _: &OnnxOptions) -> Result<Self> {
        Err(Error::model(
            path.display().to_string(),
            "is an ONNX export, and this program was built without ONNX Runtime; build it with \
             `cargo build --release --features ort`, or name native weights",
        ))
    }

    /// Where it is computed.
    pub fn report(&self) -> String {
        match self.0 {}
    }

    /// What the rows of its output are.
    pub fn output_kind(&self) -> OutputKind {
        match self.0 {}
    }

    /// The only number of samples that it takes.
    pub fn fixed_length(&self) -> Option<usize> {
        match self.0 {}
    }

    /// Bands of a frame, where it takes filter banks.
    pub fn bands(&self) -> Option<usize> {
        match self.0 {}
    }

    /// What its input of sound is called.
    pub fn input(&self) -> &str {
        match self.0 {}
    }

    /// The output for filter banks.
    ///
    /// # Errors
    /// None.
    pub fn run_filter_banks(&self, _: &[f32]) -> Result<OnnxOutput> {
        match self.0 {}
    }

    /// The output for `samples`.
    ///
    /// # Errors
    /// None.
    pub fn run(&self, _: &[f32]) -> Result<OnnxOutput> {
        match self.0 {}
    }

    /// The network is at fault.
    pub(in crate::models) fn fault(&self, _: String) -> Error {
        match self.0 {}
    }
}
