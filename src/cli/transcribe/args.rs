//! The arguments of `awaaz transcribe`, and what they mean.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};

use crate::Result;
use crate::asr::romanize::Script;
use crate::asr::{Chunking, LanguageChoice, Options, Task};
use crate::audio::DecodeOptions;
use crate::cli::ctc_args::CtcArgs;
use crate::cli::diarize_args::DiarizeArgs;
use crate::cli::input_args::InputArgs;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::speaker_args::USUAL_MODEL;
use crate::cli::values::{count, language, unit_interval};
use crate::output::{Format, Layout, Progress};

const AFTER_HELP: &str = "\
Examples:
  awaaz transcribe talk.mp3                            text on stdout
  awaaz transcribe talk.mp3 --format srt > talk.srt    subtitles
  awaaz transcribe recordings/ --out-dir out --format json,srt
                                                       a whole folder, its tree kept
  awaaz transcribe call.wav --language hi --channel 1  the second channel, in Hindi
  awaaz transcribe talk.wav --model facebook/wav2vec2-base-960h
                                                       a model that spells, from the Hugging Face hub
  awaaz transcribe call.wav --diarize --format srt     who says what
  awaaz transcribe call.wav --language hi --romanize   Hindi in Latin letters
  ffmpeg -i film.avi -f s16le -ar 16000 -ac 1 - | awaaz transcribe - --raw s16le

Exit codes:
  0    all inputs were transcribed
  1    none was, or the model cannot be loaded
  2    some were not: they are named on stderr
  64   the arguments are wrong
  130  stopped by Ctrl-C or SIGTERM; what was finished is kept";

/// Turn speech into text.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, next_line_help = false)]
pub struct TranscribeArgs {
    /// Audio or video files, folders (searched for audio), patterns, or - for stdin.
    #[arg(required = true, value_name = "FILES")]
    pub(super) inputs: Vec<PathBuf>,

    #[command(flatten)]
    model: ModelArgs,
    /// Chunks of speech decoded side by side.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = count::<1, 256>, help_heading = "Model")]
    batch: usize,

    /// The language spoken, as a code or in English (hi, hindi) [default: found from the speech].
    #[arg(long, value_name = "LANGUAGE", value_parser = language, help_heading = "Recognition")]
    language: Option<String>,
    /// The languages that may be spoken; found anew for each stretch of speech.
    #[arg(
        long,
        value_name = "LANGUAGE,...",
        value_delimiter = ',',
        value_parser = language,
        conflicts_with = "language",
        help_heading = "Recognition"
    )]
    languages: Vec<String>,
    /// Write the speech down as it is, or in English.
    #[arg(long, value_parser = task_parser(), default_value = "transcribe", help_heading = "Recognition")]
    task: Task,
    /// Hypotheses kept while decoding; 1 is greedy.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count::<1, 32>, help_heading = "Recognition")]
    beam: usize,
    /// Temperatures tried in turn until the text is good [default: 0,0.2,0.4,0.6,0.8,1].
    #[arg(
        long,
        value_name = "T,...",
        value_delimiter = ',',
        value_parser = unit_interval,
        help_heading = "Recognition"
    )]
    temperature: Vec<f32>,
    /// Take the text of the first temperature, good or not.
    #[arg(long, help_heading = "Recognition")]
    no_fallback: bool,
    /// Text that the speech might follow: sets names, spelling and style.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        help_heading = "Recognition"
    )]
    prompt: String,
    /// Words to expect.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        help_heading = "Recognition"
    )]
    hotwords: String,
    #[command(flatten)]
    ctc: CtcArgs,
    /// Find the time of each word.
    #[arg(long, help_heading = "Recognition")]
    word_times: bool,
    /// For models that spell: find the time of each character; json and jsonl tell it.
    #[arg(long, help_heading = "Recognition")]
    char_times: bool,
    /// Hear all of the audio in windows of 30 s, silence too, rather than what is found to be speech.
    #[arg(long, help_heading = "Recognition")]
    no_vad: bool,
    /// Probability from which a sound is taken for speech.
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.5,
        value_parser = unit_interval,
        conflicts_with = "no_vad",
        help_heading = "Recognition"
    )]
    vad_threshold: f32,

    /// Tell who says what: times of words are found too, and text comes when all was heard.
    #[arg(long, help_heading = "Speakers")]
    pub(super) diarize: bool,
    /// The model that tells who speaks.
    #[arg(long, value_name = "NAME|PATH", default_value = USUAL_MODEL, requires = "diarize", help_heading = "Speakers")]
    speaker_model: String,
    #[command(flatten)]
    speakers: DiarizeArgs,

    #[command(flatten)]
    input: InputArgs,

    /// One or more forms of transcript. ctm, srt and vtt ask for word times.
    #[arg(
        long,
        short,
        value_name = "FORMAT,...",
        value_delimiter = ',',
        value_parser = format_parser(),
        default_value = "text",
        help_heading = "Output"
    )]
    format: Vec<Format>,
    /// Write files into this folder rather than stdout.
    #[arg(long, short, value_name = "DIR", help_heading = "Output")]
    pub(super) out_dir: Option<PathBuf>,
    /// Replace files that exist; without it their inputs are skipped.
    #[arg(long, requires = "out_dir", help_heading = "Output")]
    pub(super) force: bool,
    /// Write text in Latin letters (नमस्ते as namaste), in the manner of uroman; json and jsonl have both.
    #[arg(long, help_heading = "Output")]
    romanize: bool,
    /// Columns of a subtitle line, where word times are known.
    #[arg(
        long,
        value_name = "N",
        default_value_t = Layout::default().line_width,
        value_parser = count::<8, 1000>,
        help_heading = "Output"
    )]
    max_line_width: usize,
    /// Lines of a subtitle, where word times are known.
    #[arg(
        long,
        value_name = "N",
        default_value_t = Layout::default().lines,
        value_parser = count::<1, 100>,
        help_heading = "Output"
    )]
    max_lines: usize,
    /// Tell of errors alone.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

/// What a recogniser is made with.
#[derive(Debug, Clone)]
pub struct RecognizerSettings {
    /// The model.
    pub model: ModelArgs,
    /// What is asked of models that spell.
    pub ctc: CtcArgs,
    /// How to recognise.
    pub options: Options,
    /// Whether the user is told how a pull goes.
    pub talk: Talk,
}

/// What tells speakers apart.
#[derive(Debug, Clone)]
pub struct DiarizerSettings {
    /// The speaker encoder.
    pub model: ModelArgs,
    /// How recordings are diarized.
    pub diarize: DiarizeArgs,
    /// Whether the user is told how a pull goes.
    pub talk: Talk,
}

impl TranscribeArgs {
    /// What the user is told on the way.
    pub fn progress(&self) -> Progress {
        if self.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() }
    }

    /// The forms wanted, each once.
    pub(super) fn formats(&self) -> Vec<Format> {
        let mut formats = Vec::new();
        for &format in &self.format {
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        formats
    }

    pub(super) fn layout(&self) -> Layout {
        Layout { line_width: self.max_line_width, lines: self.max_lines }
    }

    pub(super) fn script(&self) -> Script {
        if self.romanize { Script::Latin } else { Script::Own }
    }

    /// The channel as CTM has it, which counts from one.
    pub(super) fn ctm_channel(&self) -> String {
        (self.input.channel.unwrap_or(0) + 1).to_string()
    }

    /// How to read the inputs.
    pub(super) fn decode_options(&self) -> Result<DecodeOptions> {
        self.input.decode_options()
    }

    pub(super) fn recognizer_settings(&self) -> RecognizerSettings {
        RecognizerSettings {
            model: self.model.clone(),
            ctc: self.ctc.clone(),
            options: self.options(),
            talk: if self.quiet { Talk::Quiet } else { Talk::Stderr },
        }
    }

    /// What the speakers are told apart with, where that is asked for.
    pub(super) fn diarizer(&self) -> Option<DiarizerSettings> {
        self.diarize.then(|| DiarizerSettings {
            model: self.model.for_model(&self.speaker_model),
            diarize: self.speakers.clone(),
            talk: if self.quiet { Talk::Quiet } else { Talk::Stderr },
        })
    }

    fn options(&self) -> Options {
        let language = match (&self.language, self.languages.as_slice()) {
            (Some(code), _) => LanguageChoice::Fixed(code.clone()),
            (None, [only]) => LanguageChoice::Fixed(only.clone()),
            (None, []) => LanguageChoice::Detect,
            (None, several) => LanguageChoice::Among(several.to_vec()),
        };
        self.ctc.apply(Options {
            task: self.task,
            language,
            beam: self.beam,
            temperatures: self.temperatures(),
            prompt: self.prompt.clone(),
            hotwords: self.hotwords.clone(),
            word_times: self.word_times
                || self.diarize
                || self.format.iter().any(|format| format.needs_word_times()),
            char_times: self.char_times,
            batch: self.batch,
            chunking: match self.no_vad {
                true => Chunking::Windows,
                false => Chunking::Speech { threshold: self.vad_threshold },
            },
            ..Options::default()
        })
    }

    fn temperatures(&self) -> Vec<f32> {
        let mut temperatures = match self.temperature.as_slice() {
            [] => Options::default().temperatures,
            given => given.to_vec(),
        };
        if self.no_fallback {
            temperatures.truncate(1);
        }
        temperatures
    }
}

fn format_parser() -> ValueParser {
    PossibleValuesParser::new(Format::names()).try_map(|name| name.parse::<Format>()).into()
}

fn task_parser() -> ValueParser {
    let task = |name: String| if name == "translate" { Task::Translate } else { Task::Transcribe };
    PossibleValuesParser::new(["transcribe", "translate"]).map(task).into()
}
