//! `awaaz train vocoder`: a vocoder from speech alone.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use clap::Args;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::learning::{LearningArgs, Learnt, Task};
use super::voices::{Voice, VoiceArgs, Voices, seconds};
use crate::Result;
use crate::cli::Exit;
use crate::cli::model_args::ModelArgs;
use crate::cli::stop::Stop;
use crate::cli::values::count;
use crate::compute::{Precision, Threads};
use crate::learn::spectral_loss::SpectralLoss;
use crate::learn::train::Vars;
use crate::models::trainable::Params;
use crate::models::vocoder::spectral::{
    Excitation, Frames, MEL, Shape, Source, SpectralNetwork, SpectralVocoder, Synthesis, VocoderCard, inputs,
};
use crate::output::Progress;

const AFTER_HELP: &str = "\
Examples:
  awaaz train vocoder --data LibriSpeech/train-clean-100 vctk/ --licence \"CC BY 4.0\" \"CC BY 4.0\" --out vocoder.safetensors
  awaaz train vocoder --data clips/ --out vocoder.safetensors --steps 20000 --batch 16 --resume

Speech of known speakers is all it needs. The loss is of spectra at four resolutions and of mel bands; speakers who are held
out tell how it goes. Beside OUT are OUT.run, from which --resume goes on to the bit, and the curve as OUT.csv and OUT.svg.
The file that is written has the moving means of the weights in half precision.

Exit codes: 0 done, 1 failed, 64 wrong arguments, 130 stopped, with the run kept.";

/// Stretches of speakers who are held out.
const VALIDATION: usize = 24;
/// Samples at both ends of a stretch that do not count: neighbours would add to them.
const EDGE: usize = 320;

/// Train a vocoder.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct VocoderArgs {
    #[command(flatten)]
    voices: VoiceArgs,
    /// Where the vocoder is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Values of a frame within the network.
    #[arg(long, value_name = "N", default_value_t = 192, value_parser = count::<1, 4096>, help_heading = "Network")]
    width: usize,
    /// The same within a block.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = count::<1, 16_384>, help_heading = "Network")]
    hidden: usize,
    /// Blocks.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = count::<1, 64>, help_heading = "Network")]
    blocks: usize,
    #[command(flatten)]
    learning: LearningArgs,
    /// Threads [default: one a processor core].
    #[arg(long, value_name = "N", value_parser = count::<1, 1024>)]
    threads: Option<usize>,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data and of the settings; [`Error::Interrupted`](crate::Error::Interrupted).
pub fn run(args: &VocoderArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let LearningArgs { batch, frames, held_out, seed, .. } = args.learning;
    let threads = match args.threads {
        Some(count) => Threads::new(count)?,
        None => ModelArgs::named("", Precision::F32).pool()?,
    };
    threads.run(|| {
        let loss = SpectralLoss::new(MEL);
        let frames = frames.max((loss.shortest() + 2 * EDGE).div_ceil(MEL.hop));
        let voices = args.voices.read(frames, held_out, seed, &mut progress, &stop)?;
        let shape = Shape { width: args.width, hidden: args.hidden, blocks: args.blocks };
        let task = VocoderTask { shape, voices, batch, frames, loss, synthesis: Synthesis::default() };
        let begin = |vars: &Vars| SpectralNetwork::new(vars, shape).map(|_| ());
        let Learnt { tensors, validation, seconds: took } =
            args.learning.learn(&task, begin, &args.out, &mut progress, &stop)?;
        let card = VocoderCard {
            shape,
            data: args.voices.cards(),
            steps: args.learning.steps,
            seconds: seconds(&task.voices.train),
            validation,
            seed,
            created_by: concat!("awaaz ", env!("CARGO_PKG_VERSION")).into(),
        };
        SpectralVocoder::save(&args.out, &tensors, &card)?;
        progress.say(&format!(
            "wrote {}: {} numbers, held out {validation:.4}, {took:.0} s",
            args.out.display(),
            tensors.count()
        ));
        Ok(Exit::Success)
    })
}

struct VocoderTask {
    shape: Shape,
    voices: Voices,
    batch: usize,
    frames: usize,
    loss: SpectralLoss,
    synthesis: Synthesis,
}

/// What a vocoder is told from another by.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct VocoderRun {
    vocoder: Shape,
}

/// A stretch of a clip.
struct Stretch {
    mel: Vec<f32>,
    pitch: Vec<f32>,
    samples: Vec<f32>,
    source: Vec<Excitation>,
}

impl Stretch {
    fn draw(voices: &[Voice], frames: usize, gain: f32, random: &mut fastrand::Rng) -> Self {
        let voice = &voices[random.usize(..voices.len())];
        let start = random.usize(..=voice.frames() - frames);
        let pitch = voice.pitch[start..start + frames].to_vec();
        let mut source = Source::new(random.u64(..));
        let mut excitations: Vec<Excitation> = pitch.iter().filter_map(|&hertz| source.push(hertz)).collect();
        excitations.extend(source.finish());
        let mel = &voice.mel[start * MEL.mels..(start + frames) * MEL.mels];
        let samples = &voice.samples[start * MEL.hop..(start + frames) * MEL.hop];
        Self {
            mel: mel.iter().map(|x| x + gain.ln()).collect(),
            pitch,
            samples: samples.iter().map(|x| x * gain).collect(),
            source: excitations,
        }
    }
}

impl VocoderTask {
    /// The head's values for stretches.
    fn heads(&self, params: &dyn Params, stretches: &[Stretch]) -> Result<Tensor> {
        let x: Vec<f32> = stretches.iter().flat_map(|stretch| inputs(&stretch.mel, &stretch.pitch)).collect();
        let x = Tensor::from_vec(x, (stretches.len(), self.frames, Shape::INPUTS), &Device::Cpu)?;
        Ok(SpectralNetwork::new(params, self.shape)?.forward(&x)?)
    }

    /// The loss of a stretch and its slopes by the head's values, divided by `count`.
    fn of_stretch(&self, stretch: &Stretch, head: &[f32], count: usize) -> (f64, Vec<f32>) {
        let frames = Frames { mel: &stretch.mel, head, source: &stretch.source };
        let sound = self.synthesis.sound(&frames);
        let inner = EDGE..sound.len() - EDGE;
        let mut slopes = vec![0.0; sound.len()];
        let (found, target) = (&sound[inner.clone()], &stretch.samples[inner.clone()]);
        let share = 1.0 / count as f64;
        let loss = self.loss.of(found, target, share, Some(&mut slopes[inner]));
        (loss.total() * share, self.synthesis.slopes(&frames, &slopes))
    }
}

impl Task for VocoderTask {
    type What = VocoderRun;

    fn what(&self) -> VocoderRun {
        VocoderRun { vocoder: self.shape }
    }

    fn clips(&self) -> usize {
        self.voices.train.len()
    }

    fn loss(&self, params: &dyn Params, random: &mut fastrand::Rng) -> Result<Tensor> {
        let mut draw = || {
            let gain = (random.f32() - 0.5).exp();
            Stretch::draw(&self.voices.train, self.frames, gain, random)
        };
        let stretches: Vec<Stretch> = (0..self.batch).map(|_| draw()).collect();
        let heads = self.heads(params, &stretches)?;
        let values: Vec<f32> = heads.detach().flatten_all()?.to_vec1()?;
        let of_one = values.len() / self.batch;
        let found: Vec<(f64, Vec<f32>)> = stretches
            .par_iter()
            .zip(values.par_chunks(of_one))
            .map(|(stretch, head)| self.of_stretch(stretch, head, self.batch))
            .collect();
        let loss: f64 = found.iter().map(|(loss, _)| loss).sum();
        let slopes: Vec<f32> = found.into_iter().flat_map(|(_, slopes)| slopes).collect();
        // A plane that touches the loss where the head is: candle needs no more to go on from there.
        let slopes = Tensor::from_vec(slopes, heads.shape(), &Device::Cpu)?;
        let plane = (heads * slopes)?.sum_all()?;
        let here = f64::from(plane.to_scalar::<f32>()?);
        Ok((plane + (loss - here))?)
    }

    fn validation(&self, params: &dyn Params) -> Result<f64> {
        let mut random = fastrand::Rng::with_seed(1);
        let draw = |_| Stretch::draw(&self.voices.held_out, self.frames, 1.0, &mut random);
        let stretches: Vec<Stretch> = (0..VALIDATION).map(draw).collect();
        let heads = self.heads(params, &stretches)?;
        let values: Vec<f32> = heads.flatten_all()?.to_vec1()?;
        let all = stretches.par_iter().zip(values.par_chunks(values.len() / VALIDATION));
        Ok(all.map(|(stretch, head)| self.of_stretch(stretch, head, VALIDATION).0).sum())
    }
}
