//! What features are brought to one scale over.

use clap::ValueEnum;

use crate::Error;
use crate::Result;
use crate::learn::standardise::{Moments, Standardiser};
use crate::learn::{By, Dataset};

/// Whose clips have a mean and deviation of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scale {
    /// All clips together.
    All,
    /// Each corpus, for corpora that were recorded in different ways.
    Corpus,
    /// Each language.
    Language,
    /// Each speaker, of whom several clips must be there.
    Speaker,
}

impl Scale {
    /// What is standardised by itself, for the names of tables; nothing of all together.
    pub fn told(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Corpus => ", by corpus",
            Self::Language => ", by language",
            Self::Speaker => ", by speaker",
        }
    }

    /// The clips on their scales. No labels are needed.
    ///
    /// # Errors
    /// Those of [`Standardiser::apply`].
    pub fn apply(self, dataset: &Dataset) -> Result<Dataset> {
        let by = match self {
            Self::All => By::All,
            Self::Corpus => By::Corpus,
            Self::Language => By::Language,
            Self::Speaker => By::Group,
        };
        Standardiser::fit(dataset, by).apply(dataset)
    }
}

/// The moments of all clips together, to which a head brings clips of which it knows nothing else.
///
/// # Errors
/// [`Error::Setting`] where there are no clips.
pub fn moments(dataset: &Dataset) -> Result<Moments> {
    let whole = Standardiser::fit(dataset, By::All);
    whole.moments("all").cloned().ok_or_else(|| Error::Setting("there are no clips".into()))
}
