//! A run as a file: safetensors with the variables as `model.*`, their moving means as `mean.*`, Adam's moments as `first.*` and
//! `second.*`, and in the metadata, under `awaaz.train`, the step and what the run is.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::optimiser::{Moments, Trainer};
use super::vars::Vars;
use crate::output::write_whole;
use crate::{Error, Result};

/// What the description is called in the metadata.
const KEY: &str = "awaaz.train";

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    step: u64,
    run: T,
}

impl Trainer {
    /// Writes the run: what was there is replaced at once or not at all. `run` says what it is.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written; those of candle.
    pub fn save(&self, vars: &Vars, run: &impl Serialize, path: &Path) -> Result<()> {
        let mut tensors: Vec<(String, Tensor)> = vars
            .all()
            .into_iter()
            .map(|(name, var)| (format!("model.{name}"), var.as_tensor().clone()))
            .collect();
        for (name, Moments { mean, square, smooth }) in &self.moments {
            tensors.push((format!("mean.{name}"), smooth.clone()));
            tensors.push((format!("first.{name}"), mean.clone()));
            tensors.push((format!("second.{name}"), square.clone()));
        }
        let refused =
            |error: &dyn std::fmt::Display| Error::Setting(format!("a run cannot be written: {error}"));
        let stored = Stored { step: self.step, run };
        let json = serde_json::to_string(&stored).map_err(|error| refused(&error))?;
        let tensors = tensors
            .into_iter()
            .map(|(name, tensor)| Ok((name, tensor.to_device(&Device::Cpu)?)))
            .collect::<Result<Vec<_>>>()?;
        let bytes = safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), json)])));
        write_whole(path, &bytes.map_err(|error| refused(&error))?)
    }

    /// Goes on with the run in the file at `path`: gives `vars`, all of which must be there already, their values, and says
    /// what the run is.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Model`] where it is damaged, or of other variables.
    pub fn resume<T: DeserializeOwned>(&mut self, vars: &Vars, path: &Path) -> Result<T> {
        let fault = |reason: String| Error::model(path.display().to_string(), reason);
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| {
            fault(format!("not a safetensors file, or damaged: {error}; begin the run anew"))
        })?;
        let json = metadata.metadata().as_ref().and_then(|found| found.get(KEY));
        let json = json.ok_or_else(|| fault("is no run of training that can go on".into()))?;
        let stored: Stored<T> = serde_json::from_str(json)
            .map_err(|error| fault(format!("is a run of another kind: {error}")))?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, vars.device())?;
        let mut take = |name: String, like: &Tensor| match tensors.remove(&name) {
            Some(tensor) if tensor.shape() == like.shape() => Ok(tensor),
            _ => Err(fault(format!(
                "has no {name} of shape {:?}; it is a run of another network",
                like.dims()
            ))),
        };
        self.moments.clear();
        for (name, var) in vars.all() {
            var.set(&take(format!("model.{name}"), &var)?)?;
            // A variable that no loss depends on has no moments.
            if let Ok(smooth) = take(format!("mean.{name}"), &var) {
                let (mean, square) =
                    (take(format!("first.{name}"), &var)?, take(format!("second.{name}"), &var)?);
                self.moments.insert(name, Moments { mean, square, smooth });
            }
        }
        self.step = stored.step;
        Ok(stored.run)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, random_of};
    use super::*;
    use crate::models::trainable::{Init, Linear, Params};

    /// A line through points that each step draws anew.
    fn step(vars: &Vars, trainer: &mut Trainer) -> f64 {
        let line = Linear::new(vars, "line", 1, 1).unwrap();
        let mut random = random_of(3, trainer.steps_taken());
        let x: Vec<f32> = (0..8).map(|_| random.f32()).collect();
        let y: Vec<f32> = x.iter().map(|x| 3.0 * x - 1.0).collect();
        let tensor = |values: Vec<f32>| Tensor::from_vec(values, (8, 1), &Device::Cpu).unwrap();
        let loss =
            (line.forward(&tensor(x)).unwrap() - tensor(y)).unwrap().sqr().unwrap().mean_all().unwrap();
        trainer.descend(vars, &loss).unwrap().loss
    }

    fn begun() -> (Vars, Trainer) {
        let vars = Vars::new(1, &Device::Cpu);
        Linear::new(&vars, "line", 1, 1).unwrap();
        (vars, Trainer::new(Options { rate: 0.05, warm_up: 5, steps: 400, ..Options::default() }))
    }

    fn values(vars: &Vars) -> Vec<Vec<f32>> {
        vars.all().iter().map(|(_, var)| var.flatten_all().unwrap().to_vec1().unwrap()).collect()
    }

    #[test]
    fn a_run_that_was_stopped_ends_as_one_that_was_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run.safetensors");
        let (vars, mut trainer) = begun();
        let mut last = f64::NAN;
        for at in 0..300 {
            if at == 120 {
                trainer.save(&vars, &"a line", &path).unwrap();
            }
            last = step(&vars, &mut trainer);
        }
        assert!(last < 1e-3, "{last}");
        let (other, mut resumed) = begun();
        let run: String = resumed.resume(&other, &path).unwrap();
        assert_eq!((run.as_str(), resumed.steps_taken()), ("a line", 120));
        (120..300).for_each(|_| {
            step(&other, &mut resumed);
        });
        assert_eq!(values(&other), values(&vars));
    }

    #[test]
    fn other_files_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run.safetensors");
        let (vars, mut trainer) = begun();
        step(&vars, &mut trainer);
        trainer.save(&vars, &7, &path).unwrap();
        let told = |vars: &Vars| {
            Trainer::new(Options::default()).resume::<u32>(vars, &path).unwrap_err().to_string()
        };
        let wider = Vars::new(1, &Device::Cpu);
        wider.tensor("line.weight", &[2, 1], Init::Zeros).unwrap();
        assert!(told(&wider).contains("another network"));
        let text = Trainer::new(Options::default()).resume::<String>(&vars, &path).unwrap_err().to_string();
        assert!(text.contains("another kind"), "{text}");
        std::fs::write(&path, b"nothing").unwrap();
        assert!(told(&vars).contains("damaged"));
    }
}
