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
    /// The search that `options` ask for.
    ///
    /// # Errors
    /// [`Error::Setting`] for what a CTC model cannot do; those of reading the language model.
    pub fn new(options: &Options) -> Result<Self> {
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
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
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
            search = search.with_model(LanguageModel::read(path)?);
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
