//! A model that recognises speech, of whichever kind.

use std::sync::Arc;

use super::Recognizer;
use super::ctc::{CtcEngine, CtcLiveRecognizer, CtcRecognizer, has_a_vocabulary_for_each_language};
use super::engine::Engine;
use super::identify::LanguageIdentifier;
use super::live::{LiveRecognizer, SegmentRecognizer};
use super::options::{LanguageChoice, Options};
use super::recognizer::WhisperRecognizer;
use crate::compute::Threads;
use crate::models::backend::Backend;
use crate::models::encoder::model_type;
use crate::models::encoding::EncoderMeter;
use crate::weights::ModelFiles;
use crate::{Error, Result};

/// A model ready to recognise. Clones share it.
#[derive(Clone)]
pub enum Model {
    /// Whisper: an encoder and a decoder of text.
    Whisper(Arc<Engine>),
    /// A network of the wav2vec 2.0 family with a CTC head.
    Ctc(Arc<CtcEngine>),
}

impl Model {
    /// Loads a model's files, to be computed by `backend`, and to hear what `language` says where the model has a part for
    /// each language. `identifier` finds the language of what is spoken, for models that do not.
    ///
    /// # Errors
    /// One that names the file that is missing or wrong; [`Error::Setting`] for an `identifier` that is of no use, and for
    /// several languages where nothing tells which is spoken.
    pub fn load(
        files: &ModelFiles,
        threads: Threads,
        backend: impl Into<Backend>,
        language: &LanguageChoice,
        identifier: Option<Arc<dyn LanguageIdentifier>>,
    ) -> Result<Self> {
        let backend = backend.into();
        if let Backend::Native(target) = &backend
            && model_type(files)? == "whisper"
        {
            if identifier.is_some() {
                return Err(Error::Setting(
                    "Whisper finds languages itself; leave out the model for it".into(),
                ));
            }
            return Ok(Self::Whisper(Arc::new(Engine::load(files, threads, target.clone())?)));
        }
        Self::load_ctc(files, threads, backend, language, identifier)
    }

    fn load_ctc(
        files: &ModelFiles,
        threads: Threads,
        backend: Backend,
        language: &LanguageChoice,
        identifier: Option<Arc<dyn LanguageIdentifier>>,
    ) -> Result<Self> {
        let load = |language| CtcEngine::load(files, threads, backend, language);
        let engine = match (language, identifier) {
            (LanguageChoice::Fixed(code), _) => load(Some(code.as_str()))?,
            (LanguageChoice::Detect, None) => load(None)?,
            (LanguageChoice::Among(_), None) => {
                return Err(Error::Setting(
                    "this model does not tell which language it hears: name one with --language, or a model that finds \
                     which of --languages it is with --identify"
                        .into(),
                ));
            }
            (_, Some(_)) if has_a_vocabulary_for_each_language(files) => {
                return Err(Error::Setting(
                    "this model hears the one language that it was loaded for, and cannot follow --identify: find the \
                     language first with `awaaz language`, then name it with --language"
                        .into(),
                ));
            }
            (LanguageChoice::Among(codes), Some(identifier)) => {
                load(None)?.with_identifier(identifier, codes.clone())
            }
            (LanguageChoice::Detect, Some(identifier)) => load(None)?.with_identifier(identifier, Vec::new()),
        };
        Ok(Self::Ctc(Arc::new(engine)))
    }

    /// What its encoder did so far.
    pub fn encoder_meter(&self) -> &EncoderMeter {
        match self {
            Self::Whisper(engine) => engine.meter(),
            Self::Ctc(engine) => engine.meter(),
        }
    }

    /// Layers of its encoder and values of a frame; none where it gives no hidden states.
    pub fn encoder_shape(&self) -> Option<(usize, usize)> {
        match self {
            Self::Whisper(engine) => Some(engine.encoder_shape()),
            Self::Ctc(engine) => engine.encoder_shape(),
        }
    }

    /// A recogniser of files by `options`.
    ///
    /// # Errors
    /// [`Error::Setting`] where the options ask for what the model cannot do.
    pub fn recognizer(&self, options: Options) -> Result<Box<dyn Recognizer>> {
        Ok(match self {
            Self::Whisper(_) if options.char_times => {
                return Err(Error::Setting(
                    "Whisper tells the times of words alone; those of characters need a model that spells"
                        .into(),
                ));
            }
            Self::Whisper(engine) => Box::new(WhisperRecognizer::new(Arc::clone(engine), options)),
            Self::Ctc(engine) => Box::new(CtcRecognizer::new(Arc::clone(engine), options)?),
        })
    }

    /// A recogniser of a live stream by `options`, with its memory in place.
    ///
    /// # Errors
    /// As [`recognizer`](Self::recognizer), and those of the network.
    pub fn live_recognizer(&self, options: Options) -> Result<Box<dyn SegmentRecognizer>> {
        Ok(match self {
            Self::Whisper(engine) => {
                let mut recognizer = LiveRecognizer::new(Arc::clone(engine), options)?;
                recognizer.warm_up()?;
                Box::new(recognizer)
            }
            Self::Ctc(engine) => {
                let recognizer = CtcLiveRecognizer::new(Arc::clone(engine), &options, options.partials)?;
                recognizer.warm_up()?;
                Box::new(recognizer)
            }
        })
    }
}
