//! Arguments of the subcommands that learn from labelled text.

use clap::{Args, ValueEnum};

use super::values::{count, language};
use crate::text::dataset::{Example, Labels, Table};
use crate::text::train::TrainOptions;
use crate::text::{FeatureOptions, Letters};
use crate::{Error, Result};

/// What is read of labelled texts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct LabelArgs {
    /// Languages to read; others are left out [default: all].
    #[arg(long, value_name = "LANG,...", value_delimiter = ',', value_parser = language)]
    pub languages: Vec<String>,
    /// Labels that mean abuse; any other means that there is none.
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',')]
    pub abusive_labels: Vec<String>,
}

impl LabelArgs {
    /// The texts of a table that are asked for.
    ///
    /// # Errors
    /// Those of [`Table::read`].
    pub fn read(&self, table: &Table) -> Result<Vec<Example>> {
        let labels = match self.abusive_labels.is_empty() {
            true => Labels::Usual,
            false => Labels::Abusive(self.abusive_labels.clone()),
        };
        // A table of text without a language is in the one that was asked for.
        let alone = if let [only] = &self.languages[..] { only.as_str() } else { "und" };
        let mut examples = table.read(&labels)?;
        for example in examples.iter_mut().filter(|example| example.language == "und") {
            example.language = alone.to_owned();
        }
        examples.retain(|example| self.languages.is_empty() || self.languages.contains(&example.language));
        Ok(examples)
    }

    /// ` in hi, ta` where languages are asked for.
    pub fn among(&self) -> String {
        if self.languages.is_empty() { String::new() } else { format!(" in {}", self.languages.join(", ")) }
    }
}

/// How text becomes features.
#[derive(Debug, Args)]
#[command(next_help_heading = "Features")]
pub struct FeatureArgs {
    /// In which letters n-grams are taken: as written, as they sound in Latin letters, or both.
    #[arg(long, value_name = "WHICH", default_value = "both")]
    pub letters: Which,
    /// Characters of the shortest and the longest n-gram.
    #[arg(long, value_name = "N-N", default_value_t = default_grams())]
    pub ngrams: String,
    /// Features, a byte each in the file; n-grams with the same hash share one.
    #[arg(
        long,
        value_name = "N",
        default_value_t = FeatureOptions::default().buckets as usize,
        value_parser = count::<1, 1_000_000_000>
    )]
    pub buckets: usize,
}

/// In which letters n-grams are taken of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// As they are written.
    Own,
    /// As they sound, in Latin letters.
    Latin,
    /// Both.
    Both,
}

fn default_grams() -> String {
    let FeatureOptions { shortest, longest, .. } = FeatureOptions::default();
    format!("{shortest}-{longest}")
}

impl FeatureArgs {
    /// The options.
    ///
    /// # Errors
    /// [`Error::Setting`] where the lengths of n-grams are none.
    pub fn options(&self) -> Result<FeatureOptions> {
        let lengths = self.ngrams.split_once('-').and_then(|(shortest, longest)| {
            Some((shortest.trim().parse().ok()?, longest.trim().parse().ok()?))
        });
        let Some((shortest, longest)) = lengths else {
            let reason = format!("--ngrams {}: give two lengths, such as 1-5", self.ngrams);
            return Err(Error::Setting(reason));
        };
        let letters = match self.letters {
            Which::Own => Letters::Own,
            Which::Latin => Letters::Latin,
            Which::Both => Letters::Both,
        };
        Ok(FeatureOptions { letters, shortest, longest, buckets: self.buckets as u32 })
    }
}

/// How a classifier learns.
#[derive(Debug, Args)]
#[command(next_help_heading = "Learning")]
pub struct LearnArgs {
    /// What an error costs against large weights.
    #[arg(long, value_name = "C", default_value_t = TrainOptions::default().cost)]
    pub cost: f64,
    /// Passes over the texts at most.
    #[arg(
        long,
        value_name = "N",
        default_value_t = TrainOptions::default().passes,
        value_parser = count::<1, 10_000>
    )]
    pub passes: usize,
    /// The order of the texts hangs on it.
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().seed)]
    pub seed: u64,
}

impl LearnArgs {
    /// The options, with these features.
    pub fn options(&self, features: FeatureOptions) -> TrainOptions {
        TrainOptions { features, cost: self.cost, passes: self.passes, seed: self.seed }
    }
}

/// `1 text`, `2 texts`.
pub fn told(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
