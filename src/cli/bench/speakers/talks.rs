//! Who speaks when in mixed conversations, by each system and by baselines.

use std::time::{Duration, Instant};

use super::clips::Voices;
use super::figures::{Conversations, Tally};
use super::systems::VoiceSystem;
use crate::cli::stop::Stop;
use crate::corpus::conversations::{Clip, Conversation, Mixer};
use crate::output::Progress;
use crate::score::diarization::{DiarizationScoring, Overlap};
use crate::speaker::cosine;
use crate::speaker::diarize::{
    Clustering, DiarizeOptions, Simultaneous, Speakers, Turn, agglomerative, joined, overlaps,
    speech_options, speech_spans,
};
use crate::time::{SampleIndex, Span};
use crate::{Error, Result};

/// How conversations are mixed.
pub struct Talks<'a> {
    /// Of each number of speakers.
    pub each: usize,
    pub speakers: &'a [usize],
    pub seconds: f64,
    pub early: f64,
    pub seed: u64,
    /// The cosine down to which windows are joined by the plain agglomerative system.
    pub least_alike: f32,
    pub stop: &'a Stop,
}

impl Talks<'_> {
    /// The conversations, each with its number of speakers.
    ///
    /// # Errors
    /// Those of the clips; [`Error::Setting`] where there are too few speakers; [`Error::Interrupted`].
    pub fn mix(&self, voices: &Voices) -> Result<Vec<(usize, Conversation)>> {
        let mut clips: Vec<Clip> = Vec::new();
        for labelled in &voices.clips {
            self.check()?;
            clips.push(labelled.clip()?);
        }
        let numbered =
            self.speakers.iter().flat_map(|&speakers| (0..self.each).map(move |at| (speakers, at)));
        let mix = |(speakers, at): (usize, usize)| {
            let mixer = Mixer { speakers, seconds: self.seconds, early: self.early };
            let seed = self.seed ^ (speakers as u64) << 32 | at as u64;
            Ok((speakers, mixer.mix(&clips, seed)?))
        };
        numbered.map(mix).collect()
    }

    /// The errors of all systems and baselines.
    ///
    /// # Errors
    /// Those of hearing; [`Error::Interrupted`].
    pub fn measure(
        &self,
        voices: &Voices,
        talks: &[(usize, Conversation)],
        systems: &[Box<dyn VoiceSystem + '_>],
        progress: &mut Progress,
    ) -> Result<Conversations> {
        // Name, and a tally for each conversation.
        let mut rows: Vec<(String, Vec<Tally>)> = Vec::new();
        for (number, (speakers, talk)) in talks.iter().enumerate() {
            self.check()?;
            let speech = speech_spans(&talk.samples, &speech_options())?;
            let told = self.told(*speakers, talk, &speech, systems)?;
            for (at, (name, turns, took)) in told.into_iter().enumerate() {
                if rows.len() == at {
                    rows.push((name, Vec::new()));
                }
                rows[at].1.push(tally(talk, *speakers, &turns, took));
            }
            progress.say(&format!("{} of {} conversations", number + 1, talks.len()));
        }
        let seconds = talks.iter().map(|(_, talk)| SampleIndex(talk.samples.len() as u64).seconds()).sum();
        let spoken: f64 =
            talks.iter().flat_map(|(_, talk)| &talk.turns).map(|turn| turn.span.seconds()).sum();
        let at_once: f64 = talks.iter().flat_map(|(_, talk)| overlaps(&talk.turns)).map(Span::seconds).sum();
        let summed = |tallies: &[Tally], of: Option<usize>| {
            let mut sum = Tally::default();
            let wanted = |speakers: usize| of.is_none_or(|of| of == speakers);
            let counted = tallies.iter().zip(talks).filter(|(_, (speakers, _))| wanted(*speakers));
            counted.for_each(|(tally, _)| sum.add(tally));
            sum
        };
        let of: Vec<Option<usize>> =
            std::iter::once(None).chain(self.speakers.iter().copied().map(Some)).collect();
        let row = |(name, tallies): &(String, Vec<Tally>)| {
            of.iter().map(|&of| summed(tallies, of).row(name, of)).collect::<Vec<_>>()
        };
        Ok(Conversations {
            corpus: voices.name.clone(),
            count: talks.len(),
            seconds,
            overlap: 100.0 * at_once / spoken.max(f64::MIN_POSITIVE),
            rows: rows.iter().flat_map(row).collect(),
        })
    }

    /// What each system and baseline tells of a conversation, with its name and the seconds that it took.
    fn told(
        &self,
        speakers: usize,
        talk: &Conversation,
        speech: &[Span],
        systems: &[Box<dyn VoiceSystem + '_>],
    ) -> Result<Vec<(String, Vec<Turn>, f64)>> {
        let mut told = vec![
            ("one speaker".to_owned(), labelled(speech, &vec![0; speech.len()]), 0.0),
            ("by chance, number given".to_owned(), self.by_chance(speakers, speech), 0.0),
        ];
        let usual = DiarizeOptions::default();
        for system in systems {
            told.push((
                format!("{}: stretches of speech, agglomerative, number given", system.name()),
                by_stretch(system.as_ref(), talk, speech, speakers)?,
                0.0,
            ));
            let started = Instant::now();
            let voiced = system.hear(&talk.samples, speech, &usual, self.stop)?;
            let hearing = started.elapsed().as_secs_f64();
            let plain = Clustering::Agglomerative { least_alike: self.least_alike };
            let one_each = Simultaneous::Unmarked;
            let ways = [
                ("agglomerative", DiarizeOptions { clustering: plain, simultaneous: one_each, ..usual }),
                ("spectral, one at a time", DiarizeOptions { simultaneous: one_each, ..usual }),
                ("spectral (usual)", usual),
                ("spectral, number given", DiarizeOptions { speakers: Speakers::exactly(speakers), ..usual }),
            ];
            for (way, options) in ways {
                let started = Instant::now();
                let turns = voiced.diarize(&options).turns;
                let took = hearing + started.elapsed().as_secs_f64();
                told.push((format!("{}: {way}", system.name()), turns, took));
            }
        }
        Ok(told)
    }

    fn by_chance(&self, speakers: usize, speech: &[Span]) -> Vec<Turn> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let labels: Vec<usize> = speech.iter().map(|_| random.usize(..speakers.max(1))).collect();
        labelled(speech, &labels)
    }

    fn check(&self) -> Result<()> {
        if self.stop.is_requested() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Each stretch between pauses is one speaker's; as many as there are.
fn by_stretch(
    system: &dyn VoiceSystem,
    talk: &Conversation,
    speech: &[Span],
    speakers: usize,
) -> Result<Vec<Turn>> {
    let vector = |span: &Span| system.embed(&talk.samples[span.start.0 as usize..span.end.0 as usize]);
    let vectors = speech.iter().map(vector).collect::<Result<Vec<_>>>()?;
    let alike = |a: usize, b: usize| cosine(&vectors[a], &vectors[b]);
    Ok(labelled(speech, &agglomerative(vectors.len(), alike, f32::INFINITY, Speakers::exactly(speakers))))
}

fn labelled(speech: &[Span], labels: &[usize]) -> Vec<Turn> {
    let turns: Vec<Turn> =
        speech.iter().zip(labels).map(|(&span, label)| Turn::new(label.to_string(), span)).collect();
    joined(&turns)
}

fn tally(talk: &Conversation, speakers: usize, turns: &[Turn], took: f64) -> Tally {
    let strict = DiarizationScoring::default();
    let lenient = DiarizationScoring { collar: Duration::from_millis(250), overlap: Overlap::Skipped };
    let mut names: Vec<&str> = turns.iter().map(|turn| turn.speaker.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Tally {
        errors: strict.errors(&talk.turns, turns),
        lenient: lenient.errors(&talk.turns, turns),
        conversations: 1,
        counted: usize::from(names.len() == speakers),
        took,
        sound: SampleIndex(talk.samples.len() as u64).seconds(),
    }
}
