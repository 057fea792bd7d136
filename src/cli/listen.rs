//! `awaaz listen`: a microphone in, events out, until it is stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::Exit;
use super::moderate::{judge, summary};
use super::play::{PlayArgs, PlayReport};
use super::stop::Stop;
use super::stream::{HearArgs, Heard, Listener};
use crate::audio::capture::{Capture, CaptureOptions};
use crate::audio::{Channel, WavRecorder};
use crate::pipeline::{Microphone, Recording, Sound, Source, SourcePace, SourceStep, Tap};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz listen                                         the default microphone, in the terminal
  awaaz listen --device USB --language hi              another one, in Hindi
  awaaz listen --language ur --romanize                Urdu in Latin letters
  awaaz listen --encoder facebook/wav2vec2-base-960h   a model that spells (--model and --encoder are the same)
  awaaz listen -o json | jq -r 'select(.type==\"final\").text'
  awaaz listen --record talk.wav --events talk.jsonl   keep the sound and the events (awaaz replay hears them again)
  awaaz listen --lexicon words.csv --play --censor bleep --delay 2
                                                       and play it again, two seconds later, with a tone over those words
  arecord -f S16_LE -r 16000 | awaaz moderate - --realtime
                                                       another program's sound

Ctrl-C (or q in the view) ends it; all that was said by then still gets its final. `awaaz devices` lists microphones.";

/// Hear a microphone and tell what happens, as events: speech, and its text while it is spoken.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ListenArgs {
    /// The microphone, or a part of its name (see `awaaz devices`) [default: the system's].
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    device: Option<String>,
    /// Take this channel alone, counted from 0 [default: the mean of all].
    #[arg(long, value_name = "N", help_heading = "Input")]
    channel: Option<usize>,
    /// Also keep the sound, in a WAV file (16 kHz, 16 bits, one channel).
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    record: Option<PathBuf>,
    #[command(flatten)]
    play: PlayArgs,
    #[command(flatten)]
    hear: HearArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the microphone, the model and the settings.
pub fn run(args: &ListenArgs) -> Result<Exit> {
    let options = CaptureOptions {
        device: args.device.clone(),
        channel: args.channel.map_or(Channel::Mix, Channel::Only),
        ..CaptureOptions::default()
    };
    let stop = Stop::on_signals()?;
    // A microphone that is not there is told of before a model is fetched; it is opened once the model is ready.
    drop(Capture::open(&options)?);
    let recorder = args.record.as_ref().map(WavRecorder::create).transpose()?;
    args.play.check()?;
    if args.play.takes_stdout() && !args.hear.writes_nothing() {
        let reason = "--play -: stdout takes the sound; leave out --output, and give --events for the events";
        return Err(Error::Setting(reason.into()));
    }
    let listener = Listener::load(&args.hear, args.play.style(), &stop)?;
    let stream = unique_name();
    let mut taps: Vec<Box<dyn Tap>> = Vec::new();
    let mut sinks = match args.play.takes_stdout() {
        true => listener.files(listener.notify(&stream))?,
        false => listener.sinks(HearArgs::live_output(), &stream)?,
    };
    let recognizer = listener.recognizer()?;
    let mut progress = args.hear.progress();
    let playing = args.play.start(listener.judges().policy.censor_margin)?;
    let capture = Capture::open(&options)?;
    let report = playing.map(|(playing, report)| {
        progress.say(&format!("playing on {}", playing.name()));
        let (tap, sink) = playing.ends(listener.notify(&stream));
        taps.push(tap);
        sinks.push(sink);
        report
    });
    let name = capture.info().name.clone();
    let microphone = Microphone::new(capture);
    let source: Box<dyn Source> = match recorder {
        Some(recorder) => {
            taps.push(Box::new(Recording::new(recorder)));
            Box::new(SixteenBits(microphone))
        }
        None => Box::new(microphone),
    };
    progress.say(&format!("listening to {name}; Ctrl-C ends it"));
    let heard = Heard {
        name: stream,
        origin: name.clone(),
        source,
        pace: SourcePace::Live,
        channel: args.channel,
        taps,
    };
    let outcome = listener.hear_with(recognizer, heard, sinks)?;
    for warning in &outcome.warnings {
        progress.error(&format!("warning: {name}: {warning}"));
    }
    progress.say(&summary(&name, &outcome));
    for line in report.iter().flat_map(PlayReport::lines) {
        progress.say(&line);
    }
    match judge(&name, &outcome) {
        // To be stopped is how it ends.
        Err(Error::Interrupted) => Ok(Exit::Success),
        judged => judged.map(|()| Exit::Success),
    }
}

/// A name that no other run has: receivers tell events that come twice by the stream's name.
fn unique_name() -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("microphone-{}", since_1970.as_secs())
}

/// A source with its samples rounded to the 16 bits that a recording keeps, so that the recording is what was heard.
struct SixteenBits<S>(S);

impl<S: Source> Source for SixteenBits<S> {
    fn next(&mut self) -> Result<SourceStep> {
        const SCALE: f32 = 32_768.0;
        let round = |sample: &f32| (sample * SCALE).round().clamp(-SCALE, SCALE - 1.0) / SCALE;
        Ok(match self.0.next()? {
            SourceStep::Sound(Sound::Block { samples, at }) => {
                let samples: Arc<[f32]> = samples.iter().map(round).collect();
                SourceStep::Sound(Sound::Block { samples, at })
            }
            step => step,
        })
    }

    fn drift_ppm(&self) -> Option<f64> {
        self.0.drift_ppm()
    }

    fn warnings(&self) -> Vec<String> {
        self.0.warnings()
    }
}
