//! Fits what tells where two speak at once, on conversations mixed of clips, and prints its numbers for
//! `src/speaker/diarize/overlap.rs`; and how well it tells that of other conversations of the same clips.
//!
//!     cargo run --release --example fit_overlap -- GE2E-FOLDER CORPUS-FOLDER [CONVERSATIONS]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use awaaz::audio::{AudioStream, DecodeOptions};
use awaaz::compute::Precision;
use awaaz::corpus::conversations::{Clip, Conversation, Mixer};
use awaaz::corpus::datasets::Layout;
use awaaz::learn::{ClassWeights, Dataset, Example, Logistic, LogisticOptions};
use awaaz::models::speaker::{SpeakerEncoder, load_speaker_encoder};
use awaaz::speaker::diarize::{DiarizeOptions, FEATURES, Voiced, overlaps, speech_options, speech_spans};
use awaaz::time::{SampleIndex, Span};
use awaaz::weights::ModelFiles;
use awaaz::{Error, Result};

/// Seconds of the pieces that clips are cut into, so that a speaker of one clip has several turns.
const PIECE: usize = 5 * 16_000;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [model, corpus, rest @ ..] = arguments.as_slice() else {
        return Err(Error::Setting("give the folder of GE2E and that of a corpus".into()));
    };
    let count = rest.first().and_then(|count| count.to_str()?.parse().ok()).unwrap_or(60);
    let encoder = load_speaker_encoder(&ModelFiles::at(model)?, Precision::F32)?;
    let clips = pieces(corpus)?;
    eprintln!("{} pieces", clips.len());
    let (mut features, mut examples, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..count {
        let mixer = Mixer { speakers: 2 + number as usize % 4, seconds: 60.0, early: 0.35 };
        let rows = rows(encoder.as_ref(), &mixer.mix(&clips, 1000 + number)?)?;
        for (row, is_overlap) in rows {
            features.extend(row);
            groups.push(number);
            examples.push(Example {
                label: usize::from(is_overlap),
                group: number.to_string(),
                corpus: String::new(),
                language: String::new(),
            });
        }
        eprintln!("{} of {count}", number + 1);
    }
    let dataset = Dataset::new(features, FEATURES, 2, examples)?;
    let part = |wanted: &dyn Fn(u64) -> bool| -> Vec<usize> {
        (0..dataset.rows()).filter(|&row| wanted(groups[row])).collect()
    };
    let options =
        LogisticOptions { c: 1.0, class_weights: ClassWeights::Equal, ..LogisticOptions::default() };
    let fit = |rows: &[usize]| Logistic::fit(&dataset.subset(rows)?, &options);
    let held_out = fit(&part(&|group| group % 3 != 0))?;
    tell(&held_out, &dataset, &part(&|group| group % 3 == 0));
    let fitted = fit(&part(&|_| true))?;
    let weights: Vec<String> = fitted.weights().iter().map(|weight| format!("{weight:.3}")).collect();
    println!("weights: [{}]\noffset: {:.3}", weights.join(", "), fitted.intercepts()[0]);
    Ok(())
}

/// The clips of a corpus in pieces.
fn pieces(corpus: &Path) -> Result<Vec<Clip>> {
    let mut clips = Vec::new();
    for record in Layout::detect(corpus)?.read(corpus)? {
        let record = record?;
        let (Some(speaker), Some(input)) = (record.speaker.clone(), record.audio()) else { continue };
        let samples = AudioStream::open(input, &DecodeOptions::default())?.read_all()?;
        for piece in samples.chunks(PIECE).filter(|piece| piece.len() >= PIECE / 3) {
            let end = SampleIndex(piece.len() as u64);
            let speech = speech_spans(piece, &speech_options())?;
            let speech = speech.into_iter().map(|span| Span::new(span.start, span.end.min(end))).collect();
            clips.push(Clip { speaker: speaker.clone(), samples: piece.to_vec(), speech });
        }
    }
    Ok(clips)
}

/// What is known of each moment of a conversation, and whether two speak then.
fn rows(encoder: &dyn SpeakerEncoder, talk: &Conversation) -> Result<Vec<([f32; FEATURES], bool)>> {
    let options = DiarizeOptions::default();
    let speech = speech_spans(&talk.samples, &speech_options())?;
    let voiced = Voiced::hear(&talk.samples, &speech, encoder, &options, &|| false)?;
    let both = overlaps(&talk.turns);
    let is_overlap = |span: Span| {
        let middle = SampleIndex((span.start.0 + span.end.0) / 2);
        both.iter().any(|both| both.start <= middle && middle < both.end)
    };
    Ok(voiced.overlap_features(&options).into_iter().map(|(span, row)| (row, is_overlap(span))).collect())
}

/// Precision and recall on rows that were not learnt from.
fn tell(fitted: &Logistic, dataset: &Dataset, rows: &[usize]) {
    let mut counts: HashMap<(bool, bool), usize> = HashMap::new();
    for &row in rows {
        let score =
            dataset.row(row).iter().zip(fitted.weights()).map(|(&x, w)| f64::from(x) * w).sum::<f64>();
        *counts.entry((dataset.labels()[row] == 1, score + fitted.intercepts()[0] > 0.0)).or_default() += 1;
    }
    let count = |truth: bool, told: bool| counts.get(&(truth, told)).copied().unwrap_or(0) as f64;
    println!(
        "held out: precision {:.3}, recall {:.3}",
        count(true, true) / (count(true, true) + count(false, true)),
        count(true, true) / (count(true, true) + count(true, false))
    );
}
