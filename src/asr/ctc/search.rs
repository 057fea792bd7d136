//! From log-probabilities to text, as a user asks for it.

use super::{BeamOptions, BeamSearch, LanguageModel, LogProbabilities, Spelled, Vocabulary, greedy};
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

impl Search {
    /// The search that `options` ask for, with hot-words and the words of the language model spelled as `vocabulary`
    /// spells those of `language`.
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
        let spell = |text: &str| vocabulary.spelled(text, language);
        let words = spell(&options.hotwords.replace(',', " "));
        let hotwords: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let chooses = options.language_model.is_some() || !hotwords.is_empty();
        let width = match options.beam {
            1 if chooses => USUAL_WIDTH,
            1 => return Ok(Self::Greedy),
            width => width,
        };
        let mut search = BeamSearch::new(BeamOptions { width, ..BeamOptions::default() })
            .weighing(options.ctc_weights.clone());
        if let Some(path) = &options.language_model {
            search = search.with_model(LanguageModel::read_spelled(path, spell)?);
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
    use super::super::tests::{likely, vocabulary};
    use super::*;
    use std::io::Write;

    /// The letters of the tests' vocabulary, of which `b` and `c` sound alike in what is heard.
    fn heard() -> LogProbabilities {
        let row = |best: [f32; 5]| best.map(f32::ln);
        let unsure = [row([0.02, 0.02, 0.02, 0.5, 0.44])];
        let sure = |symbols: &str| {
            let certain = likely(symbols);
            (0..certain.frames()).flat_map(|frame| certain.frame(frame).to_vec()).collect::<Vec<f32>>()
        };
        let frames = [sure("a_"), unsure.concat(), sure("_")].concat();
        LogProbabilities::new(frames, 5)
    }

    fn said(options: &Options, vocabulary: &Vocabulary) -> String {
        Search::new(options, vocabulary, "en").unwrap().spell(&heard(), vocabulary).text
    }

    #[test]
    fn hotwords_are_found_however_they_are_written() {
        let capitals = Vocabulary::from_tokens(&["<pad>", "|", "A", "B", "C"], 0);
        struct Case {
            hotwords: &'static str,
            small: &'static str,
            capitals: &'static str,
        }
        let cases = [
            Case { hotwords: "", small: "ab", capitals: "AB" },
            Case { hotwords: "ac", small: "ac", capitals: "AC" },
            Case { hotwords: "“Ac”,", small: "ac", capitals: "AC" },
            Case { hotwords: "Ac-Cca!", small: "ac", capitals: "AC" },
        ];
        for Case { hotwords, small, capitals: large } in cases {
            let options = Options { hotwords: hotwords.into(), beam: 8, ..Options::default() };
            assert_eq!(said(&options, &vocabulary()), small, "{hotwords}");
            assert_eq!(said(&options, &capitals), large, "{hotwords}");
        }
    }

    #[test]
    fn words_of_a_language_model_are_found_however_they_are_written() {
        let mut arpa = tempfile::NamedTempFile::new().unwrap();
        arpa.write_all(b"\\data\\\n\\1-grams:\n-99\t<s>\n-1\t</s>\n-4\tab\n-0.1\tAc.\n\\end\\\n").unwrap();
        let language_model = Some(arpa.path().to_path_buf());
        let options = Options { language_model, ..Options::default() };
        assert_eq!(said(&options, &vocabulary()), "ac");
        let capitals = Vocabulary::from_tokens(&["<pad>", "|", "A", "B", "C"], 0);
        assert_eq!(said(&options, &capitals), "AC");
    }
}
