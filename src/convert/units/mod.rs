//! Discrete units: the number of the cluster that each frame of an encoder is nearest to.
//!
//! A [`Codebook`] has the centroids of k-means over one layer of one encoder, and a card that says which. Of several parts,
//! each over a block of the features or from another start, a frame has a unit of each: the cluster ensembles of S3PRL-VC
//! (Huang et al., "A comparative study of self-supervised speech representation based voice conversion", 2022). [`frames`]
//! hears sounds of any length, [`Run`] collapses equal neighbours and keeps how long they last, [`quality`] tells what units
//! are worth where phones or speakers are known.

mod card;
mod codebook;
mod features;
mod file;
pub mod quality;
mod runs;

pub use card::Card;
pub use codebook::{Codebook, Part, Standard};
pub use features::frames;
pub use runs::{Run, collapse, expand};

/// For tests of what uses codebooks.
#[cfg(test)]
pub(super) mod tests_support {
    pub use super::codebook::tests::codebook;
}
