//! Sums of vectors that tell who speaks.

/// A vector brought to length 1; zeros stay zeros.
pub fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

/// The direction of the sum of `vectors`; empty of none.
pub fn centre<'a>(vectors: impl IntoIterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    unit(sum)
}

/// The centre of each of `clusters` of vectors, given the cluster of each.
pub fn centres(vectors: &[Vec<f32>], labels: &[usize], clusters: usize) -> Vec<Vec<f32>> {
    let of = |cluster: usize| {
        let members = vectors.iter().zip(labels).filter(move |(_, label)| **label == cluster);
        centre(members.map(|(vector, _)| vector.as_slice()))
    };
    (0..clusters).map(of).collect()
}

/// Labels without gaps, numbered by their first place, and how many there are.
pub fn renumbered(labels: &[usize]) -> (Vec<usize>, usize) {
    let mut seen: Vec<usize> = Vec::new();
    let number = |label: &usize| {
        seen.iter().position(|seen| seen == label).unwrap_or_else(|| {
            seen.push(*label);
            seen.len() - 1
        })
    };
    let labels = labels.iter().map(number).collect();
    (labels, seen.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_are_directions_of_their_members() {
        let vectors = [vec![1.0, 0.0], vec![0.0, 1.0], vec![1.0, 0.0]];
        let half = 0.5f32.sqrt();
        let found = centres(&vectors, &[0, 0, 2], 3);
        assert!(found[0].iter().all(|x| (x - half).abs() < 1e-6));
        assert_eq!((found[1].len(), found[2].as_slice()), (0, [1.0, 0.0].as_slice()));
        assert_eq!(unit(vec![0.0; 2]), [0.0; 2]);
    }

    #[test]
    fn labels_are_numbered_as_they_come() {
        assert_eq!(renumbered(&[4, 4, 1, 4, 9]), (vec![0, 0, 1, 0, 2], 3));
        assert_eq!(renumbered(&[]), (vec![], 0));
    }
}
