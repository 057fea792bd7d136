//! `awaaz replay`: hears a recorded stream again and says where it differs.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;

use super::Exit;
use super::model_args::ModelArgs;
use super::onnx_args::OnnxArgs;
use super::stop::Stop;
use super::stream::{HearArgs, Heard, Listener};
use crate::asr::AudioSource;
use crate::audio::{AudioInput, AudioStream, Channel, DecodeOptions};
use crate::event::{Event, EventKind, StreamStart};
use crate::moderation::CensorStyle;
use crate::pipeline::{EventSink, Sound, Source, SourcePace, SourceStep};
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz listen --record talk.wav --events talk.jsonl   record a stream and its events
  awaaz replay talk.jsonl talk.wav                     hear it again

Speech, finals, verdicts, emotions, speakers, gaps and marks are compared, all but the field `compute`.
Exit codes: 0 nothing differs, 1 something does or it could not be heard.";

/// Hear a recorded stream again, with the settings that its events tell, and say where the events differ.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ReplayArgs {
    /// Events of the stream, a JSON object a line.
    events: PathBuf,
    /// Its sound.
    audio: PathBuf,
    /// Which stream, where the file has several [default: the first].
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Another model than the one that was used.
    #[arg(long, value_name = "NAME|PATH")]
    model: Option<String>,
    #[command(flatten)]
    onnx: OnnxArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of reading the events and the sound, and of the model.
pub fn run(args: &ReplayArgs) -> Result<Exit> {
    let recorded = Recording::read(args)?;
    let stop = Stop::on_signals()?;
    let name = args.model.clone().unwrap_or_else(|| recorded.start.model.clone());
    let model = ModelArgs::named(name, recorded.start.precision).through(args.onnx.clone());
    let hear = HearArgs::of_stream(&recorded.start, model);
    let listener = Listener::load(&hear, CensorStyle::asked_by(recorded.start.censor.as_slice()), &stop)?
        .without_actions();
    let channel = recorded.start.channel.map_or(Channel::Mix, Channel::Only);
    let audio = AudioStream::open(
        AudioInput::from_arg(&args.audio),
        // What was recorded from one channel has only that one left.
        &DecodeOptions { channel: recorded.channel_of(channel, args)?, raw: None },
    )?;
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Heard {
        name: recorded.name.clone(),
        origin: args.audio.display().to_string(),
        source: Box::new(Cued::new(audio, recorded.cues())),
        pace: SourcePace::Batch,
        channel: recorded.start.channel,
        taps: Vec::new(),
    };
    let outcome = listener.hear(heard, vec![Box::new(Keeper(Arc::clone(&events)))])?;
    super::moderate::judge(&args.audio.display().to_string(), &outcome)?;
    let events = events.lock().unwrap_or_else(PoisonError::into_inner);
    report(&recorded.events, &by_id(events.iter().cloned()))
}

/// A stream's events as they were recorded.
struct Recording {
    name: String,
    start: StreamStart,
    events: BTreeMap<String, Event>,
}

impl Recording {
    fn read(args: &ReplayArgs) -> Result<Self> {
        let path = &args.events;
        let file = std::fs::File::open(path).map_err(|error| Error::io(path, error))?;
        let mut name = args.stream.clone();
        let mut start = None;
        let mut events = Vec::new();
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| Error::io(path, error))?;
            if line.trim().is_empty() {
                continue;
            }
            let event: Event = serde_json::from_str(&line).map_err(|error| {
                Error::Setting(format!("{}, line {}: no event: {error}", path.display(), number + 1))
            })?;
            if *name.get_or_insert_with(|| event.stream.clone()) != event.stream {
                continue;
            }
            match event.kind {
                // A file that was appended to may hold a stream of the same name again; the last one counts.
                EventKind::StreamStart(settings) => {
                    start = Some(*settings);
                    events.clear();
                }
                _ => events.push(event),
            }
        }
        let name = name.unwrap_or_default();
        let missing = || Error::Setting(format!("{}: has no start of a stream {name}", path.display()));
        Ok(Self { start: start.ok_or_else(missing)?, events: by_id(events), name })
    }

    /// A file that was heard is heard in the same way; a recording of what was heard is mono.
    fn channel_of(&self, channel: Channel, args: &ReplayArgs) -> Result<Channel> {
        let audio = AudioStream::open(AudioInput::from_arg(&args.audio), &DecodeOptions::default())?;
        Ok(if audio.info().channels == 1 { Channel::Mix } else { channel })
    }

    /// Where the stream had something else than sound, in order.
    fn cues(&self) -> VecDeque<(SampleIndex, Sound)> {
        let cue = |event: &Event| {
            let (start, end) = (SampleIndex::from_seconds(event.t0), SampleIndex::from_seconds(event.t1));
            match &event.kind {
                EventKind::Gap { reason } => {
                    Some((start, Sound::Gap { samples: end - start, reason: *reason }))
                }
                EventKind::Marker { name } => Some((start, Sound::Marker(name.clone()))),
                _ => None,
            }
        };
        let mut cues: Vec<_> = self.events.values().filter_map(cue).collect();
        cues.sort_by_key(|(at, _)| *at);
        cues.into()
    }
}

/// What is compared, by id.
fn by_id(events: impl IntoIterator<Item = Event>) -> BTreeMap<String, Event> {
    let compared = |event: &Event| {
        use EventKind::{Emotion, Final, Gap, Marker, Speaker, SpeechEnd, SpeechStart, Verdict};
        matches!(
            event.kind,
            SpeechStart { .. }
                | SpeechEnd { .. }
                | Final { .. }
                | Verdict(_)
                | Emotion { .. }
                | Speaker(_)
                | Gap { .. }
                | Marker { .. }
        )
    };
    events.into_iter().filter(compared).map(|event| (event.id.clone(), event.without_compute())).collect()
}

/// Writes where the two differ.
fn report(recorded: &BTreeMap<String, Event>, replayed: &BTreeMap<String, Event>) -> Result<Exit> {
    let mut out = io::stdout().lock();
    let mut different = 0;
    let mut write = |line: String| writeln!(out, "{line}").map_err(|error| Error::io("stdout", error));
    for (id, event) in recorded {
        match replayed.get(id) {
            None => write(format!("{id}: only recorded: {}", event.to_line()))?,
            Some(other) if other.to_line() != event.to_line() => {
                write(format!("{id}: recorded {}\n{id}: replayed {}", event.to_line(), other.to_line()))?;
            }
            Some(_) => continue,
        }
        different += 1;
    }
    for (id, event) in replayed.iter().filter(|(id, _)| !recorded.contains_key(*id)) {
        write(format!("{id}: only replayed: {}", event.to_line()))?;
        different += 1;
    }
    write(match different {
        0 => format!("{} events, none differs", recorded.len()),
        _ => format!("{different} of {} events differ", recorded.len().max(replayed.len())),
    })?;
    Ok(if different == 0 { Exit::Success } else { Exit::Failure })
}

/// Sound with something else at given places: gaps take the place of sound, marks lie between.
struct Cued<A> {
    audio: A,
    cues: VecDeque<(SampleIndex, Sound)>,
    block: Vec<f32>,
    taken: usize,
    position: SampleIndex,
    /// Samples of sound that a gap stands for.
    skip: u64,
    ended: bool,
}

impl<A: AudioSource + Send> Cued<A> {
    fn new(audio: A, cues: VecDeque<(SampleIndex, Sound)>) -> Self {
        Self { audio, cues, block: Vec::new(), taken: 0, position: SampleIndex(0), skip: 0, ended: false }
    }

    /// Makes the block have samples that were not taken; false at the end.
    fn fill(&mut self) -> Result<bool> {
        while self.taken == self.block.len() && !self.ended {
            self.taken = 0;
            self.ended = self.audio.read(&mut self.block)? == 0;
            let skipped = self.skip.min(self.block.len() as u64);
            self.taken += skipped as usize;
            self.skip -= skipped;
        }
        Ok(!self.ended)
    }

    fn cue(&mut self) -> SourceStep {
        let Some((_, sound)) = self.cues.pop_front() else { return SourceStep::Wait };
        if let Sound::Gap { samples, .. } = sound {
            self.position = self.position + samples;
            let at_hand = samples.min((self.block.len() - self.taken) as u64);
            self.taken += at_hand as usize;
            self.skip = samples - at_hand;
        }
        SourceStep::Sound(sound)
    }
}

impl<A: AudioSource + Send> Source for Cued<A> {
    fn next(&mut self) -> Result<SourceStep> {
        let next = self.cues.front().map(|(at, _)| *at);
        if next.is_some_and(|at| at <= self.position) {
            return Ok(self.cue());
        }
        if !self.fill()? {
            // Marks at the very end.
            return Ok(if self.cues.is_empty() { SourceStep::End } else { self.cue() });
        }
        let rest = &self.block[self.taken..];
        let until = next.map_or(u64::MAX, |at| at - self.position);
        let samples: Arc<[f32]> = rest[..(rest.len() as u64).min(until) as usize].into();
        self.taken += samples.len();
        self.position = self.position + samples.len() as u64;
        Ok(SourceStep::Sound(Sound::Block { samples, at: None }))
    }
}

/// Keeps events.
struct Keeper(Arc<Mutex<Vec<Event>>>);

impl EventSink for Keeper {
    fn name(&self) -> &str {
        "replay"
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::GapReason;

    struct Ramp(Vec<usize>, f32);

    impl AudioSource for Ramp {
        fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
            block.clear();
            for _ in 0..self.0.pop().unwrap_or(0) {
                block.push(self.1);
                self.1 += 1.0;
            }
            Ok(block.len())
        }
    }

    #[test]
    fn gaps_take_the_place_of_sound_and_marks_lie_between() {
        let gap = Sound::Gap { samples: 30, reason: GapReason::Overrun };
        let cues = [
            (SampleIndex(5), Sound::Marker("a".into())),
            (SampleIndex(12), gap),
            (SampleIndex(60), Sound::Marker("end".into())),
        ];
        let mut source = Cued::new(Ramp(vec![20, 20, 20], 0.0), cues.into());
        let mut heard = String::new();
        loop {
            match source.next().unwrap() {
                SourceStep::Sound(Sound::Block { samples, .. }) => {
                    heard += &format!("{}-{} ", samples[0], samples[samples.len() - 1]);
                }
                SourceStep::Sound(Sound::Gap { samples, .. }) => heard += &format!("gap {samples} "),
                SourceStep::Sound(Sound::Marker(name)) => heard += &format!("{name} "),
                SourceStep::Wait => {}
                SourceStep::End => break,
            }
        }
        assert_eq!(heard, "0-4 a 5-11 gap 30 42-59 end ");
    }
}
