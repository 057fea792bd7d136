//! Which language is spoken.
//!
//! A [`LanguageIdentifier`] says it of a stretch of sound: Whisper by its language tokens, a network of the wav2vec 2.0
//! family by its classes (MMS's identifiers know up to 4017 languages).

mod classifier;
mod whisper;

pub use classifier::Classifier;

use std::sync::Arc;

use super::engine::Engine;
use super::languages::code_of;
use crate::Result;
use crate::compute::Threads;
use crate::models::backend::Backend;
use crate::models::encoder::model_type;
use crate::weights::ModelFiles;

/// A language and how likely it is.
#[derive(Debug, Clone, PartialEq)]
pub struct LikelyLanguage {
    /// Its code: the usual one where the language has one ("hi"), otherwise what the model calls it.
    pub code: String,
    /// Probability, 0 to 1.
    pub probability: f32,
}

/// Says which language is spoken.
pub trait LanguageIdentifier: Send + Sync {
    /// The languages that `samples` (16 kHz, 30 s at most are heard) may be in, the likeliest first.
    ///
    /// # Errors
    /// Those of the network.
    fn identify(&self, samples: &[f32]) -> Result<Vec<LikelyLanguage>>;
}

/// Loads the model whose files are given, of whichever kind, to be computed by `backend`.
///
/// # Errors
/// One that names the file that is missing or wrong, or says that the model knows no languages.
pub fn load_identifier(
    files: &ModelFiles,
    threads: Threads,
    backend: impl Into<Backend>,
) -> Result<Arc<dyn LanguageIdentifier>> {
    match backend.into() {
        Backend::Native(target) if model_type(files)? == "whisper" => {
            Ok(Arc::new(Engine::load(files, threads, target)?))
        }
        backend => Ok(Arc::new(Classifier::load(files, threads, backend)?)),
    }
}

/// Languages by what a model calls them, the likeliest first; two names of one language count together.
fn ranked(names: impl IntoIterator<Item = (String, f32)>) -> Vec<LikelyLanguage> {
    let mut found: Vec<LikelyLanguage> = Vec::new();
    for (name, probability) in names {
        let code = code_of(&name).map_or(name, str::to_owned);
        match found.iter_mut().find(|language| language.code == code) {
            Some(language) => language.probability += probability,
            None => found.push(LikelyLanguage { code, probability }),
        }
    }
    found.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    found
}

/// The languages of several stretches of sound together: the mean of their probabilities, each weighed by its length.
pub fn mean(parts: &[(f64, Vec<LikelyLanguage>)]) -> Vec<LikelyLanguage> {
    let total: f64 = parts.iter().map(|(seconds, _)| seconds).sum();
    let all = parts.iter().flat_map(|(seconds, languages)| {
        let share = (seconds / total) as f32;
        languages.iter().map(move |language| (language.code.clone(), language.probability * share))
    });
    ranked(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(languages: &[LikelyLanguage]) -> String {
        let show = |language: &LikelyLanguage| format!("{} {:.2}", language.code, language.probability);
        languages.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn names_of_one_language_count_together() {
        let names = [("eng", 0.3), ("cmn", 0.25), ("zho", 0.15), ("xyz", 0.2), ("en", 0.1)];
        let found = ranked(names.map(|(name, probability)| (name.to_owned(), probability)));
        assert_eq!(shown(&found), "en 0.40, zh 0.40, xyz 0.20");
    }

    #[test]
    fn longer_stretches_count_more() {
        let of = |en: f32| ranked([("en".to_owned(), en), ("hi".to_owned(), 1.0 - en)]);
        assert_eq!(shown(&mean(&[(3.0, of(1.0)), (1.0, of(0.0))])), "en 0.75, hi 0.25");
        assert!(mean(&[]).is_empty());
    }
}
