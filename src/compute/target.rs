//! Where networks are computed, and in what numbers.

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device};

use super::Precision;
use crate::{Error, Result};

/// Where a network is computed, and in what numbers.
#[derive(Debug, Clone)]
pub enum Target {
    /// On the processor, by this module's layers.
    Processor(Precision),
    /// By candle's operations, on any of its devices.
    Candle(CandleTarget),
}

/// A device of candle's, and the numbers that weights and activations are kept in there. Norms and softmax are f32.
#[derive(Debug, Clone)]
pub struct CandleTarget {
    /// The device.
    pub device: Device,
    /// f32, bf16 or f16.
    pub dtype: DType,
}

impl From<Precision> for Target {
    fn from(precision: Precision) -> Self {
        Self::Processor(precision)
    }
}

impl Target {
    /// `place`, in `precision`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a device that is not there or that this program was not built for, and for int8 on one.
    pub fn open(place: Place, precision: Precision) -> Result<Self> {
        let Place::Cuda(number) = place else { return Ok(Self::Processor(precision)) };
        let dtype = match precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::Int8 => {
                return Err(Error::Setting(format!(
                    "int8 is for processors; on {place}, choose f32 or bf16"
                )));
            }
        };
        Ok(Self::Candle(CandleTarget { device: cuda(number)?, dtype }))
    }

    /// The numbers on a processor.
    ///
    /// # Errors
    /// [`Error::Setting`] for a device: `what` is computed on processors alone.
    pub fn on_processor(&self, what: &str) -> Result<Precision> {
        match self {
            Self::Processor(precision) => Ok(*precision),
            Self::Candle(_) => {
                Err(Error::Setting(format!("{what} runs on the processor alone: leave out --on")))
            }
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda(number: usize) -> Result<Device> {
    let reason = |reason: &dyn fmt::Display| {
        let reason = reason.to_string();
        let line = reason.lines().next().unwrap_or_default().to_owned();
        Error::Setting(format!("cuda:{number} cannot be used: {line}"))
    };
    // A driver that is not there makes cudarc panic.
    match std::panic::catch_unwind(|| Device::new_cuda(number)) {
        Ok(device) => device.map_err(|error| reason(&error)),
        Err(_) => Err(reason(&"no CUDA driver was found")),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(number: usize) -> Result<Device> {
    Err(Error::Setting(format!(
        "cuda:{number} cannot be used: this program was built without it; build it with `cargo build --release --features \
         cuda`"
    )))
}

/// Where a network is to be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// On the processor.
    #[default]
    Processor,
    /// On the CUDA device of this number.
    Cuda(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processor => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.split_once(':') {
            None if name == "cpu" => Some(Self::Processor),
            None if name == "cuda" => Some(Self::Cuda(0)),
            Some(("cuda", number)) => number.parse().ok().map(Self::Cuda),
            _ => None,
        }
        .ok_or_else(|| format!("no device {name}; there are cpu, cuda and cuda:NUMBER"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_names() {
        for (name, place) in [("cpu", Place::Processor), ("cuda", Place::Cuda(0)), ("cuda:3", Place::Cuda(3))]
        {
            assert_eq!(name.parse(), Ok(place));
        }
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cpu:1"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_device_cannot_do_is_told() {
        let error = Target::open(Place::Cuda(0), Precision::Int8).unwrap_err().to_string();
        assert!(error.contains("choose f32 or bf16"), "{error}");
        // No machine has so many.
        let error = Target::open(Place::Cuda(999), Precision::F32).unwrap_err().to_string();
        assert!(error.contains("cuda:999 cannot be used"), "{error}");
        assert!(matches!(
            Target::open(Place::Processor, Precision::Int8),
            Ok(Target::Processor(Precision::Int8))
        ));
    }
}
