//! What units are worth: how they go with phones, and how many bits they take.
//!
//! Phone purity, cluster purity and phone-normalised mutual information are those of HuBERT (Hsu et al., "HuBERT:
//! Self-supervised speech representation learning by masked prediction of hidden units", 2021, section V-B). All are of frames.

use std::collections::BTreeMap;

/// How often frames have each phone together with each unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Joint {
    /// `[phones][units]`.
    counts: Vec<Vec<u64>>,
    units: usize,
}

impl Joint {
    /// Counts of frames, each with the number of its phone and its unit.
    pub fn of(frames: impl IntoIterator<Item = (usize, u32)>) -> Self {
        let mut joint = Self::default();
        for (phone, unit) in frames {
            let unit = unit as usize;
            if joint.counts.len() <= phone {
                joint.counts.resize(phone + 1, Vec::new());
            }
            let counts = &mut joint.counts[phone];
            if counts.len() <= unit {
                counts.resize(unit + 1, 0);
            }
            counts[unit] += 1;
            joint.units = joint.units.max(unit + 1);
        }
        joint
    }

    /// Number of frames.
    pub fn frames(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Units that some frame has.
    pub fn used_units(&self) -> usize {
        self.of_units().filter(|column| column.iter().any(|&count| count > 0)).count()
    }

    /// The share of frames that have the most frequent phone of their unit: what is right where each unit stands for one phone.
    pub fn phone_purity(&self) -> f64 {
        let most = self.of_units().map(|column| column.into_iter().max().unwrap_or(0)).sum();
        self.share(most)
    }

    /// The share of frames that have the most frequent unit of their phone.
    pub fn cluster_purity(&self) -> f64 {
        self.share(self.counts.iter().map(|counts| counts.iter().copied().max().unwrap_or(0)).sum())
    }

    /// Bits that a frame's phone takes.
    pub fn phone_entropy(&self) -> f64 {
        entropy(self.counts.iter().map(|counts| counts.iter().sum()))
    }

    /// Bits that a frame's unit takes.
    pub fn unit_entropy(&self) -> f64 {
        entropy(self.of_units().map(|column| column.into_iter().sum()))
    }

    /// Bits that a frame's unit tells of its phone.
    pub fn mutual_information(&self) -> f64 {
        let both = entropy(self.counts.iter().flatten().copied());
        (self.phone_entropy() + self.unit_entropy() - both).max(0.0)
    }

    /// The share of what there is to know of the phone that the unit tells.
    pub fn normalised_mutual_information(&self) -> f64 {
        match self.phone_entropy() {
            entropy if entropy > 0.0 => self.mutual_information() / entropy,
            _ => 0.0,
        }
    }

    /// The counts of each unit, by phone.
    fn of_units(&self) -> impl Iterator<Item = Vec<u64>> + '_ {
        let of_unit =
            |unit| self.counts.iter().map(|counts| counts.get(unit).copied().unwrap_or(0)).collect();
        (0..self.units).map(of_unit)
    }

    fn share(&self, frames: u64) -> f64 {
        frames as f64 / self.frames().max(1) as f64
    }
}

/// Bits of units by the second.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct BitRate {
    /// Frame by frame, each unit by itself.
    pub frames: f64,
    /// Frame by frame, each unit given the one before it.
    pub given_last: f64,
    /// Runs alone, each given the one before it; how long they last is not told.
    pub runs: f64,
    /// Runs by the second.
    pub runs_a_second: f64,
}

/// The bit rate of sequences of units whose frames are `hop` seconds apart, by their own frequencies: with few frames beside
/// many units, rates given the last unit come out too low.
pub fn bit_rate(sequences: &[Vec<u32>], hop: f64) -> BitRate {
    let frames: usize = sequences.iter().map(Vec::len).sum();
    let seconds = (frames as f64 * hop).max(f64::MIN_POSITIVE);
    let runs: Vec<Vec<u32>> =
        sequences.iter().map(|units| super::collapse(units).iter().map(|run| run.unit).collect()).collect();
    let of_runs: usize = runs.iter().map(Vec::len).sum();
    let alone = entropy(counts(sequences.iter().flatten().copied()).into_values());
    BitRate {
        frames: alone / hop,
        given_last: given_last(sequences) / hop,
        runs: given_last(&runs) * of_runs as f64 / seconds,
        runs_a_second: of_runs as f64 / seconds,
    }
}

/// Bits of an entry given the one before it.
fn given_last(sequences: &[Vec<u32>]) -> f64 {
    let pairs = || sequences.iter().flat_map(|units| units.windows(2));
    let both = entropy(counts(pairs().map(|pair| (pair[0], pair[1]))).into_values());
    let last = entropy(counts(pairs().map(|pair| pair[0])).into_values());
    (both - last).max(0.0)
}

fn counts<T: Ord>(of: impl Iterator<Item = T>) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    of.for_each(|entry| *counts.entry(entry).or_insert(0) += 1);
    counts
}

/// The entropy of what is counted, in bits.
fn entropy(counts: impl Iterator<Item = u64>) -> f64 {
    let counts: Vec<u64> = counts.filter(|&count| count > 0).collect();
    let whole = counts.iter().sum::<u64>() as f64;
    let bits = |&count: &u64| {
        let share = count as f64 / whole;
        -share * share.log2()
    };
    counts.iter().map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_are_those_of_the_sums_by_hand() {
        // Phone 0 has units 0 0 0 1, phone 1 has 1 1, phone 2 has 2 2.
        let joint = Joint::of([(0, 0), (0, 0), (0, 0), (0, 1), (1, 1), (1, 1), (2, 2), (2, 2)]);
        assert_eq!((joint.frames(), joint.used_units()), (8, 3));
        assert!((joint.phone_purity() - 7.0 / 8.0).abs() < 1e-12);
        assert!((joint.cluster_purity() - 7.0 / 8.0).abs() < 1e-12);
        assert!((joint.phone_entropy() - 1.5).abs() < 1e-12);
        // Of the phone, units 0 and 2 leave nothing open; unit 1, of 3 frames in 8, leaves h(1/3).
        let open = 3.0 / 8.0 * (3f64.log2() - 2.0 / 3.0);
        assert!((joint.mutual_information() - (1.5 - open)).abs() < 1e-12);
        assert!((joint.normalised_mutual_information() - (1.5 - open) / 1.5).abs() < 1e-12);
        assert_eq!(Joint::of([(0, 3), (0, 3)]).normalised_mutual_information(), 0.0);
        assert_eq!(Joint::default().phone_purity(), 0.0);
    }

    #[test]
    fn bits_count_by_the_second() {
        let rate = bit_rate(&[vec![0, 0, 1, 1, 0, 0, 1, 1]], 0.5);
        assert!((rate.frames - 2.0).abs() < 1e-12 && (rate.runs_a_second - 1.0).abs() < 1e-12);
        // A run is always followed by one of the other unit.
        assert!(rate.runs.abs() < 1e-12 && rate.given_last > 0.0 && rate.given_last < rate.frames);
        let none = bit_rate(&[], 0.02);
        assert_eq!((none.frames, none.runs, none.runs_a_second), (0.0, 0.0, 0.0));
    }

    proptest! {
        #[test]
        fn figures_keep_their_bounds(frames in proptest::collection::vec((0usize..5, 0u32..7), 1..200)) {
            let joint = Joint::of(frames.clone());
            for figure in [joint.phone_purity(), joint.cluster_purity(), joint.normalised_mutual_information()] {
                prop_assert!((0.0..=1.0 + 1e-9).contains(&figure));
            }
            prop_assert!(joint.mutual_information() <= joint.unit_entropy() + 1e-9);
            // Units that are the phones tell all of them.
            let same = Joint::of(frames.iter().map(|&(phone, _)| (phone, phone as u32)));
            prop_assert!((same.phone_purity() - 1.0).abs() < 1e-12);
            prop_assert!((same.mutual_information() - same.phone_entropy()).abs() < 1e-9);
        }
    }
}
