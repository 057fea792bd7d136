//! Between the thread that fills it and the device's callback: a ring of samples of one channel.
//!
//! The callback may run on a thread that the system gives a few milliseconds. All that it does is in [`QueueReader::fill`]:
//! arithmetic, atomics, and a ring that neither side can make the other wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cpal::{FromSample, Sample};
use rtrb::{Consumer, Producer, RingBuffer};

use super::PlayTotals;
use crate::time::SampleRate;

/// Seconds that the ring has room for.
const ROOM: f64 = 2.0;

/// What callbacks are counted in, for those who watch.
#[derive(Debug)]
pub(super) struct Tally {
    opened: Instant,
    callbacks: AtomicU64,
    underruns: AtomicU64,
    /// Frames that were asked for and not there.
    missing: AtomicU64,
    /// Microseconds from `opened` to the last callback.
    asked: AtomicU64,
    /// Most frames of one callback.
    largest: AtomicU64,
    /// Microseconds from the last callback to when its sound is heard, as the system says.
    latency: AtomicU64,
    /// The device will not go on.
    broken: AtomicBool,
    /// Nothing more comes: what is not there is not missing.
    has_ended: AtomicBool,
}

impl Tally {
    fn new() -> Self {
        Self {
            opened: Instant::now(),
            callbacks: AtomicU64::new(0),
            underruns: AtomicU64::new(0),
            missing: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            largest: AtomicU64::new(0),
            latency: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Says that the device will not go on.
    pub fn note_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Says that nothing more comes.
    pub fn note_end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub fn has_played(&self) -> bool {
        self.callbacks.load(Ordering::Relaxed) > 0
    }

    /// How long ago the last callback was, or the opening, where there was none yet.
    pub fn silence(&self, now: Instant) -> Duration {
        let asked = self.opened + Duration::from_micros(self.asked.load(Ordering::Relaxed));
        now.saturating_duration_since(asked)
    }

    /// From a callback to when its sound is heard.
    pub fn latency(&self) -> Duration {
        Duration::from_micros(self.latency.load(Ordering::Relaxed))
    }

    /// Most frames that were asked for at once.
    pub fn largest(&self) -> usize {
        self.largest.load(Ordering::Relaxed) as usize
    }

    /// `totals` with what was counted here, of a device of that rate.
    pub fn add_to(&self, totals: PlayTotals, rate: SampleRate) -> PlayTotals {
        PlayTotals {
            callbacks: totals.callbacks + self.callbacks.load(Ordering::Relaxed),
            underruns: totals.underruns + self.underruns.load(Ordering::Relaxed),
            missing: totals.missing + self.missing.load(Ordering::Relaxed) as f64 / f64::from(rate.0),
            ..totals
        }
    }
}

/// A queue for a device of so many channels.
pub(super) fn queue(rate: SampleRate, channels: usize) -> (QueueWriter, QueueReader) {
    let (put, take) = RingBuffer::new((ROOM * f64::from(rate.0)).ceil() as usize);
    let tally = Arc::new(Tally::new());
    let writer = QueueWriter { samples: put, tally: Arc::clone(&tally) };
    (writer, QueueReader { samples: take, channels, tally })
}

/// The end that fills it.
pub(super) struct QueueWriter {
    samples: Producer<f32>,
    tally: Arc<Tally>,
}

impl QueueWriter {
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.samples.buffer().capacity() - self.samples.slots()
    }

    /// Takes the first of `samples`, as many as fit; how many that are.
    pub fn push(&mut self, samples: &[f32]) -> usize {
        let count = samples.len().min(self.samples.slots());
        let Ok(chunk) = self.samples.write_chunk_uninit(count) else { return 0 };
        chunk.fill_from_iter(samples[..count].iter().copied())
    }
}

/// The callback's end.
pub(super) struct QueueReader {
    samples: Consumer<f32>,
    channels: usize,
    tally: Arc<Tally>,
}

impl QueueReader {
    /// Fills `data`, interleaved, with what is there, on every channel, and with silence. It is asked for at `now`, and heard
    /// `latency` later.
    ///
    /// It neither locks, allocates nor waits.
    pub fn fill<T: Sample + FromSample<f32>>(&mut self, data: &mut [T], latency: Duration, now: Instant) {
        let frames = data.len() / self.channels;
        let count = frames.min(self.samples.slots());
        let (filled, rest) = data.split_at_mut(count * self.channels);
        if let Ok(chunk) = self.samples.read_chunk(count) {
            for (frame, sample) in filled.chunks_exact_mut(self.channels).zip(chunk) {
                frame.fill(T::from_sample_(sample));
            }
        }
        rest.fill(T::EQUILIBRIUM);
        let tally = &self.tally;
        if count < frames && !tally.has_ended.load(Ordering::Relaxed) {
            tally.underruns.fetch_add(1, Ordering::Relaxed);
            tally.missing.fetch_add((frames - count) as u64, Ordering::Relaxed);
        }
        tally.callbacks.fetch_add(1, Ordering::Relaxed);
        tally.largest.fetch_max(frames as u64, Ordering::Relaxed);
        tally.latency.store(latency.as_micros() as u64, Ordering::Relaxed);
        let asked = now.saturating_duration_since(tally.opened).as_micros() as u64;
        tally.asked.store(asked, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays samples of one format past what is there, and counts what is allocated.
    fn allocations<T: Sample + FromSample<f32>>() -> u64 {
        let (mut writer, mut reader) = queue(SampleRate(48_000), 2);
        let mut data = vec![T::EQUILIBRIUM; 960];
        assert_eq!(writer.push(&[0.25; 700]), 700);
        let info = allocation_counter::measure(|| {
            for _ in 0..4 {
                reader.fill(&mut data, Duration::ZERO, Instant::now());
            }
        });
        let totals = writer.tally().add_to(PlayTotals::default(), SampleRate(48_000));
        assert_eq!((totals.callbacks, totals.underruns), (4, 3));
        assert!((totals.missing - 1_220.0 / 48_000.0).abs() < 1e-9, "{}", totals.missing);
        assert!(data.iter().all(|&sample| sample == T::EQUILIBRIUM), "silence is silence");
        info.count_total
    }

    /// That it does not lock is in its types: the reader owns a `Consumer`, which is wait-free, and a `Tally` of atomics.
    #[test]
    fn the_callback_allocates_nothing_in_any_format() {
        let counts = [
            allocations::<i16>(),
            allocations::<i32>(),
            allocations::<u8>(),
            allocations::<f32>(),
            allocations::<f64>(),
        ];
        assert_eq!(counts, [0; 5]);
    }

    #[test]
    fn a_sample_goes_to_every_channel_and_loud_ones_are_clipped() {
        let (mut writer, mut reader) = queue(SampleRate(8_000), 2);
        writer.push(&[0.5, -2.0]);
        let mut data = [0i16; 6];
        reader.fill(&mut data, Duration::ZERO, Instant::now());
        assert_eq!(data, [16_384, 16_384, i16::MIN, i16::MIN, 0, 0]);
    }
}
