//! Networks of the wav2vec 2.0 kind that were exported, with what their configuration says of them.

use super::onnx::{OnnxModel, OnnxOutput, OutputKind};
use super::wav2vec2::Config;
use crate::Result;

/// A network in ONNX Runtime that was tried.
pub struct Export {
    /// How sound becomes frames. The rest is as the export has it, whatever is said here.
    pub config: Config,
    model: OnnxModel,
    width: usize,
}

impl Export {
    /// The network `model`, which must give rows of that kind. It hears a second of silence, to see that it does.
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) where it gives other rows or not as many as `config` tells, or takes sounds of
    /// one length alone.
    pub fn new(model: OnnxModel, config: Config, kind: OutputKind) -> Result<Self> {
        if model.output_kind() != kind {
            let reason = match kind {
                OutputKind::Frames => {
                    "gives one row for a whole sound, not one for each frame: it classifies"
                }
                OutputKind::Sound => "has no classes: it writes or encodes, but does not say what a sound is",
            };
            return Err(model.fault(reason.into()));
        }
        if let Some(length) = model.fixed_length() {
            return Err(model.fault(format!(
                "takes sounds of {length} samples alone; export it for sounds of any length (a dynamic axis)"
            )));
        }
        let mut export = Self { config, model, width: 0 };
        let silence = vec![0.0; 16_000.max(export.config.field())];
        let heard = export.model.run(&silence)?;
        export.width = heard.width;
        export.checked(heard, silence.len())?;
        Ok(export)
    }

    /// The length of its output's rows.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows for samples at 16 kHz, at least as many as a frame hears: as many as the configuration tells, or one for
    /// the whole sound.
    ///
    /// # Errors
    /// Those of [`OnnxModel::run`]; [`Error::Model`](crate::Error::Model) where there are more rows, or fewer.
    pub fn run(&self, samples: &[f32]) -> Result<OnnxOutput> {
        self.checked(self.model.run(samples)?, samples.len())
    }

    /// That its rows are not what is wanted, for this reason.
    pub fn fault(&self, reason: String) -> crate::Error {
        self.model.fault(reason)
    }

    fn checked(&self, output: OnnxOutput, samples: usize) -> Result<OnnxOutput> {
        let frames = match self.model.output_kind() {
            OutputKind::Frames => self.config.frames(samples),
            OutputKind::Sound => 1,
        };
        if (output.frames, output.width) == (frames, self.width) {
            return Ok(output);
        }
        let (found, width) = (output.frames, output.width);
        Err(self.fault(format!(
            "gives {found} rows of {width} for {samples} samples, where its config.json tells of {frames} of {}",
            self.width
        )))
    }
}
