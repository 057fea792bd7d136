//! The file of a codebook: safetensors, with the card as JSON in its metadata under `awaaz.units`.
//!
//! Part `i` is `centroids.i`, `[k, width]`; its first feature is in the card's `starts`. Where features are standardised there
//! are `standardise.mean` and `standardise.deviation`. Centroids that another program made need no more than `centroids.0`
//! and a card.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::card::Card;
use super::codebook::{Codebook, Part, Standard, fault};
use crate::learn::standardise::Moments;
use crate::output::write_whole;
use crate::weights::{Carded, le_bytes};
use crate::{Error, Result};

const FILE: Carded = Carded {
    key: "awaaz.units",
    version: 1,
    // Codebooks are small.
    limit: 1 << 30,
    what: "a codebook of units",
    remedy: "train it again",
};
/// Parts at most.
const MOST_PARTS: usize = 64;

const MEANS: &str = "standardise.mean";
const DEVIATIONS: &str = "standardise.deviation";

#[derive(Serialize, Deserialize)]
struct Stored {
    /// Features of a frame.
    width: usize,
    /// The first feature of each part.
    starts: Vec<usize>,
    #[serde(flatten)]
    card: Card,
}

impl Codebook {
    /// The file's bytes; the same codebook always has the same.
    ///
    /// # Errors
    /// [`Error::Setting`] where the library refuses, which no codebook makes it do.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut arrays = BTreeMap::new();
        for (number, part) in self.parts.iter().enumerate() {
            arrays.insert(centroids(number), (vec![part.clusters(), part.width], le_bytes(&part.centroids)));
        }
        if let Standard::Moments(Moments { means, deviations }) = &self.standard {
            arrays.insert(MEANS.into(), (vec![means.len()], le_bytes(means)));
            arrays.insert(DEVIATIONS.into(), (vec![deviations.len()], le_bytes(deviations)));
        }
        let refused =
            |error: &dyn std::fmt::Display| Error::Setting(format!("a codebook cannot be written: {error}"));
        let starts = self.parts.iter().map(|part| part.start).collect();
        let stored = Stored { width: self.width, starts, card: self.card.clone() };
        let views = arrays.iter().map(|(name, (shape, bytes))| {
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(|error| refused(&error))?;
        FILE.to_bytes(&stored, views)
    }

    /// Writes the file, and the folders above it; what was there is replaced at once or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.to_bytes()?)
    }

    /// Reads a file that [`Codebook::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Model`] where it is damaged, or no codebook.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(path, &FILE.read(path)?)
    }

    /// Reads the bytes of such a file, which errors call `path`.
    ///
    /// # Errors
    /// As [`Codebook::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (stored, file): (Stored, _) = FILE.open(path, bytes)?;
        if stored.card.hop == 0 {
            return Err(damaged(path, "its card has a hop of no samples".into()));
        }
        if stored.starts.len() > MOST_PARTS {
            let count = stored.starts.len();
            return Err(damaged(path, format!("its card has {count} parts; there are {MOST_PARTS} at most")));
        }
        let part = |(number, &start): (usize, &usize)| {
            let (shape, values) = tensor(path, &file, &centroids(number))?;
            match shape[..] {
                [_, width] => Ok(Part { start, width, centroids: values }),
                _ => Err(damaged(path, format!("{} has shape {shape:?}", centroids(number)))),
            }
        };
        let parts = stored.starts.iter().enumerate().map(part).collect::<Result<Vec<_>>>()?;
        let standard = match file.tensor(MEANS) {
            Ok(_) => Standard::Moments(Moments {
                means: tensor(path, &file, MEANS)?.1,
                deviations: tensor(path, &file, DEVIATIONS)?.1,
            }),
            Err(_) => Standard::AsTheyAre,
        };
        if let Some(reason) = fault(stored.width, &standard, &parts) {
            return Err(damaged(path, format!("it {reason}")));
        }
        Self::new(stored.card, stored.width, standard, parts)
    }
}

fn centroids(part: usize) -> String {
    format!("centroids.{part}")
}

fn tensor(path: &Path, file: &SafeTensors, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let view = file.tensor(name).map_err(|_| damaged(path, format!("it has no tensor {name}")))?;
    if view.dtype() != Dtype::F32 {
        return Err(damaged(path, format!("{name} is of {:?}, expected f32", view.dtype())));
    }
    let values = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    Ok((view.shape().to_vec(), values))
}

fn damaged(path: &Path, reason: String) -> Error {
    Error::model(path.display().to_string(), reason)
}

#[cfg(test)]
mod tests {
    use super::super::codebook::tests::codebook;
    use super::*;

    #[test]
    fn what_is_written_reads_back_to_the_byte() {
        let (written, home) = (codebook(), tempfile::tempdir().unwrap());
        let path = home.path().join("deep/units.safetensors");
        written.save(&path).unwrap();
        let read = Codebook::load(&path).unwrap();
        assert_eq!((read.card(), read.parts(), read.width()), (written.card(), written.parts(), 3));
        assert_eq!(read.standard, written.standard);
        assert_eq!(read.to_bytes().unwrap(), std::fs::read(&path).unwrap());
    }

    #[test]
    fn damaged_files_are_told_of() {
        let whole = codebook().to_bytes().unwrap();
        let told = |bytes: &[u8]| Codebook::from_bytes(Path::new("u"), bytes).err().unwrap().to_string();
        for end in 0..whole.len() {
            assert!(Codebook::from_bytes(Path::new("u"), &whole[..end]).is_err(), "{end} bytes");
        }
        // Of the same length, so that the rest stays where it is.
        let with = |from: &str, to: &str| {
            let at = whole.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
            let mut bytes = whole.clone();
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            bytes
        };
        assert!(told(&with("awaaz.units", "awaaz.onits")).contains("not a codebook"));
        assert!(told(&with(r#"\"version\":1"#, r#"\"version\":7"#)).contains("version 7"));
        assert!(told(&with(r#"\"hop\":320"#, r#"\"hop\":000"#)).contains("card is not valid"));
        assert!(told(&with("centroids.1", "centroids.7")).contains("no tensor centroids.1"));
        assert!(told(&with(r#"\"width\":3"#, r#"\"width\":2"#)).contains("features"));
    }
}
