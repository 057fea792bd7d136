//! Functionals: what is said of a contour as a whole.

use super::peaks::slopes;

/// Values that describe a contour by its moments.
pub(super) const MOMENTS: usize = 2;
/// Values that describe a contour in full.
pub(super) const FULL: usize = 10;

/// The arithmetic mean; that of nothing is 0.
pub(super) fn mean(contour: &[f64]) -> f64 {
    contour.iter().sum::<f64>() / contour.len().max(1) as f64
}

/// The mean, and the standard deviation over the mean.
pub(super) fn moments(contour: &[f64]) -> [f64; MOMENTS] {
    let mean = mean(contour);
    let squares: Vec<f64> = contour.iter().map(|x| (x - mean) * (x - mean)).collect();
    let variance = self::mean(&squares);
    let norm = if mean == 0.0 { 1.0 } else { mean };
    [mean, variance.sqrt() / norm]
}

/// Moments, the 20th, 50th and 80th percentile, the range between the first and the last of them, and mean and
/// deviation of rising and of falling slopes.
pub(super) fn full(contour: &[f64]) -> [f64; FULL] {
    let mut sorted = contour.to_vec();
    sorted.sort_by(f64::total_cmp);
    let [low, middle, high] = [0.2, 0.5, 0.8].map(|part| percentile(&sorted, part));
    let slopes = slopes(contour);
    let [mean, deviation] = moments(contour);
    let (rising, falling) = (slopes.rising, slopes.falling);
    [mean, deviation, low, middle, high, (high - low).abs(), rising.0, rising.1, falling.0, falling.1]
}

/// Interpolates between values; nothing has percentiles of 0.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let place = part * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let value = |at: usize| sorted.get(at).copied().unwrap_or(0.0);
    value(below) + (value(above) - value(below)) * place.fract()
}

/// The values that are not 0.
pub(super) fn nonzero(contour: &[f64]) -> Vec<f64> {
    contour.iter().copied().filter(|&x| x != 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contour_of_nothing_has_functionals_of_zero() {
        assert_eq!(full(&[]), [0.0; FULL]);
        assert_eq!(full(&[0.0; 3]), [0.0; FULL]);
    }

    #[test]
    fn percentiles_lie_between_values() {
        let full = full(&[4.0, 1.0, 3.0, 2.0, 5.0, 6.0]);
        assert_eq!(full[2..6], [2.0, 3.5, 5.0, 3.0]);
    }

    #[test]
    fn the_deviation_is_relative() {
        assert_eq!(moments(&[1.0, 3.0]), [2.0, 0.5]);
        assert_eq!(moments(&[-1.0, 1.0]), [0.0, 1.0]);
    }
}
