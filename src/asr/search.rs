//! Hypotheses, and how they grow: greedy search, sampling and beam search.

/// Tokens decoded after the prompt, with their log-probabilities.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hypothesis {
    /// The tokens, without the one that ends the text.
    pub tokens: Vec<u32>,
    /// Log-probability of each token.
    pub log_probabilities: Vec<f32>,
    /// Sum of all, the end included.
    pub total: f32,
}

impl Hypothesis {
    /// No tokens yet, with room for `count`.
    pub fn with_capacity(count: usize) -> Self {
        Self {
            tokens: Vec::with_capacity(count),
            log_probabilities: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// Mean log-probability of a token, the end counted as one.
    pub fn average(&self) -> f32 {
        self.total / (self.tokens.len() + 1) as f32
    }

    /// This hypothesis and `token`.
    fn extended(&self, token: u32, log_probability: f32) -> Self {
        let mut longer = self.clone();
        longer.push(token, log_probability);
        longer
    }

    /// Keeps the first `length` tokens.
    pub fn truncate(&mut self, length: usize) {
        self.total -= self.log_probabilities.drain(length.min(self.log_probabilities.len())..).sum::<f32>();
        self.tokens.truncate(length);
    }

    /// Appends `token`.
    pub fn push(&mut self, token: u32, log_probability: f32) {
        self.tokens.push(token);
        self.log_probabilities.push(log_probability);
        self.total += log_probability;
    }
}

/// The likeliest token and its log-probability.
pub fn likeliest(log_probabilities: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    // Blocks first: comparing maxima of blocks is much faster than comparing elements with their indices.
    for (block, values) in log_probabilities.chunks(256).enumerate() {
        let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if max > best.1 {
            let at = values.iter().position(|&value| value == max).unwrap_or(0);
            best = ((block * 256 + at) as u32, max);
        }
    }
    best
}

/// A token drawn at `temperature`, and its log-probability at temperature 1.
pub fn sample(log_probabilities: &[f32], temperature: f32, random: &mut fastrand::Rng) -> (u32, f32) {
    let (best, max) = likeliest(log_probabilities);
    let weight = |&x: &f32| f64::from((x - max) / temperature).exp();
    let total: f64 = log_probabilities.iter().map(weight).sum();
    let mut left = random.f64() * total;
    for (token, value) in log_probabilities.iter().enumerate() {
        left -= weight(value);
        if left < 0.0 {
            return (token as u32, *value);
        }
    }
    (best, max)
}

/// What a beam becomes after a step.
#[derive(Debug, Default)]
pub struct BeamStep {
    /// Hypotheses that go on, best first, each with the index of the one it grew from.
    pub alive: Vec<(usize, Hypothesis)>,
    /// Hypotheses that ended.
    pub ended: Vec<Hypothesis>,
}

/// Grows each of `beam` hypotheses by a token, given a row of log-probabilities for each.
///
/// Keeps the best `width` that go on; those whose best continuation is `end` are ended, as in OpenAI's
/// `BeamSearchDecoder`.
pub fn grow_beam(beam: &[Hypothesis], rows: &[&[f32]], width: usize, end: u32) -> BeamStep {
    let mut candidates: Vec<(f32, usize, u32)> = Vec::with_capacity(beam.len() * (width + 1));
    for (parent, (hypothesis, row)) in beam.iter().zip(rows).enumerate() {
        for token in top(row, width + 1) {
            candidates.push((hypothesis.total + row[token as usize], parent, token));
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut step = BeamStep::default();
    for (total, parent, token) in candidates {
        if total == f32::NEG_INFINITY || step.alive.len() == width {
            break;
        }
        match token == end {
            true => step.ended.push(Hypothesis { total, ..beam[parent].clone() }),
            false => step.alive.push((parent, beam[parent].extended(token, rows[parent][token as usize]))),
        }
    }
    step
}

/// The `count` likeliest tokens, best first.
fn top(row: &[f32], count: usize) -> Vec<u32> {
    let mut best: Vec<u32> = Vec::with_capacity(count + 1);
    let mut lowest = f32::NEG_INFINITY;
    for (token, &value) in row.iter().enumerate() {
        if value <= lowest && best.len() == count {
            continue;
        }
        let at = best.partition_point(|&other| row[other as usize] >= value);
        best.insert(at, token as u32);
        best.truncate(count);
        lowest = best.last().map_or(f32::NEG_INFINITY, |&token| row[token as usize]);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_is_the_first_maximum() {
        let mut row = vec![-5.0; 1000];
        row[700] = -0.5;
        row[900] = -0.5;
        assert_eq!(likeliest(&row), (700, -0.5));
    }

    #[test]
    fn sampling_follows_the_probabilities() {
        let row = [0.7f32.ln(), 0.3f32.ln(), f32::NEG_INFINITY];
        let mut random = fastrand::Rng::with_seed(1);
        let draws = 10_000;
        let first = (0..draws).filter(|_| sample(&row, 1.0, &mut random).0 == 0).count();
        assert!((6800..7200).contains(&first), "{first}");
        assert!((0..draws).all(|_| sample(&row, 0.5, &mut random).0 != 2));
    }

    #[test]
    fn a_beam_finds_what_greed_misses() {
        // Greed takes token 0 (0.6) and then has 0.5 at best; the beam finds 1 (0.4) and then 0.9.
        let end = 3;
        let first = [0.6f32.ln(), 0.4f32.ln(), f32::NEG_INFINITY, f32::NEG_INFINITY];
        let step = grow_beam(&[Hypothesis::default()], &[&first], 2, end);
        assert_eq!(step.alive.iter().map(|(_, h)| h.tokens[0]).collect::<Vec<_>>(), [0, 1]);
        let beam: Vec<Hypothesis> = step.alive.into_iter().map(|(_, h)| h).collect();
        let after_0 = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln(), f32::NEG_INFINITY];
        let after_1 = [0.05f32.ln(), 0.05f32.ln(), f32::NEG_INFINITY, 0.9f32.ln()];
        let step = grow_beam(&beam, &[&after_0, &after_1], 2, end);
        assert_eq!(step.ended[0].tokens, [1]);
        assert!((step.ended[0].total - 0.36f32.ln()).abs() < 1e-5);
        assert_eq!(step.alive[0].1.tokens, [0, 0]);
    }
}
