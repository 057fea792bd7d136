//! How much an example of each class counts.

use super::dataset::Dataset;
use crate::{Error, Result};

/// How much an example counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClassWeights {
    /// 1, whatever its class.
    Equal,
    /// Less, the more there are of its class, so that all classes count the same: `rows / (classes * rows of the class)`.
    #[default]
    Balanced,
}

impl ClassWeights {
    /// The weight of an example of each class.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are not two classes, or one has no example.
    pub fn of(self, dataset: &Dataset) -> Result<Vec<f64>> {
        let counts = dataset.class_counts();
        if counts.len() < 2 {
            return Err(Error::Setting(
                "there is only one class; a classifier tells at least two apart".into(),
            ));
        }
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            return Err(Error::Setting(format!(
                "class {class} has no example to learn from; use fewer folds, or leave the class out"
            )));
        }
        let balanced = |&count: &usize| dataset.rows() as f64 / (counts.len() * count) as f64;
        Ok(match self {
            Self::Equal => vec![1.0; counts.len()],
            Self::Balanced => counts.iter().map(balanced).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::examples;

    #[test]
    fn balanced_classes_count_the_same() {
        let rows = examples(&[(0, "a", "hi"), (1, "a", "hi"), (1, "a", "hi"), (1, "a", "hi")]);
        let dataset = Dataset::new(vec![0.0; 4], 1, 2, rows).unwrap();
        assert_eq!(ClassWeights::Balanced.of(&dataset).unwrap(), [2.0, 2.0 / 3.0]);
        assert_eq!(ClassWeights::Equal.of(&dataset).unwrap(), [1.0, 1.0]);
        let error = ClassWeights::Equal.of(&dataset.subset(&[1, 2]).unwrap()).unwrap_err().to_string();
        assert!(error.contains("class 0 has no example"), "{error}");
    }
}
