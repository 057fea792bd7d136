//! How much features count, from the texts to learn from.
//!
//! A feature that few texts have, and mostly texts of one class, is worth more than others of the same weight: its inverse
//! document frequency (Spärck Jones 1972) times its log-count ratio (Wang and Manning, "Baselines and bigrams", ACL 2012).
//! Scales go into the weights once these are learnt, so that nothing of them is needed later.

use super::features::Features;

// What is chosen here was best on validation data of MACD.

/// What a feature without a class counts, against one whose log-count ratio is 1.
const UNDECIDED: f32 = 0.3;
/// The power of the inverse document frequency.
const RARITY: i32 = 2;
/// Added to each count, so that a feature of one text does not decide.
const SMOOTHING: f32 = 1.0;

/// A scale for each of `width` features: as large on average as leaves the texts as long as they are.
pub(super) fn scales(texts: &[Features], positive: &[bool], width: usize) -> Vec<f32> {
    let mut counts = vec![[0.0_f32; 2]; width];
    let mut totals = [2.0 * SMOOTHING; 2];
    for (text, &positive) in texts.iter().zip(positive) {
        let class = usize::from(positive);
        totals[class] += 1.0;
        for &(bucket, _) in &text.values {
            counts[bucket as usize][class] += 1.0;
        }
    }
    let number = texts.len() as f32 + 1.0;
    let scale = |[negative, positive]: [f32; 2]| {
        let rarity = (number / (negative + positive + 1.0)).ln();
        let share = |count: f32, class: usize| ((count + SMOOTHING) / totals[class]).ln();
        rarity.powi(RARITY) * (UNDECIDED + (share(positive, 1) - share(negative, 0)).abs())
    };
    let mut scales: Vec<f32> = counts.into_iter().map(scale).collect();
    let mean = mean_length(texts, &scales);
    if mean > 0.0 {
        scales.iter_mut().for_each(|scale| *scale /= mean);
    }
    scales
}

/// The root of the mean square length of the texts in these scales.
fn mean_length(texts: &[Features], scales: &[f32]) -> f32 {
    let square = |text: &Features| -> f64 {
        text.values.iter().map(|&(bucket, value)| f64::from(value * scales[bucket as usize]).powi(2)).sum()
    };
    (texts.iter().map(square).sum::<f64>() / texts.len().max(1) as f64).sqrt() as f32
}
