//! `awaaz bench latency`: how late the text of live speech is.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;

use crate::asr::AudioSource;
use crate::audio::AudioStream;
use crate::cli::Exit;
use crate::cli::input_args::InputArgs;
use crate::cli::inputs::expand;
use crate::cli::stop::{Stop, UntilStopped};
use crate::cli::stream::{HearArgs, Heard, Listener};
use crate::cli::values::seconds;
use crate::event::{Event, EventKind, Latency};
use crate::pipeline::{EventSink, Outcome, Paced, SourcePace};
use crate::score::{Normalisation, normalise, word_errors};
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench latency talk.mp3                 in real time: as long as the talk
  awaaz bench latency talk.mp3 --limit 120     two minutes of it
  awaaz bench latency *.wav --json > latency.json

The files are heard one after another as one stream, at the pace they were spoken. `word spoken to first partial with
it` counts from the end of each word, by the times that the final gives it; silence that is waited for counts too.
Exit codes: 0 all budgets held, 2 one did not, 1 nothing could be measured.";

/// Hear files at the pace they were spoken and tell the latency of each path, beside its budget, and how the text differs
/// from that of `awaaz transcribe`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LatencyArgs {
    /// Audio or video files, folders (searched for audio) or patterns.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    /// Stop after so many seconds of sound.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    limit: Option<Duration>,
    /// The text that is spoken, in a file: the word error of the finals is counted against it, too.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Write the figures as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    hear: HearArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the inputs, the settings and the model.
pub fn run(args: &LatencyArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let listener = Listener::load(&args.hear, None, &stop)?.without_actions();
    let reference =
        args.reference.as_ref().map(|path| std::fs::read_to_string(path).map_err(|e| Error::io(path, e)));
    let reference = reference.transpose()?;
    let mut progress = args.hear.progress();

    progress.say("transcribing, to compare with");
    let mut offline = listener.model().recognizer(args.hear.options())?;
    let offline = offline.transcribe(&mut Chain::of(args)?, &mut UntilStopped(&stop))?.text();

    progress.say("hearing at the pace of speech");
    let live = Arc::new(Mutex::new(String::new()));
    let heard = Heard {
        name: "bench".into(),
        origin: args.inputs.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" "),
        source: Box::new(Paced::new(Chain::of(args)?)),
        pace: SourcePace::Live,
        channel: args.input.channel,
        taps: Vec::new(),
    };
    let mut sinks = listener.files(listener.notify("bench"))?;
    sinks.push(Box::new(Finals(Arc::clone(&live))));
    let outcome = listener.hear(heard, sinks)?;
    crate::cli::moderate::judge("bench", &outcome)?;
    let live = live.lock().unwrap_or_else(PoisonError::into_inner).clone();

    let figures = Figures::new(&outcome, &live, &offline, reference.as_deref());
    let text = if args.json { figures.to_json() } else { figures.to_markdown() };
    writeln!(io::stdout(), "{text}").map_err(|error| Error::io("stdout", error))?;
    Ok(if figures.held() { Exit::Success } else { Exit::Partial })
}

/// What was measured.
#[derive(Debug, serde::Serialize)]
struct Figures {
    /// Seconds of sound.
    seconds: f64,
    /// Seconds in segments.
    speech: f64,
    segments: u64,
    words: u64,
    /// Share of the time in which the recogniser was at work.
    load: f64,
    /// Cores that the process kept busy.
    cpu: f64,
    paths: Vec<Latency>,
    stages: Vec<Latency>,
    /// Partials dropped because something newer was there.
    superseded: u64,
    /// Words of the finals unlike those of the offline transcript, over the words of that.
    unlike_offline: f64,
    /// Word error of the finals, where the text is known.
    live_error: Option<f64>,
    /// Word error of the offline transcript, where the text is known.
    offline_error: Option<f64>,
}

impl Figures {
    fn new(outcome: &Outcome, live: &str, offline: &str, reference: Option<&str>) -> Self {
        let rate = |reference: &str, heard: &str| {
            let [reference, heard] = [reference, heard].map(|text| normalise(text, Normalisation::English));
            word_errors(&reference, &heard).rate()
        };
        let report = &outcome.report;
        Self {
            seconds: outcome.length.seconds(),
            speech: outcome.totals.speech,
            segments: outcome.totals.segments,
            words: outcome.totals.words,
            load: report.load,
            cpu: report.cpu,
            paths: report.paths.clone(),
            stages: report.stages.iter().map(|stage| stage.took.clone()).collect(),
            superseded: report.links.iter().map(|link| link.dropped).sum(),
            unlike_offline: rate(offline, live),
            live_error: reference.map(|reference| rate(reference, live)),
            offline_error: reference.map(|reference| rate(reference, offline)),
        }
    }

    fn held(&self) -> bool {
        self.paths.iter().all(|path| path.p95 <= path.budget)
    }

    fn to_json(&self) -> String {
        // Only maps with keys that are no strings fail, and there are none.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn to_markdown(&self) -> String {
        let row = |latency: &Latency| {
            let ms = |seconds: f64| format!("{:.0}", seconds * 1000.0);
            format!(
                "| {} | {} | {} | {} | {} | {} | {} |\n",
                latency.name,
                latency.count,
                ms(latency.p50),
                ms(latency.p95),
                ms(latency.p99),
                ms(latency.max),
                ms(latency.budget)
            )
        };
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let mut text = format!(
            "{:.0} s of sound, {:.0} s in {} segments, {} words\n\n\
             | | count | p50, ms | p95, ms | p99, ms | longest, ms | budget of p95, ms |\n\
             |---|---|---|---|---|---|---|\n",
            self.seconds, self.speech, self.segments, self.words
        );
        text.extend(self.paths.iter().map(row));
        text.extend(
            self.stages
                .iter()
                .map(|stage| row(&Latency { name: format!("stage: {}", stage.name), ..stage.clone() })),
        );
        text += &format!(
            "\nrecogniser at work {} of the time; {:.2} cores busy; {} partials superseded\n\
             words unlike those of `awaaz transcribe`: {}\n",
            percent(self.load),
            self.cpu,
            self.superseded,
            percent(self.unlike_offline)
        );
        if let (Some(live), Some(offline)) = (self.live_error, self.offline_error) {
            text += &format!("word error: {} live, {} offline\n", percent(live), percent(offline));
        }
        text.trim_end().to_owned()
    }
}

/// Files one after another.
struct Chain {
    waiting: VecDeque<AudioStream>,
    left: u64,
}

impl Chain {
    fn of(args: &LatencyArgs) -> Result<Self> {
        let decode = args.input.decode_options()?;
        let open = |input: Result<crate::cli::inputs::Input>| AudioStream::open(input?.audio(), &decode);
        let waiting = expand(&args.inputs).into_iter().map(open).collect::<Result<_>>()?;
        let limit = args.limit.map_or(u64::MAX, |limit| SampleIndex::from_seconds(limit.as_secs_f64()).0);
        Ok(Self { waiting, left: limit })
    }
}

impl AudioSource for Chain {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        block.clear();
        while let Some(audio) = self.waiting.front_mut().filter(|_| self.left > 0) {
            if audio.read(block)? > 0 {
                block.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= block.len() as u64;
                break;
            }
            self.waiting.pop_front();
        }
        Ok(block.len())
    }
}

/// Collects the text of finals.
struct Finals(Arc<Mutex<String>>);

impl EventSink for Finals {
    fn name(&self) -> &str {
        "bench"
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        if let EventKind::Final { text, .. } = &event.kind {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(text);
            all.push(' ');
        }
        Ok(())
    }
}
