//! Tensors by name.

use candle_core::{DType, Device, Tensor};

use crate::weights::Checkpoint;
use crate::{Error, Result};

/// What a tensor begins with where it is to be learnt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// Even between minus this and this.
    Uniform(f32),
    /// Normal, of this deviation.
    Normal(f32),
}

/// What gives tensors by name.
pub trait Params {
    /// The tensor `name` of `shape`; where it is to be learnt and not there yet, it begins as `init` says.
    ///
    /// # Errors
    /// Where it is missing or misshapen; those of candle.
    fn tensor(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor>;
}

/// The tensors of a checkpoint, on a device, as they are stored or wider.
pub struct Stored<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    device: Device,
}

impl<'a> Stored<'a> {
    /// Those of `checkpoint` whose names begin with `prefix`, to be computed with on `device`.
    pub fn new(checkpoint: &'a Checkpoint, prefix: impl Into<String>, device: &Device) -> Self {
        Self { checkpoint, prefix: prefix.into(), device: device.clone() }
    }

    /// Those beside the tensor whose name ends with `mark`, wherever in the file they begin.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such tensor.
    pub fn beside(checkpoint: &'a Checkpoint, mark: &str, device: &Device) -> Result<Self> {
        let found = checkpoint.names().find_map(|name| name.strip_suffix(mark));
        match found.filter(|prefix| prefix.is_empty() || prefix.ends_with('.')) {
            Some(prefix) => Ok(Self::new(checkpoint, prefix, device)),
            None => Err(Error::Tensor {
                path: checkpoint.path().to_path_buf(),
                tensor: mark.to_owned(),
                reason: "missing".into(),
            }),
        }
    }

    /// The shape of a tensor, where it is there.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.checkpoint.shape(&format!("{}{name}", self.prefix))
    }
}

impl Params for Stored<'_> {
    fn tensor(&self, name: &str, shape: &[usize], _init: Init) -> Result<Tensor> {
        let values = self.checkpoint.tensor(&format!("{}{name}", self.prefix), shape)?.into_f32();
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(DType::F32)?.to_device(&self.device)?)
    }
}

/// Those of another whose names begin with a prefix.
pub struct Within<'a> {
    params: &'a dyn Params,
    prefix: String,
}

impl<'a> Within<'a> {
    /// The tensors of `params` whose names begin with `prefix` and a point.
    pub fn new(params: &'a dyn Params, prefix: impl std::fmt::Display) -> Self {
        Self { params, prefix: format!("{prefix}.") }
    }
}

impl Params for Within<'_> {
    fn tensor(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        self.params.tensor(&format!("{}{name}", self.prefix), shape, init)
    }
}
