//! What was measured.

use serde::Serialize;

use crate::Result;
use crate::score::bootstrap::{Bootstrap, Interval};
use crate::score::diarization::DiarizationErrors;
use crate::score::speaker_trials::SpeakerTrials;
use crate::score::verification::DetectionCost;

/// Priors of trials of one speaker at which costs are told.
const PRIORS: [f64; 2] = [0.01, 0.05];
/// Points of a DET curve that are drawn at most.
const POINTS: usize = 400;

/// Everything.
#[derive(Serialize)]
pub struct Report {
    pub program: &'static str,
    pub draws: usize,
    pub corpora: Vec<CorpusSize>,
    pub systems: Vec<SystemSpeed>,
    pub verification: Vec<Row>,
    pub det: Vec<Curve>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversations: Option<Conversations>,
}

#[derive(Serialize)]
pub struct CorpusSize {
    pub name: String,
    pub clips: usize,
    pub speakers: usize,
}

#[derive(Serialize)]
pub struct SystemSpeed {
    pub name: String,
    /// Milliseconds for a second of speech.
    pub milliseconds: f64,
}

/// Trials of one condition by one system.
#[derive(Serialize)]
pub struct Row {
    pub corpus: String,
    pub system: String,
    pub condition: String,
    pub same: usize,
    pub different: usize,
    /// In percent.
    pub eer: Span,
    pub min_dcf: [Span; 2],
}

/// A figure with the ends of its 95 % interval when speakers are drawn.
#[derive(Serialize, Clone, Copy)]
pub struct Span {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

#[derive(Serialize)]
pub struct Curve {
    pub corpus: String,
    pub system: String,
    /// False alarm and miss, shares.
    pub points: Vec<(f64, f64)>,
}

/// Who speaks when in mixed conversations.
#[derive(Serialize)]
pub struct Conversations {
    pub corpus: String,
    pub count: usize,
    pub seconds: f64,
    /// The share of the speech at which two speak at once, in percent.
    pub overlap: f64,
    pub rows: Vec<DiarizationRow>,
}

#[derive(Serialize)]
pub struct DiarizationRow {
    pub system: String,
    /// Speakers of the conversations; none of all.
    pub speakers: Option<usize>,
    /// In percent of the speech: missed, false alarm, confusion, and their sum.
    pub missed: f64,
    pub false_alarm: f64,
    pub confusion: f64,
    pub der: f64,
    /// The sum where 0.25 s around borders and simultaneous speech are left out.
    pub der_lenient: f64,
    /// The share of conversations in which as many speakers were found as there are, in percent.
    pub counted: f64,
    /// Milliseconds for a second of sound.
    pub milliseconds: f64,
}

impl Row {
    /// The errors of trials.
    ///
    /// # Errors
    /// Those of the bootstrap.
    pub fn of(
        corpus: &str,
        system: &str,
        condition: String,
        trials: &SpeakerTrials,
        bootstrap: &Bootstrap,
    ) -> Result<Self> {
        let (same, different) = trials.counts();
        let [first, second] = PRIORS.map(|prior| trials.min_cost(DetectionCost::of(prior), bootstrap));
        Ok(Self {
            corpus: corpus.to_owned(),
            system: system.to_owned(),
            condition,
            same,
            different,
            eer: Span::of(trials.equal_error_rate(bootstrap)?, 100.0),
            min_dcf: [Span::of(first?, 1.0), Span::of(second?, 1.0)],
        })
    }
}

impl Span {
    fn of(interval: Interval, by: f64) -> Self {
        Self { value: by * interval.value, low: by * interval.low, high: by * interval.high }
    }
}

impl Curve {
    /// The DET curve of trials, of a few hundred points.
    ///
    /// # Errors
    /// Those of the trials.
    pub fn of(corpus: &str, system: &str, trials: &SpeakerTrials) -> Result<Self> {
        let points = trials.verification()?.det();
        let step = points.len().div_ceil(POINTS);
        let points = points.iter().step_by(step).map(|point| (point.false_alarm, point.miss)).collect();
        Ok(Self { corpus: corpus.to_owned(), system: system.to_owned(), points })
    }
}

/// What becomes a row: errors of several conversations.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    pub errors: DiarizationErrors,
    pub lenient: DiarizationErrors,
    pub conversations: usize,
    pub counted: usize,
    /// Seconds of work and of sound.
    pub took: f64,
    pub sound: f64,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.errors += other.errors;
        self.lenient += other.lenient;
        self.conversations += other.conversations;
        self.counted += other.counted;
        self.took += other.took;
        self.sound += other.sound;
    }

    pub fn row(&self, system: &str, speakers: Option<usize>) -> DiarizationRow {
        let percent = |samples: u64| 100.0 * self.errors.share(samples);
        DiarizationRow {
            system: system.to_owned(),
            speakers,
            missed: percent(self.errors.missed),
            false_alarm: percent(self.errors.false_alarm),
            confusion: percent(self.errors.confusion),
            der: 100.0 * self.errors.rate(),
            der_lenient: 100.0 * self.lenient.rate(),
            counted: 100.0 * self.counted as f64 / self.conversations.max(1) as f64,
            milliseconds: 1000.0 * self.took / self.sound.max(f64::MIN_POSITIVE),
        }
    }
}
