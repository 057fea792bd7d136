//! What a stream's instruments show; written by its stages, read by its sinks.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Gauges;
use super::latency::Percentiles;
use crate::event::Latency;
use crate::time::{SampleIndex, SampleRate};

/// From a frame's last sample to the decision on the frame.
const VAD_BUDGET: Duration = Duration::from_millis(50);
/// From the end of a word to the first partial or final that has it.
const WORD_BUDGET: Duration = Duration::from_secs(1);
/// From where speech ends to its final.
const FINAL_BUDGET: Duration = Duration::from_millis(700);

/// From where speech ends to the verdict on its sound.
const VERDICT_BUDGET: Duration = Duration::from_millis(250);
/// From where a segment is found to have ended to who speaks in it.
pub(super) const SPEAKER_BUDGET: Duration = Duration::from_millis(100);
/// For the heads and word lists on a final, whose encoding is there.
const HEADS_BUDGET: Duration = Duration::from_millis(10);

/// Instruments of one stream.
pub struct Instruments {
    started: Instant,
    position: AtomicU64,
    peak: AtomicU32,
    speech: AtomicU32,
    busy: AtomicU64,
    paths: Mutex<Paths>,
    last_load: Mutex<(Instant, Duration, f32)>,
}

/// Latencies from end to end.
pub struct Paths {
    /// From a frame's last sample to the decision on the frame.
    pub vad: Percentiles,
    /// From the end of a word to the first partial or final that has it.
    pub word: Percentiles,
    /// From where speech ends to its final.
    pub last: Percentiles,
    /// From where speech ends to the verdict on its sound.
    pub verdict: Percentiles,
    /// What the encoding and judging of a window takes.
    pub window: Percentiles,
    /// From where a segment is found to have ended to who speaks in it.
    pub speaker: Percentiles,
    /// What judging a final takes.
    pub heads: Percentiles,
}

impl Default for Instruments {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            position: AtomicU64::new(0),
            peak: AtomicU32::new(0),
            speech: AtomicU32::new(0),
            busy: AtomicU64::new(0),
            paths: Mutex::new(Paths {
                vad: Percentiles::new("sample in to VAD decision", VAD_BUDGET),
                word: Percentiles::new("word spoken to first partial with it", WORD_BUDGET),
                last: Percentiles::new("end of speech to final text", FINAL_BUDGET),
                verdict: Percentiles::new("end of speech to audio verdict", VERDICT_BUDGET),
                window: Percentiles::new("encoding and judging a window", VERDICT_BUDGET),
                speaker: Percentiles::new("end of segment to speaker", SPEAKER_BUDGET),
                heads: Percentiles::new("judging a final", HEADS_BUDGET),
            }),
            last_load: Mutex::new((now, Duration::ZERO, 0.0)),
        }
    }
}

impl Instruments {
    /// Takes note of a block that ends at `position`.
    pub fn heard(&self, position: SampleIndex, samples: &[f32], speech: f32) {
        let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        // A slow decay over blocks makes the peak of the last tenth of a second or so.
        let decay = (-10.0 * samples.len() as f32 / SampleRate::PIPELINE.0 as f32).exp();
        let held = f32::from_bits(self.peak.load(Ordering::Relaxed)) * decay;
        self.peak.store(peak.max(held).to_bits(), Ordering::Relaxed);
        self.speech.store(speech.to_bits(), Ordering::Relaxed);
        self.position.store(position.0, Ordering::Relaxed);
    }

    /// Takes note of time that the recogniser was at work.
    pub fn worked(&self, took: Duration) {
        self.busy.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    /// The latencies from end to end.
    pub fn paths(&self) -> MutexGuard<'_, Paths> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the stream began.
    pub fn wall(&self) -> Duration {
        self.started.elapsed()
    }

    /// Share of the time since the stream began in which the recogniser was at work.
    pub fn load(&self) -> f64 {
        self.busy().as_secs_f64() / self.wall().as_secs_f64().max(1e-9)
    }

    /// End of the sound heard so far.
    pub fn position(&self) -> SampleIndex {
        SampleIndex(self.position.load(Ordering::Relaxed))
    }

    /// What the instruments show now; `backlog` are samples of speech that wait.
    pub fn gauges(&self, backlog: u64) -> Gauges {
        let paths = self.paths();
        let peak = f32::from_bits(self.peak.load(Ordering::Relaxed));
        Gauges {
            position: self.position().seconds(),
            peak_dbfs: (20.0 * peak.max(1e-6).log10()).min(0.0),
            speech: f32::from_bits(self.speech.load(Ordering::Relaxed)),
            load: self.recent_load(),
            backlog: SampleIndex(backlog).seconds(),
            final_p50: paths.last.quantile(0.5).as_secs_f64(),
            final_p95: paths.last.quantile(0.95).as_secs_f64(),
        }
    }

    /// Latencies of which there are any.
    pub fn latencies(&self) -> Vec<Latency> {
        let paths = self.paths();
        let Paths { vad, word, last, verdict, window, speaker, heads } = &*paths;
        let all = [vad, word, last, verdict, window, speaker, heads].map(Percentiles::report);
        all.into_iter().filter(|latency| latency.count > 0).collect()
    }

    fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Ordering::Relaxed))
    }

    /// Load over the last two seconds or so.
    fn recent_load(&self) -> f32 {
        const INTERVAL: Duration = Duration::from_secs(2);
        let mut last = self.last_load.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, busy_then, load) = *last;
        let passed = since.elapsed();
        if passed < INTERVAL {
            return load;
        }
        let busy = self.busy();
        let load = (busy - busy_then).as_secs_f32() / passed.as_secs_f32();
        *last = (Instant::now(), busy, load);
        load
    }
}
