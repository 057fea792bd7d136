//! The clips of a corpus: their speech, and their vectors, computed once and kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::systems::VoiceSystem;
use crate::cli::clip_features::{Corpus, read_values};
use crate::cli::stop::Stop;
use crate::corpus::conversations::Clip;
use crate::corpus::datasets::{Layout, Record};
use crate::output::{Progress, write_whole};
use crate::speaker::LEAST_SPEECH;
use crate::speaker::diarize::{speech_options, speech_spans};
use crate::time::{SampleIndex, Span};
use crate::weights::text_digest;
use crate::{Error, Result};

/// Changes with what vectors are of.
const FORMAT: &str = "awaaz voices, format 1";
/// Clips between two lines on how far a run is.
const CLIPS_A_LINE: usize = 100;

/// A corpus of speakers.
pub struct Voices {
    pub name: String,
    /// What trials name clips by.
    pub clips: Vec<Labelled>,
}

/// A clip, what is said of it, and where its speech is.
pub struct Labelled {
    pub id: String,
    pub speaker: usize,
    pub label: String,
    pub language: String,
    /// Samples of speech in all.
    pub speech: u64,
    key: String,
    record: Record,
}

impl Labelled {
    /// The clip for a conversation.
    ///
    /// # Errors
    /// Those of decoding it.
    pub fn clip(&self) -> Result<Clip> {
        let (samples, speech) = self.read()?;
        Ok(Clip { speaker: self.speaker.to_string(), samples, speech })
    }

    fn read(&self) -> Result<(Vec<f32>, Vec<Span>)> {
        read(&self.record)
    }
}

impl Voices {
    /// The clips of `corpus` that have enough speech to know a voice by.
    ///
    /// # Errors
    /// Those of the clips; [`Error::Corpus`] where the speakers are not known; [`Error::Interrupted`].
    pub fn read(corpus: &Corpus, name: &str, stop: &Stop, progress: &mut Progress) -> Result<Self> {
        let mut speakers: Vec<&str> = corpus.records().iter().filter_map(|r| r.speaker.as_deref()).collect();
        speakers.sort_unstable();
        speakers.dedup();
        let (mut clips, mut silent) = (Vec::new(), 0);
        for (done, record) in corpus.records().iter().enumerate() {
            if stop.is_requested() {
                return Err(Error::Interrupted);
            }
            if done > 0 && done % (5 * CLIPS_A_LINE) == 0 {
                progress.say(&format!("{name}: {done} of {} clips read", corpus.records().len()));
            }
            let Some(speaker) = record.speaker.as_deref() else { continue };
            let (_, spans) = read(record)?;
            let speech = spans.iter().map(|span| span.len()).sum();
            if SampleIndex(speech).seconds() < LEAST_SPEECH {
                silent += 1;
                continue;
            }
            clips.push(Labelled {
                id: record.id.clone(),
                speaker: speakers.binary_search(&speaker).unwrap_or_default(),
                label: record.label.clone(),
                language: record.language.clone().unwrap_or_default(),
                speech,
                key: key(record),
                record: record.clone(),
            });
        }
        if silent > 0 {
            progress.say(&format!("{name}: {silent} clips have less than {LEAST_SPEECH} s of speech"));
        }
        if clips.is_empty() {
            return Err(Error::Setting(format!("{name}: there is no clip whose speaker is known")));
        }
        Ok(Self { name: name.to_owned(), clips })
    }

    /// Number of speakers.
    pub fn speakers(&self) -> usize {
        let mut speakers: Vec<usize> = self.clips.iter().map(|clip| clip.speaker).collect();
        speakers.sort_unstable();
        speakers.dedup();
        speakers.len()
    }

    /// The vector of each clip, of its first `length` samples of speech where that is given; none of a clip with less.
    ///
    /// # Errors
    /// Those of the system and the clips; [`Error::Interrupted`].
    pub fn vectors(
        &self,
        system: &dyn VoiceSystem,
        length: Option<u64>,
        kept: &Kept,
        progress: &mut Progress,
    ) -> Result<Vec<Option<Vec<f32>>>> {
        let folder = kept.folder(system, length);
        let mut vectors = Vec::with_capacity(self.clips.len());
        let mut computed = 0;
        for clip in &self.clips {
            if kept.stop.is_requested() {
                return Err(Error::Interrupted);
            }
            if length.is_some_and(|length| clip.speech < length) {
                vectors.push(None);
                continue;
            }
            let path = folder.as_ref().map(|folder| folder.join(format!("{}.f32", clip.key)));
            if let Some(vector) = path.as_deref().and_then(|path| read_values(path, None)) {
                vectors.push(Some(vector));
                continue;
            }
            let (samples, spans) = clip.read()?;
            let mut speech: Vec<f32> =
                spans.iter().flat_map(|s| &samples[s.start.0 as usize..s.end.0 as usize]).copied().collect();
            speech.truncate(length.map_or(usize::MAX, |length| length as usize));
            let vector = system.embed(&speech)?;
            if let Some(path) = path {
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                write_whole(&path, &bytes)?;
            }
            vectors.push(Some(vector));
            computed += 1;
            if computed % CLIPS_A_LINE == 0 {
                let cut =
                    length.map_or(String::new(), |length| format!(" of {} s", SampleIndex(length).seconds()));
                progress.say(&format!("{}: {computed} voices{cut} by {}", self.name, system.name()));
            }
        }
        Ok(vectors)
    }
}

/// Where vectors are kept.
pub struct Kept<'a> {
    pub cache: Option<PathBuf>,
    pub stop: &'a Stop,
}

impl Kept<'_> {
    fn folder(&self, system: &dyn VoiceSystem, length: Option<u64>) -> Option<PathBuf> {
        let digest = text_digest(&format!("{FORMAT}\n{}\n{length:?}", system.identity())).to_string();
        self.cache.as_ref().map(|cache| cache.join(&digest[..16]))
    }
}

/// The corpora at `paths`, and in folders that are there, each with its name.
///
/// # Errors
/// Those of the layouts; [`Error::Corpus`] where there is none.
pub fn corpora(paths: &[PathBuf]) -> Result<Vec<(String, Corpus)>> {
    let mut found: Vec<(String, Corpus)> = Vec::new();
    for path in paths {
        let mut here = Vec::new();
        match Layout::detect(path) {
            Ok(layout) => here.push((path.clone(), layout)),
            Err(error) => {
                let inner = fs::read_dir(path).map_err(|_| error)?;
                let mut inner: Vec<PathBuf> =
                    inner.filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.is_dir())).collect();
                inner.sort();
                here.extend(
                    inner.into_iter().filter_map(|path| Some((path.clone(), Layout::detect(&path).ok()?))),
                );
            }
        }
        for (path, layout) in here {
            let corpus = Corpus::read(&path)?;
            if corpus.records().iter().all(|record| record.speaker.is_none() || record.audio().is_none()) {
                continue;
            }
            found.push((named(&path, layout, &corpus.name), corpus));
        }
    }
    match found.is_empty() {
        true => {
            Err(Error::corpus(&paths[0], "there is no corpus whose speakers are known; write a manifest"))
        }
        false => Ok(found),
    }
}

/// A corpus of which there are parts is known by its folder too.
fn named(path: &Path, layout: Layout, name: &str) -> String {
    let folder = path.file_name().unwrap_or_default().to_string_lossy();
    match layout {
        Layout::LibriSpeech if folder.to_lowercase() != "librispeech" => format!("{name} {folder}"),
        _ => name.to_owned(),
    }
}

fn read(record: &Record) -> Result<(Vec<f32>, Vec<Span>)> {
    let samples = record.samples()?;
    let end = SampleIndex(samples.len() as u64);
    let spans = speech_spans(&samples, &speech_options())?;
    let within = |span: Span| Span::new(span.start.min(end), span.end.min(end));
    Ok((samples, spans.into_iter().map(within).collect()))
}

/// What a clip's vectors are kept under: changes when its file does.
fn key(record: &Record) -> String {
    let file = match &record.content {
        crate::corpus::datasets::Content::File(path) => fs::metadata(path).ok().map(|file| {
            let changed = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            format!("{}\n{}\n{}", path.display(), file.len(), changed.unwrap_or_default().as_nanos())
        }),
        _ => None,
    };
    text_digest(&file.unwrap_or_else(|| record.id.clone())).to_string()[..32].to_owned()
}
