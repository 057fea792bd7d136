//! K-means, begun as k-means++ (Arthur and Vassilvitskii, 2007), the best of several runs.

/// Runs, each from other centres.
const RUNS: usize = 10;
/// Rounds of a run at most.
const ROUNDS: usize = 50;

/// The cluster of each of `points`, of `clusters` at most. The same points always give the same clusters.
pub fn kmeans(points: &[Vec<f64>], clusters: usize) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(0);
    let runs = (0..RUNS).map(|_| run(points, clusters.max(1), &mut random));
    runs.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, labels)| labels).unwrap_or_default()
}

/// The sum of squared distances, and the clusters.
fn run(points: &[Vec<f64>], clusters: usize, random: &mut fastrand::Rng) -> (f64, Vec<usize>) {
    let mut centres = first_centres(points, clusters, random);
    let mut labels = vec![usize::MAX; points.len()];
    let mut total = 0.0;
    for _ in 0..ROUNDS {
        let found: Vec<(usize, f64)> = points.iter().map(|point| nearest(point, &centres)).collect();
        total = found.iter().map(|(_, distance)| distance).sum();
        let next: Vec<usize> = found.iter().map(|(label, _)| *label).collect();
        if next == labels {
            break;
        }
        labels = next;
        for (cluster, centre) in centres.iter_mut().enumerate() {
            let members = points.iter().zip(&labels).filter(|(_, label)| **label == cluster);
            let (mut sum, mut count) = (vec![0.0; centre.len()], 0.0);
            for (point, _) in members {
                sum.iter_mut().zip(point).for_each(|(sum, x)| *sum += x);
                count += 1.0;
            }
            if count > 0.0 {
                *centre = sum.into_iter().map(|sum| sum / count).collect();
            }
        }
    }
    (total, labels)
}

/// Points far from each other, by chance.
fn first_centres(points: &[Vec<f64>], clusters: usize, random: &mut fastrand::Rng) -> Vec<Vec<f64>> {
    let mut centres: Vec<Vec<f64>> = Vec::new();
    while centres.len() < clusters.min(points.len()) {
        let distances: Vec<f64> = match centres.is_empty() {
            true => vec![1.0; points.len()],
            false => points.iter().map(|point| nearest(point, &centres).1).collect(),
        };
        let mut rest = random.f64() * distances.iter().sum::<f64>();
        let chosen = distances.iter().position(|distance| {
            rest -= distance;
            rest < 0.0
        });
        centres.push(points[chosen.unwrap_or(points.len() - 1)].clone());
    }
    centres
}

fn nearest(point: &[f64], centres: &[Vec<f64>]) -> (usize, f64) {
    let distance = |centre: &Vec<f64>| point.iter().zip(centre).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let all = centres.iter().map(distance).enumerate();
    all.min_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or((0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::super::vectors::renumbered;
    use super::*;

    #[test]
    fn groups_that_lie_apart_are_found() {
        let mut random = fastrand::Rng::with_seed(3);
        let truth: Vec<usize> = (0..90).map(|at| at % 3).collect();
        let point =
            |&group: &usize| vec![10.0 * group as f64 + random.f64(), random.f64() - 5.0 * group as f64];
        let points: Vec<Vec<f64>> = truth.iter().map(point).collect();
        assert_eq!(renumbered(&kmeans(&points, 3)), (truth, 3));
    }

    #[test]
    fn fewer_points_than_clusters_and_points_alike_do_no_harm() {
        assert!(kmeans(&[], 3).is_empty());
        assert_eq!(kmeans(&[vec![1.0]], 3), [0]);
        let alike = kmeans(&[vec![1.0], vec![1.0], vec![1.0]], 2);
        assert!(alike.iter().all(|&label| label == alike[0]));
    }
}
