//! Bootstrap intervals: how far a figure would scatter with other examples, or other speakers, of the same kind.
//!
//! Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3, the percentile interval. Where examples of
//! one speaker are alike, whole speakers are drawn, not examples; intervals of examples would be too narrow.

use rayon::prelude::*;

use crate::{Error, Result};

/// A figure and between what it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The figure of the examples as they are.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Number of draws.
    pub draws: usize,
    /// The share of draws whose figures lie within the interval, between 0 and 1.
    pub level: f64,
    /// The same seed gives the same draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 95 % of 1000 draws.
    fn default() -> Self {
        Self { draws: 1000, level: 0.95, seed: 0 }
    }
}

impl Bootstrap {
    /// The interval of a figure of `rows` examples, which `figure` computes from their numbers; a number may be there more
    /// than once.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are no examples or draws, or the level is not between 0 and 1.
    pub fn of_rows(&self, rows: usize, figure: impl Fn(&[usize]) -> f64 + Sync) -> Result<Interval> {
        let groups: Vec<usize> = (0..rows).collect();
        self.of_groups(&groups, figure)
    }

    /// The same where whole groups are drawn, as many as there are; `groups` has the group of every example.
    ///
    /// # Errors
    /// As [`Bootstrap::of_rows`].
    pub fn of_groups(&self, groups: &[usize], figure: impl Fn(&[usize]) -> f64 + Sync) -> Result<Interval> {
        if groups.is_empty() || self.draws == 0 || !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::Setting(format!(
                "no interval of level {} from {} draws of {} examples",
                self.level,
                self.draws,
                groups.len()
            )));
        }
        let members = members(groups);
        let mut random = fastrand::Rng::with_seed(self.seed);
        let seeds: Vec<u64> = (0..self.draws).map(|_| random.u64(..)).collect();
        let drawn = |&seed: &u64| {
            let mut random = fastrand::Rng::with_seed(seed);
            let rows = (0..members.len()).flat_map(|_| &members[random.usize(..members.len())]).copied();
            figure(&rows.collect::<Vec<usize>>())
        };
        let mut figures: Vec<f64> = seeds.par_iter().map(drawn).collect();
        figures.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        Ok(Interval {
            value: figure(&(0..groups.len()).collect::<Vec<_>>()),
            low: percentile(&figures, tail),
            high: percentile(&figures, 1.0 - tail),
        })
    }
}

/// The rows of every group, groups in the order of their names.
fn members(groups: &[usize]) -> Vec<Vec<usize>> {
    let mut members = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    for (row, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(row);
    }
    members.into_values().collect()
}

/// On straight lines between sorted values, as NumPy's default.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64], rows: &[usize]) -> f64 {
        rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64
    }

    #[test]
    fn intervals_of_a_mean_are_about_two_standard_errors_wide_to_each_side() {
        let mut random = fastrand::Rng::with_seed(1);
        let values: Vec<f64> = (0..400).map(|_| random.f64()).collect();
        let found = Bootstrap { draws: 4000, ..Bootstrap::default() };
        let found = found.of_rows(values.len(), |rows| mean(&values, rows)).unwrap();
        let half = 1.96 * (1.0_f64 / 12.0 / 400.0).sqrt();
        assert!((found.high - found.low - 2.0 * half).abs() < 0.2 * half, "{found:?}");
        assert!(found.low < found.value && found.value < found.high);
    }

    /// Ten speakers of forty like examples each are ten draws, not four hundred.
    #[test]
    fn examples_alike_within_groups_give_wider_intervals_by_group() {
        let groups: Vec<usize> = (0..400).map(|row| row / 40).collect();
        let values: Vec<f64> = groups.iter().map(|&group| group as f64).collect();
        let bootstrap = Bootstrap::default();
        let by_row = bootstrap.of_rows(400, |rows| mean(&values, rows)).unwrap();
        let by_group = bootstrap.of_groups(&groups, |rows| mean(&values, rows)).unwrap();
        let ratio = (by_group.high - by_group.low) / (by_row.high - by_row.low);
        assert!((ratio - 40.0_f64.sqrt()).abs() < 1.0, "{ratio}");
    }

    #[test]
    fn seeds_decide_and_threads_do_not() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        let found = |seed: u64, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let bootstrap = Bootstrap { seed, ..Bootstrap::default() };
            pool.install(|| bootstrap.of_rows(50, |rows| mean(&values, rows)).unwrap())
        };
        assert_eq!(found(7, 1), found(7, 3));
        assert_ne!(found(7, 1), found(8, 1));
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let figure = |_: &[usize]| 0.0;
        assert!(Bootstrap::default().of_rows(0, figure).is_err());
        assert!(Bootstrap { draws: 0, ..Bootstrap::default() }.of_rows(3, figure).is_err());
        for level in [0.0, 1.0, f64::NAN] {
            assert!(Bootstrap { level, ..Bootstrap::default() }.of_rows(3, figure).is_err());
        }
    }

    #[test]
    fn percentiles_lie_on_lines_between_values() {
        let found = [0.0, 0.125, 0.5, 1.0].map(|share| percentile(&[1.0, 2.0, 4.0], share));
        assert_eq!(found, [1.0, 1.25, 2.0, 4.0]);
    }
}
