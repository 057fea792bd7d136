//! Word and character error rates, by the alignment with the fewest edits (Levenshtein distance).
//!
//! Among alignments with equally few edits the one with the fewest substitutions, that is with the most hits, is taken.
//! So the counts are unique, and a lost word does not shift all others.

use std::iter::Sum;
use std::ops::AddAssign;

/// What turns a reference into a hypothesis, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edits {
    /// Units that are the same in both.
    pub hits: usize,
    /// Units of the reference that are another in the hypothesis.
    pub substitutions: usize,
    /// Units of the reference that the hypothesis lacks.
    pub deletions: usize,
    /// Units of the hypothesis that the reference lacks.
    pub insertions: usize,
}

impl Edits {
    /// Substitutions, deletions and insertions: the Levenshtein distance.
    pub fn errors(&self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// Units of the reference.
    pub fn reference_len(&self) -> usize {
        self.hits + self.substitutions + self.deletions
    }

    /// Errors per unit of the reference: 0 is perfect, insertions can take it over 1. An empty reference counts as one
    /// unit long.
    pub fn rate(&self) -> f64 {
        self.errors() as f64 / self.reference_len().max(1) as f64
    }
}

impl AddAssign for Edits {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
    }
}

impl Sum for Edits {
    fn sum<I: Iterator<Item = Self>>(edits: I) -> Self {
        edits.fold(Self::default(), |mut total, edits| {
            total += edits;
            total
        })
    }
}

/// One step of an alignment of a reference with a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aligned<T> {
    /// The same in both.
    Hit(T),
    /// The first, of the reference, became the second.
    Substitution(T, T),
    /// Only in the reference.
    Deletion(T),
    /// Only in the hypothesis.
    Insertion(T),
}

/// Errors of `hypothesis` in words, which are separated by white space. See [`normalise`](super::normalise).
pub fn word_errors(reference: &str, hypothesis: &str) -> Edits {
    count(&difference(reference, hypothesis))
}

/// Errors of `hypothesis` in characters (Unicode scalars). Each stretch of white space counts as one.
pub fn char_errors(reference: &str, hypothesis: &str) -> Edits {
    let chars =
        |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect::<Vec<_>>();
    count(&align(&chars(reference), &chars(hypothesis)))
}

/// What differs between two texts, word by word.
pub fn difference<'a>(reference: &'a str, hypothesis: &'a str) -> Vec<Aligned<&'a str>> {
    let words = |text: &'a str| text.split_whitespace().collect::<Vec<_>>();
    align(&words(reference), &words(hypothesis))
}

fn count<T>(alignment: &[Aligned<T>]) -> Edits {
    let mut edits = Edits::default();
    for step in alignment {
        match step {
            Aligned::Hit(_) => edits.hits += 1,
            Aligned::Substitution(..) => edits.substitutions += 1,
            Aligned::Deletion(_) => edits.deletions += 1,
            Aligned::Insertion(_) => edits.insertions += 1,
        }
    }
    edits
}

/// Larger tables are not made; the problem is halved first.
const MAX_TABLE: usize = 1 << 21;

/// Cost of a deletion or an insertion.
const GAP: u64 = 1 << 32;
/// Cost of a substitution: one edit as well, but dearer among equals.
const SUBSTITUTION: u64 = GAP + 1;

fn align<T: PartialEq + Copy>(reference: &[T], hypothesis: &[T]) -> Vec<Aligned<T>> {
    let mut alignment = Vec::with_capacity(reference.len().max(hypothesis.len()));
    align_within(MAX_TABLE, reference, hypothesis, &mut alignment);
    alignment
}

/// Appends an alignment with the fewest edits, in memory that does not grow with the product of the lengths: D. S.
/// Hirschberg, "A linear space algorithm for computing maximal common subsequences", CACM 18(6), 1975.
fn align_within<T: PartialEq + Copy>(
    max_table: usize,
    reference: &[T],
    hypothesis: &[T],
    alignment: &mut Vec<Aligned<T>>,
) {
    if reference.len() < 2 || (reference.len() + 1) * (hypothesis.len() + 1) <= max_table {
        return align_by_table(reference, hypothesis, alignment);
    }
    let (first, second) = reference.split_at(reference.len() / 2);
    let before = costs(first.iter(), hypothesis.iter());
    let after = costs(second.iter().rev(), hypothesis.iter().rev());
    let total = |split: &usize| before[*split] + after[hypothesis.len() - split];
    let split = (0..=hypothesis.len()).min_by_key(total).unwrap_or(0);
    align_within(max_table, first, &hypothesis[..split], alignment);
    align_within(max_table, second, &hypothesis[split..], alignment);
}

/// The costs of turning all of `reference` into each beginning of `hypothesis`.
fn costs<T: PartialEq>(
    reference: impl Iterator<Item = T>,
    hypothesis: impl ExactSizeIterator<Item = T> + Clone,
) -> Vec<u64> {
    let mut row: Vec<u64> = (0..=hypothesis.len() as u64).map(|column| column * GAP).collect();
    for unit in reference {
        let mut diagonal = row[0];
        row[0] += GAP;
        for (column, other) in hypothesis.clone().enumerate() {
            let substituted = diagonal + cost(&unit, &other);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + GAP).min(row[column] + GAP);
        }
    }
    row
}

fn cost<T: PartialEq>(unit: &T, other: &T) -> u64 {
    if unit == other { 0 } else { SUBSTITUTION }
}

fn align_by_table<T: PartialEq + Copy>(reference: &[T], hypothesis: &[T], alignment: &mut Vec<Aligned<T>>) {
    let width = hypothesis.len() + 1;
    let mut table = vec![0; (reference.len() + 1) * width];
    for (column, total) in table[..width].iter_mut().enumerate() {
        *total = column as u64 * GAP;
    }
    for (row, unit) in reference.iter().enumerate() {
        table[(row + 1) * width] = (row as u64 + 1) * GAP;
        for (column, other) in hypothesis.iter().enumerate() {
            let at = row * width + column;
            let substituted = table[at] + cost(unit, other);
            table[at + width + 1] = substituted.min(table[at + 1] + GAP).min(table[at + width] + GAP);
        }
    }

    let start = alignment.len();
    let (mut row, mut column) = (reference.len(), hypothesis.len());
    while row > 0 || column > 0 {
        let at = row * width + column;
        let pair = (row > 0 && column > 0).then(|| (reference[row - 1], hypothesis[column - 1]));
        let step = if let Some((unit, other)) = pair
            && table[at] == table[at - width - 1] + cost(&unit, &other)
        {
            if unit == other { Aligned::Hit(unit) } else { Aligned::Substitution(unit, other) }
        } else if row > 0 && table[at] == table[at - width] + GAP {
            Aligned::Deletion(reference[row - 1])
        } else {
            Aligned::Insertion(hypothesis[column - 1])
        };
        row -= usize::from(!matches!(step, Aligned::Insertion(_)));
        column -= usize::from(!matches!(step, Aligned::Deletion(_)));
        alignment.push(step);
    }
    alignment[start..].reverse();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_word_errors() {
        struct Case {
            reference: &'static str,
            hypothesis: &'static str,
            /// Hits, substitutions, deletions, insertions.
            edits: [usize; 4],
            rate: f64,
        }
        let cases = [
            Case { reference: "", hypothesis: "", edits: [0, 0, 0, 0], rate: 0.0 },
            Case { reference: "", hypothesis: "a b", edits: [0, 0, 0, 2], rate: 2.0 },
            Case { reference: "a b", hypothesis: "", edits: [0, 0, 2, 0], rate: 1.0 },
            Case { reference: "hello world", hypothesis: "hello  world\n", edits: [2, 0, 0, 0], rate: 0.0 },
            Case { reference: "hello world", hypothesis: "hello duck", edits: [1, 1, 0, 0], rate: 0.5 },
            Case {
                reference: "it is raining",
                hypothesis: "it raining now",
                edits: [2, 0, 1, 1],
                rate: 2.0 / 3.0,
            },
            Case {
                reference: "short one here",
                hypothesis: "shoe order one",
                edits: [1, 1, 1, 1],
                rate: 1.0,
            },
            Case { reference: "a", hypothesis: "b c d", edits: [0, 1, 0, 2], rate: 3.0 },
            Case {
                reference: "यह किताब है", hypothesis: "यह किताबें है", edits: [2, 1, 0, 0], rate: 1.0 / 3.0
            },
        ];
        for Case { reference, hypothesis, edits: [hits, substitutions, deletions, insertions], rate } in cases
        {
            let edits = word_errors(reference, hypothesis);
            let expected = Edits { hits, substitutions, deletions, insertions };
            assert_eq!(edits, expected, "{reference:?} -> {hypothesis:?}");
            assert_eq!(edits.rate(), rate, "{reference:?} -> {hypothesis:?}");
        }
    }

    #[test]
    fn known_character_errors() {
        for (reference, hypothesis, errors, length) in [
            ("kitten", "sitting", 3, 6),
            ("saturday", "sunday", 3, 8),
            ("a  b", "a b", 0, 3),
            ("ab", "a b", 1, 2),
            ("我爱你", "我爱他", 1, 3),
            ("किताब", "कितब", 1, 5),
        ] {
            let edits = char_errors(reference, hypothesis);
            assert_eq!(
                (edits.errors(), edits.reference_len()),
                (errors, length),
                "{reference} -> {hypothesis}"
            );
        }
    }

    #[test]
    fn difference_shows_each_word() {
        assert_eq!(
            difference("the cat sat on", "a cat sat on it"),
            [
                Aligned::Substitution("the", "a"),
                Aligned::Hit("cat"),
                Aligned::Hit("sat"),
                Aligned::Hit("on"),
                Aligned::Insertion("it")
            ]
        );
    }

    #[test]
    fn edits_add_up() {
        let total: Edits = [("a b", "a c"), ("d", "")].iter().map(|(r, h)| word_errors(r, h)).sum();
        assert_eq!(total, Edits { hits: 1, substitutions: 1, deletions: 1, insertions: 0 });
        assert_eq!(total.rate(), 2.0 / 3.0);
    }

    proptest! {
        #[test]
        fn alignments_are_whole_and_least(
            reference in prop::collection::vec(0_u8..4, 0..30),
            hypothesis in prop::collection::vec(0_u8..4, 0..30),
            max_table in 0_usize..200,
        ) {
            let mut alignment = Vec::new();
            align_within(max_table, &reference, &hypothesis, &mut alignment);
            let (mut left, mut right) = (Vec::new(), Vec::new());
            for step in &alignment {
                match *step {
                    Aligned::Hit(unit) => { left.push(unit); right.push(unit); }
                    Aligned::Substitution(unit, other) => { left.push(unit); right.push(other); }
                    Aligned::Deletion(unit) => left.push(unit),
                    Aligned::Insertion(other) => right.push(other),
                }
            }
            prop_assert_eq!(&left, &reference);
            prop_assert_eq!(&right, &hypothesis);
            let least = costs(reference.iter(), hypothesis.iter())[hypothesis.len()];
            let edits = count(&alignment);
            let gaps = (edits.deletions + edits.insertions) as u64;
            prop_assert_eq!(gaps * GAP + edits.substitutions as u64 * SUBSTITUTION, least);
        }
    }
}
