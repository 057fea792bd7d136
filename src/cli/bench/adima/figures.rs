//! What was measured.

use serde::Serialize;

use super::few_shot::{FewShotRow, few_shot};
use super::published::{Published, published};
use super::{Settings, Split};
use crate::Result;
use crate::cli::bench::heads::figures::{Percent, Point, counts, projection};
use crate::cli::bench::heads::protocol::Tested;
use crate::learn::standardise::Standardiser;
use crate::learn::{By, Dataset};
use crate::score::classification::Confusion;

/// Everything.
#[derive(Serialize)]
pub struct Report {
    pub program: &'static str,
    pub model: String,
    /// What the data says of itself where it is not ADIMA but made up.
    pub synthetic: Option<String>,
    pub labels: &'static [&'static str],
    pub languages: Vec<LanguageSize>,
    pub systems: Vec<System>,
    pub published: Vec<Published>,
}

#[derive(Serialize)]
pub struct LanguageSize {
    pub name: String,
    /// Clips that are not abusive and those that are, to train with.
    pub train: Vec<usize>,
    /// The same to test with.
    pub test: Vec<usize>,
}

/// Features and a classifier.
#[derive(Serialize)]
pub struct System {
    pub name: String,
    pub pooling: String,
    /// Learnt and tested on one language each.
    pub monolingual: Vec<Scored>,
    /// Learnt from all other languages.
    pub zero_shot: Vec<Scored>,
    /// From each language to each.
    pub matrix: Vec<Scored>,
    pub few_shot: Vec<FewShotRow>,
    /// The languages that points are of.
    pub parts: Vec<String>,
    pub projection: Vec<Point>,
}

/// A language's test part.
#[derive(Serialize, Clone)]
pub struct Scored {
    pub from: String,
    pub to: String,
    pub accuracy: Percent,
    pub macro_f1: Percent,
    pub confusion: Vec<Vec<u64>>,
}

impl Report {
    /// A report of nothing yet.
    ///
    /// # Errors
    /// Those of the published figures.
    pub fn new(
        model: String,
        synthetic: Option<String>,
        labels: &'static [&'static str],
        split: &Split,
    ) -> Result<Self> {
        let language = |name: &String| {
            Ok(LanguageSize {
                name: name.clone(),
                train: of_language(&split.train, name)?.class_counts(),
                test: of_language(&split.test, name)?.class_counts(),
            })
        };
        Ok(Self {
            program: concat!("awaaz ", env!("CARGO_PKG_VERSION")),
            model,
            synthetic,
            labels,
            languages: split.languages.iter().map(language).collect::<Result<_>>()?,
            systems: Vec::new(),
            published: published()?,
        })
    }
}

impl System {
    /// Runs all protocols.
    ///
    /// # Errors
    /// Those of fitting.
    pub fn measure(
        name: &str,
        pooling: &str,
        split: &Split,
        settings: &Settings<'_>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let mut system = Self {
            name: name.to_owned(),
            pooling: pooling.to_owned(),
            monolingual: Vec::new(),
            zero_shot: Vec::new(),
            matrix: Vec::new(),
            few_shot: Vec::new(),
            parts: split.test.parts(By::Language).1,
            projection: projection(
                &Standardiser::fit(&split.test, By::All).apply(&split.test)?,
                By::Language,
            ),
        };
        for from in &split.languages {
            say(&format!("from {from}"));
            let train = of_language(&split.train, from)?;
            for to in &split.languages {
                let scored = Scored::measure(from, to, &train, &of_language(&split.test, to)?, settings)?;
                if from == to {
                    system.monolingual.push(scored.clone());
                }
                system.matrix.push(scored);
            }
        }
        for to in &split.languages {
            say(&format!("from all others to {to}"));
            let test = of_language(&split.test, to)?;
            let train = other_languages(&split.train, to)?;
            system.zero_shot.push(Scored::measure("all others", to, &train, &test, settings)?);
        }
        system.few_shot = few_shot(split, settings, say)?;
        Ok(system)
    }
}

impl Scored {
    fn measure(
        from: &str,
        to: &str,
        train: &Dataset,
        test: &Dataset,
        settings: &Settings<'_>,
    ) -> Result<Self> {
        settings.check()?;
        let (train, test) = settings.scaled(train, test)?;
        let model = settings.fitting.fit(&train, settings.seed)?;
        let predicted = model.classifier().predict_all(&test)?;
        let rows = test.labels().iter().zip(predicted).enumerate();
        let rows = rows.map(|(row, (&truth, predicted))| (row, truth, predicted)).collect();
        let tested = Tested { rows, classes: test.classes() };
        Ok(Self {
            from: from.to_owned(),
            to: to.to_owned(),
            accuracy: Percent::of_speakers(&tested, &test, Confusion::accuracy)?,
            macro_f1: Percent::of_speakers(&tested, &test, Confusion::macro_f1)?,
            confusion: counts(&tested.confusion()?),
        })
    }
}

/// The clips of one language.
///
/// # Errors
/// [`crate::Error::Setting`] where there are none.
pub fn of_language(dataset: &Dataset, language: &str) -> Result<Dataset> {
    let rows: Vec<usize> =
        (0..dataset.rows()).filter(|&row| dataset.example(row).language == language).collect();
    dataset.subset(&rows)
}

/// The clips of all languages but one.
///
/// # Errors
/// [`crate::Error::Setting`] where there are none.
pub fn other_languages(dataset: &Dataset, language: &str) -> Result<Dataset> {
    let rows: Vec<usize> =
        (0..dataset.rows()).filter(|&row| dataset.example(row).language != language).collect();
    dataset.subset(&rows)
}
