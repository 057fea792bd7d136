//! How heads are trained and tested.

use crate::cli::probe_args::Fitting;
use crate::cli::stop::Stop;
use crate::learn::folds::{Fold, Order, stratified};
use crate::learn::standardise::Standardiser;
use crate::learn::{By, Dataset};
use crate::score::classification::Confusion;
use crate::{Error, Result};

/// Settings of all protocols.
pub struct Protocol<'a> {
    /// Ways to cut a corpus into folds.
    pub seeds: u64,
    /// Folds of each way.
    pub folds: usize,
    /// The classifier.
    pub fitting: &'a Fitting,
    /// Whether to stop.
    pub stop: &'a Stop,
}

/// True and predicted classes of rows that were tested.
pub struct Tested {
    /// `(row, true class, predicted class)`.
    pub rows: Vec<(usize, usize, usize)>,
    /// Number of classes.
    pub classes: usize,
}

impl Tested {
    /// The counts.
    ///
    /// # Errors
    /// Those of [`Confusion::new`].
    pub fn confusion(&self) -> Result<Confusion> {
        Confusion::new(self.classes, self.rows.iter().map(|&(_, truth, predicted)| (truth, predicted)))
    }
}

impl Protocol<'_> {
    /// Folds of one corpus, speakers apart; features are standardised by the training part.
    ///
    /// # Errors
    /// Those of the folds and of fitting.
    pub fn within(&self, dataset: &Dataset, seed: u64) -> Result<Vec<Tested>> {
        let test = |Fold { train, test }: &Fold| {
            self.check()?;
            let (train, rows) = (dataset.subset(train)?, test);
            let test = dataset.subset(rows)?;
            let standard = Standardiser::fit(&train, By::All);
            self.tested(self.fitting, &standard.apply(&train)?, &standard.apply(&test)?, rows, seed)
        };
        self.cut(dataset, seed)?.iter().map(test).collect()
    }

    /// A head of `train`, tested on all of `test`; each corpus is standardised by itself, which needs no labels.
    ///
    /// # Errors
    /// Those of fitting.
    pub fn across(&self, train: &[&Dataset], test: &Dataset) -> Result<Tested> {
        self.check()?;
        let train = by_themselves(train)?;
        let rows: Vec<usize> = (0..test.rows()).collect();
        self.tested(self.fitting, &train, &by_themselves(&[test])?, &rows, 0)
    }

    /// Folds of `test`, of the rest of which `share` of all its clips is added to `train`.
    ///
    /// # Errors
    /// As [`Protocol::within`].
    pub fn with_some(
        &self,
        train: &[&Dataset],
        test: &Dataset,
        share: f64,
        seed: u64,
    ) -> Result<Vec<Tested>> {
        let others = by_themselves(train)?;
        let own = by_themselves(&[test])?;
        // What suits the others suits them with a share of one more, and choosing takes many fits.
        let fitting = self.fitting.chosen(&others, seed)?;
        let tested = |Fold { train, test: rows }: &Fold| {
            self.check()?;
            let mut rest = train.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut rest);
            rest.truncate((share * test.rows() as f64).round() as usize);
            let train = match rest.is_empty() {
                true => others.clone(),
                false => others.with(&own.subset(&rest)?)?,
            };
            self.tested(&fitting, &train, &own.subset(rows)?, rows, seed)
        };
        self.cut(test, seed)?.iter().map(tested).collect()
    }

    fn cut(&self, dataset: &Dataset, seed: u64) -> Result<Vec<Fold>> {
        let speakers = dataset.parts(By::Group).1.len();
        stratified(dataset, self.folds.min(speakers), Order::Shuffled(seed))
    }

    fn tested(
        &self,
        fitting: &Fitting,
        train: &Dataset,
        test: &Dataset,
        rows: &[usize],
        seed: u64,
    ) -> Result<Tested> {
        let model = fitting.fit(train, seed)?;
        let predicted = model.classifier().predict_all(test)?;
        let rows = rows.iter().zip(test.labels()).zip(predicted);
        Ok(Tested {
            rows: rows.map(|((&row, &truth), predicted)| (row, truth, predicted)).collect(),
            classes: test.classes(),
        })
    }

    fn check(&self) -> Result<()> {
        if self.stop.is_requested() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Corpora together, each standardised by itself.
pub fn by_themselves(datasets: &[&Dataset]) -> Result<Dataset> {
    let mut all: Option<Dataset> = None;
    for dataset in datasets {
        let standard = Standardiser::fit(dataset, By::All).apply(dataset)?;
        all = Some(match all {
            Some(all) => all.with(&standard)?,
            None => standard,
        });
    }
    all.ok_or_else(|| Error::Setting("there is no corpus to learn from".into()))
}
