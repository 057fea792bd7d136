//! Splits that keep every group, most often a speaker, on one side.
//!
//! Stratified folds are those of scikit-learn's `StratifiedGroupKFold`: groups, those whose classes are least even first, go
//! to the fold where the classes' shares then differ least between folds.

use super::dataset::{By, Dataset};
use crate::{Error, Result};

/// Rows to train with and rows to test with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Sorted.
    pub train: Vec<usize>,
    /// Sorted.
    pub test: Vec<usize>,
}

/// In which order groups are taken whose classes are equally even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they first come.
    Given,
    /// At random; the same seed gives the same order.
    Shuffled(u64),
}

/// `folds` splits, in which each row is tested with once, groups stay whole, and classes are as even as groups allow.
///
/// # Errors
/// [`Error::Setting`] where there are fewer than two folds, or fewer groups than folds.
pub fn stratified(dataset: &Dataset, folds: usize, order: Order) -> Result<Vec<Fold>> {
    let (groups, names) = dataset.parts(By::Group);
    if folds < 2 || names.len() < folds {
        return Err(Error::Setting(format!(
            "{} groups cannot be cut into {folds} folds; use at least 2 folds and no more than there are groups",
            names.len()
        )));
    }
    let fold_of_group = assign(dataset, &groups, names.len(), folds, order);
    let part = groups.iter().map(|&group| fold_of_group[group]).collect::<Vec<_>>();
    Ok((0..folds).map(|fold| split(&part, fold)).collect())
}

/// A split for each part: with [`By::Group`] leave-one-speaker-out, with [`By::Language`] leave-one-language-out.
///
/// # Errors
/// [`Error::Setting`] where all rows are of one part.
pub fn leave_one_out(dataset: &Dataset, by: By) -> Result<Vec<(String, Fold)>> {
    let (parts, names) = dataset.parts(by);
    if names.len() < 2 {
        return Err(Error::Setting(format!(
            "all rows are of {}; none would be left to train with",
            names[0]
        )));
    }
    Ok(names.into_iter().enumerate().map(|(part, name)| (name, split(&parts, part))).collect())
}

/// One split that tests with about `share` of the rows, at least one group and never all.
///
/// # Errors
/// [`Error::Setting`] where the share is not between 0 and 1, there is only one group, or one side would lack a class.
pub fn validation(dataset: &Dataset, share: f64, seed: u64) -> Result<Fold> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::Setting(format!(
            "a share of {share} cannot be kept apart; it must be between 0 and 1"
        )));
    }
    let groups = dataset.parts(By::Group).1.len();
    let small = share.min(1.0 - share);
    let folds = ((1.0 / small).round() as usize).clamp(2, groups.max(2));
    let whole = |fold: &Fold| all_classes(dataset, &fold.train) && all_classes(dataset, &fold.test);
    let found = stratified(dataset, folds, Order::Shuffled(seed))?.into_iter().find(whole);
    let fold = found.ok_or_else(|| {
        Error::Setting(
            "groups cannot be split so that both sides have every class; keep no part apart".into(),
        )
    })?;
    Ok(if share > 0.5 { Fold { train: fold.test, test: fold.train } } else { fold })
}

fn all_classes(dataset: &Dataset, rows: &[usize]) -> bool {
    let present = |class: usize| rows.iter().any(|&row| dataset.labels()[row] == class);
    let counts = dataset.class_counts();
    (0..counts.len()).all(|class| counts[class] == 0 || present(class))
}

fn split(parts: &[usize], test: usize) -> Fold {
    let (tested, trained) = (0..parts.len()).partition(|&row| parts[row] == test);
    Fold { train: trained, test: tested }
}

/// The fold of every group.
fn assign(dataset: &Dataset, groups: &[usize], count: usize, folds: usize, order: Order) -> Vec<usize> {
    let mut of_group = vec![vec![0.0; dataset.classes()]; count];
    groups.iter().zip(dataset.labels()).for_each(|(&group, &label)| of_group[group][label] += 1.0);
    let mut turn: Vec<usize> = (0..count).collect();
    if let Order::Shuffled(seed) = order {
        fastrand::Rng::with_seed(seed).shuffle(&mut turn);
    }
    turn.sort_by(|&a, &b| deviation(&of_group[b]).total_cmp(&deviation(&of_group[a])));

    let totals: Vec<f64> = dataset.class_counts().iter().map(|&count| count as f64).collect();
    let mut of_fold = vec![vec![0.0; dataset.classes()]; folds];
    let mut assigned = vec![0; count];
    for group in turn {
        let fold = best(&mut of_fold, &of_group[group], &totals);
        add(&mut of_fold[fold], &of_group[group], 1.0);
        assigned[group] = fold;
    }
    assigned
}

/// The fold with which the classes' shares are most even; of several the one with fewest rows.
fn best(of_fold: &mut [Vec<f64>], group: &[f64], totals: &[f64]) -> usize {
    let (mut best, mut least, mut fewest) = (0, f64::INFINITY, f64::INFINITY);
    for fold in 0..of_fold.len() {
        add(&mut of_fold[fold], group, 1.0);
        let uneven = unevenness(of_fold, totals);
        add(&mut of_fold[fold], group, -1.0);
        let rows: f64 = of_fold[fold].iter().sum();
        // As NumPy's `isclose` has it.
        let alike = (uneven - least).abs() <= 1e-8 + 1e-5 * least.abs();
        if uneven < least || alike && rows < fewest {
            (best, least, fewest) = (fold, uneven, rows);
        }
    }
    best
}

/// How much the folds' shares of a class deviate, as a mean over classes that occur.
fn unevenness(of_fold: &[Vec<f64>], totals: &[f64]) -> f64 {
    let present = || totals.iter().enumerate().filter(|&(_, &total)| total > 0.0);
    let of_class = |(class, total): (usize, &f64)| {
        deviation(&of_fold.iter().map(|counts| counts[class] / total).collect::<Vec<_>>())
    };
    present().map(of_class).sum::<f64>() / present().count() as f64
}

fn add(sums: &mut [f64], counts: &[f64], sign: f64) {
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += sign * count);
}

fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::Example;
    use crate::learn::dataset::tests::clouds;
    use proptest::prelude::*;

    fn dataset(rows: &[(usize, usize)]) -> Dataset {
        let example = |&(label, group): &(usize, usize)| Example {
            label,
            group: format!("s{group}"),
            corpus: "made-up".into(),
            language: "hi".into(),
        };
        Dataset::new(vec![0.0; rows.len()], 1, 3, rows.iter().map(example).collect()).unwrap()
    }

    proptest! {
        #[test]
        fn rows_are_tested_once_and_groups_stay_whole(
            rows in prop::collection::vec((0..3_usize, 0..9_usize), 1..80),
            folds in 0..7_usize,
            seed in 0..3_u64,
        ) {
            let dataset = dataset(&rows);
            let groups = dataset.parts(By::Group).1.len();
            let found = stratified(&dataset, folds, Order::Shuffled(seed));
            prop_assert_eq!(found.is_ok(), (2..=groups).contains(&folds));
            let Ok(found) = found else { return Ok(()) };
            let mut tested: Vec<usize> = found.iter().flat_map(|fold| fold.test.clone()).collect();
            tested.sort_unstable();
            prop_assert_eq!(tested, (0..rows.len()).collect::<Vec<_>>());
            for fold in &found {
                prop_assert_eq!(fold.train.len() + fold.test.len(), rows.len());
                prop_assert!(!fold.train.iter().any(|&a| fold.test.iter().any(|&b| rows[a].1 == rows[b].1)));
            }
            prop_assert_eq!(found, stratified(&dataset, folds, Order::Shuffled(seed)).unwrap());
        }
    }

    #[test]
    fn classes_are_even_where_groups_allow() {
        // Ten speakers, each of one class only; five of each.
        let rows: Vec<(usize, usize)> = (0..200).map(|row| (row % 10 / 5, row % 10)).collect();
        let dataset = dataset(&rows);
        for fold in stratified(&dataset, 5, Order::Shuffled(4)).unwrap() {
            assert_eq!(dataset.subset(&fold.test).unwrap().class_counts(), [20, 20, 0]);
        }
    }

    #[test]
    fn parts_are_left_out_one_by_one() {
        let dataset = clouds(60, 2, 3, 1.0, 1);
        let found = leave_one_out(&dataset, By::Language).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["hi", "ta"]);
        assert_eq!(found[0].1.test, found[1].1.train);
        assert!(leave_one_out(&dataset, By::Corpus).is_err());
    }

    #[test]
    fn validation_parts_have_about_the_share_and_every_class() {
        let dataset = clouds(300, 2, 3, 1.0, 1);
        for share in [0.2, 0.4, 0.5, 0.8] {
            let fold = validation(&dataset, share, 3).unwrap();
            let found = fold.test.len() as f64 / 300.0;
            assert!((found - share).abs() <= 0.11, "{share}: {found}");
            assert!(all_classes(&dataset, &fold.test) && all_classes(&dataset, &fold.train));
        }
        assert!(validation(&dataset, 0.0, 3).is_err() && validation(&dataset, f64::NAN, 3).is_err());
        let one_speaker = dataset.subset(&[0, 1, 2]).unwrap();
        assert!(validation(&one_speaker, 0.2, 3).is_err());
    }
}
