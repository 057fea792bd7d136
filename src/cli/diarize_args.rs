//! How recordings are diarized, and what does it.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::speaker_args::GalleryArgs;
use super::speakers::voices::ScoreArgs;
use super::stop::Stop;
use super::values::{count, seconds, unit_interval};
use crate::output::Progress;
use crate::speaker::diarize::{
    Clustering, Diarization, DiarizeOptions, LEAST_ALIKE, ONE_VOICE, Simultaneous, Speakers, Voiced,
    numbered, speech_options, speech_spans,
};
use crate::speaker::{Gallery, Scorer, SpeakerModel, Voiceprint};
use crate::{Error, Result};

/// Arguments that say how recordings are diarized.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Speakers")]
pub struct DiarizeArgs {
    /// How many speakers there are [default: found from their voices].
    #[arg(long, value_name = "N", value_parser = count::<1, 1000>)]
    speakers: Option<usize>,
    /// Speakers at most, where their number is found.
    #[arg(long, value_name = "N", default_value_t = Speakers::default().most, value_parser = count::<1, 1000>, conflicts_with = "speakers")]
    max_speakers: usize,
    /// How windows of speech become speakers.
    #[arg(long, value_name = "WAY", default_value = "spectral")]
    clustering: Way,
    /// The cosine from which two voices are one (spectral) or windows are joined (agglomerative) [default: what fits GE2E].
    #[arg(long, value_name = "COSINE", value_parser = unit_interval)]
    one_voice: Option<f32>,
    /// Seconds of speech that are heard at once.
    #[arg(long, value_name = "SECONDS", default_value = "1.6", value_parser = seconds)]
    speaker_window: Duration,
    /// Seconds from the start of one such window to that of the next.
    #[arg(long, value_name = "SECONDS", default_value = "0.4", value_parser = seconds)]
    speaker_hop: Duration,
    /// Tell of one speaker at a time, also where two speak at once.
    #[arg(long)]
    one_at_a_time: bool,
    /// Name those who are known (see `awaaz speakers enroll`).
    #[arg(long)]
    name: bool,
    /// Probability from which somebody is named.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = unit_interval, requires = "name")]
    name_threshold: f32,
    #[command(flatten)]
    gallery: GalleryArgs,
}

/// How windows of speech become speakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// By the graph of their nearest neighbours.
    Spectral,
    /// By joining what is most alike.
    Agglomerative,
}

impl DiarizeArgs {
    fn options(&self) -> DiarizeOptions {
        let most = Speakers { most: self.max_speakers, ..Speakers::default() };
        DiarizeOptions {
            window: self.speaker_window,
            hop: self.speaker_hop,
            speakers: self.speakers.map_or(most, Speakers::exactly),
            clustering: match self.clustering {
                Way::Spectral => Clustering::Spectral { one_voice: self.one_voice.unwrap_or(ONE_VOICE) },
                Way::Agglomerative => {
                    Clustering::Agglomerative { least_alike: self.one_voice.unwrap_or(LEAST_ALIKE) }
                }
            },
            simultaneous: match self.one_at_a_time {
                true => Simultaneous::Unmarked,
                false => Simultaneous::Marked,
            },
        }
    }
}

/// What diarizes recordings, one after the other.
pub struct Diarizer {
    model: SpeakerModel,
    options: DiarizeOptions,
    known: Option<Known>,
}

/// Who is known, and from when on they are named.
struct Known {
    gallery: Gallery,
    scorer: Scorer,
    threshold: f32,
}

impl Diarizer {
    /// The diarizer that `args` ask for, which hears with `model`.
    ///
    /// # Errors
    /// Those of the gallery.
    pub fn new(args: &DiarizeArgs, model: SpeakerModel, progress: &mut Progress) -> Result<Self> {
        let known = match args.name {
            false => None,
            true => {
                let path = args.gallery.path()?;
                let gallery = Gallery::load(&path)?;
                gallery.check(&model, &path)?;
                let scorer = ScoreArgs::default().scorer(&model, gallery.cohort(), progress)?;
                Some(Known { gallery, scorer, threshold: args.name_threshold })
            }
        };
        Ok(Self { model, options: args.options(), known })
    }

    /// Who speaks when in 16 kHz samples. Those who are known have their names; two voices of one person are one.
    ///
    /// # Errors
    /// Those of the model; [`Error::Interrupted`].
    pub fn diarize(&self, samples: &[f32], stop: &Stop) -> Result<Diarization> {
        let speech = speech_spans(samples, &speech_options())?;
        let stopped = || stop.is_requested();
        let encoder = self.model.encoder();
        let found = self.model.run(|| {
            let voiced = Voiced::hear(samples, &speech, encoder, &self.options, &stopped)?;
            Ok::<_, Error>(voiced.diarize(&self.options))
        })?;
        match &self.known {
            None => Ok(found),
            Some(known) => {
                let names = known.names(&found)?;
                Ok(found.named(&names))
            }
        }
    }
}

impl Known {
    /// The name of each voice, or its number.
    fn names(&self, found: &Diarization) -> Result<Vec<String>> {
        let name = |(at, vector): (usize, &Vec<f32>)| {
            let number = numbered(at);
            let turns = found.turns.iter().filter(|turn| turn.speaker == number);
            let seconds = turns.map(|turn| turn.span.seconds()).sum();
            let voice = Voiceprint::new(vector.clone(), seconds)?;
            let matches = self.gallery.matches(&voice, &self.scorer);
            let best = matches.first().filter(|best| best.probability >= self.threshold);
            Ok(best.map_or(number, |best| best.person.name.clone()))
        };
        found.voices.iter().enumerate().map(name).collect()
    }
}
