//! Which tokens are compared, and how their errors are averaged.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::AbxTokens;
use super::alignment::{Aligner, Frames};

/// How many tokens are compared. What is beyond is drawn at random, and the same is drawn each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbxOptions {
    /// Tokens of one phone in one context by one speaker at most.
    pub most_tokens: usize,
    /// Across speakers, speakers of `X` at most for each speaker of `A` and `B`.
    pub most_speakers: usize,
    /// Of the draws.
    pub seed: u64,
}

impl Default for AbxOptions {
    /// The numbers of the source's command line: 10 tokens, 5 speakers.
    fn default() -> Self {
        Self { most_tokens: 10, most_speakers: 5, seed: 1 }
    }
}

/// How well phones are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AbxScore {
    /// The error rate, 0 to 1; ½ is chance.
    pub error: f64,
    /// Ordered pairs of phones that it is the mean of.
    pub pairs: usize,
    /// Groups whose errors were averaged.
    pub groups: usize,
    /// Triplets in them.
    pub triplets: u64,
}

/// The tokens of a phone in a context by a speaker.
type Tokens<'a> = Vec<&'a Frames>;
/// Tokens by context, speaker and phone. Sorted, so that sums are always added in one order.
type Groups<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeMap<&'a str, Tokens<'a>>>>;

/// All triplets of the same `A` and `X`.
pub(super) struct Trial<'a> {
    speaker: &'a str,
    phone: &'a str,
    a: &'a [&'a Frames],
    x: Other<'a>,
    /// The other phones of the context and speaker, and their tokens `B`.
    b: Vec<(&'a str, &'a [&'a Frames])>,
}

enum Other<'a> {
    /// `X` is any of `A` but the one that it is compared with.
    Same,
    /// `X` is any of these.
    Tokens(&'a [&'a Frames]),
}

/// Scores `trials` of the tokens that were heard.
pub(super) fn score(
    tokens: &AbxTokens,
    options: &AbxOptions,
    trials: for<'a> fn(&'a Groups<'a>, &AbxOptions, &mut fastrand::Rng) -> Vec<Trial<'a>>,
) -> Option<AbxScore> {
    let mut random = fastrand::Rng::with_seed(options.seed);
    let groups = groups(tokens, options, &mut random);
    let trials = trials(&groups, options, &mut random);
    let errors: Vec<Vec<f64>> = trials.par_iter().map_init(Aligner::default, Trial::errors).collect();
    average(&trials, &errors)
}

fn groups<'a>(tokens: &'a AbxTokens, options: &AbxOptions, random: &mut fastrand::Rng) -> Groups<'a> {
    let mut groups = Groups::new();
    for (item, frames) in std::iter::zip(&tokens.items, &tokens.frames) {
        let Some(frames) = frames else { continue };
        let speakers = groups.entry(item.context.as_str()).or_default();
        let phones = speakers.entry(item.speaker.as_str()).or_default();
        phones.entry(item.phone.as_str()).or_default().push(frames);
    }
    for tokens in groups.values_mut().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::values_mut) {
        draw(tokens, options.most_tokens, random);
    }
    groups
}

/// Leaves `most` at most.
fn draw<T>(values: &mut Vec<T>, most: usize, random: &mut fastrand::Rng) {
    if values.len() > most {
        random.shuffle(values);
        values.truncate(most);
    }
}

/// Trials of `A`, `B` and `X` by one speaker.
pub(super) fn within<'a>(
    groups: &'a Groups<'a>,
    _options: &AbxOptions,
    _random: &mut fastrand::Rng,
) -> Vec<Trial<'a>> {
    let mut trials = Vec::new();
    for (&speaker, phones) in groups.values().flatten() {
        for (&phone, a) in phones.iter().filter(|(_, a)| a.len() > 1) {
            trials.push(Trial { speaker, phone, a, x: Other::Same, b: others(phones, phone) });
        }
    }
    trials
}

/// Trials of `A` and `B` by one speaker and `X` by another.
pub(super) fn across<'a>(
    groups: &'a Groups<'a>,
    options: &AbxOptions,
    random: &mut fastrand::Rng,
) -> Vec<Trial<'a>> {
    let mut trials = Vec::new();
    for speakers in groups.values() {
        for (&speaker, phones) in speakers.iter().filter(|(_, phones)| phones.len() > 1) {
            for (&phone, a) in phones {
                let of_others = speakers.iter().filter(|&(&other, _)| other != speaker);
                let mut x: Vec<&Tokens> = of_others.filter_map(|(_, phones)| phones.get(phone)).collect();
                draw(&mut x, options.most_speakers, random);
                let trial = |x| {
                    let b = others(phones, phone);
                    Trial { speaker, phone, a, x: Other::Tokens(x), b }
                };
                trials.extend(x.into_iter().map(|x| trial(x.as_slice())));
            }
        }
    }
    trials
}

fn others<'a>(phones: &'a BTreeMap<&'a str, Tokens<'a>>, phone: &str) -> Vec<(&'a str, &'a [&'a Frames])> {
    let others = phones.iter().filter(|&(&other, _)| other != phone);
    others.map(|(&other, tokens)| (other, tokens.as_slice())).collect()
}

impl Trial<'_> {
    /// The error of each of `b`.
    fn errors(aligner: &mut Aligner, trial: &Self) -> Vec<f64> {
        let near = trial.distances_to_a(aligner);
        let x = match trial.x {
            Other::Same => trial.a,
            Other::Tokens(x) => x,
        };
        let error = |&(_, b): &(&str, &[&Frames])| {
            let mut correct = 0.0;
            for (x, near) in x.iter().zip(&near) {
                for b in b {
                    let far = aligner.distance(x, b);
                    correct += near.iter().map(|&near| share(near, far)).sum::<f64>();
                }
            }
            1.0 - correct / trial.triplets(b) as f64
        };
        trial.b.iter().map(error).collect()
    }

    /// Of each `X` the distances to all `A` that it is compared with.
    fn distances_to_a(&self, aligner: &mut Aligner) -> Vec<Vec<f64>> {
        let Other::Tokens(x) = self.x else {
            let mut near = vec![Vec::with_capacity(self.a.len()); self.a.len()];
            for i in 0..self.a.len() {
                for j in i + 1..self.a.len() {
                    let distance = aligner.distance(self.a[i], self.a[j]);
                    near[i].push(distance);
                    near[j].push(distance);
                }
            }
            return near;
        };
        x.iter().map(|x| self.a.iter().map(|a| aligner.distance(x, a)).collect()).collect()
    }

    fn triplets(&self, b: &[&Frames]) -> u64 {
        let pairs = match self.x {
            Other::Same => self.a.len() * (self.a.len() - 1),
            Other::Tokens(x) => self.a.len() * x.len(),
        };
        (pairs * b.len()) as u64
    }
}

/// How much of a triplet is right.
fn share(near: f64, far: f64) -> f64 {
    match near.total_cmp(&far) {
        std::cmp::Ordering::Less => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Greater => 0.0,
    }
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(&self) -> f64 {
        self.sum / self.count as f64
    }
}

impl FromIterator<f64> for Mean {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut mean = Self::default();
        values.into_iter().for_each(|value| mean.add(value));
        mean
    }
}

/// The mean over contexts for each pair of phones and speaker, then over speakers, then over pairs.
fn average(trials: &[Trial], errors: &[Vec<f64>]) -> Option<AbxScore> {
    let mut by_pair: BTreeMap<(&str, &str), BTreeMap<&str, Mean>> = BTreeMap::new();
    let (mut groups, mut triplets) = (0, 0);
    for (trial, errors) in trials.iter().zip(errors) {
        for (&(other, b), &error) in trial.b.iter().zip(errors) {
            by_pair.entry((trial.phone, other)).or_default().entry(trial.speaker).or_default().add(error);
            groups += 1;
            triplets += trial.triplets(b);
        }
    }
    let over_speakers =
        |speakers: &BTreeMap<&str, Mean>| speakers.values().map(Mean::value).collect::<Mean>();
    let over_pairs: Mean = by_pair.values().map(|speakers| over_speakers(speakers).value()).collect();
    (over_pairs.count > 0).then(|| AbxScore {
        error: over_pairs.value(),
        pairs: over_pairs.count,
        groups,
        triplets,
    })
}
