//! Many frames to one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How frames become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// They stay what they are.
    None,
    /// Their mean.
    Mean,
    /// The mean of the frames, each of length 1.
    L2Mean,
    /// Their mean, then their standard deviation.
    MeanStd,
}

impl Pool {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Mean, Self::L2Mean, Self::MeanStd];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::L2Mean => "l2-mean",
            Self::MeanStd => "mean-std",
        }
    }

    /// Values of what frames of `width` values become; of frames that stay what they are, of each.
    pub fn width(self, width: usize) -> usize {
        match self {
            Self::None | Self::Mean | Self::L2Mean => width,
            Self::MeanStd => 2 * width,
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Pool {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|pool| pool.name() == name);
        named.ok_or_else(|| format!("no pooling {name}; there are none, mean, l2-mean and mean-std"))
    }
}

/// `frames`, `[count, width]`, pooled: one row of [`Pool::width`], or as they are.
pub fn pool(frames: Vec<f32>, width: usize, pool: Pool) -> Vec<f32> {
    let scale = |frame: &[f32]| match pool {
        Pool::L2Mean => {
            let length = frame.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 { length.recip() } else { 0.0 }
        }
        Pool::Mean | Pool::MeanStd | Pool::None => 1.0,
    };
    if pool == Pool::None {
        return frames;
    }
    let mut sums = vec![0.0f64; width];
    for frame in frames.chunks_exact(width) {
        let scale = scale(frame);
        sums.iter_mut().zip(frame).for_each(|(sum, &x)| *sum += scale * f64::from(x));
    }
    let count = (frames.len() / width).max(1) as f64;
    let means: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let mut pooled: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
    if pool == Pool::MeanStd {
        let mut squares = vec![0.0f64; width];
        for frame in frames.chunks_exact(width) {
            let parts = squares.iter_mut().zip(frame).zip(&means);
            parts.for_each(|((sum, &x), mean)| *sum += (f64::from(x) - mean).powi(2));
        }
        pooled.extend(squares.iter().map(|sum| (sum / count).sqrt() as f32));
    }
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_become_one() {
        let frames = vec![3.0, 4.0, 0.0, 2.0, 0.0, 0.0];
        assert_eq!(pool(frames.clone(), 2, Pool::None), frames);
        assert_eq!(pool(frames.clone(), 2, Pool::Mean), [1.0, 2.0]);
        assert_eq!(pool(frames, 2, Pool::L2Mean), [0.2, 0.6]);
        assert_eq!(pool(vec![1.0, 4.0, 3.0, 4.0], 2, Pool::MeanStd), [2.0, 4.0, 1.0, 0.0]);
        assert_eq!(pool(Vec::new(), 2, Pool::Mean), [0.0, 0.0]);
        for pool_of in Pool::ALL.into_iter().filter(|&pool| pool != Pool::None) {
            assert_eq!(pool(vec![1.0; 6], 2, pool_of).len(), pool_of.width(2));
        }
    }
}
