//! `awaaz listen`: a microphone in, events out, until it is stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::Exit;
use super::moderate::{judge, summary};
use super::stop::Stop;
use super::stream::{HearArgs, Heard, Listener};
use super::values::seconds;
use crate::audio::capture::{Capture, CaptureOptions};
use crate::audio::{Channel, WavRecorder};
use crate::moderation::CensorStyle;
use crate::pipeline::{
    Flagging, Microphone, PcmOut, Playback, PlaybackTotals, Recording, Sound, Source, SourcePace, SourceStep,
    Tap,
};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz listen                                         the default microphone, in the terminal
  awaaz listen --device USB --language hi              another one, in Hindi
  awaaz listen --language ur --romanize                Urdu in Latin letters
  awaaz listen --encoder facebook/wav2vec2-base-960h   a model that spells (--model and --encoder are the same)
  awaaz listen -o json | jq -r 'select(.type==\"final\").text'
  awaaz listen --record talk.wav --events talk.jsonl   keep the sound and the events (awaaz replay hears them again)
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
    /// Play what is heard again, later and censored: - writes PCM to stdout (s16le, 16 kHz, one channel) for another
    /// program to play.
    #[arg(long, value_name = "-", value_parser = ["-"], help_heading = "Moderation")]
    play: Option<String>,
    /// How what is played is censored: silent, or under a tone.
    #[arg(
        long,
        value_name = "mute|bleep",
        default_value = "mute",
        requires = "play",
        help_heading = "Moderation"
    )]
    censor: CensorStyle,
    /// How much later it is played, in seconds. What is found later than this is told of, and was heard.
    #[arg(long, value_name = "SECONDS", default_value = "1.5", value_parser = seconds, requires = "play", help_heading = "Moderation")]
    delay: Duration,
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
    let listener = Listener::load(&args.hear, &stop)?;
    let stream = unique_name();
    let mut taps: Vec<Box<dyn Tap>> = Vec::new();
    let (sinks, playback) = match args.play {
        None => (listener.sinks(HearArgs::live_output(), &stream)?, None),
        Some(_) => {
            if !args.hear.writes_nothing() {
                let reason =
                    "--play -: stdout takes the sound; leave out --output, and give --events for the events";
                return Err(Error::Setting(reason.into()));
            }
            let margin = listener.judges().policy.censor_margin;
            let playback = Playback::new(args.censor, args.delay.as_secs_f64(), margin);
            let notify = listener.notify(&stream);
            let mut sinks = listener.files(Arc::clone(&notify))?;
            sinks.push(Box::new(Flagging::new(playback.clone(), notify)));
            taps.push(Box::new(PcmOut::new(playback.clone(), std::io::stdout())));
            (sinks, Some(playback))
        }
    };
    let recognizer = listener.recognizer()?;
    let capture = Capture::open(&options)?;
    let name = capture.info().name.clone();
    let microphone = Microphone::new(capture);
    let source: Box<dyn Source> = match recorder {
        Some(recorder) => {
            taps.push(Box::new(Recording::new(recorder)));
            Box::new(SixteenBits(microphone))
        }
        None => Box::new(microphone),
    };
    let mut progress = args.hear.progress();
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
    if let Some(PlaybackTotals { flagged, late, late_seconds }) = playback.map(|playback| playback.totals()) {
        progress
            .say(&format!("{flagged} stretches flagged, {late} too late ({late_seconds:.2} s were heard)"));
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
