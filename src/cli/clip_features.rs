//! A vector of features for each labelled clip of a corpus, computed once and kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use clap::{Args, ValueEnum};

use super::model_args::{ModelArgs, Talk};
use super::stop::Stop;
use crate::compute::{Precision, Threads};
use crate::corpus::datasets::{Classes, Content, Layout, Record, Split};
use crate::dsp::egemaps::{NAMES, egemaps};
use crate::dsp::pool::{Pool, pool};
use crate::learn::head::{self, ATTENTION, Card, Layers};
use crate::learn::{Clips, Dataset, Example};
use crate::models::encoder::Encoder;
use crate::models::encoding::side_by_side;
use crate::output::{Progress, write_whole};
use crate::time::SampleRate;
use crate::weights::{PullOptions, text_digest};
use crate::{Error, Result};

/// Clips between two lines on how far a run is.
const CLIPS_A_LINE: usize = 100;
/// Changes with what features are.
const FORMAT: &str = "awaaz clip features, format 1";

/// Arguments that say what a clip's features are.
#[derive(Debug, Clone, Args)]
pub struct ClipFeatureArgs {
    /// The model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Hidden states that are heard: 0 enters the first layer, 1 leaves it, and so on. Features of several follow one another.
    #[arg(long, value_name = "K|K-K", default_value = "1-3", help_heading = "Features")]
    pub layers: LayerRange,
    /// Seconds that are encoded at least, silence after the clip included. Live, Whisper hears 15 s at least.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, help_heading = "Features")]
    pub least_seconds: f64,
    /// Do not keep features for the next run.
    #[arg(long, help_heading = "Features")]
    pub no_feature_cache: bool,
}

/// The argument of one pooling.
#[derive(Debug, Clone, Args)]
pub struct PoolArgs {
    /// How frames become one vector: mean, l2-mean or mean-std.
    #[arg(long, value_name = "POOL", default_value = "mean-std", value_parser = pooling, help_heading = "Features")]
    pub pool: Pool,
}

/// Features that clips have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Hidden states of the model, pooled.
    Encoder,
    /// The 88 functionals of eGeMAPS v02.
    Egemaps,
    /// Both.
    Both,
}

/// Layers from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerRange {
    first: usize,
    last: usize,
}

impl LayerRange {
    fn layers(self) -> Vec<usize> {
        (self.first..=self.last).collect()
    }
}

impl std::str::FromStr for LayerRange {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self { first, last }),
            _ => Err("give a layer (3) or the first and the last of some (1-3)".into()),
        }
    }
}

/// A pooling that gives one vector.
///
/// # Errors
/// What there is, where it is another.
pub fn pooling(name: &str) -> std::result::Result<Pool, String> {
    match name.parse()? {
        Pool::None => Err("features of a clip are one vector: mean, l2-mean or mean-std".into()),
        pool => Ok(pool),
    }
}

/// What makes features of clips.
pub struct ClipFeatures<'a> {
    args: &'a ClipFeatureArgs,
    kind: Kind,
    pool: Pool,
    encoder: Option<Box<dyn Encoder>>,
    threads: Threads,
    /// Where each kind of them is kept.
    folders: Vec<(Kind, Option<PathBuf>)>,
    stop: &'a Stop,
}

impl<'a> ClipFeatures<'a> {
    /// Loads what is needed.
    ///
    /// # Errors
    /// Those of the model; [`Error::Setting`] for layers that it does not have.
    pub fn open(args: &'a ClipFeatureArgs, kind: Kind, pool: Pool, stop: &'a Stop) -> Result<Self> {
        let threads = args.model.pool()?;
        let precision = args.model.precision_or(Precision::F32);
        let (mut encoder, mut identity) = (None, String::new());
        if kind != Kind::Egemaps {
            let loaded = args.model.load_encoder(precision, &threads, Talk::Stderr, stop)?;
            loaded.check_layer(args.layers.last)?;
            identity = format!(
                "{}\n{:?} {} {}",
                args.model.identity(precision, Talk::Quiet, stop)?,
                args.layers,
                pool,
                args.least_seconds
            );
            encoder = Some(loaded);
        }
        let parts = match kind {
            Kind::Both => vec![Kind::Encoder, Kind::Egemaps],
            one => vec![one],
        };
        let cache = PullOptions::from_env()?.cache.join("features");
        let folder = |kind: Kind| {
            let identity = if kind == Kind::Encoder { identity.as_str() } else { "" };
            let digest = text_digest(&format!("{FORMAT}\n{kind:?}\n{identity}")).to_string();
            (!args.no_feature_cache).then(|| cache.join(&digest[..16]))
        };
        let folders = parts.into_iter().map(|kind| (kind, folder(kind))).collect();
        Ok(Self { args, kind, pool, encoder, threads, folders, stop })
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.folders.iter().map(|(kind, _)| self.width_of(*kind)).sum()
    }

    fn width_of(&self, kind: Kind) -> usize {
        match &self.encoder {
            Some(encoder) if kind == Kind::Encoder => {
                self.pool.width(encoder.width()) * self.args.layers.layers().len()
            }
            _ => NAMES.len(),
        }
    }

    /// Layers whose features follow one another; 0 where they are not of layers alone.
    pub fn layers(&self) -> usize {
        if self.kind == Kind::Encoder { self.args.layers.layers().len() } else { 0 }
    }

    /// What they are of.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Encoder => self.args.model.model.clone(),
            Kind::Egemaps => "egemaps".into(),
            Kind::Both => format!("{} and egemaps", self.args.model.model),
        }
    }

    /// `card` with what it says of features.
    pub fn described(&self, card: Card) -> Card {
        let name = self.name();
        let with_states = self.kind != Kind::Egemaps;
        Card {
            encoder: Some(head::Encoder { name, sha256: None }),
            layers: with_states.then(|| match self.args.layers.layers()[..] {
                [only] => Layers::One(only),
                ref several => Layers::Mix(several.to_vec()),
            }),
            pooling: with_states.then(|| match self.pool {
                Pool::None => ATTENTION.to_owned(),
                pool => pool.to_string(),
            }),
            least_seconds: if with_states { self.args.least_seconds } else { 0.0 },
            ..card
        }
    }

    /// The clips of `corpora` whose labels are of `classes`, with their features.
    ///
    /// # Errors
    /// Those of the clips; [`Error::Corpus`] where none has such a label; [`Error::Interrupted`].
    pub fn dataset(&self, corpora: &[Corpus], classes: Classes, progress: &mut Progress) -> Result<Dataset> {
        let mut features = Vec::new();
        let examples = self.collect(corpora, classes, progress, &mut |values| features.extend(values))?;
        Dataset::new(features, self.width(), classes.names().len(), examples)
    }

    /// The same where frames are not pooled: their frames, `[frames, layers, width]`, and a data set whose one feature is the
    /// number of a clip.
    ///
    /// # Errors
    /// As [`dataset`](Self::dataset).
    pub fn clips(
        &self,
        corpora: &[Corpus],
        classes: Classes,
        progress: &mut Progress,
    ) -> Result<(Clips, Dataset)> {
        let (width, layers) = (self.width(), self.layers().max(1));
        let mut frames = Vec::new();
        let mut take = |values: Vec<f32>| frames.push(side_by_side(&values, layers, width / layers));
        let examples = self.collect(corpora, classes, progress, &mut take)?;
        let numbers = (0..examples.len()).map(|clip| clip as f32).collect();
        Ok((Clips::new(frames, width)?, Dataset::new(numbers, 1, classes.names().len(), examples)?))
    }

    /// Gives `take` the features of each clip whose label is of `classes`, and returns what is known of them.
    fn collect(
        &self,
        corpora: &[Corpus],
        classes: Classes,
        progress: &mut Progress,
        take: &mut dyn FnMut(Vec<f32>),
    ) -> Result<Vec<Example>> {
        let mut examples = Vec::new();
        for corpus in corpora {
            let labelled = corpus.labelled(classes)?;
            let total = labelled.len();
            for (done, (record, label)) in labelled.into_iter().enumerate() {
                if self.stop.is_requested() {
                    return Err(Error::Interrupted);
                }
                if done > 0 && done % CLIPS_A_LINE == 0 {
                    progress.say(&format!("{}: features of {done} of {total} clips", corpus.name));
                }
                take(self.of(record)?);
                examples.push(Example {
                    label,
                    group: record.group().to_owned(),
                    corpus: corpus.name.clone(),
                    language: record.language.clone().unwrap_or_default(),
                });
            }
        }
        Ok(examples)
    }

    /// The features of a clip; where they are not pooled, those of all frames, layer by layer.
    fn of(&self, record: &Record) -> Result<Vec<f32>> {
        let mut features = Vec::with_capacity(self.width());
        for (kind, folder) in &self.folders {
            let kept = folder.as_deref().and_then(|folder| kept_at(folder, record));
            if let Some(values) = kept.as_ref().and_then(|path| self.read(path, *kind)) {
                features.extend(values);
                continue;
            }
            let values = self.compute(record, *kind)?;
            if let Some(path) = kept {
                keep(&path, &values)?;
            }
            features.extend(values);
        }
        Ok(features)
    }

    /// What is kept at `path`, if it is whole.
    fn read(&self, path: &Path, kind: Kind) -> Option<Vec<f32>> {
        let width = self.width_of(kind);
        match self.pool {
            Pool::None => read_values(path, None).filter(|values| values.len().is_multiple_of(width)),
            _ => read_values(path, Some(width)),
        }
    }

    fn compute(&self, record: &Record, kind: Kind) -> Result<Vec<f32>> {
        let samples = record.samples()?;
        match &self.encoder {
            Some(encoder) if kind == Kind::Encoder => {
                let ClipFeatureArgs { layers, least_seconds, .. } = self.args;
                self.threads
                    .run(|| states(encoder.as_ref(), &samples, &layers.layers(), self.pool, *least_seconds))
            }
            _ => Ok(self.threads.run(|| egemaps(&samples)).to_vec()),
        }
    }
}

/// The pooled hidden states of a clip: of each of `layers` in turn, over the frames of the clip itself.
fn states(
    encoder: &dyn Encoder,
    samples: &[f32],
    layers: &[usize],
    pooling: Pool,
    least: f64,
) -> Result<Vec<f32>> {
    let least = (least * f64::from(SampleRate::PIPELINE.0)) as usize;
    let longest = encoder.longest().unwrap_or(usize::MAX);
    let frames = samples.len().min(longest).div_ceil(encoder.hop());
    let mut heard = samples[..samples.len().min(longest)].to_vec();
    heard.resize(heard.len().max(least.min(longest)), 0.0);
    let mut values = Vec::new();
    for state in encoder.encode_layers(&heard, layers)? {
        let state = state.narrow(0, 0, frames.min(state.dim(0)?))?;
        values.extend(pool(state.flatten_all()?.to_vec1()?, encoder.width(), pooling));
    }
    Ok(values)
}

/// Where the features of a record are kept in `folder`; none of one that is no file.
pub(super) fn kept_at(folder: &Path, record: &Record) -> Option<PathBuf> {
    let Content::File(path) = &record.content else { return None };
    let file = fs::metadata(path).ok()?;
    let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    let path = fs::canonicalize(path).ok()?;
    let digest = text_digest(&format!("{}\n{}\n{changed}", path.display(), file.len())).to_string();
    Some(folder.join(&digest[..2]).join(format!("{}.f32", &digest[2..32])))
}

/// Keeps features for the next run.
pub(super) fn keep(path: &Path, values: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write_whole(path, &bytes)
}

/// The values of a file that was kept: so many, where that is known, and never a part of one.
pub(super) fn read_values(path: &Path, width: Option<usize>) -> Option<Vec<f32>> {
    let is_whole = |bytes: &Vec<u8>| match width {
        Some(width) => bytes.len() == 4 * width,
        None => !bytes.is_empty() && bytes.len().is_multiple_of(4),
    };
    let bytes = fs::read(path).ok().filter(is_whole)?;
    Some(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

/// A corpus, read.
pub struct Corpus {
    /// Its name, which is that of its layout, or of a manifest's folder.
    pub name: String,
    path: PathBuf,
    records: Vec<Record>,
}

impl Corpus {
    /// The corpus at `path`.
    ///
    /// # Errors
    /// Those of its layout.
    pub fn read(path: &Path) -> Result<Self> {
        let layout = Layout::detect(path)?;
        let name = match layout {
            Layout::Manifest => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            known => known.to_string(),
        };
        Ok(Self { name, path: path.to_path_buf(), records: layout.read(path)?.collect::<Result<_>>()? })
    }

    /// Those of its records that are in `part`, under the same name.
    pub fn part(&self, part: Split) -> Self {
        let records = self.records.iter().filter(|record| record.split == Some(part)).cloned().collect();
        Self { name: self.name.clone(), path: self.path.clone(), records }
    }

    /// All records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records with a label of `classes`, and its number.
    ///
    /// # Errors
    /// [`Error::Corpus`] where there is none, with the labels that there are.
    pub fn labelled(&self, classes: Classes) -> Result<Vec<(&Record, usize)>> {
        let class = |record: &'_ Record| classes.class(&record.label);
        let labelled: Vec<_> =
            self.records.iter().filter_map(|record| class(record).map(|label| (record, label))).collect();
        if labelled.is_empty() {
            let mut found: Vec<&str> = self.records.iter().map(|record| record.label.as_str()).collect();
            found.sort_unstable();
            found.dedup();
            found.truncate(10);
            return Err(Error::corpus(
                &self.path,
                format!("expected labels among {}, found {}", classes.names().join(", "), found.join(", ")),
            ));
        }
        Ok(labelled)
    }
}
