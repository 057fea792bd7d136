//! Logistic regression on the few examples, alone or beside those of other languages: what a few-shot learner has to beat.

use super::super::classifier::Classifier;
use super::super::dataset::Dataset;
use super::super::logistic::{Logistic, LogisticOptions};
use super::{FewShot, same_form};
use crate::Result;

/// A probe that is fitted anew to every support.
#[derive(Debug, Clone)]
pub struct Probe {
    /// How to fit.
    pub options: LogisticOptions,
    /// Examples of other languages that it is fitted to as well.
    pub beside: Option<Dataset>,
}

impl FewShot for Probe {
    fn adapt(&self, support: &Dataset) -> Result<Box<dyn Classifier>> {
        let Some(beside) = &self.beside else {
            return Ok(Box::new(Logistic::fit(support, &self.options)?));
        };
        same_form(support, beside.width(), beside.classes())?;
        Ok(Box::new(Logistic::fit(&beside.with(support)?, &self.options)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::clouds;
    use crate::learn::fewshot::{Shots, evaluate};

    #[test]
    fn other_languages_help_where_classes_lie_alike() {
        let dataset = clouds(600, 20, 3, 0.5, 1);
        let beside: Vec<usize> = (0..600).filter(|&row| dataset.example(row).language == "ta").collect();
        let beside = Some(dataset.subset(&beside).unwrap());
        let accuracy = |beside: Option<Dataset>| {
            let probe = Probe { options: LogisticOptions::default(), beside };
            let found = evaluate(&probe, &dataset, "hi", Shots { support: 2, query: 20 }, 10, 1).unwrap();
            found.iter().map(|confusion| confusion.accuracy()).sum::<f64>() / 10.0
        };
        let (alone, beside) = (accuracy(None), accuracy(beside));
        assert!(alone > 0.5 && beside > alone, "{alone} alone, {beside} beside others");
    }

    #[test]
    fn other_forms_are_refused() {
        let probe = Probe { options: LogisticOptions::default(), beside: Some(clouds(30, 3, 2, 1.0, 1)) };
        assert!(probe.adapt(&clouds(30, 4, 2, 1.0, 1)).is_err());
        assert!(probe.adapt(&clouds(30, 3, 3, 1.0, 1)).is_err());
        assert!(probe.adapt(&clouds(30, 3, 2, 1.0, 1)).is_ok());
    }
}
