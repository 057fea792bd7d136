//! Arguments of all that hears a stream.

#[cfg(feature = "view")]
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::moderation_args::ModerationArgs;
use super::who_args::WhoArgs;
use crate::asr::ctc::PartialOptions;
use crate::asr::romanize::Script;
use crate::asr::{LanguageChoice, Options};
use crate::cli::ctc_args::CtcArgs;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::values::{count, language, seconds, seconds_or_none, unit_interval};
use crate::compute::Precision;
use crate::event::StreamStart;
use crate::output::Progress;
use crate::time::SampleIndex;
use crate::vad::{LiveOptions, VadOptions};

/// Arguments that say how a stream is heard.
#[derive(Debug, Clone, Args)]
pub struct HearArgs {
    #[command(flatten)]
    pub(super) model: ModelArgs,

    /// The language spoken, as a code or in English (hi, hindi) [default: found from the speech].
    #[arg(long, value_name = "LANGUAGE", value_parser = language, help_heading = "Recognition")]
    language: Option<String>,
    /// The languages that may be spoken; found anew for each segment.
    #[arg(
        long,
        value_name = "LANGUAGE,...",
        value_delimiter = ',',
        value_parser = language,
        conflicts_with = "language",
        help_heading = "Recognition"
    )]
    languages: Vec<String>,
    /// Hypotheses kept while decoding a final; 1 is greedy.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count::<1, 32>, help_heading = "Recognition")]
    beam: usize,
    /// Temperatures tried in turn until the text of a final is good; each costs time.
    #[arg(
        long,
        value_name = "T,...",
        value_delimiter = ',',
        value_parser = unit_interval,
        default_value = "0",
        help_heading = "Recognition"
    )]
    temperature: Vec<f32>,
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
    pub(super) ctc: CtcArgs,
    #[command(flatten)]
    pub(super) moderation: ModerationArgs,
    #[command(flatten)]
    pub(super) who: WhoArgs,
    /// Probability from which a sound is taken for speech.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = unit_interval, help_heading = "Segments")]
    vad_threshold: f32,
    /// Silence that ends a segment, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "0.4", value_parser = seconds, help_heading = "Segments")]
    min_silence: Duration,
    /// The longest segment, in seconds; longer speech is cut where it is quietest.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds, help_heading = "Segments")]
    max_segment: Duration,
    /// Sound between two partial transcripts, in seconds, while there is time for them.
    #[arg(long, value_name = "SECONDS", default_value = "0.3", value_parser = seconds, help_heading = "Live")]
    step: Duration,
    /// With models that spell: sound before a chunk that partials hear, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds_or_none, help_heading = "Live")]
    left_context: Duration,
    /// With models that spell: sound that partials encode at once, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds, help_heading = "Live")]
    chunk: Duration,
    /// With models that spell: sound after a chunk that stable words wait for, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds_or_none, help_heading = "Live")]
    look_ahead: Duration,
    /// Speech that may wait for the recogniser, in seconds; a segment beyond it is an error event.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds, help_heading = "Live")]
    backlog: Duration,
    /// At the end, how long to wait for a sign of life from what is still at work, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, help_heading = "Live")]
    deadline: Duration,

    /// What is written to stdout [default: view on a terminal when live, otherwise json].
    #[arg(long, short, value_enum, value_name = "FORM", help_heading = "Output")]
    pub(super) output: Option<StreamOutput>,
    /// Give text in Latin letters too (नमस्ते as namaste), in the manner of uroman; what is shown as text is in them alone.
    #[arg(long, help_heading = "Output")]
    romanize: bool,
    /// Also append the events to this file.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) events: Option<PathBuf>,
    /// Also post the events to this URL, in batches; what it does not take is kept on disk and sent later.
    #[cfg(feature = "webhook")]
    #[arg(long, value_name = "URL", help_heading = "Output")]
    pub(super) webhook: Option<String>,
    /// Tell of errors alone.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

/// What is written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StreamOutput {
    /// An event a line.
    Json,
    /// The finals, a line each.
    Text,
    /// A live picture of the stream, on a terminal.
    #[cfg(feature = "view")]
    View,
    /// Nothing.
    None,
}

impl HearArgs {
    /// The same, judged by what is built in where nothing was said of it.
    pub fn judging(self) -> Self {
        Self { moderation: self.moderation.or_built_in(), ..self }
    }

    pub(super) fn talk(&self) -> Talk {
        if self.quiet { Talk::Quiet } else { Talk::Stderr }
    }

    /// What the user is told on the way.
    pub fn progress(&self) -> Progress {
        if self.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() }
    }

    /// Whether the user said that stdout gets nothing.
    pub fn output_is_none(&self) -> bool {
        self.output == Some(StreamOutput::None)
    }

    /// Whether nothing was asked for on stdout.
    pub fn writes_nothing(&self) -> bool {
        self.output.is_none_or(|output| output == StreamOutput::None)
    }

    /// What stdout gets from a live stream where the user does not say.
    pub fn live_output() -> StreamOutput {
        #[cfg(feature = "view")]
        if std::io::stdout().is_terminal() {
            return StreamOutput::View;
        }
        StreamOutput::Json
    }

    /// How speech is recognised.
    pub fn options(&self) -> Options {
        let language = match (&self.language, self.languages.as_slice()) {
            (Some(code), _) => LanguageChoice::Fixed(code.clone()),
            (None, [only]) => LanguageChoice::Fixed(only.clone()),
            (None, []) => LanguageChoice::Detect,
            (None, several) => LanguageChoice::Among(several.to_vec()),
        };
        self.ctc.apply(Options {
            language,
            beam: self.beam,
            temperatures: self.temperature.clone(),
            hotwords: self.hotwords.clone(),
            partials: PartialOptions {
                left: self.left_context,
                chunk: self.chunk,
                look_ahead: self.look_ahead,
            },
            ..Options::default()
        })
    }

    pub(super) fn precision(&self) -> Precision {
        self.model.precision_or(Precision::Int8)
    }

    pub(super) fn backlog(&self) -> Duration {
        self.backlog
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// What becomes a segment, with partials.
    pub(super) fn live_options(&self) -> LiveOptions {
        let usual = LiveOptions::default();
        LiveOptions {
            vad: VadOptions {
                threshold: self.vad_threshold,
                negative_threshold: (self.vad_threshold - 0.15).max(0.01),
                min_silence: self.min_silence,
                padding: usual.vad.padding.min(self.min_silence),
                max_speech: self.max_segment,
                ..usual.vad
            },
            step: Some(self.step),
            windows: usual.windows,
        }
    }

    /// What the first event tells of the settings, for a stream from `source`.
    pub(super) fn stream_start(&self, source: String, channel: Option<usize>) -> StreamStart {
        let languages = self.language.iter().chain(&self.languages).cloned().collect();
        self.who.note(self.moderation.note(StreamStart {
            source,
            sample_rate: 0,
            program: format!("awaaz {}", env!("CARGO_PKG_VERSION")),
            model: self.model.model.clone(),
            precision: self.precision(),
            languages,
            beam: self.beam,
            temperatures: self.temperature.clone(),
            hotwords: self.hotwords.clone(),
            language_model: self.ctc.lm.as_ref().map(|path| path.display().to_string()),
            lm_weight: self.ctc.lm_weight,
            word_bonus: self.ctc.word_bonus,
            unknown_penalty: self.ctc.unknown_penalty,
            hotword_weight: self.ctc.hotword_weight,
            identifier: self.ctc.identify.clone(),
            script: if self.romanize { Script::Latin } else { Script::Own },
            vad_threshold: self.vad_threshold,
            min_silence: self.min_silence.as_secs_f64(),
            max_segment: self.max_segment.as_secs_f64(),
            channel,
            ..StreamStart::default()
        }))
    }

    /// The arguments that a stream was heard with, by its first event.
    pub fn of_stream(start: &StreamStart, model: ModelArgs) -> Self {
        let duration = |seconds: f64| Duration::from_secs_f64(SampleIndex::from_seconds(seconds).seconds());
        Self {
            model,
            language: None,
            languages: start.languages.clone(),
            beam: start.beam,
            temperature: start.temperatures.clone(),
            hotwords: start.hotwords.clone(),
            ctc: CtcArgs {
                lm: start.language_model.as_ref().map(PathBuf::from),
                lm_weight: start.lm_weight,
                word_bonus: start.word_bonus,
                unknown_penalty: start.unknown_penalty,
                hotword_weight: start.hotword_weight,
                identify: start.identifier.clone(),
            },
            moderation: ModerationArgs::of_stream(start),
            who: WhoArgs::of_stream(start),
            vad_threshold: start.vad_threshold,
            min_silence: duration(start.min_silence),
            max_segment: duration(start.max_segment),
            step: Duration::from_millis(300),
            left_context: PartialOptions::default().left,
            chunk: PartialOptions::default().chunk,
            look_ahead: PartialOptions::default().look_ahead,
            backlog: Duration::from_secs(120),
            deadline: Duration::from_secs(30),
            output: Some(StreamOutput::None),
            romanize: !start.script.is_own(),
            events: None,
            #[cfg(feature = "webhook")]
            webhook: None,
            quiet: true,
        }
    }
}
