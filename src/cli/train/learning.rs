//! Networks that learn step by step: what is said of a run, and the run itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{Device, Tensor};
use clap::Args;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cli::stop::Stop;
use crate::cli::values::count;
use crate::learn::train::{Curve, Options, Point, Trainer, Vars, random_of};
use crate::models::trainable::{Params, Tensors};
use crate::output::Progress;
use crate::{Error, Result};

/// Arguments of a run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Learning")]
pub struct LearningArgs {
    /// Steps.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: u64,
    /// Stretches of sound in a step.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = count::<1, 4096>)]
    pub batch: usize,
    /// Frames of 10 ms in a stretch.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = count::<16, 10_000>)]
    pub frames: usize,
    /// AdamW's rate at its highest.
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    pub rate: f64,
    /// Steps in which the rate rises.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub warm_up: u64,
    /// Steps from one look at the speakers who are held out, and one copy of the run, to the next.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub every: u64,
    /// The share of speakers who are held out.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = crate::cli::values::unit_interval)]
    pub held_out: f32,
    /// Seed of all that is drawn.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Go on with the run that is beside --out.
    #[arg(long)]
    pub resume: bool,
}

/// What a run is of: it goes on with the same alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run<T> {
    what: T,
    steps: u64,
    batch: usize,
    frames: usize,
    rate: f64,
    warm_up: u64,
    seed: u64,
    held_out: f32,
    clips: usize,
    /// Seconds that it took so far.
    seconds: f64,
}

/// What is learnt.
pub trait Task: Sync {
    /// What it is, for the file of the run.
    type What: Serialize + DeserializeOwned + PartialEq + Clone + Send + Sync;

    /// What it is.
    fn what(&self) -> Self::What;

    /// Clips that it learns from.
    fn clips(&self) -> usize;

    /// The loss of a step with the network of `params`, which learns from what `random` draws.
    ///
    /// # Errors
    /// Those of candle.
    fn loss(&self, params: &dyn Params, random: &mut fastrand::Rng) -> Result<Tensor>;

    /// The loss on speakers who are held out.
    ///
    /// # Errors
    /// Those of candle.
    fn validation(&self, params: &dyn Params) -> Result<f64>;
}

/// A network that has learnt.
pub struct Learnt {
    /// The moving means of its tensors.
    pub tensors: Tensors,
    /// The loss on speakers who were held out.
    pub validation: f64,
    /// Seconds that it took.
    pub seconds: f64,
}

impl LearningArgs {
    /// Learns `task`; `begin` makes the variables. The run is kept as `OUT.run`, its curve as `OUT.csv` and `OUT.svg`.
    ///
    /// # Errors
    /// Those of the task and of writing; [`Error::Interrupted`], after the run was kept.
    pub fn learn<T: Task>(
        &self,
        task: &T,
        begin: impl FnOnce(&Vars) -> Result<()>,
        out: &Path,
        progress: &mut Progress,
        stop: &Stop,
    ) -> Result<Learnt> {
        let vars = Vars::new(self.seed, &Device::Cpu);
        begin(&vars)?;
        let options = Options {
            rate: self.rate,
            warm_up: self.warm_up,
            steps: self.steps,
            mean_decay: mean_decay(self.steps),
            ..Options::default()
        };
        let mut run = Running {
            args: self,
            what: task.what(),
            clips: task.clips(),
            trainer: Trainer::new(options),
            vars,
            before: 0.0,
            started: Instant::now(),
            path: beside(out, "run"),
        };
        if self.resume {
            run.resume()?;
        }
        let mut curve = Curve::open(out, run.trainer.steps_taken())?;
        progress.say(&format!("{} numbers to learn, {} clips", run.vars.count(), run.clips));
        let (mut sum, mut since, first) = (0.0, 0, run.trainer.steps_taken());
        let mut validation = curve.points().last().map_or(f64::NAN, |point| point.validation);
        while run.trainer.steps_taken() < self.steps {
            let step = run.trainer.steps_taken();
            let loss = task.loss(&run.vars, &mut random_of(self.seed, step))?;
            let taken = run.trainer.descend(&run.vars, &loss)?;
            (sum, since) = (sum + taken.loss, since + 1);
            let step = step + 1;
            if step.is_multiple_of(self.every) || step == self.steps {
                validation = task.validation(&run.smooth())?;
                let training = sum / f64::from(since);
                curve.add(Point { step, seconds: run.seconds(), training, validation, rate: taken.rate })?;
                run.save()?;
                progress.say(&run.line(training, validation, first));
                (sum, since) = (0.0, 0);
            } else if stop.is_requested() {
                run.save()?;
                return Err(Error::Interrupted);
            }
        }
        Ok(Learnt { tensors: run.smooth(), validation, seconds: run.seconds() })
    }
}

/// A moving mean over a tenth of the run at most.
fn mean_decay(steps: u64) -> f64 {
    (1.0 - 20.0 / steps.max(40) as f64).min(0.999)
}

/// The file beside `out` with another extension.
fn beside(out: &Path, extension: &str) -> PathBuf {
    out.with_extension(extension)
}

struct Running<'a, W> {
    args: &'a LearningArgs,
    what: W,
    clips: usize,
    trainer: Trainer,
    vars: Vars,
    /// Seconds that it took before it was stopped.
    before: f64,
    started: Instant,
    path: PathBuf,
}

impl<W: Serialize + DeserializeOwned + PartialEq + Clone> Running<'_, W> {
    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    fn description(&self) -> Run<W> {
        let LearningArgs { steps, batch, frames, rate, warm_up, seed, held_out, .. } = *self.args;
        let (what, clips, seconds) = (self.what.clone(), self.clips, self.seconds());
        Run { what, steps, batch, frames, rate, warm_up, seed, held_out, clips, seconds }
    }

    fn resume(&mut self) -> Result<()> {
        let found: Run<W> = self.trainer.resume(&self.vars, &self.path)?;
        self.before = found.seconds;
        let seconds = found.seconds;
        if (Run { seconds, ..self.description() }) != found {
            let reason = "is a run of other data or settings; give those, or begin anew without --resume";
            return Err(Error::model(self.path.display().to_string(), reason));
        }
        Ok(())
    }

    fn save(&self) -> Result<()> {
        self.trainer.save(&self.vars, &self.description(), &self.path)
    }

    /// The moving means; what has none, as it is.
    fn smooth(&self) -> Tensors {
        let mut all: BTreeMap<String, Tensor> =
            self.vars.all().into_iter().map(|(name, var)| (name, var.as_tensor().detach())).collect();
        all.extend(self.trainer.smooth());
        Tensors::new(all)
    }

    fn line(&self, training: f64, validation: f64, first: u64) -> String {
        let (step, steps) = (self.trainer.steps_taken(), self.args.steps);
        let of_step = self.started.elapsed().as_secs_f64() / (step - first).max(1) as f64;
        let left = (of_step * (steps - step) as f64).round() as u64;
        format!(
            "step {step} of {steps}: loss {training:.4}, held out {validation:.4}; {of_step:.2} s a step, {}:{:02} left",
            left / 60,
            left % 60
        )
    }
}
