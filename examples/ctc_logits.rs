//! Writes the log-probabilities that a CTC model gives of a file, `[frames, tokens]` in f32, as npy: for decoders of one's
//! own.
//!
//!     cargo run --release --example ctc_logits -- FOLDER AUDIO OUT.npy

use std::path::PathBuf;

use awaaz::asr::ctc::CtcEngine;
use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::compute::{Precision, Threads};
use awaaz::output::embeddings::{Embedding, to_npy};
use awaaz::weights::ModelFiles;
use awaaz::{Error, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, audio, out] = arguments.as_slice() else {
        return Err(Error::Setting("usage: ctc_logits FOLDER AUDIO OUT.npy".into()));
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let files = ModelFiles::at(&PathBuf::from(model))?;
    let engine = CtcEngine::load(&files, Threads::new(cores)?, Precision::F32, None)?;
    let samples = AudioStream::open(AudioInput::from_arg(audio), &DecodeOptions::default())?.read_all()?;
    let heard = engine.listen(&[&samples])?.remove(0);
    let logits = Embedding {
        id: audio.clone(),
        span: (0.0, samples.len() as f64 / 16_000.0),
        hop: Some(engine.hop() as f64 / 16_000.0),
        width: heard.tokens(),
        values: (0..heard.frames()).flat_map(|frame| heard.frame(frame).to_vec()).collect(),
    };
    std::fs::write(out, to_npy(&logits)).map_err(|error| Error::io(out, error))
}
