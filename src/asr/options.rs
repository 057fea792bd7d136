//! What a user may ask of a recogniser.

use std::path::PathBuf;

use super::ctc::{PartialOptions, Weights};
use super::transcript::Task;

/// Settings of recognition.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What to write down.
    pub task: Task,
    /// In which language.
    pub language: LanguageChoice,
    /// Hypotheses kept at temperature 0; 1 is greedy search.
    pub beam: usize,
    /// Temperatures tried in turn until a hypothesis is good; the first is usually 0.
    pub temperatures: Vec<f32>,
    /// A text that deflates better than this is a loop: the next temperature is tried.
    pub compression_ratio_threshold: f32,
    /// A mean log-probability below this is a poor guess: the next temperature is tried.
    pub logprob_threshold: f32,
    /// In windows, a poor guess is silence where the no-speech token is likelier than this.
    pub no_speech_threshold: f32,
    /// Text that the speech might follow: sets names, spelling and style.
    pub prompt: String,
    /// Words to expect.
    pub hotwords: String,
    /// Whether to find the time of each word.
    pub word_times: bool,
    /// Whether to keep the time of each character, of models that spell.
    pub char_times: bool,
    /// Whether to cut texts without timestamps at the ends of sentences.
    pub sentences: bool,
    /// Chunks decoded side by side.
    pub batch: usize,
    /// How long sound is cut.
    pub chunking: Chunking,
    /// An n-gram model of words in ARPA format, for CTC models.
    pub language_model: Option<PathBuf>,
    /// How much that model and the hot-words count with CTC models.
    pub ctc_weights: Weights,
    /// How CTC models hear segments that grow.
    pub partials: PartialOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            task: Task::Transcribe,
            language: LanguageChoice::Detect,
            beam: 1,
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            compression_ratio_threshold: 2.4,
            logprob_threshold: -1.0,
            no_speech_threshold: 0.6,
            prompt: String::new(),
            hotwords: String::new(),
            word_times: false,
            char_times: false,
            sentences: true,
            batch: 5,
            chunking: Chunking::Speech { threshold: 0.5 },
            language_model: None,
            ctc_weights: Weights::default(),
            partials: PartialOptions::default(),
        }
    }
}

/// Which language is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LanguageChoice {
    /// Any that the model knows, found anew for each chunk.
    Detect,
    /// One of these codes, found anew for each chunk.
    Among(Vec<String>),
    /// This code.
    Fixed(String),
}

/// How long sound is cut into what the network hears at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Chunking {
    /// At pauses, leaving silence out: chunks are independent and decoded in batches.
    Speech {
        /// Probability from which a frame is speech.
        threshold: f32,
    },
    /// Into windows of 30 s that begin where the text of the last one ended and are told that text.
    Windows,
}
