//! Who says what, where that is asked for.

use super::args::DiarizerSettings;
use crate::Result;
use crate::asr::AudioSource;
use crate::cli::diarize_args::Diarizer;
use crate::cli::speaker_args::load_speaker_model;
use crate::cli::stop::Stop;
use crate::compute::Precision;
use crate::output::Progress;
use crate::speaker::diarize::Turn;

/// Sound that is kept while it is read.
pub(super) struct Heard<'a> {
    audio: &'a mut dyn AudioSource,
    samples: Vec<f32>,
}

impl<'a> Heard<'a> {
    pub(super) fn new(audio: &'a mut dyn AudioSource) -> Self {
        Self { audio, samples: Vec::new() }
    }

    /// All samples, those that nobody has asked for as well.
    ///
    /// # Errors
    /// Those of reading on.
    pub(super) fn into_samples(mut self) -> Result<Vec<f32>> {
        while self.read(&mut Vec::new())? > 0 {}
        Ok(self.samples)
    }
}

impl AudioSource for Heard<'_> {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        let read = self.audio.read(block)?;
        self.samples.extend_from_slice(block);
        Ok(read)
    }

    fn warnings(&self) -> Vec<String> {
        self.audio.warnings()
    }
}

/// What tells speakers apart, loaded when it is first needed.
pub(super) struct Told {
    settings: DiarizerSettings,
    diarizer: Option<Diarizer>,
}

impl Told {
    pub(super) fn new(settings: DiarizerSettings) -> Self {
        Self { settings, diarizer: None }
    }

    /// Who speaks when in a recording.
    ///
    /// # Errors
    /// Those of the model; [`Error::Interrupted`](crate::Error::Interrupted).
    pub(super) fn turns(
        &mut self,
        samples: &[f32],
        progress: &mut Progress,
        stop: &Stop,
    ) -> Result<Vec<Turn>> {
        let diarizer = match self.diarizer.take() {
            Some(diarizer) => diarizer,
            None => {
                let DiarizerSettings { model, diarize, talk } = &self.settings;
                Diarizer::new(diarize, load_speaker_model(model, Precision::F32, *talk, stop)?, progress)?
            }
        };
        let found = diarizer.diarize(samples, stop);
        self.diarizer = Some(diarizer);
        Ok(found?.turns)
    }
}
