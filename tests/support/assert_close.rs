//! Comparison with stored outputs of a reference.

/// Asserts that no value is off by `tolerance`, and prints by how much the worst is.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    // The largest of numbers and a NaN is a number.
    assert!(!found.iter().any(|x| x.is_nan()), "{what} has a NaN");
    let error = std::iter::zip(found, expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let scale = expected.iter().map(|x| x.abs()).fold(0.0, f32::max);
    println!("{what}: max abs error {error:.1e} of values up to {scale:.1}");
    assert!(error < tolerance, "{what}: {error} is not under {tolerance}");
}
