//! Which networks convert, and whose voice it becomes.

use std::path::PathBuf;

use clap::Args;

use crate::audio::DecodeOptions;
use crate::cli::inputs::expand;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::speaker_args::SpeakerModelArgs;
use crate::cli::stop::Stop;
use crate::cli::unit_args::UnitMaker;
use crate::convert::builtin;
use crate::convert::converter::{Converter, Target};
use crate::convert::decoder::Decoder;
use crate::convert::units::Codebook;
use crate::dsp::{median_pitch, pitch};
use crate::models::vocoder::spectral::SpectralVocoder;
use crate::speaker::{LEAST_SPEECH, SpeakerModel, speech_of};
use crate::time::SampleIndex;
use crate::weights::Sha256;
use crate::{Error, Result};

/// Arguments that name the parts of a converter.
#[derive(Debug, Clone, Args)]
pub struct PartArgs {
    /// The decoder, as `awaaz train vc` makes it: none is built in.
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    decoder: PathBuf,
    /// The codebook that the decoder was trained on [default: the one that is built in].
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    codebook: Option<PathBuf>,
    /// The vocoder [default: the one that is built in].
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    vocoder: Option<PathBuf>,
    /// The encoder, which hears words as well.
    #[command(flatten)]
    pub model: ModelArgs,
}

/// What converts, and what tells who speaks.
pub struct Parts {
    /// What converts.
    pub converter: Converter,
    /// Whose vectors the decoder knows.
    pub speakers: SpeakerModel,
}

impl PartArgs {
    /// Loads all parts.
    ///
    /// # Errors
    /// Those of the files and of the models; [`Error::Model`] where the decoder was trained on another codebook or with another
    /// speaker encoder.
    pub fn load(&self, talk: Talk, stop: &Stop) -> Result<Parts> {
        let (codebook, digest) = match &self.codebook {
            Some(path) => (Codebook::load(path)?, Sha256::of_file(path)?.to_string()),
            None => builtin::codebook()?,
        };
        let name = self.codebook.as_ref().map_or_else(|| "vc".to_owned(), |path| path.display().to_string());
        let decoder = Decoder::load(&self.decoder)?;
        let vocoder = match &self.vocoder {
            Some(path) => SpectralVocoder::load(path)?,
            None => builtin::vocoder()?,
        };
        let fault = |reason: &str| Err(Error::model(self.decoder.display().to_string(), reason));
        if decoder.card().codebook != digest {
            return fault("was trained on another codebook; name that one by --codebook");
        }
        let known = decoder.card().speaker.clone();
        let speakers = SpeakerModelArgs::named(known.name).load(talk, stop)?;
        let other = known.sha256.is_some() && speakers.identity().sha256 != known.sha256;
        if other || speakers.width() != decoder.card().shape.speaker {
            return fault("was trained with another speaker encoder than the one of that name here");
        }
        let maker = UnitMaker::with(codebook, &name, &self.model, talk, stop)?;
        let (codebook, encoder, threads) = maker.into_parts();
        Ok(Parts { converter: Converter { encoder, codebook, decoder, vocoder, threads }, speakers })
    }
}

impl Parts {
    /// The voice of recordings, each by the length of its speech.
    ///
    /// # Errors
    /// Those of the recordings; [`Error::Audio`] where one has less speech than it takes to know a voice.
    pub fn target(&self, recordings: &[PathBuf]) -> Result<Target> {
        let mut speech = Vec::new();
        for input in expand(recordings) {
            let input = input?;
            let samples = input.read(&DecodeOptions::default())?;
            let found = speech_of(&samples)?;
            let seconds = SampleIndex(found.len() as u64).seconds();
            if seconds < LEAST_SPEECH {
                return Err(Error::audio(
                    input.path.display().to_string(),
                    format!(
                        "has {seconds:.1} s of speech; at least {LEAST_SPEECH} s are needed to know a voice"
                    ),
                ));
            }
            speech.push(found);
        }
        self.target_of(&speech)
    }

    /// The voice of stretches of speech, each by its length.
    ///
    /// # Errors
    /// Those of the speaker encoder.
    pub fn target_of(&self, speech: &[Vec<f32>]) -> Result<Target> {
        let mut vector = vec![0.0; self.speakers.width()];
        let mut pitches = Vec::new();
        for speech in speech {
            let weight = SampleIndex(speech.len() as u64).seconds() as f32;
            for (sum, x) in vector.iter_mut().zip(self.speakers.vector(speech)?) {
                *sum += weight * x;
            }
            pitches.extend(self.converter.threads.run(|| pitch(speech)));
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        vector.iter_mut().for_each(|x| *x /= length);
        Ok(Target { vector, pitch: median_pitch(&pitches) })
    }
}
