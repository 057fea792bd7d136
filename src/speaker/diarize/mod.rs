//! Who speaks when, in a recording that is there as a whole.
//!
//! | file | idea |
//! |---|---|
//! | `speech` | where speech is |
//! | `windows` | speech cut into windows that overlap, each heard by a speaker encoder |
//! | `groups` | fewer vectors, where there are too many to cluster |
//! | `spectral`, `agglomerative` | how many speakers there are, and which window is whose |
//! | `eigen`, `kmeans`, `vectors` | what those compute with |
//! | `resegment` | who is heard at each moment |
//! | `overlap` | where a second one is heard at once |
//! | `turn` | [`Turn`]s, which come out |
//!
//! Nothing here decodes or names anybody: samples, the spans of speech and an encoder come in. The same sound
//! always gives the same turns.

mod agglomerative;
mod eigen;
mod groups;
mod kmeans;
mod overlap;
mod resegment;
mod spectral;
mod speech;
mod turn;
mod vectors;
mod windows;

use std::time::Duration;

use rayon::prelude::*;

pub use agglomerative::agglomerative;
pub use overlap::{FEATURES, Simultaneous};
pub use speech::{speech_options, speech_spans};
pub use turn::{Turn, joined, overlaps, union};

use super::cosine;
use crate::models::speaker::SpeakerEncoder;
use crate::time::{SampleIndex, Span};
use crate::{Error, Result};
use overlap::Apart;
use resegment::Moments;
use vectors::{centres, renumbered};
use windows::{Windows, heard};

/// Vectors that are clustered at most; of longer recordings neighbours in time that are alike are one.
const MOST_VECTORS: usize = 400;

/// How many speakers there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speakers {
    /// At least.
    pub least: usize,
    /// At most.
    pub most: usize,
}

impl Speakers {
    /// As many as that.
    pub fn exactly(count: usize) -> Self {
        Self { least: count, most: count }
    }
}

impl Default for Speakers {
    /// One to ten.
    fn default() -> Self {
        Self { least: 1, most: 10 }
    }
}

/// How windows become speakers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clustering {
    /// By the graph of their nearest neighbours, which also tells how many speakers there are. Two whose voices are as alike
    /// as `one_voice`, as the cosine of their mean vectors, are one.
    Spectral {
        /// Of the encoder's vectors.
        one_voice: f32,
    },
    /// By joining what is most alike, on average over windows, down to a cosine of `least_alike`.
    Agglomerative {
        /// Of the encoder's vectors.
        least_alike: f32,
    },
}

/// How to diarize.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiarizeOptions {
    /// Speech heard at once.
    pub window: Duration,
    /// From the start of one window to that of the next; at most a window.
    pub hop: Duration,
    /// How many speakers there may be.
    pub speakers: Speakers,
    /// How windows become speakers.
    pub clustering: Clustering,
    /// Whether it is told where two speak at once.
    pub simultaneous: Simultaneous,
}

impl Default for DiarizeOptions {
    /// Windows of 1.6 s, which are the stretches that the encoder GE2E was trained on, and four of them at each moment.
    fn default() -> Self {
        Self {
            window: Duration::from_millis(1600),
            hop: Duration::from_millis(400),
            speakers: Speakers::default(),
            clustering: Clustering::Spectral { one_voice: ONE_VOICE },
            simultaneous: Simultaneous::Marked,
        }
    }
}

/// The cosine of mean vectors from which two clusters are one voice, with GE2E. It was set by hand and not measured.
pub const ONE_VOICE: f32 = 0.84;

/// The mean cosine of windows down to which they are joined, with GE2E. It was set by hand and not measured.
pub const LEAST_ALIKE: f32 = 0.6;

/// Who speaks when.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diarization {
    /// The turns, in order of time. Speakers are called `S1`, `S2` and so on, in the order in which they begin to speak.
    pub turns: Vec<Turn>,
    /// The voice of each speaker, in that order: a vector of length 1.
    pub voices: Vec<Vec<f32>>,
}

impl Diarization {
    /// The same with other names; `names` has one for each voice.
    pub fn named(mut self, names: &[String]) -> Self {
        for turn in &mut self.turns {
            let number = (0..self.voices.len()).find(|&number| numbered(number) == turn.speaker);
            if let Some(name) = number.and_then(|number| names.get(number)) {
                turn.speaker.clone_from(name);
            }
        }
        self.turns = joined(&self.turns);
        self
    }
}

/// What the speaker is called whose voice is at this place.
pub fn numbered(voice: usize) -> String {
    format!("S{}", voice + 1)
}

/// Windows of speech with their vectors.
pub struct Voiced {
    speech: Vec<Span>,
    windows: Vec<Span>,
    vectors: Vec<Vec<f32>>,
    cut: Windows,
}

impl Voiced {
    /// Hears `speech`, spans of `samples` (16 kHz), with `encoder`. Windows are heard side by side on the threads of the
    /// current pool.
    ///
    /// # Errors
    /// [`Error::Setting`] for a window or hop that is empty, or a hop longer than a window; those of the encoder;
    /// [`Error::Interrupted`] once `stopped` says so.
    pub fn hear(
        samples: &[f32],
        speech: &[Span],
        encoder: &dyn SpeakerEncoder,
        options: &DiarizeOptions,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self> {
        let samples_in = |duration: Duration| SampleIndex::from_seconds(duration.as_secs_f64()).0;
        let (length, hop) = (samples_in(options.window), samples_in(options.hop));
        if hop == 0 || hop > length {
            return Err(Error::Setting(format!(
                "windows of {:?} every {:?} leave speech unheard; the hop must be from 1 ms to the window",
                options.window, options.hop
            )));
        }
        let end = SampleIndex(samples.len() as u64);
        let within = |span: &Span| Span::new(span.start.min(end), span.end.min(end));
        let speech = union(speech.iter().map(within).filter(|span| span.len() > 0).collect());
        let cut = Windows { length, hop };
        let windows = cut.of(&speech);
        let embed = |&window: &Span| match stopped() {
            true => Err(Error::Interrupted),
            false => encoder.embed(&heard(samples, window, encoder.shortest().min(length as usize))),
        };
        let vectors = windows.par_iter().map(embed).collect::<Result<_>>()?;
        Ok(Self { speech, windows, vectors, cut })
    }

    /// Who speaks when.
    pub fn diarize(&self, options: &DiarizeOptions) -> Diarization {
        if self.windows.is_empty() {
            return Diarization::default();
        }
        let (labels, count) = renumbered(&self.clusters(options));
        let voices = centres(&self.vectors, &labels, count);
        let moments = Moments::of(&self.speech, &self.windows, &self.vectors, &voices);
        let first = moments.likeliest();
        let second = match options.simultaneous {
            Simultaneous::Unmarked => Vec::new(),
            Simultaneous::Marked => overlap::second_voices(&self.suspects(&moments, &first, &voices)),
        };
        let spoken = first.iter().copied().enumerate().chain(second);
        named(moments.turns(spoken), &voices)
    }

    /// What the detector of simultaneous speech knows of each moment, where there are two voices at least: for fitting it.
    pub fn overlap_features(&self, options: &DiarizeOptions) -> Vec<(Span, [f32; FEATURES])> {
        let (labels, count) = renumbered(&self.clusters(options));
        let voices = centres(&self.vectors, &labels, count);
        let moments = Moments::of(&self.speech, &self.windows, &self.vectors, &voices);
        let suspects = self.suspects(&moments, &moments.likeliest(), &voices);
        moments.spans.iter().zip(suspects).map(|(&span, suspect)| (span, suspect.features)).collect()
    }

    fn suspects(&self, moments: &Moments, first: &[usize], voices: &[Vec<f32>]) -> Vec<overlap::Suspect> {
        Apart::new(&self.vectors, voices, self.cut).suspects(moments, first, &self.windows)
    }

    /// The cluster of each window.
    fn clusters(&self, options: &DiarizeOptions) -> Vec<usize> {
        let sizes = groups::groups(&self.vectors, MOST_VECTORS);
        let mut rest = self.vectors.as_slice();
        let group = |&size: &usize| {
            let (group, later) = rest.split_at(size);
            rest = later;
            vectors::centre(group.iter().map(Vec::as_slice))
        };
        let grouped: Vec<Vec<f32>> = sizes.iter().map(group).collect();
        let labels = match options.clustering {
            Clustering::Spectral { one_voice } => one_voice_each(
                &grouped,
                spectral::spectral(&grouped, options.speakers),
                one_voice,
                options.speakers,
            ),
            Clustering::Agglomerative { least_alike } => {
                let alike = |a: usize, b: usize| cosine(&grouped[a], &grouped[b]);
                agglomerative(grouped.len(), alike, least_alike, options.speakers)
            }
        };
        sizes.iter().zip(labels).flat_map(|(&size, label)| vec![label; size]).collect()
    }
}

/// Clusters whose voices are alike become one: a graph of neighbours also cuts the speech of one speaker into parts.
fn one_voice_each(
    vectors: &[Vec<f32>],
    labels: Vec<usize>,
    one_voice: f32,
    speakers: Speakers,
) -> Vec<usize> {
    let (mut labels, mut count) = renumbered(&labels);
    while count > speakers.least.max(1) {
        let voices = centres(vectors, &labels, count);
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let alike = pairs.map(|(a, b)| (cosine(&voices[a], &voices[b]), a, b));
        let Some((_, a, b)) =
            alike.max_by(|(a, ..), (b, ..)| a.total_cmp(b)).filter(|(alike, ..)| *alike >= one_voice)
        else {
            break;
        };
        labels.iter_mut().filter(|label| **label == b).for_each(|label| *label = a);
        (labels, count) = renumbered(&labels);
    }
    labels
}

/// Turns with speakers' numbers in the order in which they begin.
fn named(turns: Vec<(Span, usize)>, voices: &[Vec<f32>]) -> Diarization {
    let order: Vec<usize> = turns.iter().map(|(_, voice)| *voice).collect();
    let (numbers, _) = renumbered(&order);
    let mut heard = order.clone();
    let mut seen = Vec::new();
    heard.retain(|voice| {
        !seen.contains(voice) && {
            seen.push(*voice);
            true
        }
    });
    let turn = |((span, _), number): (&(Span, usize), usize)| Turn::new(numbered(number), *span);
    Diarization {
        turns: turns.iter().zip(numbers).map(turn).collect(),
        voices: heard.into_iter().map(|voice| voices[voice].clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells of a sound the direction that its samples say: 1 or 2, and both where they are mixed.
    struct Told;

    impl SpeakerEncoder for Told {
        fn width(&self) -> usize {
            4
        }

        fn shortest(&self) -> usize {
            16_000
        }

        fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
            let share = |value: f32| samples.iter().filter(|&&x| x == value).count() as f32;
            let wobble = (samples.len() % 7) as f32 * 0.01 * samples.len() as f32;
            Ok(vectors::unit(vec![share(1.0), share(2.0), share(3.0), wobble]))
        }
    }

    fn span(start: f64, end: f64) -> Span {
        Span::new(SampleIndex::from_seconds(start), SampleIndex::from_seconds(end))
    }

    /// Samples that say who speaks, and the speech in them.
    fn talk(turns: &[(f32, f64)]) -> (Vec<f32>, Vec<Span>, Vec<Turn>) {
        let (mut samples, mut truth) = (Vec::new(), Vec::new());
        for &(speaker, seconds) in turns {
            let start = SampleIndex(samples.len() as u64);
            samples.extend(vec![speaker; SampleIndex::from_seconds(seconds).0 as usize]);
            if speaker > 0.0 {
                truth.push(Turn::new(
                    speaker.to_string(),
                    Span::new(start, SampleIndex(samples.len() as u64)),
                ));
            }
        }
        let speech = union(truth.iter().map(|turn| turn.span).collect());
        (samples, speech, truth)
    }

    fn diarized(samples: &[f32], speech: &[Span], options: &DiarizeOptions) -> Diarization {
        Voiced::hear(samples, speech, &Told, options, &|| false).unwrap().diarize(options)
    }

    #[test]
    fn turns_are_those_of_the_speakers() {
        let (samples, speech, truth) =
            talk(&[(1.0, 6.0), (0.0, 1.0), (2.0, 5.0), (1.0, 5.0), (0.0, 2.0), (3.0, 8.0), (2.0, 6.0)]);
        let scoring = crate::score::diarization::DiarizationScoring::default();
        for clustering in
            [DiarizeOptions::default().clustering, Clustering::Agglomerative { least_alike: 0.6 }]
        {
            let options =
                DiarizeOptions { clustering, simultaneous: Simultaneous::Unmarked, ..Default::default() };
            let found = diarized(&samples, &speech, &options);
            assert_eq!(found.voices.len(), 3, "{clustering:?}: {:?}", found.turns);
            assert!(found.turns.iter().map(|turn| turn.speaker.as_str()).take(2).eq(["S1", "S2"]));
            let errors = scoring.errors(&truth, &found.turns);
            assert!(errors.rate() < 0.03, "{clustering:?}: {errors:?}");
        }
    }

    #[test]
    fn one_speaker_stays_one_and_silence_has_none() {
        let (samples, speech, _) = talk(&[(1.0, 40.0), (0.0, 1.0), (1.0, 3.5)]);
        let found = diarized(&samples, &speech, &DiarizeOptions::default());
        assert!(found.turns.iter().all(|turn| turn.speaker == "S1"), "{:?}", found.turns);
        assert_eq!(found.turns.len(), 2);
        assert_eq!(diarized(&samples, &[], &DiarizeOptions::default()), Diarization::default());
    }

    #[test]
    fn names_take_the_place_of_numbers() {
        let (samples, speech, _) = talk(&[(1.0, 6.0), (2.0, 5.0)]);
        let found = diarized(&samples, &speech, &DiarizeOptions::default());
        let found = found.named(&["ann".into(), "S2".into()]);
        let names: Vec<&str> = found.turns.iter().map(|turn| turn.speaker.as_str()).collect();
        assert_eq!(names, ["ann", "S2"]);
    }

    #[test]
    fn what_cannot_be_heard_is_refused() {
        let (samples, speech, _) = talk(&[(1.0, 2.0)]);
        let hear = |options: DiarizeOptions, stopped: bool| {
            Voiced::hear(&samples, &speech, &Told, &options, &|| stopped).err()
        };
        for hop in [Duration::ZERO, Duration::from_secs(2)] {
            let error = hear(DiarizeOptions { hop, ..Default::default() }, false);
            assert!(matches!(error, Some(Error::Setting(_))));
        }
        assert!(matches!(hear(DiarizeOptions::default(), true), Some(Error::Interrupted)));
        // Speech past the end of the sound is no speech.
        let options = DiarizeOptions::default();
        let beyond = Voiced::hear(&samples, &[span(5.0, 6.0)], &Told, &options, &|| false).unwrap();
        assert_eq!(beyond.diarize(&options), Diarization::default());
    }
}
