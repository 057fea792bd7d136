//! How ONNX exports are run.

use clap::Args;

use crate::models::onnx::OnnxOptions;
#[cfg(feature = "ort")]
use {crate::models::onnx::ProviderChoice, std::path::PathBuf};

/// Arguments for models that are ONNX exports. There are none where ONNX Runtime is not built in.
#[derive(Debug, Clone, Default, Args)]
pub struct OnnxArgs {
    /// For ONNX exports: ONNX Runtime's shared library [default: that of ORT_DYLIB_PATH, else the one that
    /// `awaaz models pull onnxruntime` got, else the system's].
    #[cfg(feature = "ort")]
    #[arg(long, value_name = "PATH", help_heading = "Model")]
    ort_lib: Option<PathBuf>,
    /// For ONNX exports: what to compute on, auto, or one or more of cpu, cuda, tensorrt, migraphx, openvino, coreml and
    /// directml, in this order [default: auto, the first graphics card that can be had, else the CPU].
    #[cfg(feature = "ort")]
    #[arg(long, value_name = "NAME,...", help_heading = "Model")]
    provider: Option<ProviderChoice>,
}

impl OnnxArgs {
    /// These settings, with so many threads.
    pub fn options(&self, threads: usize) -> OnnxOptions {
        OnnxOptions {
            #[cfg(feature = "ort")]
            library: self.ort_lib.clone(),
            #[cfg(feature = "ort")]
            providers: self.provider.clone().unwrap_or_default(),
            threads,
        }
    }
}
