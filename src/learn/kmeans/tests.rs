use super::*;

/// `per` rows around each of `centres`.
fn clouds(centres: &[[f32; 2]], per: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rows = Vec::new();
    for _ in 0..per {
        for centre in centres {
            rows.extend(centre.map(|value| value + random.f32() - 0.5));
        }
    }
    rows
}

const CENTRES: [[f32; 2]; 5] = [[0.0, 0.0], [9.0, 1.0], [-6.0, 7.0], [4.0, -8.0], [20.0, 20.0]];

fn options(method: Method) -> KMeansOptions {
    KMeansOptions { clusters: 5, method, starts: 2, ..KMeansOptions::default() }
}

fn fit(rows: &[f32], options: &KMeansOptions) -> KMeans {
    KMeans::fit(rows, 2, options, |_| Ok(())).unwrap()
}

const BATCHES: Method = Method::Batches { rows: 60, steps: 300, patience: 40 };

#[test]
fn clouds_are_found_in_both_ways() {
    let rows = clouds(&CENTRES, 120, 1);
    for method in [Method::default(), BATCHES] {
        let found = fit(&rows, &options(method));
        for centre in CENTRES {
            let near = |centroid: &[f32]| (centroid[0] - centre[0]).hypot(centroid[1] - centre[1]) < 0.25;
            assert!(found.centroids.chunks(2).any(near), "{method:?}: {centre:?} of {:?}", found.centroids);
        }
        // The variance of two uniform numbers.
        assert!((found.inertia - 1.0 / 6.0).abs() < 0.02, "{method:?}: {}", found.inertia);
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_with_any_number_of_threads() {
    let mut random = fastrand::Rng::with_seed(4);
    let rows: Vec<f32> = (0..4000).map(|_| random.f32()).collect();
    for method in [Method::default(), BATCHES] {
        let fitted = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = KMeansOptions { clusters: 17, seed, start_rows: 500, ..options(method) };
            pool.install(|| fit(&rows, &options))
        };
        let once = fitted(1, 0);
        assert_eq!(fitted(2, 0), once, "{method:?}");
        assert_eq!(fitted(5, 0), once, "{method:?}");
        assert_ne!(fitted(1, 9).centroids, once.centroids, "{method:?}");
    }
}

#[test]
fn inertia_falls_from_step_to_step_and_more_starts_are_no_worse() {
    let mut random = fastrand::Rng::with_seed(5);
    let rows: Vec<f32> = (0..3000).map(|_| random.f32()).collect();
    let one = KMeansOptions { clusters: 20, starts: 1, ..KMeansOptions::default() };
    let mut told = Vec::new();
    let keep = |step: Step| {
        told.push(step);
        Ok(())
    };
    let fitted = KMeans::fit(&rows, 2, &one, keep).unwrap();
    assert!(told.is_sorted_by(|a, b| a.inertia >= b.inertia - 1e-9), "{told:?}");
    assert_eq!(told.len(), fitted.steps);
    let five = fit(&rows, &KMeansOptions { starts: 5, ..one });
    assert!(five.inertia <= fitted.inertia);
}

#[test]
fn as_many_clusters_as_different_rows_leave_no_distance() {
    let rows = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 5.0, 5.0];
    let found = fit(&rows, &KMeansOptions { clusters: 4, ..KMeansOptions::default() });
    assert!(found.inertia < 1e-9);
    // More clusters than there are different rows.
    let same = fit(&[1.0; 8], &KMeansOptions { clusters: 3, ..KMeansOptions::default() });
    assert_eq!(same.centroids, [1.0; 6]);
}

#[test]
fn what_has_no_sense_is_refused_and_work_can_be_ended() {
    let told = |rows: &[f32], options: KMeansOptions| {
        KMeans::fit(rows, 2, &options, |_| Ok(())).unwrap_err().to_string()
    };
    let two = KMeansOptions { clusters: 2, ..KMeansOptions::default() };
    assert!(told(&[0.0; 2], two).contains("1 rows cannot be cut into 2 clusters"));
    assert!(told(&[0.0; 3], two).contains("no rows of 2"));
    assert!(told(&[0.0, f32::NAN, 1.0, 1.0], two).contains("value 1 of row 0"));
    assert!(told(&[0.0; 4], KMeansOptions { starts: 0, ..two }).contains("one start"));
    let ended = KMeans::fit(&[0.0, 1.0, 2.0, 3.0], 2, &two, |_| Err(Error::Interrupted));
    assert!(matches!(ended, Err(Error::Interrupted)));
}
