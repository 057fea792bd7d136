//! Temperatures that make probabilities mean what they say, and how far they are from it.
//!
//! Guo et al., "On calibration of modern neural networks" (ICML 2017), sections 2 and 4.2.

use super::vector::{largest, softmax};
use crate::{Error, Result};

/// Bins of the expected calibration error that the paper uses.
pub const BINS: usize = 15;
/// Where every example is told right, the loss falls for ever; and where none is, it falls the other way.
const TEMPERATURES: (f64, f64) = (0.01, 100.0);
/// Halvings of the range of temperatures, after which it is narrower than single precision tells.
const HALVINGS: usize = 60;

/// The temperature that logits `[rows][classes]` are divided by so that their softmax gives `labels` the largest likelihood,
/// from 0.01 to 100. The logits must be of examples that were not trained with.
///
/// # Errors
/// [`Error::Setting`] where there are no rows, their number or width differs, or a logit is not finite.
pub fn temperature(logits: &[Vec<f64>], labels: &[usize]) -> Result<f64> {
    check(logits, labels)?;
    // The loss is convex in the inverse of the temperature, so its slope there has one sign on each side.
    let (mut low, mut high) = TEMPERATURES;
    for _ in 0..HALVINGS {
        let middle = (low * high).sqrt();
        if slope(logits, labels, 1.0 / middle) < 0.0 { high = middle } else { low = middle }
    }
    Ok((low * high).sqrt())
}

/// The mean negative logarithm of the probability of the labels, at a temperature.
///
/// # Errors
/// As [`temperature`], and where the temperature is not positive.
pub fn negative_log_likelihood(logits: &[Vec<f64>], labels: &[usize], temperature: f64) -> Result<f64> {
    check(logits, labels)?;
    if !(temperature > 0.0 && temperature.is_finite()) {
        return Err(Error::Setting(format!(
            "the temperature is {temperature}; it must be a positive number"
        )));
    }
    let loss = |(row, &label): (&Vec<f64>, &usize)| {
        let mut scaled: Vec<f64> = row.iter().map(|logit| logit / temperature).collect();
        let own = scaled[label];
        softmax(&mut scaled) - own
    };
    Ok(logits.iter().zip(labels).map(loss).sum::<f64>() / labels.len() as f64)
}

/// The expected calibration error of probabilities `[rows][classes]`: how far, in a mean over examples, the share of right
/// predictions is from their probability, in `bins` of equal width.
///
/// # Errors
/// As [`temperature`], and where there are no bins.
pub fn calibration_error(probabilities: &[Vec<f64>], labels: &[usize], bins: usize) -> Result<f64> {
    check(probabilities, labels)?;
    if bins == 0 {
        return Err(Error::Setting("a calibration error needs a bin at least".into()));
    }
    let mut gaps = vec![0.0; bins];
    for (row, &label) in probabilities.iter().zip(labels) {
        let predicted = largest(row);
        // A bin has its upper end and not its lower.
        let bin = ((row[predicted] * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        gaps[bin] += f64::from(u8::from(predicted == label)) - row[predicted];
    }
    Ok(gaps.iter().map(|gap| gap.abs()).sum::<f64>() / labels.len() as f64)
}

/// The slope of the loss along the inverse of the temperature.
fn slope(logits: &[Vec<f64>], labels: &[usize], inverse: f64) -> f64 {
    let of_row = |(row, &label): (&Vec<f64>, &usize)| {
        let mut probabilities: Vec<f64> = row.iter().map(|logit| logit * inverse).collect();
        softmax(&mut probabilities);
        probabilities
            .iter()
            .zip(row)
            .map(|(probability, logit)| probability * (logit - row[label]))
            .sum::<f64>()
    };
    logits.iter().zip(labels).map(of_row).sum()
}

fn check(rows: &[Vec<f64>], labels: &[usize]) -> Result<()> {
    let refused = |reason: String| Err(Error::Setting(format!("calibration: {reason}")));
    if rows.is_empty() || rows.len() != labels.len() {
        return refused(format!("{} rows of {} labels", rows.len(), labels.len()));
    }
    let classes = rows[0].len();
    if rows.iter().any(|row| row.len() != classes) || labels.iter().any(|&label| label >= classes) {
        return refused(format!("a row or a label is not of the {classes} classes of the first row"));
    }
    if rows.iter().flatten().any(|value| !value.is_finite()) {
        return refused("a value is not finite".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::normal;

    /// Logits, and labels that are drawn by their softmax.
    fn drawn(rows: usize) -> (Vec<Vec<f64>>, Vec<usize>) {
        let mut random = fastrand::Rng::with_seed(1);
        let row = |_| {
            let logits: Vec<f64> = (0..3).map(|_| 1.5 * normal(&mut random)).collect();
            let mut probabilities = logits.clone();
            softmax(&mut probabilities);
            let at = random.f64();
            let mut below = 0.0;
            let drawn = probabilities.iter().position(|probability| {
                below += probability;
                at < below
            });
            (logits, drawn.unwrap_or(2))
        };
        (0..rows).map(row).unzip()
    }

    #[test]
    fn temperatures_undo_what_logits_were_multiplied_by() {
        let (logits, labels) = drawn(20_000);
        for factor in [0.2, 1.0, 5.0] {
            let scaled: Vec<Vec<f64>> =
                logits.iter().map(|row| row.iter().map(|logit| factor * logit).collect()).collect();
            let found = temperature(&scaled, &labels).unwrap();
            assert!((found / factor - 1.0).abs() < 0.03, "{found} is not {factor}");
            let loss = |temperature: f64| negative_log_likelihood(&scaled, &labels, temperature).unwrap();
            assert!(loss(found) < loss(found * 1.01) && loss(found) < loss(found / 1.01));
        }
    }

    #[test]
    fn true_probabilities_have_next_to_no_calibration_error() {
        let (logits, labels) = drawn(20_000);
        let error = |factor: f64| {
            let mut rows = logits.clone();
            for row in &mut rows {
                row.iter_mut().for_each(|logit| *logit *= factor);
                softmax(row);
            }
            calibration_error(&rows, &labels, BINS).unwrap()
        };
        assert!(error(1.0) < 0.015 && error(5.0) > 0.1, "{} {}", error(1.0), error(5.0));
    }

    #[test]
    fn calibration_errors_are_those_counted_by_hand() {
        let sure = |probability: f64| vec![probability, 1.0 - probability];
        struct Case {
            rows: Vec<Vec<f64>>,
            labels: &'static [usize],
            error: f64,
        }
        let cases = [
            Case { rows: vec![sure(1.0), sure(1.0)], labels: &[0, 1], error: 0.5 },
            Case { rows: vec![sure(0.75); 4], labels: &[0, 0, 0, 1], error: 0.0 },
            Case { rows: vec![sure(0.95), sure(0.65)], labels: &[0, 1], error: (0.05 + 0.65) / 2.0 },
        ];
        for case in cases {
            let found = calibration_error(&case.rows, case.labels, 10).unwrap();
            assert!((found - case.error).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn all_right_and_all_wrong_stay_within_the_range() {
        let logits = vec![vec![2.0, -2.0]; 3];
        assert!((temperature(&logits, &[0; 3]).unwrap() - 0.01).abs() < 1e-6);
        assert!((temperature(&logits, &[1; 3]).unwrap() - 100.0).abs() < 1e-3);
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        for (rows, labels) in [
            (vec![], vec![]),
            (vec![vec![0.0, 1.0]], vec![0, 1]),
            (vec![vec![0.0, 1.0]], vec![2]),
            (vec![vec![0.0, 1.0], vec![0.0]], vec![0, 0]),
            (vec![vec![0.0, f64::NAN]], vec![0]),
        ] {
            assert!(temperature(&rows, &labels).is_err() && calibration_error(&rows, &labels, 10).is_err());
        }
        assert!(negative_log_likelihood(&[vec![0.0, 1.0]], &[0], 0.0).is_err());
    }
}
