//! What is heard in a converted sound: the words, and who speaks.

use serde::Serialize;

use crate::Result;
use crate::asr::{LanguageChoice, Model, Options};
use crate::cli::ctc_args::CtcArgs;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::stop::{Stop, UntilStopped};
use crate::compute::Precision;
use crate::score::{Edits, Normalisation, normalise, word_errors};
use crate::speaker::{SpeakerModel, cosine};

/// What is said, and in which language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Words {
    /// The transcript.
    pub text: String,
    /// The code of the language; empty where there was no speech.
    pub language: String,
}

/// Hears words.
pub struct Judge<'a> {
    model: Model,
    stop: &'a Stop,
}

impl<'a> Judge<'a> {
    /// With the recogniser that `args` name.
    ///
    /// # Errors
    /// Those of finding and loading it.
    pub fn load(args: &ModelArgs, talk: Talk, stop: &'a Stop) -> Result<Self> {
        let precision = args.precision_or(Precision::F32);
        let model = args.load(precision, &LanguageChoice::Detect, &CtcArgs::default(), talk, stop)?;
        Ok(Self { model, stop })
    }

    /// What is said in 16 kHz samples; in `language`, where that is known.
    ///
    /// # Errors
    /// Those of the recogniser; [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn words(&self, samples: &[f32], language: Option<&str>) -> Result<Words> {
        let language = match language {
            Some(code) if !code.is_empty() => LanguageChoice::Fixed(code.to_owned()),
            _ => LanguageChoice::Detect,
        };
        // Without luck in it: the same sound gives the same words.
        let options = Options { language, temperatures: vec![0.0], ..Options::default() };
        let mut recognizer = self.model.recognizer(options)?;
        let mut source = samples;
        let found = recognizer.transcribe(&mut source, &mut UntilStopped(self.stop))?;
        Ok(Words { text: found.text(), language: found.language })
    }
}

/// Errors of what was heard, against what was heard of the source.
pub fn errors(source: &Words, heard: &Words) -> Edits {
    let normalisation = if source.language == "en" { Normalisation::English } else { Normalisation::Basic };
    let [source, heard] = [source, heard].map(|words| normalise(&words.text, normalisation));
    word_errors(&source, &heard)
}

/// The cosine of two sounds' voices, of which `vector` is one.
///
/// # Errors
/// Those of the speaker encoder.
pub fn alike(speakers: &SpeakerModel, vector: &[f32], samples: &[f32]) -> Result<f64> {
    Ok(cosine(vector, &speakers.vector(samples)?).into())
}
