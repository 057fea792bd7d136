//! Networks that users bring as ONNX exports, run by ONNX Runtime.
//!
//! A network takes samples, `[batch, samples]`, and gives a row for each frame or one for the whole sound: wav2vec 2.0 and
//! its kin with or without a head, as optimum and PyTorch export them, in f32, f16 or int8. Or it takes filter banks,
//! `[batch, frames, 80]`: speaker encoders of WeSpeaker and 3D-Speaker. Anything else is refused when the model is opened,
//! with what is wrong about it.
//!
//! ONNX Runtime is a shared library that is loaded when the first model is opened: the one of [`OnnxOptions::library`],
//! else of the variable `ORT_DYLIB_PATH`, else the copy that `awaaz models pull onnxruntime` fetched, else the one beside
//! the program or in the system. A process uses one. That it is missing, damaged or too old is an error like any other.
//!
//! What a network is computed on is what ONNX Runtime says it put it on, [`OnnxModel::provider`], never what was hoped for.

mod elf;
mod library;
#[allow(unsafe_code, reason = "ONNX Runtime is asked where it placed a graph by its C interface alone")]
mod placement;
mod provider;
mod session;
mod signature;

pub use super::onnx_output::{OnnxOutput, OutputKind};
pub use crate::weights::OnnxFiles;
pub use placement::Placement;
pub use provider::{Provider, ProviderChoice};

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use half::f16;
use ort::session::{OutputSelector, RunOptions, Session, SessionInputValue};
use ort::value::{DynValue, Shape, Tensor, TensorRef};

use crate::{Error, Result};

use library::Library;
use session::Maker;
use signature::{Float, MaskKind, Signature};

/// How a model is opened.
#[derive(Debug, Clone, Default)]
pub struct OnnxOptions {
    /// ONNX Runtime's shared library, where it is not to be looked for.
    pub library: Option<PathBuf>,
    /// What to compute on.
    pub providers: ProviderChoice,
    /// Threads inside layers on the CPU; zero takes as many as the machine runs at once.
    pub threads: usize,
}

impl OnnxOptions {
    fn thread_count(&self) -> usize {
        match self.threads {
            0 => available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        }
    }
}

/// A network in ONNX Runtime.
pub struct OnnxModel {
    /// Its files.
    pub files: OnnxFiles,
    /// Runs are one after the other: not every provider can do two at once.
    session: Mutex<Session>,
    signature: Signature,
    library: PathBuf,
    placement: Placement,
    provider: &'static str,
    fallback: Option<String>,
}

impl OnnxModel {
    /// Opens an `.onnx` file, or the model in a folder ([`OnnxFiles::at`]).
    ///
    /// # Errors
    /// [`Error::Library`] where ONNX Runtime cannot be used; [`Error::Setting`] where a provider that was named cannot be
    /// had; [`Error::Model`] where the network is damaged, or takes or gives what is not known here.
    pub fn open(path: &Path, options: &OnnxOptions) -> Result<Self> {
        let files = OnnxFiles::at(path)?;
        let library = Library::load(options.library.as_deref())?;
        let started = Maker { library: &library, network: &files.network, options }.start()?;
        let signature = Signature::of(started.session.inputs(), started.session.outputs())
            .map_err(|reason| Error::model(files.network.display().to_string(), reason))?;
        Ok(Self {
            files,
            session: Mutex::new(started.session),
            signature,
            library: library.path,
            placement: started.placement,
            provider: started.provider,
            fallback: started.fallback,
        })
    }

    /// The name of the [`Provider`] that computes the network: of those asked for, the first that got a part of it.
    pub fn provider(&self) -> &str {
        self.provider
    }

    /// How much of the network each provider computes. The CPU has what the others cannot do, if only sums of lengths.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Why the network is on the CPU, where [`ProviderChoice::Auto`] had the choice.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// Where it is computed, in one line for the user.
    pub fn report(&self) -> String {
        let (network, library) = (self.files.network.display(), self.library.display());
        let fallback =
            self.fallback.as_ref().map_or(String::new(), |reason| format!("; nothing faster: {reason}"));
        format!("{network}: on {} ({}) by {library}{fallback}", self.provider, self.placement)
    }

    /// ONNX Runtime's shared library: its path, or its name where the system found it.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// What the rows of its output are.
    pub fn output_kind(&self) -> OutputKind {
        self.signature.kind
    }

    /// The length of its output's rows, where the network says it beforehand: how many tokens, labels or dimensions.
    pub fn width(&self) -> Option<usize> {
        self.signature.width
    }

    /// The only number of samples that it takes, where it was exported for one alone.
    pub fn fixed_length(&self) -> Option<usize> {
        self.signature.length
    }

    /// Bands of a frame, where it takes filter banks and no samples.
    pub fn bands(&self) -> Option<usize> {
        self.signature.bands
    }

    /// What its input of sound is called.
    pub fn input(&self) -> &str {
        &self.signature.sound
    }

    /// The output for `samples` at 16 kHz, which are as the network wants them (see [`OnnxFiles::preprocessor`]). May be
    /// called from many threads; they wait for each other.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are none, or not as many as the network takes; [`Error::Model`] where it fails on
    /// them, as it does if they are too few for a frame, and where it takes filter banks.
    pub fn run(&self, samples: &[f32]) -> Result<OnnxOutput> {
        if self.signature.bands.is_some() {
            return Err(
                self.fault("takes filter banks, as networks do that tell who speaks, and no samples".into())
            );
        }
        self.run_on(samples, &[1, samples.len()])
    }

    /// The output for filter banks, `[frames, bands]`.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`Error::Model`] where it takes samples.
    pub fn run_filter_banks(&self, features: &[f32]) -> Result<OnnxOutput> {
        let Some(bands) = self.signature.bands else {
            return Err(self.fault("takes samples, and no filter banks".into()));
        };
        self.run_on(features, &[1, features.len() / bands, bands])
    }

    /// The output for an input of that shape, in which lengths come second.
    fn run_on(&self, sound: &[f32], shape: &[usize]) -> Result<OnnxOutput> {
        self.signature.check_length(shape[1])?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        self.run_session(&mut session, sound, shape).map_err(|e| {
            let what = if self.signature.bands.is_some() { "frames" } else { "samples" };
            self.fault(format!("ONNX Runtime failed on {} {what}: {}", shape[1], one_line(&e)))
        })?
    }

    fn run_session(
        &self,
        session: &mut Session,
        sound: &[f32],
        shape: &[usize],
    ) -> ort::Result<Result<OnnxOutput>> {
        let wanted = OutputSelector::no_default().with(&self.signature.output);
        let options = RunOptions::new()?.with_outputs(wanted);
        let outputs = session.run_with_options(self.inputs(sound, shape)?, &options)?;
        let Some(output) = outputs.get(&self.signature.output) else {
            return Ok(Err(self.fault(format!("it gave no output {}", self.signature.output))));
        };
        let (shape, values) = floats(output, self.signature.output_type)?;
        Ok(self.rows(&shape, values))
    }

    fn inputs<'a>(
        &'a self,
        sound: &'a [f32],
        shape: &'a [usize],
    ) -> ort::Result<Vec<(&'a str, SessionInputValue<'a>)>> {
        let values = match self.signature.sound_type {
            Float::F32 => TensorRef::from_array_view((shape, sound))?.into(),
            Float::F16 => {
                let half: Vec<f16> = sound.iter().map(|&x| f16::from_f32(x)).collect();
                Tensor::from_array((shape, half))?.into()
            }
        };
        let mut inputs = vec![(self.signature.sound.as_str(), values)];
        if let Some(mask) = &self.signature.mask {
            let (shape, count) = ([1, shape[1]], shape[1]);
            let ones = match mask.kind {
                MaskKind::Bool => Tensor::from_array((shape, vec![true; count]))?.into(),
                MaskKind::I32 => Tensor::from_array((shape, vec![1i32; count]))?.into(),
                MaskKind::I64 => Tensor::from_array((shape, vec![1i64; count]))?.into(),
            };
            inputs.push((mask.name.as_str(), ones));
        }
        Ok(inputs)
    }

    fn rows(&self, shape: &[i64], values: Vec<f32>) -> Result<OnnxOutput> {
        let sizes: Vec<usize> = shape.iter().filter_map(|&size| size.try_into().ok()).collect();
        let (frames, width) = match (self.signature.kind, &sizes[..]) {
            (OutputKind::Frames, &[1, frames, width]) => (frames, width),
            (OutputKind::Sound, &[1, width]) => (1, width),
            _ => return Err(self.fault(format!("its output is of the shape {shape:?} for one sound"))),
        };
        Ok(OnnxOutput { values, frames, width })
    }

    /// The network is at fault.
    pub(in crate::models) fn fault(&self, reason: String) -> Error {
        Error::model(self.files.network.display().to_string(), reason)
    }
}

fn floats(value: &DynValue, kind: Float) -> ort::Result<(Shape, Vec<f32>)> {
    match kind {
        Float::F32 => {
            value.try_extract_tensor::<f32>().map(|(shape, values)| (shape.clone(), values.to_vec()))
        }
        Float::F16 => value
            .try_extract_tensor::<f16>()
            .map(|(shape, values)| (shape.clone(), values.iter().map(|x| x.to_f32()).collect())),
    }
}

/// A message of ONNX Runtime's or the loader's, which may have many lines, and before its reason the place in the source.
fn one_line(error: &impl ToString) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = lines.join(" ");
    let after_place = text.split_once("[ONNXRuntimeError] : ").map(|(_, rest)| rest.splitn(3, " : "));
    after_place.and_then(|mut parts| parts.nth(2)).map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn messages_are_one_line_without_the_place_in_the_source() {
        let cases = [
            ("a.cc:20 Get() [ONNXRuntimeError] : 1 : FAIL : no library : gone", "no library : gone"),
            ("first\n\n  second\n", "first second"),
            ("[ONNXRuntimeError] : 1", "[ONNXRuntimeError] : 1"),
            ("", ""),
        ];
        for (message, expected) in cases {
            assert_eq!(one_line(&message), expected);
        }
    }
}
