//! What others have published of few-shot learning on ADIMA.

use serde::Serialize;

use crate::{Error, Result};

/// Per language, as they stand in the result tables of `callmesanfornow/fsl-audio-abuse`, commit 6e5556f, the
/// code of Sharma et al., "Few-shot cross-lingual audio abuse detection" (COLING 2025).
const TABLE: &str = include_str!("published.csv");

/// Shots of the columns, in their order.
const SHOTS: [usize; 4] = [50, 100, 150, 200];

/// A figure of theirs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Published {
    /// `mean` or `l2-mean`.
    pub pooling: String,
    /// `whisper` or `wav2vec`, whichever is meant by it.
    pub encoder: String,
    /// Its code.
    pub language: String,
    /// Clips of each language, both classes together.
    pub shots: usize,
    /// In percent.
    pub accuracy: f64,
    /// In percent.
    pub macro_f1: f64,
}

/// All of them.
///
/// # Errors
/// [`Error::Setting`] where the program was built with a damaged table.
pub fn published() -> Result<Vec<Published>> {
    let damaged = |error: &dyn std::fmt::Display| Error::Setting(format!("the published figures: {error}"));
    let mut found = Vec::new();
    let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
    for row in reader.deserialize() {
        let (pooling, encoder, language, figures): (String, String, String, [f64; 8]) =
            row.map_err(|error| damaged(&error))?;
        for (shots, pair) in SHOTS.into_iter().zip(figures.chunks_exact(2)) {
            found.push(Published {
                pooling: pooling.clone(),
                encoder: encoder.clone(),
                language: language.clone(),
                shots,
                accuracy: pair[0],
                macro_f1: pair[1],
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The means that the specification of the task states, of all ten languages.
    #[test]
    fn the_table_has_the_means_that_are_known() {
        let all = published().unwrap();
        assert_eq!(all.len(), 2 * 2 * 10 * 4);
        for (pooling, encoder, shots, accuracy, macro_f1) in [
            ("l2-mean", "whisper", 50, 81.27, 80.30),
            ("l2-mean", "whisper", 200, 81.44, 80.37),
            ("l2-mean", "wav2vec", 100, 73.69, 72.43),
            ("mean", "whisper", 50, 72.26, 70.93),
            ("mean", "wav2vec", 200, 74.12, 72.98),
        ] {
            let of: Vec<&Published> = all
                .iter()
                .filter(|p| p.pooling == pooling && p.encoder == encoder && p.shots == shots)
                .collect();
            let mean = |value: fn(&Published) -> f64| of.iter().map(|p| value(p)).sum::<f64>() / 10.0;
            assert!((mean(|p| p.accuracy) - accuracy).abs() < 0.011, "{pooling} {encoder} {shots}");
            assert!((mean(|p| p.macro_f1) - macro_f1).abs() < 0.011, "{pooling} {encoder} {shots}");
        }
    }
}
