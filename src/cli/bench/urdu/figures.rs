//! What was measured.

use serde::Serialize;

use crate::Result;
use crate::cli::bench::heads::figures::{Percent, Point, counts, mean_and_deviation, projection};
use crate::cli::bench::heads::protocol::{Protocol, Tested, by_themselves};
use crate::corpus::datasets::Classes;
use crate::learn::{By, Dataset};
use crate::score::classification::Confusion;

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

impl Report {
    pub fn new(model: String, seeds: u64, folds: usize) -> Self {
        let program = concat!("awaaz ", env!("CARGO_PKG_VERSION"));
        Self { program, model, seeds, folds, systems: Vec::new() }
    }
}

impl System {
    /// Runs all protocols on corpora with their names; `shares` of the tested corpus are added to the others.
    ///
    /// # Errors
    /// Those of fitting.
    pub fn measure(
        name: &str,
        classes: Classes,
        datasets: &[(String, Dataset)],
        protocol: &Protocol,
        shares: &[f64],
        say: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let task = if classes == Classes::Valence { "valence" } else { "emotion" };
        let size = |(name, dataset): &(String, Dataset)| CorpusSize {
            name: name.clone(),
            clips: dataset.rows(),
            speakers: dataset.parts(By::Group).1.len(),
        };
        let all: Vec<&Dataset> = datasets.iter().map(|(_, dataset)| dataset).collect();
        let mut system = Self {
            name: name.to_owned(),
            task,
            labels: classes.names(),
            corpora: datasets.iter().map(size).collect(),
            within: Vec::new(),
            across: Vec::new(),
            from_others: Vec::new(),
            with_some: Vec::new(),
            projection: projection(&by_themselves(&all)?, By::Corpus),
        };
        for (corpus, dataset) in datasets {
            say(&format!("{task} within {corpus}"));
            system.within.push(within(corpus, dataset, protocol)?);
        }
        for (to, test) in datasets {
            say(&format!("{task} from others to {to}"));
            let others: Vec<&(String, Dataset)> = datasets.iter().filter(|(name, _)| name != to).collect();
            for (from, train) in &others {
                let tested = protocol.across(&[train], test)?;
                system.across.push(Transfer::of(from, to, test, &tested)?);
            }
            let all: Vec<&Dataset> = others.iter().map(|(_, dataset)| dataset).collect();
            let tested = protocol.across(&all, test)?;
            system.from_others.push(Transfer::of("all others", to, test, &tested)?);
            for &share in shares {
                let folds = protocol.with_some(&all, test, share, 0)?;
                let (mean, deviation) = mean_and_deviation(&uars(&folds)?);
                system.with_some.push(WithSome { corpus: to.clone(), share, mean, deviation });
            }
        }
        Ok(system)
    }
}

fn within(corpus: &str, dataset: &Dataset, protocol: &Protocol) -> Result<Folds> {
    let mut all = Vec::new();
    let mut first = None;
    for seed in 0..protocol.seeds {
        let folds = protocol.within(dataset, seed)?;
        if first.is_none() {
            let rows = folds.iter().flat_map(|tested| tested.rows.iter().copied()).collect();
            first = Some(Tested { rows, classes: dataset.classes() });
        }
        all.extend(folds);
    }
    let (mean, deviation) = mean_and_deviation(&uars(&all)?);
    let first = first.unwrap_or(Tested { rows: Vec::new(), classes: dataset.classes() });
    Ok(Folds {
        corpus: corpus.to_owned(),
        mean,
        deviation,
        all: Percent::of_speakers(&first, dataset, Confusion::uar)?,
        confusion: counts(&first.confusion()?),
    })
}

impl Transfer {
    fn of(from: &str, to: &str, test: &Dataset, tested: &Tested) -> Result<Self> {
        Ok(Self {
            from: from.to_owned(),
            to: to.to_owned(),
            uar: Percent::of_speakers(tested, test, Confusion::uar)?,
            confusion: counts(&tested.confusion()?),
        })
    }
}

/// The UAR of each, in percent.
fn uars(folds: &[Tested]) -> Result<Vec<f64>> {
    folds.iter().map(|tested| Ok(100.0 * tested.confusion()?.uar())).collect()
}
