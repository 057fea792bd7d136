//! What numbers networks are multiplied in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::panels::int8_pays;

/// The numbers that weights are kept and multiplied in. All else (norms, softmax, sums) is f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As the network was trained, to rounding. Weights of a decoder that are exact in f16 are kept so.
    #[default]
    F32,
    /// Sixteen bits that reach as far as those of f32, and sums in f32: eight bits of weights and activations are kept. In
    /// f32 where the processor does not multiply them faster.
    Bf16,
    /// Eight bits, with a scale for each row of weights and each row of activations. Attention is as in
    /// [`Bf16`](Self::Bf16).
    Int8,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// Int8 where the project has kernels for the processor at hand, which are faster in it; else f32.
    pub fn auto() -> Self {
        if int8_pays() { Self::Int8 } else { Self::F32 }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|precision| precision.name() == name);
        let named = named.or_else(|| (name == "auto").then(Self::auto));
        named.ok_or_else(|| format!("no precision {name}; there are f32, bf16, int8 and auto"))
    }
}
