//! Conversations mixed from clips of known speakers, so that it is known who speaks when, also where two speak at once.
//!
//! In the manner of Fujita et al., "End-to-end neural speaker diarization with permutation-free objectives" (Interspeech 2019),
//! but with one turn after the other as people talk: speakers in turn, each with a pause after the turn before, or beginning
//! before it ends. No more than two speak at once.

use std::collections::BTreeMap;

use crate::speaker::diarize::{Turn, joined};
use crate::time::{SampleIndex, Span};
use crate::{Error, Result};

/// Root mean square of speech: -26 dBFS.
const LEVEL: f32 = 0.05;
/// By how much speakers are louder or softer, in dB, at most.
const LOUDNESS: f32 = 3.0;
/// Root mean square of the noise under everything: -66 dBFS.
const NOISE: f32 = 0.0005;
/// Seconds of a turn, least and most.
const TURN: (f64, f64) = (1.0, 8.0);
/// Seconds by which a turn begins before the one before it ends, least and most.
const EARLY: (f64, f64) = (0.3, 2.0);
/// Mean seconds of a pause between turns.
const PAUSE: f64 = 0.4;

/// A clip of one speaker.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Who speaks.
    pub speaker: String,
    /// 16 kHz.
    pub samples: Vec<f32>,
    /// Where in it is speech.
    pub speech: Vec<Span>,
}

/// A conversation, and who speaks when.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conversation {
    /// 16 kHz.
    pub samples: Vec<f32>,
    /// The speech of each turn, pauses left out, in order.
    pub turns: Vec<Turn>,
}

/// How to mix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixer {
    /// Speakers of a conversation.
    pub speakers: usize,
    /// Seconds that it lasts at least, where the clips are enough.
    pub seconds: f64,
    /// The share of turns that begin before the one before ends.
    pub early: f64,
}

impl Mixer {
    /// A conversation of speakers of `clips` by chance; the same `seed` gives the same. No clip is heard twice.
    ///
    /// # Errors
    /// [`Error::Setting`] where the clips are of fewer speakers.
    pub fn mix(&self, clips: &[Clip], seed: u64) -> Result<Conversation> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut by_speaker: BTreeMap<&str, Vec<&Clip>> = BTreeMap::new();
        for clip in clips.iter().filter(|clip| !clip.speech.is_empty()) {
            by_speaker.entry(&clip.speaker).or_default().push(clip);
        }
        let mut names: Vec<&str> = by_speaker.keys().copied().collect();
        if names.len() < self.speakers || self.speakers == 0 {
            return Err(Error::Setting(format!(
                "a conversation of {} speakers needs clips of as many; there are {}",
                self.speakers,
                names.len()
            )));
        }
        random.shuffle(&mut names);
        names.truncate(self.speakers);
        let mut table = Table::default();
        let mut voices: Vec<Voice> = names
            .iter()
            .map(|name| {
                let mut clips = by_speaker.remove(name).unwrap_or_default();
                random.shuffle(&mut clips);
                let loudness = LOUDNESS * (2.0 * random.f32() - 1.0);
                Voice { name, clips, gain: 10f32.powf(loudness / 20.0), end: 0 }
            })
            .collect();
        let mut last = None;
        while (table.end as f64) < self.seconds * 16_000.0 {
            let ready = (0..voices.len())
                .filter(|&at| (Some(at) != last || voices.len() == 1) && !voices[at].clips.is_empty());
            let ready: Vec<usize> = ready.collect();
            let Some(&at) = random.choice(&ready) else { break };
            let is_early = last.is_some() && random.f64() < self.early;
            table.add(&mut voices[at], is_early, &mut random);
            last = Some(at);
        }
        table.samples.iter_mut().for_each(|x| {
            // The sum of twelve is near to a normal distribution of deviation 1.
            let noise: f32 = (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
            *x = (*x + NOISE * noise).clamp(-1.0, 1.0);
        });
        Ok(Conversation { samples: table.samples, turns: joined(&table.turns) })
    }
}

/// A speaker at the table.
struct Voice<'a> {
    name: &'a str,
    /// Not heard yet.
    clips: Vec<&'a Clip>,
    gain: f32,
    /// Where the last turn ends.
    end: u64,
}

/// What has been said.
#[derive(Default)]
struct Table {
    samples: Vec<f32>,
    turns: Vec<Turn>,
    /// Where all turns have ended, and where all but the last have.
    end: u64,
    end_before: u64,
}

impl Table {
    fn add(&mut self, voice: &mut Voice, is_early: bool, random: &mut fastrand::Rng) {
        let Some(clip) = voice.clips.pop() else { return };
        let piece = piece(clip, random);
        let seconds = |seconds: f64| SampleIndex::from_seconds(seconds).0;
        let start = match is_early {
            true => self.end.saturating_sub(seconds(EARLY.0 + (EARLY.1 - EARLY.0) * random.f64())),
            false => self.end + seconds(-PAUSE * (1.0 - random.f64()).ln()),
        };
        let start = start.max(voice.end).max(self.end_before);
        let sound = &clip.samples[piece.start.0 as usize..piece.end.0 as usize];
        let power = sound.iter().map(|x| x * x).sum::<f32>() / sound.len().max(1) as f32;
        let gain = LEVEL * voice.gain / power.sqrt().max(f32::MIN_POSITIVE);
        let end = start + piece.len();
        self.samples.resize(self.samples.len().max(end as usize), 0.0);
        self.samples[start as usize..end as usize]
            .iter_mut()
            .zip(sound)
            .for_each(|(sum, x)| *sum += gain * x);
        for speech in &clip.speech {
            let (from, to) = (speech.start.max(piece.start), speech.end.min(piece.end));
            let span =
                Span::new(SampleIndex(start + (from - piece.start)), SampleIndex(start + (to - piece.start)));
            if from < to {
                self.turns.push(Turn::new(voice.name, span));
            }
        }
        voice.end = end;
        self.end_before = self.end_before.max(self.end.min(end));
        self.end = self.end.max(end);
    }
}

/// A part of a clip that begins where speech begins, of a length by chance.
fn piece(clip: &Clip, random: &mut fastrand::Rng) -> Span {
    let length = SampleIndex::from_seconds(TURN.0 + (TURN.1 - TURN.0) * random.f64()).0;
    let end = SampleIndex(clip.samples.len() as u64).min(clip.speech[clip.speech.len() - 1].end);
    let long_enough = |speech: &&Span| end - speech.start >= length;
    let starts: Vec<SampleIndex> =
        clip.speech.iter().filter(long_enough).map(|speech| speech.start).collect();
    let start = random.choice(&starts).copied().unwrap_or(clip.speech[0].start);
    Span::new(start, end.min(start + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speaker::diarize::overlaps;

    fn clips() -> Vec<Clip> {
        let clip = |number: u64| {
            let span = |start: u64, end: u64| Span::new(SampleIndex(start), SampleIndex(end));
            Clip {
                speaker: format!("s{}", number % 4),
                samples: vec![if number.is_multiple_of(4) { 0.5 } else { -0.1 }; 160_000],
                speech: vec![span(8000, 60_000), span(70_000, 150_000)],
            }
        };
        (0..40).map(clip).collect()
    }

    #[test]
    fn seeds_decide_what_is_said() {
        let mixer = Mixer { speakers: 3, seconds: 60.0, early: 0.3 };
        let found = mixer.mix(&clips(), 1).unwrap();
        assert_eq!(found, mixer.mix(&clips(), 1).unwrap());
        assert_ne!(found.turns, mixer.mix(&clips(), 2).unwrap().turns);
        let mut names: Vec<&str> = found.turns.iter().map(|turn| turn.speaker.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 3);
        assert!(found.samples.len() >= 60 * 16_000 && found.samples.len() < 75 * 16_000);
        assert!(found.turns.iter().all(|turn| turn.span.end.0 <= found.samples.len() as u64));
    }

    #[test]
    fn turns_overlap_as_often_as_asked_and_two_at_most() {
        let share = |early: f64| {
            let mixer = Mixer { speakers: 4, seconds: 100.0, early };
            let found = mixer.mix(&clips(), 3).unwrap();
            let at_once = |at: SampleIndex| {
                found.turns.iter().filter(|turn| turn.span.start <= at && at < turn.span.end).count()
            };
            assert!(found.turns.iter().all(|turn| at_once(turn.span.start) <= 2));
            overlaps(&found.turns).iter().map(|span| span.seconds()).sum::<f64>()
        };
        assert_eq!(share(0.0), 0.0);
        assert!(share(0.3) > 2.0 && share(1.0) > share(0.3), "{} {}", share(0.3), share(1.0));
    }

    #[test]
    fn speech_is_where_the_reference_says_and_as_loud_as_all() {
        let found = Mixer { speakers: 1, seconds: 30.0, early: 0.0 }.mix(&clips(), 4).unwrap();
        let loud = |span: Span| {
            let sound = &found.samples[span.start.0 as usize..span.end.0 as usize];
            (sound.iter().map(|x| x * x).sum::<f32>() / sound.len() as f32).sqrt()
        };
        for turn in &found.turns {
            let level = 20.0 * (loud(turn.span) / LEVEL).log10();
            assert!(level.abs() < LOUDNESS + 0.1, "{level} dB");
        }
    }

    #[test]
    fn too_few_speakers_are_refused() {
        let mix = |speakers: usize| Mixer { speakers, seconds: 5.0, early: 0.0 }.mix(&clips(), 0);
        assert!(mix(5).unwrap_err().to_string().contains("there are 4"));
        assert!(mix(0).is_err() && mix(4).is_ok());
    }
}
