//! Agglomerative clustering: the two clusters that are most alike become one, until none are alike enough.

use super::Speakers;

/// The cluster of each of `size` things, by average linkage: two clusters are as alike as their members are on average.
///
/// Clusters whose likeness is below `least_alike` stay apart, but for the number of speakers. Takes the square of the size in
/// memory and up to its cube in time.
pub fn agglomerative(
    size: usize,
    alike: impl Fn(usize, usize) -> f32,
    least_alike: f32,
    speakers: Speakers,
) -> Vec<usize> {
    let mut labels: Vec<usize> = (0..size).collect();
    let mut alive: Vec<usize> = (0..size).collect();
    let mut members = vec![1.0f32; size];
    let mut likeness: Vec<Vec<f32>> = (0..size).map(|a| (0..size).map(|b| alike(a, b)).collect()).collect();
    while alive.len() > 1 {
        let pairs =
            alive.iter().enumerate().flat_map(|(at, &a)| alive[at + 1..].iter().map(move |&b| (a, b)));
        let Some((a, b)) = pairs.max_by(|&(a, b), &(c, d)| likeness[a][b].total_cmp(&likeness[c][d])) else {
            break;
        };
        let stop = alive.len() <= speakers.most && likeness[a][b] < least_alike;
        if stop || alive.len() <= speakers.least {
            break;
        }
        let (of_a, of_b) = (members[a], members[b]);
        for &other in alive.iter().filter(|&&other| other != a && other != b) {
            let mean = (of_a * likeness[a][other] + of_b * likeness[b][other]) / (of_a + of_b);
            likeness[a][other] = mean;
            likeness[other][a] = mean;
        }
        members[a] += of_b;
        alive.retain(|&cluster| cluster != b);
        labels.iter_mut().filter(|label| **label == b).for_each(|label| *label = a);
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::super::vectors::renumbered;
    use super::*;

    const PLACES: [f32; 6] = [0.0, 0.1, 5.0, 5.2, 9.0, 0.2];

    fn clusters(least_alike: f32, speakers: Speakers) -> Vec<usize> {
        let alike = |a: usize, b: usize| -(PLACES[a] - PLACES[b]).abs();
        renumbered(&agglomerative(PLACES.len(), alike, least_alike, speakers)).0
    }

    #[test]
    fn clusters_stop_where_likeness_or_their_number_says() {
        let free = Speakers { least: 1, most: usize::MAX };
        assert_eq!(clusters(-1.0, free), [0, 0, 1, 1, 2, 0]);
        assert_eq!(clusters(-4.5, free), [0, 0, 1, 1, 1, 0]);
        assert_eq!(clusters(-100.0, free), [0; 6]);
        assert_eq!(clusters(-100.0, Speakers { least: 2, most: 9 }), [0, 0, 1, 1, 1, 0]);
        assert_eq!(clusters(0.0, Speakers::exactly(2)), [0, 0, 1, 1, 1, 0]);
        assert!(agglomerative(0, |_, _| 0.0, 0.0, free).is_empty());
    }
}
