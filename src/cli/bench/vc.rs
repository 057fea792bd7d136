//! `awaaz bench vc`: how good voice conversion is, between speakers whom the decoder never heard.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::cli::Exit;
use crate::cli::convert::Whose;
use crate::cli::convert::judge::{Judge, Words, errors};
use crate::cli::convert::parts::{PartArgs, Parts};
use crate::cli::model_args::Talk;
use crate::cli::stop::Stop;
use crate::cli::train::records;
use crate::cli::values::count;
use crate::convert::converter::{Manner, Target};
use crate::corpus::datasets::Record;
use crate::output::{Progress, write_whole};
use crate::score::Edits;
use crate::score::bootstrap::{Bootstrap, Interval};
use crate::speaker::{cosine, speech_of};
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench vc --data librispeech/test-other --decoder vc.safetensors
  awaaz bench vc --data librispeech/test-other --decoder vc.safetensors --pairs 30 --pitch keep --out figures.json

Of each speaker some clips are recordings of the voice, the others are converted; pairs of speakers are drawn, and a clip for
each. A sound is nearer to the target where the cosine of GE2E's vectors is greater to the target's recordings than to those of
the source's speaker. Word errors are of Whisper, against what it hears of the source. Rows are the conversion, the source's own
frames through the vocoder (copy synthesis: what the vocoder leaves), the source as it is (no conversion), and another clip of
the target. Intervals are of 95 %, from draws of source speakers.";

/// Tell how good voice conversion is.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct VcArgs {
    /// Corpora whose speakers are known; no decoder should have heard them.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Pairs of a source and a target.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = count::<1, 100_000>)]
    pairs: usize,
    /// Clips of each speaker that are recordings of the voice.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = count::<1, 1000>)]
    references: usize,
    /// Whose pitch is spoken.
    #[arg(long, value_name = "WHOSE", default_value = "target")]
    pitch: Whose,
    /// Draws of speakers for intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = count::<1, 1_000_000>)]
    draws: usize,
    /// Seed of pairs and of the noise in voices.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write the figures, also of each pair, as JSON into this file.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    parts: PartArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// A speaker: what the voice is known by, and clips to be converted.
struct Speaker {
    target: Target,
    clips: Vec<Record>,
}

/// What was heard of a sound of a pair.
#[derive(Debug, Clone, Serialize)]
struct Heard {
    pair: usize,
    source: String,
    target: String,
    clip: String,
    to_target: f64,
    to_source: f64,
    /// None where words are not the source's.
    word_errors: Option<usize>,
    words: usize,
    seconds: f64,
    /// Seconds that it took to make.
    took: f64,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    nearer: Bounds,
    to_target: Bounds,
    to_source: Bounds,
    word_errors: Option<Bounds>,
    real_time_factor: Option<f64>,
    heard: Vec<Heard>,
}

/// A figure and its interval.
#[derive(Serialize)]
struct Bounds {
    value: f64,
    low: f64,
    high: f64,
}

impl From<Interval> for Bounds {
    fn from(Interval { value, low, high }: Interval) -> Self {
        Self { value, low, high }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the models and the settings; [`Error::Interrupted`].
pub fn run(args: &VcArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let parts = args.parts.load(talk, &stop)?;
    let judge = Judge::load(&args.parts.model, talk, &stop)?;
    let speakers = speakers(args, &parts)?;
    let mut bench = Bench { args, parts: &parts, judge: &judge, speakers: &speakers, said: BTreeMap::new() };
    let pairs = bench.pairs()?;
    let mut rows: [Vec<Heard>; 4] = Default::default();
    for (number, pair) in pairs.iter().enumerate() {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        for (row, heard) in rows.iter_mut().zip(bench.of(number, pair)?) {
            row.push(heard);
        }
        if (number + 1) % 10 == 0 {
            progress.say(&format!("{} of {} pairs", number + 1, pairs.len()));
        }
    }
    let bootstrap = Bootstrap { draws: args.draws, ..Bootstrap::default() };
    let rows = NAMES.into_iter().zip(rows).map(|(name, heard)| row(name, heard, &bootstrap));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    if let Some(path) = &args.out {
        let json = serde_json::to_string_pretty(&rows).map_err(|error| Error::io(path, error.into()))?;
        write_whole(path, json.as_bytes())?;
    }
    let text = table(&rows, pairs.len(), speakers.len());
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

const NAMES: [&str; 4] = ["simple decoder", "copy synthesis", "no conversion", "another clip of the target"];

/// Speakers with clips left to be converted.
fn speakers(args: &VcArgs, parts: &Parts) -> Result<BTreeMap<String, Speaker>> {
    let mut clips: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for (corpus, path) in args.data.iter().enumerate() {
        for record in records(path)? {
            clips.entry(format!("{corpus}/{}", record.group())).or_default().push(record);
        }
    }
    clips.retain(|_, clips| clips.len() > args.references);
    if clips.len() < 2 {
        let reason = format!("two speakers with more than {} clips are needed", args.references);
        return Err(Error::Setting(reason));
    }
    let speaker = |(name, mut clips): (String, Vec<Record>)| {
        clips.sort_by(|a, b| a.id.cmp(&b.id));
        let rest = clips.split_off(args.references);
        let speech = clips.iter().map(|clip| speech_of(&clip.samples()?)).collect::<Result<Vec<_>>>()?;
        Ok((name, Speaker { target: parts.target_of(&speech)?, clips: rest }))
    };
    clips.into_iter().map(speaker).collect()
}

struct Bench<'a> {
    args: &'a VcArgs,
    parts: &'a Parts,
    judge: &'a Judge<'a>,
    speakers: &'a BTreeMap<String, Speaker>,
    /// What was heard of clips as they are.
    said: BTreeMap<String, Words>,
}

/// Whose clip becomes whose voice.
struct Pair<'a> {
    source: &'a str,
    target: &'a str,
    clip: &'a Record,
    /// Of the target.
    other: &'a Record,
}

impl<'a> Bench<'a> {
    /// Pairs of different speakers, each as often as the others.
    fn pairs(&self) -> Result<Vec<Pair<'a>>> {
        let names: Vec<&String> = self.speakers.keys().collect();
        let mut all: Vec<(&String, &String)> = Vec::new();
        for &source in &names {
            all.extend(names.iter().filter(|&&target| target != source).map(|&target| (source, target)));
        }
        let mut random = fastrand::Rng::with_seed(self.args.seed);
        random.shuffle(&mut all);
        let pair = |&(source, target): &(&'a String, &'a String)| {
            let (clips, others) = (&self.speakers[source].clips, &self.speakers[target].clips);
            let (clip, other) = (&clips[random.usize(..clips.len())], &others[random.usize(..others.len())]);
            Pair { source, target, clip, other }
        };
        Ok(all.iter().cycle().take(self.args.pairs).map(pair).collect())
    }

    /// What is heard of the pair's sounds, in the order of [`NAMES`].
    fn of(&mut self, number: usize, pair: &Pair) -> Result<[Heard; 4]> {
        let source = pair.clip.samples()?;
        let said = match self.said.get(&pair.clip.id) {
            Some(said) => said.clone(),
            None => {
                let said = self.judge.words(&source, None)?;
                self.said.insert(pair.clip.id.clone(), said.clone());
                said
            }
        };
        let seed = self.args.seed;
        let target = &self.speakers[pair.target].target;
        let manner = Manner { target, pitch: self.args.pitch.into(), seed };
        let (started, mut converted) = (Instant::now(), Vec::new());
        self.parts.converter.convert(&mut &source[..], manner, &mut |samples| {
            converted.extend_from_slice(samples);
            Ok(())
        })?;
        let took = started.elapsed().as_secs_f64();
        let copied = self.parts.converter.copy_synthesis(&source, seed)?;
        let words_of = |sound: &[f32]| {
            let heard = self.judge.words(sound, Some(&said.language))?;
            Ok::<_, Error>(Some(errors(&said, &heard)))
        };
        Ok([
            self.heard(number, pair, &converted, words_of(&converted)?, took)?,
            self.heard(number, pair, &copied, words_of(&copied)?, 0.0)?,
            self.heard(number, pair, &source, Some(errors(&said, &said)), 0.0)?,
            self.heard(number, pair, &pair.other.samples()?, None, 0.0)?,
        ])
    }

    fn heard(
        &self,
        number: usize,
        pair: &Pair,
        sound: &[f32],
        edits: Option<Edits>,
        took: f64,
    ) -> Result<Heard> {
        let vector = self.parts.speakers.vector(sound)?;
        let alike = |name: &str| f64::from(cosine(&vector, &self.speakers[name].target.vector));
        Ok(Heard {
            pair: number,
            source: pair.source.to_owned(),
            target: pair.target.to_owned(),
            clip: pair.clip.id.clone(),
            to_target: alike(pair.target),
            to_source: alike(pair.source),
            word_errors: edits.map(|edits| edits.errors()),
            words: edits.map_or(0, |edits| edits.reference_len()),
            seconds: SampleIndex(sound.len() as u64).seconds(),
            took,
        })
    }
}

fn row(name: &'static str, heard: Vec<Heard>, bootstrap: &Bootstrap) -> Result<Row> {
    let mut names: Vec<&str> = heard.iter().map(|heard| heard.source.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let place = |heard: &Heard| names.iter().position(|&name| name == heard.source).unwrap_or(0);
    let groups: Vec<usize> = heard.iter().map(place).collect();
    let mean = |of: &(dyn Fn(&Heard) -> f64 + Sync)| {
        bootstrap.of_groups(&groups, |rows| {
            rows.iter().map(|&row| of(&heard[row])).sum::<f64>() / rows.len().max(1) as f64
        })
    };
    let words = heard.iter().all(|heard| heard.word_errors.is_some()).then(|| {
        bootstrap.of_groups(&groups, |rows| {
            let errors: usize = rows.iter().filter_map(|&row| heard[row].word_errors).sum();
            let words: usize = rows.iter().map(|&row| heard[row].words).sum();
            errors as f64 / words.max(1) as f64
        })
    });
    let (took, seconds) = (
        heard.iter().map(|heard| heard.took).sum::<f64>(),
        heard.iter().map(|heard| heard.seconds).sum::<f64>(),
    );
    Ok(Row {
        name,
        nearer: mean(&|heard| f64::from(u8::from(heard.to_target > heard.to_source)))?.into(),
        to_target: mean(&|heard| heard.to_target)?.into(),
        to_source: mean(&|heard| heard.to_source)?.into(),
        word_errors: words.transpose()?.map(Bounds::from),
        real_time_factor: (took > 0.0).then(|| took / seconds.max(1e-3)),
        heard,
    })
}

fn table(rows: &[Row], pairs: usize, speakers: usize) -> String {
    let share = |bounds: &Bounds| {
        format!("{:.1} % ({:.1} to {:.1})", 100.0 * bounds.value, 100.0 * bounds.low, 100.0 * bounds.high)
    };
    let cosine = |bounds: &Bounds| format!("{:.3} ({:.3} to {:.3})", bounds.value, bounds.low, bounds.high);
    let mut text = format!("{pairs} pairs of {speakers} speakers\n\n");
    text += "| | nearer to the target | cosine to the target | to the source | word errors | real-time factor |\n";
    text += "|---|---|---|---|---|---|\n";
    for row in rows {
        let words = row.word_errors.as_ref().map_or_else(|| "–".into(), share);
        let factor = row.real_time_factor.map_or_else(|| "–".into(), |factor| format!("{factor:.2}"));
        text += &format!(
            "| {} | {} | {} | {} | {words} | {factor} |\n",
            row.name,
            share(&row.nearer),
            cosine(&row.to_target),
            cosine(&row.to_source)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(source: &str, to_target: f64, word_errors: Option<usize>) -> Heard {
        Heard {
            pair: 0,
            source: source.into(),
            target: "t".into(),
            clip: "c".into(),
            to_target,
            to_source: 0.5,
            word_errors,
            words: 10,
            seconds: 2.0,
            took: 1.0,
        }
    }

    #[test]
    fn figures_are_means_over_pairs_and_words_are_summed() {
        let all = vec![heard("a", 0.9, Some(1)), heard("a", 0.4, Some(3)), heard("b", 0.8, Some(2))];
        let row = row("simple decoder", all, &Bootstrap::default()).unwrap();
        assert!((row.nearer.value - 2.0 / 3.0).abs() < 1e-12 && (row.to_target.value - 0.7).abs() < 1e-12);
        assert!((row.word_errors.as_ref().unwrap().value - 0.2).abs() < 1e-12);
        assert_eq!(row.real_time_factor, Some(0.5));
        assert!(row.nearer.low <= row.nearer.value && row.nearer.value <= row.nearer.high);
        let text = table(&[row], 3, 2);
        assert!(text.contains("| simple decoder | 66.7 % (") && text.contains("20.0 % ("), "{text}");
        assert!(
            super::row("x", vec![heard("a", 0.9, None)], &Bootstrap::default())
                .unwrap()
                .word_errors
                .is_none()
        );
    }
}
