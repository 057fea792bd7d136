//! `awaaz bench units`: what units tell of phones, how many bits they take, and what is left in them of who speaks.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::audio::{AudioInput, AudioStream, DecodeOptions};
use crate::cli::Exit;
use crate::cli::inputs::expand;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::stop::Stop;
use crate::cli::unit_args::UnitMaker;
use crate::cli::values::count;
use crate::convert::units::quality::{BitRate, Joint, bit_rate};
use crate::corpus::festvox::{self, Utterance, phone_at};
use crate::dsp::pool::{Pool, pool};
use crate::learn::folds::{Fold, Order, stratified};
use crate::learn::standardise::Standardiser;
use crate::learn::{By, Classifier, Dataset, Example, Logistic, LogisticOptions};
use crate::output::Progress;
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench units --codebook units.safetensors --phones /usr/share/festival/voices/russian/msu_ru_nsh_clunits
  awaaz bench units --codebook units.safetensors --speakers librispeech/test-other vctk --json

--phones is a voice of Festival: wav/ID.wav and lab/ID.lab (Debian: festvox-ru). Phone purity is the share of frames that have
the most frequent phone of their unit, cluster purity that of frames that have the most frequent unit of their phone, and
PNMI the share of what there is to know of a frame's phone that its unit tells (HuBERT, section V-B); all at the phones of
--phones, silence included. --speakers has a folder for each speaker, or names that begin with the speaker and - or _. A
logistic regression learns the speakers from four fifths of the clips and is asked for the rest: once from the encoder's
frames, their mean and deviation, once from how often a clip has each unit.";

/// Clips between two lines on how far a run is.
const CLIPS_A_LINE: usize = 50;
/// Folds of the clips of all speakers.
const FOLDS: usize = 5;

/// Measure what units tell of phones and of speakers, and their bit rate.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct UnitsArgs {
    /// The codebook.
    #[arg(long, value_name = "FILE")]
    codebook: PathBuf,
    /// A voice of Festival, with phones.
    #[arg(long, value_name = "DIR", required_unless_present = "speakers")]
    phones: Option<PathBuf>,
    /// Clips of several speakers, several of each.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    speakers: Vec<PathBuf>,
    /// Recordings of --phones that are heard at most, evenly spread over all.
    #[arg(long, value_name = "N", value_parser = count::<1, 10_000_000>)]
    most: Option<usize>,
    /// Seed of the folds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write the figures as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Serialize)]
struct Figures {
    encoder: String,
    layer: usize,
    /// Clusters of each part.
    k: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phones: Option<Phones>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speakers: Option<Speakers>,
}

/// What units of all parts together tell of phones.
#[derive(Serialize)]
struct Phones {
    recordings: usize,
    frames: u64,
    used_units: usize,
    phone_purity: f64,
    cluster_purity: f64,
    pnmi: f64,
    phone_entropy: f64,
    bits_a_second: BitRate,
}

#[derive(Serialize)]
struct Speakers {
    clips: usize,
    speakers: usize,
    /// Shares of clips whose speaker was told.
    chance: f64,
    from_frames: f64,
    from_units: f64,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the codebook and the model; [`Error::Interrupted`].
pub fn run(args: &UnitsArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let maker = UnitMaker::open(&args.codebook, &args.model, talk, &stop)?;
    let mut bench = Bench { maker: &maker, progress: &mut progress, stop: &stop };
    let phones = match &args.phones {
        Some(folder) => Some(bench.phones(folder, args.most)?),
        None => None,
    };
    let speakers = match args.speakers.is_empty() {
        false => Some(bench.speakers(&args.speakers, args.seed)?),
        true => None,
    };
    let card = maker.codebook.card();
    let figures = Figures {
        encoder: card.encoder.name.clone(),
        layer: card.layer,
        k: maker.codebook.parts().iter().map(|part| part.clusters()).collect(),
        phones,
        speakers,
    };
    let text = match args.json {
        true => serde_json::to_string(&figures).map_err(|error| Error::io("stdout", error.into()))? + "\n",
        false => table(&figures),
    };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

struct Bench<'a> {
    maker: &'a UnitMaker,
    progress: &'a mut Progress,
    stop: &'a Stop,
}

impl Bench<'_> {
    fn frames(&self, audio: &Path) -> Result<Vec<f32>> {
        if self.stop.is_requested() {
            return Err(Error::Interrupted);
        }
        let input = AudioInput::File(audio.to_path_buf());
        self.maker.frames(&AudioStream::open(input, &DecodeOptions::default())?.read_all()?)
    }

    fn tell(&mut self, done: usize, of: usize) {
        if done > 0 && done.is_multiple_of(CLIPS_A_LINE) {
            self.progress.say(&format!("heard {done} of {of}"));
        }
    }

    fn phones(&mut self, folder: &Path, most: Option<usize>) -> Result<Phones> {
        let all = festvox::read(folder)?;
        let step = most.map_or(1, |most| all.len().div_ceil(most));
        let utterances: Vec<Utterance> = all.into_iter().step_by(step).collect();
        let (mut numbers, mut tuples) = (Numbers::default(), Numbers::default());
        let (mut frames, mut sequences) = (Vec::new(), Vec::new());
        let hop = self.maker.codebook.hop_seconds();
        let centre = SampleIndex(self.maker.codebook.card().centre as u64).seconds();
        for (done, utterance) in utterances.iter().enumerate() {
            self.tell(done, utterances.len());
            let parts = self.maker.units(&self.frames(&utterance.audio)?);
            let units = tuples.of_tuples(&parts);
            for (frame, &unit) in units.iter().enumerate() {
                if let Some(phone) = phone_at(&utterance.phones, centre + frame as f64 * hop) {
                    frames.push((numbers.of(phone.to_owned()) as usize, unit));
                }
            }
            sequences.push(units);
        }
        let joint = Joint::of(frames);
        Ok(Phones {
            recordings: utterances.len(),
            frames: joint.frames(),
            used_units: joint.used_units(),
            phone_purity: joint.phone_purity(),
            cluster_purity: joint.cluster_purity(),
            pnmi: joint.normalised_mutual_information(),
            phone_entropy: joint.phone_entropy(),
            bits_a_second: bit_rate(&sequences, hop),
        })
    }

    fn speakers(&mut self, folders: &[PathBuf], seed: u64) -> Result<Speakers> {
        let mut clips = Vec::new();
        for folder in folders {
            for input in expand(std::slice::from_ref(folder)) {
                let input = input?;
                clips.push((speaker_of(&input.relative), input.path));
            }
        }
        let mut numbers = Numbers::default();
        let (mut examples, mut pooled, mut histograms) = (Vec::new(), Vec::new(), Vec::new());
        for (done, (speaker, path)) in clips.iter().enumerate() {
            self.tell(done, clips.len());
            let frames = self.frames(path)?;
            histograms.extend(self.histogram(&self.maker.units(&frames)));
            pooled.extend(pool(frames, self.maker.codebook.width(), Pool::MeanStd));
            let label = numbers.of(speaker.clone()) as usize;
            // A group of its own, so that clips of one speaker are on both sides.
            let group = path.display().to_string();
            examples.push(Example { label, group, corpus: String::new(), language: String::new() });
        }
        let (count, speakers) = (examples.len(), numbers.count());
        let accuracy = |features: Vec<f32>| {
            let width = features.len() / count.max(1);
            self.accuracy(Dataset::new(features, width, speakers, examples.clone())?, seed)
        };
        let mut most = vec![0_usize; speakers];
        examples.iter().for_each(|example| most[example.label] += 1);
        let chance = most.into_iter().max().unwrap_or(0) as f64 / count.max(1) as f64;
        let (from_frames, from_units) = (accuracy(pooled)?, accuracy(histograms)?);
        Ok(Speakers { clips: count, speakers, chance, from_frames, from_units })
    }

    /// How often a clip has each unit of each part.
    fn histogram(&self, units: &[Vec<u32>]) -> Vec<f32> {
        let shares = |(part, units): (&crate::convert::units::Part, &Vec<u32>)| {
            let mut shares = vec![0.0; part.clusters()];
            units.iter().for_each(|&unit| shares[unit as usize] += 1.0 / units.len() as f32);
            shares
        };
        self.maker.codebook.parts().iter().zip(units).flat_map(shares).collect()
    }

    /// The share of clips whose speaker a regression tells that never heard them.
    fn accuracy(&self, dataset: Dataset, seed: u64) -> Result<f64> {
        let mut right = 0;
        for Fold { train, test } in stratified(&dataset, FOLDS, Order::Shuffled(seed))? {
            if self.stop.is_requested() {
                return Err(Error::Interrupted);
            }
            let (train, test) = (dataset.subset(&train)?, dataset.subset(&test)?);
            let scale = Standardiser::fit(&train, By::All);
            let model = Logistic::fit(&scale.apply(&train)?, &LogisticOptions::default())?;
            let told = model.predict_all(&scale.apply(&test)?)?;
            right += told.iter().zip(test.labels()).filter(|(told, label)| told == label).count();
        }
        Ok(right as f64 / dataset.rows() as f64)
    }
}

/// The first folder of a clip's path, or what its name begins with.
fn speaker_of(relative: &Path) -> String {
    let mut parts = relative.components();
    let first = parts.next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    match parts.next() {
        Some(_) => first,
        None => first.split(['-', '_', '.']).next().unwrap_or_default().to_owned(),
    }
}

/// Numbers of names, in the order in which they come.
struct Numbers<T>(HashMap<T, u32>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: std::hash::Hash + Eq> Numbers<T> {
    fn of(&mut self, name: T) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(name).or_insert(next)
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

impl Numbers<Vec<u32>> {
    /// A unit for each frame: of several parts, one for each tuple of theirs.
    fn of_tuples(&mut self, parts: &[Vec<u32>]) -> Vec<u32> {
        match parts {
            [only] => only.clone(),
            _ => {
                let frames = parts.first().map_or(0, Vec::len);
                (0..frames).map(|frame| self.of(parts.iter().map(|part| part[frame]).collect())).collect()
            }
        }
    }
}

fn table(figures: &Figures) -> String {
    let k: Vec<String> = figures.k.iter().map(usize::to_string).collect();
    let mut text = format!("{}, layer {}, {} clusters\n", figures.encoder, figures.layer, k.join(" + "));
    if let Some(phones) = &figures.phones {
        let BitRate { frames, given_last, runs, runs_a_second } = phones.bits_a_second;
        text += &format!(
            "{} recordings, {} frames, {} units in use\nphone purity    {:.3}\ncluster purity  {:.3}\nPNMI            {:.3} of {:.2} bits\n\
             bits a second   {frames:.0} frame by frame, {given_last:.0} given the last, {runs:.0} of {runs_a_second:.1} runs\n",
            phones.recordings,
            phones.frames,
            phones.used_units,
            phones.phone_purity,
            phones.cluster_purity,
            phones.pnmi,
            phones.phone_entropy,
        );
    }
    if let Some(speakers) = &figures.speakers {
        text += &format!(
            "{} clips of {} speakers; the speaker is told of\n  {:.1} % by chance\n  {:.1} % from frames\n  {:.1} % from units\n",
            speakers.clips,
            speakers.speakers,
            100.0 * speakers.chance,
            100.0 * speakers.from_frames,
            100.0 * speakers.from_units
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_or_names_tell_the_speaker() {
        for (path, speaker) in [
            ("p227/p227_005.flac", "p227"),
            ("103-1240-0000.flac", "103"),
            ("SM1_F10.wav", "SM1"),
            ("ann.wav", "ann"),
        ] {
            assert_eq!(speaker_of(Path::new(path)), speaker);
        }
    }

    #[test]
    fn tuples_of_units_count_as_units() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.of_tuples(&[vec![5, 6, 5]]), [5, 6, 5]);
        assert_eq!(numbers.of_tuples(&[vec![5, 6, 5], vec![1, 1, 1]]), [0, 1, 0]);
    }
}
