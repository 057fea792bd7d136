//! From log-probabilities to text, as a user asks for it.

use super::{
    BeamOptions, BeamSearch, LanguageModel, LogProbabilities, Spelled, Units, Vocabulary, greedy, normalise,
};
use crate::asr::options::Options;
use crate::asr::transcript::Task;
use crate::{Error, Result};

/// Texts kept where a language model or hot-words are to choose, and the user does not say how many: pyctcdecode's.
const USUAL_WIDTH: usize = 100;

/// How text is found.
pub enum Search {
    /// The best token of each frame.
    Greedy,
    /// The most probable text.
    Beam(Box<BeamSearch>),
}

/// `word` in the letters that a model spells with; phones stay what they are.
fn spelled(word: &str, vocabulary: &Vocabulary, language: &str) -> String {
    if vocabulary.units() == Units::Phones {
        return word.to_owned();
    }
    let word = normalise(word, language);
    if vocabulary.is_of_capitals() { word.to_uppercase() } else { word }
}

impl Search {
    /// The search that `options` ask for, for a model of `language`, a code or empty, that spells with `vocabulary`.
    ///
    /// # Errors
    /// [`Error::Setting`] for what a CTC model cannot do; those of reading the language model.
    pub fn new(options: &Options, vocabulary: &Vocabulary, language: &str) -> Result<Self> {
        if options.task == Task::Translate {
            return Err(Error::Setting(
                "this model writes speech down as it is; translation needs Whisper".into(),
            ));
        }
        if !options.prompt.trim().is_empty() {
            return Err(Error::Setting(
                "this model takes no prompt; hot-words and a language model it does".into(),
            ));
        }
        let hotwords: Vec<String> = options
            .hotwords
            .split(|c: char| c.is_whitespace() || c == ',')
            .map(|word| spelled(word, vocabulary, language))
            .filter(|word| !word.is_empty())
            .collect();
        let chooses = options.language_model.is_some() || !hotwords.is_empty();
        let width = match options.beam {
            1 if chooses => USUAL_WIDTH,
            1 => return Ok(Self::Greedy),
            width => width,
        };
        let mut search = BeamSearch::new(BeamOptions { width, ..BeamOptions::default() })
            .weighing(options.ctc_weights.clone());
        if let Some(path) = &options.language_model {
            let model = LanguageModel::read(path)?;
            search = search.with_model(model.spelling(|word| spelled(word, vocabulary, language)));
        }
        Ok(Self::Beam(Box::new(search.with_hotwords(hotwords))))
    }

    /// The text of `probabilities`.
    pub fn spell(&self, probabilities: &LogProbabilities, vocabulary: &Vocabulary) -> Spelled {
        match self {
            Self::Greedy => greedy(probabilities, vocabulary),
            Self::Beam(search) => search.decode(probabilities, vocabulary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_spelled_as_the_model_spells_them() {
        let letters = |tokens: &[&str]| Vocabulary::from_tokens(tokens, 0);
        let cases = [
            (letters(&["<pad>", "|", "A", "B"]), "en", "Zoë's", "ZOË'S"),
            (letters(&["<pad>", "|", "a", "b"]), "en", "Ab,", "ab"),
            (letters(&["<pad>", "|", "ک", "ی"]), "ur", "كي", "کی"),
            (letters(&["<pad>", "t", "ʃ"]).of(Units::Phones), "en", "tʃ", "tʃ"),
        ];
        for (vocabulary, language, word, expected) in cases {
            assert_eq!(spelled(word, &vocabulary, language), expected);
        }
    }
}
