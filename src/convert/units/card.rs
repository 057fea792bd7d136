//! What a codebook is for, and what it was made of.

use serde::{Deserialize, Serialize};

use crate::learn::head::{Data, Encoder};

/// What a codebook's file says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Whose frames it is for.
    pub encoder: Encoder,
    /// Which hidden state; 0 enters the first layer.
    pub layer: usize,
    /// Samples at 16 kHz from one frame to the next.
    pub hop: usize,
    /// Samples at 16 kHz from the start of a sound to the middle of what its first frame is of.
    pub centre: usize,
    /// What it was made of.
    pub data: Vec<Data>,
    /// Frames that were clustered.
    pub frames: usize,
    /// The mean squared distance of a frame to its centroid, summed over the parts, in features as they were clustered.
    pub inertia: f64,
    /// How clusters were found.
    pub method: String,
    /// The seed of it.
    pub seed: u64,
    /// The program that made it, and its version.
    pub created_by: String,
}
