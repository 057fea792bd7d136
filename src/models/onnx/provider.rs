//! Execution providers: what ONNX Runtime computes on.

use std::fmt;
use std::str::FromStr;

use ort::ep::{self, ExecutionProvider};
use ort::session::builder::SessionBuilder;

/// What ONNX Runtime computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Provider {
    /// The processor, by ONNX Runtime's own kernels. It is always there, and takes what others leave.
    Cpu,
    /// NVIDIA, by CUDA and cuDNN.
    Cuda,
    /// NVIDIA, by TensorRT, which compiles a network for minutes at first.
    TensorRt,
    /// AMD, by MIGraphX.
    MiGraphX,
    /// Intel, by OpenVINO.
    OpenVino,
    /// Apple, by Core ML.
    CoreMl,
    /// Windows, by Direct3D 12.
    DirectMl,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Cpu, Self::Cuda, Self::TensorRt, Self::MiGraphX, Self::OpenVino, Self::CoreMl, Self::DirectMl];

    /// Those that `auto` tries before the CPU: they take networks of any length of sound as they are.
    pub(super) const AUTO: [Self; 3] = [Self::Cuda, Self::MiGraphX, Self::DirectMl];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::MiGraphX => "migraphx",
            Self::OpenVino => "openvino",
            Self::CoreMl => "coreml",
            Self::DirectMl => "directml",
        }
    }

    /// Its name within ONNX Runtime.
    pub(super) fn inner_name(self) -> &'static str {
        match self {
            Self::Cpu => ep::CPU::NAME,
            Self::Cuda => ep::CUDA::NAME,
            Self::TensorRt => ep::TensorRT::NAME,
            Self::MiGraphX => ep::MIGraphX::NAME,
            Self::OpenVino => ep::OpenVINO::NAME,
            Self::CoreMl => ep::CoreML::NAME,
            Self::DirectMl => ep::DirectML::NAME,
        }
    }

    /// Whether the loaded ONNX Runtime was built with it; whether the machine has what it needs is seen at registering.
    pub(super) fn is_built_in(self) -> bool {
        let found = match self {
            Self::Cpu => ep::CPU::is_available(),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
            Self::MiGraphX => ep::MIGraphX::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
            Self::CoreMl => ep::CoreML::is_available(),
            Self::DirectMl => ep::DirectML::is_available(),
        };
        found.unwrap_or(false)
    }

    /// Offers a session's network to it, after those that it was offered to before.
    pub(super) fn register(self, session: &mut SessionBuilder) -> ort::Result<()> {
        match self {
            // It is last in every session by itself.
            Self::Cpu => Ok(()),
            // The exhaustive search, which is the default, begins anew with every length of sound.
            Self::Cuda => ep::CUDA::default()
                .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
                .register(session),
            Self::TensorRt => ep::TensorRT::default().register(session),
            Self::MiGraphX => ep::MIGraphX::default().register(session),
            Self::OpenVino => ep::OpenVINO::default().register(session),
            Self::CoreMl => ep::CoreML::default().register(session),
            Self::DirectMl => ep::DirectML::default().register(session),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|provider| provider.name() == name);
        named.ok_or_else(|| format!("no provider {name}; there are auto, {}", list(&Self::ALL, ", ")))
    }
}

/// Which providers a network is offered to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProviderChoice {
    /// The first graphics card that can be had, else the CPU; [`OnnxModel::fallback`](super::OnnxModel::fallback) says why.
    #[default]
    Auto,
    /// These, in this order, and the CPU for what none of them takes. Each must be there, and if the CPU is not among
    /// them, one of them must take a part of the network.
    Named(Vec<Provider>),
}

impl fmt::Display for ProviderChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Named(providers) => f.write_str(&list(providers, ",")),
        }
    }
}

impl FromStr for ProviderChoice {
    type Err = String;

    /// `auto`, or names with commas between.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        text.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>().map(Self::Named)
    }
}

/// Names of providers.
pub(super) fn list(providers: &[Provider], separator: &str) -> String {
    let names: Vec<_> = providers.iter().map(|provider| provider.name()).collect();
    names.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        let choices = [
            ("auto", ProviderChoice::Auto),
            ("cpu", ProviderChoice::Named(vec![Provider::Cpu])),
            ("tensorrt,cuda", ProviderChoice::Named(vec![Provider::TensorRt, Provider::Cuda])),
        ];
        for (text, choice) in choices {
            assert_eq!(text.parse(), Ok(choice.clone()));
            assert_eq!(choice.to_string(), text);
        }
        for provider in Provider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        for text in ["gpu", "", "cuda,", "auto,cpu"] {
            let error = text.parse::<ProviderChoice>().unwrap_err();
            assert!(error.contains("there are auto, cpu, cuda, tensorrt"), "{text}: {error}");
        }
    }
}
