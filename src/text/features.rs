//! Hashed character n-grams of words.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::latin::{latin, sound};
use super::normalise::NormalText;

/// In which letters n-grams are taken of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letters {
    /// As they are written.
    Own,
    /// As they sound, in Latin letters: what is learnt of one script is known of all.
    Latin,
    /// Both, as features of their own.
    #[default]
    Both,
}

/// How text becomes features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureOptions {
    /// In which letters.
    pub letters: Letters,
    /// The shortest n-grams, in characters; a word has a border on each side, which counts as one.
    pub shortest: usize,
    /// The longest.
    pub longest: usize,
    /// Number of features: n-grams with the same hash share one.
    pub buckets: u32,
}

/// The features of a text: buckets in order, each with its value; the squares of the values sum to 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Features {
    pub values: Vec<(u32, f32)>,
}

/// An n-gram's bucket, and the number of its word in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gram {
    pub bucket: u32,
    pub word: u32,
}

const BORDER: char = ' ';

impl FeatureOptions {
    /// The lengths of n-grams.
    pub fn lengths(&self) -> RangeInclusive<usize> {
        self.shortest..=self.longest
    }

    /// The features of `text`.
    pub(super) fn features(&self, text: &NormalText) -> Features {
        let mut buckets: Vec<u32> = self.grams(text).iter().map(|gram| gram.bucket).collect();
        buckets.sort_unstable();
        let weigh = |run: &[u32]| (run[0], 1.0 + (run.len() as f32).ln());
        let mut values: Vec<(u32, f32)> = buckets.chunk_by(|a, b| a == b).map(weigh).collect();
        let norm = values.iter().map(|&(_, value)| value * value).sum::<f32>().sqrt();
        values.iter_mut().for_each(|(_, value)| *value /= norm);
        Features { values }
    }

    /// Every n-gram of `text`, word by word.
    pub(super) fn grams(&self, text: &NormalText) -> Vec<Gram> {
        let mut out = Vec::with_capacity(text.as_str().len() * 8);
        for (number, range) in text.words().enumerate() {
            let word = &text.as_str()[range];
            let mut push = |bucket| out.push(Gram { bucket, word: number as u32 });
            if self.letters != Letters::Latin {
                self.grams_of(word, Letters::Own, &mut push);
            }
            if self.letters != Letters::Own {
                self.grams_of(&sound(&latin(word)), Letters::Latin, &mut push);
            }
        }
        out
    }

    fn grams_of(&self, word: &str, group: Letters, push: &mut impl FnMut(u32)) {
        let characters: Vec<char> = std::iter::once(BORDER).chain(word.chars()).chain([BORDER]).collect();
        for start in 0..characters.len() {
            let mut hash = Hash::of(group);
            for (before, &c) in characters[start..].iter().take(self.longest).enumerate() {
                hash.add(c);
                // A border alone says nothing.
                if before + 1 >= self.shortest && (before > 0 || c != BORDER) {
                    push(hash.bucket(self.buckets));
                }
            }
        }
    }
}

/// FNV-1a of characters, mixed at the end so that the upper bits, which choose the bucket, hang on all.
#[derive(Debug, Clone, Copy)]
struct Hash(u64);

impl Hash {
    fn of(group: Letters) -> Self {
        let mut hash = Self(0xCBF2_9CE4_8422_2325);
        hash.step(group as u32);
        hash
    }

    fn add(&mut self, c: char) {
        self.step(u32::from(c));
    }

    fn step(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x100_0000_01B3);
    }

    fn bucket(self, buckets: u32) -> u32 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (((mixed >> 32) * u64::from(buckets)) >> 32) as u32
    }
}

impl Features {
    /// The value of a bucket; 0 where it is none of the text's.
    pub fn value(&self, bucket: u32) -> f32 {
        let found = self.values.binary_search_by_key(&bucket, |&(bucket, _)| bucket);
        found.map_or(0.0, |at| self.values[at].1)
    }
}
