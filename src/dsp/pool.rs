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
}

impl Pool {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Mean, Self::L2Mean];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::L2Mean => "l2-mean",
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
        named.ok_or_else(|| format!("no pooling {name}; there are none, mean and l2-mean"))
    }
}

/// `frames`, `[count, width]`, pooled: `[width]`, or as they are.
pub fn pool(frames: Vec<f32>, width: usize, pool: Pool) -> Vec<f32> {
    let scale = |frame: &[f32]| match pool {
        Pool::L2Mean => {
            let length = frame.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 { length.recip() } else { 0.0 }
        }
        Pool::Mean | Pool::None => 1.0,
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
    sums.iter().map(|sum| (sum / count) as f32).collect()
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
        assert_eq!(pool(Vec::new(), 2, Pool::Mean), [0.0, 0.0]);
    }
}
