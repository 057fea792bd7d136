//! What was measured.

use serde::Serialize;

use super::protocol::{Protocol, Tested, by_themselves};
use crate::Result;
use crate::cli::probe_args::Probe;
use crate::corpus::datasets::Classes;
use crate::learn::{By, Dataset};
use crate::score::bootstrap::Bootstrap;
use crate::score::classification::Confusion;

/// Shares of the tested corpus that are added to the others.
const SHARES: [f64; 6] = [0.0, 0.1, 0.2, 0.4, 0.6, 0.8];
/// Steps of the power iteration that finds an axis.
const ITERATIONS: usize = 100;

/// Everything.
#[derive(Serialize)]
pub struct Report {
    pub program: &'static str,
    pub model: String,
    pub seeds: u64,
    pub folds: usize,
    pub systems: Vec<System>,
}

/// Features and a classifier, with the classes told apart.
#[derive(Serialize)]
pub struct System {
    pub name: String,
    /// `emotion` or `valence`.
    pub task: &'static str,
    pub labels: &'static [&'static str],
    pub corpora: Vec<CorpusSize>,
    pub within: Vec<Folds>,
    pub across: Vec<Transfer>,
    pub from_others: Vec<Transfer>,
    pub with_some: Vec<WithSome>,
    pub projection: Vec<Point>,
}

#[derive(Serialize)]
pub struct CorpusSize {
    pub name: String,
    pub clips: usize,
    pub speakers: usize,
}

/// Folds of one corpus.
#[derive(Serialize)]
pub struct Folds {
    pub corpus: String,
    /// Mean and standard deviation of the UAR over all folds of all seeds, in percent.
    pub mean: f64,
    pub deviation: f64,
    /// UAR of all clips of the first seed together, with the interval when speakers are drawn.
    pub all: Percent,
    /// `[true, predicted]` of the first seed.
    pub confusion: Vec<Vec<u64>>,
}

/// From some corpora to another.
#[derive(Serialize)]
pub struct Transfer {
    pub from: String,
    pub to: String,
    pub uar: Percent,
    pub confusion: Vec<Vec<u64>>,
}

/// All others, and a share of the tested corpus.
#[derive(Serialize)]
pub struct WithSome {
    pub corpus: String,
    pub share: f64,
    pub mean: f64,
    pub deviation: f64,
}

/// A clip in two dimensions.
#[derive(Serialize)]
pub struct Point {
    pub corpus: usize,
    pub label: usize,
    pub x: f32,
    pub y: f32,
}

/// A figure in percent with the ends of its 95 % interval.
#[derive(Serialize, Clone, Copy)]
pub struct Percent {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Report {
    pub fn new(model: String, protocol: &Protocol) -> Self {
        let program = concat!("awaaz ", env!("CARGO_PKG_VERSION"));
        Self { program, model, seeds: protocol.seeds, folds: protocol.folds, systems: Vec::new() }
    }
}

impl System {
    /// Runs all protocols on corpora with their names.
    ///
    /// # Errors
    /// Those of fitting.
    pub fn measure(
        name: &str,
        classes: Classes,
        datasets: &[(String, Dataset)],
        protocol: &Protocol,
        probe: Probe,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let task = if classes == Classes::Valence { "valence" } else { "emotion" };
        let size = |(name, dataset): &(String, Dataset)| CorpusSize {
            name: name.clone(),
            clips: dataset.rows(),
            speakers: dataset.parts(By::Group).1.len(),
        };
        let mut system = Self {
            name: name.to_owned(),
            task,
            labels: classes.names(),
            corpora: datasets.iter().map(size).collect(),
            within: Vec::new(),
            across: Vec::new(),
            from_others: Vec::new(),
            with_some: Vec::new(),
            projection: projection(datasets)?,
        };
        for (corpus, dataset) in datasets {
            say(&format!("{task} within {corpus}"));
            system.within.push(within(corpus, dataset, protocol, probe)?);
        }
        for (to, test) in datasets {
            say(&format!("{task} from others to {to}"));
            let others: Vec<&(String, Dataset)> = datasets.iter().filter(|(name, _)| name != to).collect();
            for (from, train) in &others {
                let tested = protocol.across(&[train], test, probe)?;
                system.across.push(Transfer::of(from, to, test, &tested)?);
            }
            let all: Vec<&Dataset> = others.iter().map(|(_, dataset)| dataset).collect();
            let tested = protocol.across(&all, test, probe)?;
            system.from_others.push(Transfer::of("all others", to, test, &tested)?);
            for share in SHARES {
                let folds = protocol.with_some(&all, test, share, probe, 0)?;
                let (mean, deviation) = mean_and_deviation(&folds)?;
                system.with_some.push(WithSome { corpus: to.clone(), share, mean, deviation });
            }
        }
        Ok(system)
    }
}

fn within(corpus: &str, dataset: &Dataset, protocol: &Protocol, probe: Probe) -> Result<Folds> {
    let mut all = Vec::new();
    let mut first = None;
    for seed in 0..protocol.seeds {
        let folds = protocol.within(dataset, probe, seed)?;
        if first.is_none() {
            let rows = folds.iter().flat_map(|tested| tested.rows.iter().copied()).collect();
            first = Some(Tested { rows, classes: dataset.classes() });
        }
        all.extend(folds);
    }
    let (mean, deviation) = mean_and_deviation(&all)?;
    let first = first.unwrap_or(Tested { rows: Vec::new(), classes: dataset.classes() });
    Ok(Folds {
        corpus: corpus.to_owned(),
        mean,
        deviation,
        all: Percent::of(&first, dataset)?,
        confusion: counts(&first.confusion()?),
    })
}

impl Transfer {
    fn of(from: &str, to: &str, test: &Dataset, tested: &Tested) -> Result<Self> {
        Ok(Self {
            from: from.to_owned(),
            to: to.to_owned(),
            uar: Percent::of(tested, test)?,
            confusion: counts(&tested.confusion()?),
        })
    }
}

impl Percent {
    /// The UAR of clips of `dataset`, with its interval when speakers are drawn.
    fn of(tested: &Tested, dataset: &Dataset) -> Result<Self> {
        let speakers = dataset.parts(By::Group).0;
        let groups: Vec<usize> = tested.rows.iter().map(|&(row, ..)| speakers[row]).collect();
        let uar = |of: &[usize]| {
            let pairs = of.iter().map(|&at| (tested.rows[at].1, tested.rows[at].2));
            Confusion::new(tested.classes, pairs).map_or(0.0, |confusion| confusion.uar())
        };
        let interval = Bootstrap::default().of_groups(&groups, uar)?;
        Ok(Self { value: 100.0 * interval.value, low: 100.0 * interval.low, high: 100.0 * interval.high })
    }
}

fn mean_and_deviation(folds: &[Tested]) -> Result<(f64, f64)> {
    let scores =
        folds.iter().map(|tested| Ok(100.0 * tested.confusion()?.uar())).collect::<Result<Vec<f64>>>()?;
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    Ok((mean, variance.sqrt()))
}

fn counts(confusion: &Confusion) -> Vec<Vec<u64>> {
    let classes = 0..confusion.classes();
    classes.clone().map(|truth| classes.clone().map(|p| confusion.count(truth, p)).collect()).collect()
}

/// All clips on the two axes along which they differ most (PCA), each corpus standardised by itself.
fn projection(datasets: &[(String, Dataset)]) -> Result<Vec<Point>> {
    let all: Vec<&Dataset> = datasets.iter().map(|(_, dataset)| dataset).collect();
    let all = by_themselves(&all)?;
    let (corpora, _) = all.parts(By::Corpus);
    let mut axes: Vec<Vec<f64>> = Vec::new();
    let mut random = fastrand::Rng::with_seed(0);
    for _ in 0..2 {
        let mut axis: Vec<f64> = (0..all.width()).map(|_| random.f64() - 0.5).collect();
        for _ in 0..ITERATIONS {
            let mut next = vec![0.0; all.width()];
            for row in all.features() {
                let along = dot(row, &axis);
                next.iter_mut().zip(row).for_each(|(sum, &x)| *sum += along * f64::from(x));
            }
            for other in &axes {
                let along: f64 = next.iter().zip(other).map(|(a, b)| a * b).sum();
                next.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
            let length = next.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            axis = next.into_iter().map(|x| x / length).collect();
        }
        axes.push(axis);
    }
    let point = |(row, features): (usize, &[f32])| Point {
        corpus: corpora[row],
        label: all.labels()[row],
        x: dot(features, &axes[0]) as f32,
        y: dot(features, &axes[1]) as f32,
    };
    Ok(all.features().enumerate().map(point).collect())
}

fn dot(row: &[f32], axis: &[f64]) -> f64 {
    row.iter().zip(axis).map(|(&a, b)| f64::from(a) * b).sum()
}
