//! Tensors that are learnt.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};

use crate::models::trainable::{Init, Params};
use crate::{Error, Result};

/// Variables by name. One that is asked for and not there begins as it is told, from a seed.
pub struct Vars {
    vars: RefCell<BTreeMap<String, Var>>,
    random: RefCell<fastrand::Rng>,
    device: Device,
}

impl Vars {
    /// None yet, on `device`; what begins at random does so from `seed`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self {
            vars: RefCell::default(),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            device: device.clone(),
        }
    }

    /// Where they are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<(String, Var)> {
        self.vars.borrow().iter().map(|(name, var)| (name.clone(), var.clone())).collect()
    }

    /// How many numbers are learnt.
    pub fn count(&self) -> usize {
        self.vars.borrow().values().map(|var| var.elem_count()).sum()
    }

    /// Gives a variable that is there another value.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no such variable, or it has another shape.
    pub fn set(&self, name: &str, values: &[f32]) -> Result<()> {
        let vars = self.vars.borrow();
        let Some(var) = vars.get(name).filter(|var| var.elem_count() == values.len()) else {
            return Err(Error::Setting(format!("there is no variable {name} of {} values", values.len())));
        };
        Ok(var.set(&Tensor::from_slice(values, var.shape(), &self.device)?)?)
    }

    fn begun(&self, shape: &[usize], init: Init) -> Result<Var> {
        let mut random = self.random.borrow_mut();
        let mut normal = || {
            let (radius, angle) = (1.0 - random.f64(), std::f64::consts::TAU * random.f64());
            ((-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
        };
        let count: usize = shape.iter().product();
        let values: Vec<f32> = match init {
            Init::Zeros => vec![0.0; count],
            Init::Ones => vec![1.0; count],
            Init::Normal(deviation) => (0..count).map(|_| deviation * normal()).collect(),
            Init::Uniform(bound) => (0..count).map(|_| bound * (2.0 * random.f32() - 1.0)).collect(),
        };
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(DType::F32)?;
        Ok(Var::from_tensor(&tensor.to_device(&self.device)?)?)
    }
}

impl Params for Vars {
    fn tensor(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        if let Some(var) = self.vars.borrow().get(name) {
            return match var.dims() == shape {
                true => Ok(var.as_tensor().clone()),
                false => {
                    Err(Error::Setting(format!("variable {name} has shape {:?}, not {shape:?}", var.dims())))
                }
            };
        }
        let var = self.begun(shape, init)?;
        let tensor = var.as_tensor().clone();
        self.vars.borrow_mut().insert(name.to_owned(), var);
        Ok(tensor)
    }
}
