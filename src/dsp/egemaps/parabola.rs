//! Peaks between samples.

/// The top of the parabola through `(-1, y[0])`, `(0, y[1])` and `(1, y[2])`: its place and its height.
///
/// Three points on a line have no top: the highest of them is returned.
pub(super) fn vertex(y: [f64; 3]) -> (f64, f64) {
    let curvature = (y[0] + y[2]) / 2.0 - y[1];
    let slope = (y[2] - y[0]) / 2.0;
    if curvature == 0.0 {
        return if slope > 0.0 { (1.0, y[2]) } else { (-1.0, y[0]) };
    }
    let place = -slope / (2.0 * curvature);
    (place, y[1] - curvature * place * place)
}

/// Whether `values[at]` is higher than its neighbours; the ends have one.
pub(super) fn is_peak(values: &[f64], at: usize) -> bool {
    let Some(&value) = values.get(at) else { return false };
    let before = at.checked_sub(1).map(|at| values[at]);
    let after = values.get(at + 1).copied();
    (before.is_some() || after.is_some())
        && before.is_none_or(|before| value > before)
        && after.is_none_or(|after| value > after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_a_parabola_is_found_between_samples() {
        let parabola = |x: f64| 3.0 - 2.0 * (x - 0.25) * (x - 0.25);
        let (place, height) = vertex([-1.0, 0.0, 1.0].map(parabola));
        assert!((place - 0.25).abs() < 1e-12 && (height - 3.0).abs() < 1e-12);
        assert_eq!(vertex([1.0, 2.0, 3.0]), (1.0, 3.0));
        assert_eq!(vertex([3.0, 2.0, 1.0]), (-1.0, 3.0));
    }

    #[test]
    fn the_ends_are_peaks_over_one_neighbour() {
        let values = [2.0, 1.0, 3.0, 3.0, 4.0];
        let peaks: Vec<usize> = (0..6).filter(|&at| is_peak(&values, at)).collect();
        assert_eq!(peaks, [0, 4]);
        assert!(!is_peak(&[1.0], 0));
    }
}
