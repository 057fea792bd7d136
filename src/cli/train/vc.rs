//! `awaaz train vc`: a decoder of voice conversion.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::learning::{LearningArgs, Learnt, Task};
use super::voices::{Voice, VoiceArgs, Voices, seconds};
use crate::cli::Exit;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::speaker_args::SpeakerModelArgs;
use crate::cli::stop::Stop;
use crate::cli::unit_args::UnitMaker;
use crate::cli::values::count;
use crate::convert::content::Contents;
use crate::convert::decoder::{Decoder, DecoderCard, DecoderShape};
use crate::learn::standardise::Moments;
use crate::learn::train::Vars;
use crate::models::synthesiser::Dropout;
use crate::models::trainable::Params;
use crate::models::vocoder::spectral::MEL;
use crate::output::Progress;
use crate::speaker::SpeakerModel;
use crate::weights::Sha256;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz train units --data clips/ --layer 5 --k 256 --out units.safetensors
  awaaz train vc --kind simple --data LibriSpeech/train-clean-100 vctk/ --codebook units.safetensors --out decoder.safetensors
  awaaz convert talk.wav --target ann.wav --codebook units.safetensors --decoder decoder.safetensors --vocoder vocoder.safetensors

A clip is decoded from what is said in it, its pitch and its own speaker's vector. The loss is how far log-mel frames are, on
the scale of their deviation. Beside OUT are OUT.run, from which --resume goes on to the bit, and the curve as OUT.csv and
OUT.svg. The file that is written has the moving means of the weights in half precision.

Exit codes: 0 done, 1 failed, 64 wrong arguments, 130 stopped, with the run kept.";

/// Stretches of speakers who are held out.
const VALIDATION: usize = 24;
/// Clips between two lines on how far a run is.
const CLIPS_A_LINE: usize = 25;

/// Train a decoder of voice conversion.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct VcArgs {
    #[command(flatten)]
    voices: VoiceArgs,
    /// Where the decoder is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The codebook that takes speakers out of an encoder's frames.
    #[arg(long, value_name = "FILE")]
    codebook: PathBuf,
    /// Which decoder.
    #[arg(long, value_name = "KIND", default_value = "simple", help_heading = "Network")]
    kind: Kind,
    /// Values of a frame within the network.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = count::<1, 4096>, help_heading = "Network")]
    width: usize,
    /// How soft contents are: near 0 each frame is its nearest centroid alone.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = softness, help_heading = "Network")]
    softness: f64,
    /// Whose vectors tell it who speaks.
    #[arg(long, value_name = "MODEL", default_value = "ge2e", help_heading = "Network")]
    speaker: String,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    learning: LearningArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// Decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// That of S3PRL-VC: a frame for each frame, by two layers of LSTM.
    Simple,
}

fn softness(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 10.0 => Ok(share),
        _ => Err("not a number above 0, up to 10".into()),
    }
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the networks and the settings; [`Error::Interrupted`].
pub fn run(args: &VcArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let Kind::Simple = args.kind;
    let maker = UnitMaker::open(&args.codebook, &args.model, talk, &stop)?;
    let speakers = SpeakerModelArgs::named(args.speaker.clone()).load(talk, &stop)?;
    let LearningArgs { frames, held_out, seed, .. } = args.learning;
    let threads = args.model.pool()?;
    threads.run(|| {
        let voices = args.voices.read(frames, held_out, seed, &mut progress, &stop)?;
        let heard = Heard { maker: &maker, speakers: &speakers, softness: args.softness };
        let clips = heard.clips(voices, &mut progress, &stop)?;
        let content = Contents::new(&maker.codebook)?.width();
        let shape = DecoderShape { content, width: args.width, speaker: speakers.width() };
        let task = VcTask { args, shape, codebook: digest(&args.codebook)?, clips };
        let mels: Vec<f32> =
            task.clips.train.iter().flat_map(|clip| clip.voice.mel.iter().copied()).collect();
        let moments = Moments::of_rows(&mels, MEL.mels);
        let begin = |vars: &Vars| begin(vars, shape, &moments);
        let Learnt { tensors, validation, seconds: took } =
            args.learning.learn(&task, begin, &args.out, &mut progress, &stop)?;
        Decoder::save(&args.out, &tensors, &task.card(args.voices.cards(), &speakers, validation))?;
        progress.say(&format!(
            "wrote {}: {} numbers, held out {validation:.4}, {took:.0} s",
            args.out.display(),
            tensors.count()
        ));
        Ok(Exit::Success)
    })
}

/// Variables, with the scale of frames, about which they begin.
fn begin(vars: &Vars, shape: DecoderShape, moments: &Moments) -> Result<()> {
    shape.network(vars)?;
    vars.set("target_mean", &moments.means)?;
    vars.set("target_scale", &moments.deviations)?;
    vars.set("proj.bias", &moments.means)
}

fn digest(path: &Path) -> Result<String> {
    Ok(Sha256::of_file(path)?.to_string())
}

/// A clip, what is said in it, and who speaks.
struct Clip {
    voice: Voice,
    contents: Vec<f32>,
    speaker: Vec<f32>,
}

struct Clips {
    train: Vec<Clip>,
    held_out: Vec<Clip>,
}

/// What hears clips.
struct Heard<'a> {
    maker: &'a UnitMaker,
    speakers: &'a SpeakerModel,
    softness: f64,
}

impl Heard<'_> {
    fn clips(&self, voices: Voices, progress: &mut Progress, stop: &Stop) -> Result<Clips> {
        let contents = Contents::new(&self.maker.codebook)?;
        let count = voices.train.len() + voices.held_out.len();
        let mut done = 0;
        let mut hear = |voice: Voice| {
            if stop.is_requested() {
                return Err(Error::Interrupted);
            }
            let frames = self.maker.frames(&voice.samples)?;
            let contents = contents.mixtures(&frames, self.softness)?;
            let speaker = self.speakers.vector(&voice.samples)?;
            done += 1;
            if done % CLIPS_A_LINE == 0 {
                progress.say(&format!("heard {done} of {count} clips"));
            }
            Ok(Clip { voice, contents, speaker })
        };
        Ok(Clips {
            train: voices.train.into_iter().map(&mut hear).collect::<Result<_>>()?,
            held_out: voices.held_out.into_iter().map(&mut hear).collect::<Result<_>>()?,
        })
    }
}

struct VcTask<'a> {
    args: &'a VcArgs,
    shape: DecoderShape,
    codebook: String,
    clips: Clips,
}

/// What a decoder is told from another by.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct VcRun {
    decoder: DecoderShape,
    codebook: String,
    softness: f64,
}

impl VcTask<'_> {
    fn card(
        &self,
        data: Vec<crate::learn::head::Data>,
        speakers: &SpeakerModel,
        validation: f64,
    ) -> DecoderCard {
        let voices = self.clips.train.iter().map(|clip| &clip.voice);
        DecoderCard {
            shape: self.shape,
            softness: self.args.softness,
            codebook: self.codebook.clone(),
            speaker: speakers.identity().clone(),
            data,
            steps: self.args.learning.steps,
            seconds: voices.map(|voice| seconds(std::slice::from_ref(voice))).sum(),
            validation,
            seed: self.args.learning.seed,
            created_by: concat!("awaaz ", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    /// The loss of `batch` stretches of `clips`.
    fn of(
        &self,
        params: &dyn Params,
        clips: &[Clip],
        batch: usize,
        random: &mut fastrand::Rng,
    ) -> Result<Tensor> {
        let frames = self.args.learning.frames;
        let (mut inputs, mut mels, mut speakers) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..batch {
            let clip = &clips[random.usize(..clips.len())];
            // Contents are of two frames.
            let start = random.usize(..=(clip.voice.frames() - frames) / 2) * 2;
            let pitch = &clip.voice.pitch[start..start + frames];
            let content = self.shape.content;
            let first = (start / 2 * content).min(clip.contents.len() - content);
            let end = (first + frames.div_ceil(2) * content).min(clip.contents.len());
            inputs.extend(self.shape.inputs_of(&clip.contents[first..end], pitch)?);
            mels.extend_from_slice(&clip.voice.mel[start * MEL.mels..(start + frames) * MEL.mels]);
            speakers.extend_from_slice(&clip.speaker);
        }
        let device = Device::Cpu;
        let x = Tensor::from_vec(inputs, (batch, frames, self.shape.inputs()), &device)?;
        let target = Tensor::from_vec(mels, (batch, frames, MEL.mels), &device)?;
        let speakers = Tensor::from_vec(speakers, (batch, self.shape.speaker), &device)?;
        let network = self.shape.network(params)?;
        let found = network.forward(&x, Some(&speakers), Dropout::None)?;
        let far = (network.normalised(&found)? - network.normalised(&target)?)?;
        Ok(far.abs()?.mean_all()?)
    }
}

impl Task for VcTask<'_> {
    type What = VcRun;

    fn what(&self) -> VcRun {
        VcRun { decoder: self.shape, codebook: self.codebook.clone(), softness: self.args.softness }
    }

    fn clips(&self) -> usize {
        self.clips.train.len()
    }

    fn loss(&self, params: &dyn Params, random: &mut fastrand::Rng) -> Result<Tensor> {
        self.of(params, &self.clips.train, self.args.learning.batch, random)
    }

    fn validation(&self, params: &dyn Params) -> Result<f64> {
        let mut random = fastrand::Rng::with_seed(1);
        let loss = self.of(params, &self.clips.held_out, VALIDATION, &mut random)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }
}
