//! Feature vectors with what is known of each: its class, who speaks, and which corpus and language it is from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Error, Result};

/// What is known of one row of features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its class, counted from 0.
    pub label: usize,
    /// Who speaks, or whatever else must not be on both sides of a split. One name in two corpora is two groups.
    pub group: String,
    /// The data set that it is from.
    pub corpus: String,
    /// What is spoken.
    pub language: String,
}

/// What rows have in common that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// All rows together.
    All,
    /// Rows of one corpus.
    Corpus,
    /// Rows of one language.
    Language,
    /// Rows of one corpus and language.
    Domain,
    /// Rows of one group, which is most often a speaker.
    Group,
}

/// Features `[rows, width]` and their examples. Subsets share the features of the whole; cloning copies none of them.
#[derive(Debug, Clone)]
pub struct Dataset {
    whole: Arc<Whole>,
    /// Which rows of the whole these are.
    rows: Vec<usize>,
    labels: Vec<usize>,
}

#[derive(Debug)]
struct Whole {
    features: Vec<f32>,
    width: usize,
    classes: usize,
    examples: Vec<Example>,
}

impl Dataset {
    /// Features `[examples.len(), width]`, row by row, of labels under `classes`.
    ///
    /// # Errors
    /// [`Error::Setting`] where the numbers of features and examples do not fit, there are none, a label is not under
    /// `classes`, or a feature is not finite.
    pub fn new(features: Vec<f32>, width: usize, classes: usize, examples: Vec<Example>) -> Result<Self> {
        let refused = |reason: String| Err(Error::Setting(reason));
        if examples.is_empty() || width == 0 {
            return refused(format!(
                "{} examples of {width} features; there is nothing to learn",
                examples.len()
            ));
        }
        if examples.len().checked_mul(width) != Some(features.len()) {
            return refused(format!(
                "{} features are not {} examples of {width}",
                features.len(),
                examples.len()
            ));
        }
        if let Some(row) = examples.iter().position(|example| example.label >= classes) {
            return refused(format!("example {row} is of class {}, of {classes}", examples[row].label));
        }
        if let Some(at) = features.iter().position(|value| !value.is_finite()) {
            return refused(format!("feature {} of example {} is not finite", at % width, at / width));
        }
        let whole = Whole { features, width, classes, examples };
        let labels = whole.examples.iter().map(|example| example.label).collect();
        Ok(Self { rows: (0..whole.examples.len()).collect(), whole: Arc::new(whole), labels })
    }

    /// Number of examples.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of features of an example.
    pub fn width(&self) -> usize {
        self.whole.width
    }

    /// Number of classes, whether or not each has an example.
    pub fn classes(&self) -> usize {
        self.whole.classes
    }

    /// The features of one example.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.whole.features[self.rows[row] * self.whole.width..][..self.whole.width]
    }

    /// The features of every example, in their order.
    pub fn features(&self) -> impl ExactSizeIterator<Item = &[f32]> + Clone {
        (0..self.rows()).map(|row| self.row(row))
    }

    /// The class of every example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// What is known of one example.
    pub fn example(&self, row: usize) -> &Example {
        &self.whole.examples[self.rows[row]]
    }

    /// Number of examples of every class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes()];
        self.labels.iter().for_each(|&label| counts[label] += 1);
        counts
    }

    /// The examples in `rows`, in that order; a row may be there more than once.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are none, or a row is not of this data set.
    pub fn subset(&self, rows: &[usize]) -> Result<Self> {
        if let Some(row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(Error::Setting(format!("row {row} of {} examples", self.rows())));
        }
        if rows.is_empty() {
            return Err(Error::Setting("a part of the examples has none; there is nothing to learn".into()));
        }
        let labels = rows.iter().map(|&row| self.labels[row]).collect();
        let rows = rows.iter().map(|&row| self.rows[row]).collect();
        Ok(Self { whole: Arc::clone(&self.whole), rows, labels })
    }

    /// These examples, then those of `other`.
    ///
    /// # Errors
    /// [`Error::Setting`] where the width or the number of classes is another.
    pub fn with(&self, other: &Self) -> Result<Self> {
        if (self.width(), self.classes()) != (other.width(), other.classes()) {
            return Err(Error::Setting(format!(
                "{} features of {} classes cannot be put beside {} of {}",
                other.width(),
                other.classes(),
                self.width(),
                self.classes()
            )));
        }
        let features = self.features().chain(other.features()).flatten().copied().collect();
        let examples = |of: &Self| (0..of.rows()).map(|row| of.example(row).clone()).collect::<Vec<_>>();
        Self::new(features, self.width(), self.classes(), [examples(self), examples(other)].concat())
    }

    /// A number for every row that is the same where rows belong together, counted from 0 as they first come, and the
    /// number's name.
    pub fn parts(&self, by: By) -> (Vec<usize>, Vec<String>) {
        let mut numbers = BTreeMap::new();
        let mut names = Vec::new();
        let mut part = |example: &Example| {
            let name = name(example, by);
            *numbers.entry(name.clone()).or_insert_with(|| {
                names.push(name);
                names.len() - 1
            })
        };
        let parts = (0..self.rows()).map(|row| part(self.example(row))).collect();
        (parts, names)
    }

    /// The same examples with other features, `[rows, width]`.
    ///
    /// # Errors
    /// [`Error::Setting`] where their number does not fit, or one is not finite.
    pub fn with_features(&self, features: Vec<f32>, width: usize) -> Result<Self> {
        let examples = (0..self.rows()).map(|row| self.example(row).clone()).collect();
        Self::new(features, width, self.classes(), examples)
    }
}

fn name(example: &Example, by: By) -> String {
    let Example { group, corpus, language, .. } = example;
    match by {
        By::All => "all".into(),
        By::Corpus => corpus.clone(),
        By::Language => language.clone(),
        By::Domain => format!("{corpus}/{language}"),
        By::Group => format!("{corpus}/{group}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Examples of one corpus from labels, groups and languages.
    pub fn examples(rows: &[(usize, &str, &str)]) -> Vec<Example> {
        let example = |&(label, group, language): &(usize, &str, &str)| Example {
            label,
            group: group.into(),
            corpus: "made-up".into(),
            language: language.into(),
        };
        rows.iter().map(example).collect()
    }

    /// A normally distributed number, as a sum of twelve.
    pub fn normal(random: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
    }

    /// `rows` points of `classes` around centres that are `apart`, of five speakers and two languages.
    pub fn clouds(rows: usize, width: usize, classes: usize, apart: f64, seed: u64) -> Dataset {
        let mut random = fastrand::Rng::with_seed(seed);
        let centres: Vec<f64> = (0..classes * width).map(|_| apart * normal(&mut random)).collect();
        let mut features = Vec::new();
        let mut examples = Vec::new();
        for row in 0..rows {
            let label = row % classes;
            let point = &centres[label * width..][..width];
            features.extend(point.iter().map(|centre| (centre + normal(&mut random)) as f32));
            examples.push(Example {
                label,
                group: format!("s{}", row / classes % 5),
                corpus: "made-up".into(),
                language: ["hi", "ta"][row / classes % 2].into(),
            });
        }
        Dataset::new(features, width, classes, examples).unwrap()
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let two = examples(&[(0, "a", "hi"), (1, "b", "hi")]);
        struct Case {
            features: Vec<f32>,
            width: usize,
            classes: usize,
            says: &'static str,
        }
        let cases = [
            Case { features: vec![0.0; 4], width: 3, classes: 2, says: "4 features are not 2 examples of 3" },
            Case { features: vec![0.0; 4], width: 2, classes: 1, says: "example 1 is of class 1, of 1" },
            Case { features: vec![], width: 0, classes: 2, says: "nothing to learn" },
            Case { features: vec![0.0; 4], width: usize::MAX, classes: 2, says: "are not 2 examples" },
            Case {
                features: vec![0.0, 1.0, 2.0, f32::NAN],
                width: 2,
                classes: 2,
                says: "feature 1 of example 1 is not finite",
            },
        ];
        for case in cases {
            let error = Dataset::new(case.features, case.width, case.classes, two.clone()).unwrap_err();
            assert!(error.to_string().contains(case.says), "{error}");
        }
        assert!(Dataset::new(vec![], 2, 2, vec![]).is_err());
        let dataset = Dataset::new(vec![0.0; 4], 2, 2, two).unwrap();
        assert!(dataset.subset(&[2]).is_err() && dataset.subset(&[]).is_err());
    }

    #[test]
    fn subsets_keep_rows_with_their_examples() {
        let rows = examples(&[(0, "a", "hi"), (1, "b", "ta"), (1, "a", "ta")]);
        let dataset = Dataset::new(vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5], 2, 2, rows).unwrap();
        let subset = dataset.subset(&[2, 0]).unwrap();
        assert_eq!(subset.features().flatten().copied().collect::<Vec<_>>(), [2.0, 2.5, 0.0, 0.5]);
        assert_eq!(subset.subset(&[1]).unwrap().row(0), [0.0, 0.5]);
        assert_eq!((subset.labels(), subset.class_counts()), (&[1, 0][..], vec![1, 1]));
        assert_eq!(dataset.parts(By::Group).0, [0, 1, 0]);
        assert_eq!(dataset.parts(By::Language), (vec![0, 1, 1], vec!["hi".into(), "ta".into()]));
        assert_eq!(subset.parts(By::Domain).1, ["made-up/ta", "made-up/hi"]);
    }

    #[test]
    fn speakers_of_one_name_in_two_corpora_are_two() {
        let mut rows = examples(&[(0, "03", "de"), (1, "03", "de")]);
        rows[1].corpus = "other".into();
        let dataset = Dataset::new(vec![0.0; 2], 1, 2, rows).unwrap();
        assert_eq!(dataset.parts(By::Group), (vec![0, 1], vec!["made-up/03".into(), "other/03".into()]));
    }
}
