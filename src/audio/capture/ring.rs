//! Between the device's callback and the reader: a ring of frames, and a ring of notes on when they came and which are
//! missing.
//!
//! The callback may run on a thread that the system gives a few milliseconds. All that it does is in
//! [`RingWriter::write`]: arithmetic, atomics, and two rings that neither side can make the other wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cpal::FromSample;
use rtrb::{Consumer, Producer, RingBuffer};

use super::Counters;
use crate::time::SampleRate;

/// The most samples of a ring, 64 MiB, so that a device of many channels does not take all memory.
const MOST_SAMPLES: usize = 16 << 20;
/// Notes for each second of the ring. Callbacks of 64 frames at 48 kHz make 750.
const NOTES_PER_SECOND: f64 = 1000.0;
/// The most frames that are read at once: a tenth of a second.
const BLOCKS_PER_SECOND: usize = 10;

/// When frames were captured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Clock {
    /// Frames that the device had captured, those that were lost among them.
    pub position: u64,
    /// When.
    pub at: Instant,
}

/// What the callback tells beside the frames.
#[derive(Debug, Clone, Copy)]
enum Note {
    Clock(Clock),
    /// After the first `kept` frames of the ring, `frames` are missing.
    Loss {
        kept: u64,
        frames: u64,
    },
}

/// What callbacks are counted in, for those who watch.
#[derive(Debug)]
pub(super) struct Tally {
    opened: Instant,
    callbacks: AtomicU64,
    overruns: AtomicU64,
    lost: AtomicU64,
    /// Microseconds from `opened` to the last callback.
    heard: AtomicU64,
    /// The device will not deliver any more.
    broken: AtomicBool,
    /// The system has dropped frames since the last callback, and did not say how many.
    skipped: AtomicBool,
}

impl Tally {
    fn new() -> Self {
        Self {
            opened: Instant::now(),
            callbacks: AtomicU64::new(0),
            overruns: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            skipped: AtomicBool::new(false),
        }
    }

    /// Says that the device will not deliver any more.
    pub fn note_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Says that the system has dropped frames before they reached the callback.
    pub fn note_skipped(&self) {
        self.skipped.store(true, Ordering::Relaxed);
    }

    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub fn has_sounded(&self) -> bool {
        self.callbacks.load(Ordering::Relaxed) > 0
    }

    /// How long ago the last callback was, or the opening, where there was none yet.
    pub fn silence(&self, now: Instant) -> Duration {
        let heard = self.opened + Duration::from_micros(self.heard.load(Ordering::Relaxed));
        now.saturating_duration_since(heard)
    }

    pub fn counters(&self) -> Counters {
        Counters {
            callbacks: self.callbacks.load(Ordering::Relaxed),
            overruns: self.overruns.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            reconnects: 0,
        }
    }
}

/// A ring for `length` of frames of `channels` samples.
pub(super) fn ring(rate: SampleRate, channels: usize, length: Duration) -> (RingWriter, RingReader) {
    let frames = (length.as_secs_f64() * f64::from(rate.0)).ceil() as usize;
    let samples = frames.saturating_mul(channels).clamp(channels, MOST_SAMPLES);
    let (put, take) = RingBuffer::new(samples);
    let (note, read) = RingBuffer::new((length.as_secs_f64() * NOTES_PER_SECOND) as usize + 16);
    let tally = Arc::new(Tally::new());
    let writer = RingWriter {
        frames: put,
        notes: note,
        channels,
        rate,
        kept: 0,
        position: 0,
        missing: 0,
        last: None,
        tally: Arc::clone(&tally),
    };
    let block = (rate.0 as usize / BLOCKS_PER_SECOND).max(1);
    let reader = RingReader { frames: take, notes: read, channels, block, taken: 0, loss: None, tally };
    (writer, reader)
}

/// The callback's end.
pub(super) struct RingWriter {
    frames: Producer<f32>,
    notes: Producer<Note>,
    channels: usize,
    rate: SampleRate,
    /// Frames put into the ring.
    kept: u64,
    /// Frames that the device has captured.
    position: u64,
    /// Frames lost since the last that was put into the ring.
    missing: u64,
    last: Option<Instant>,
    tally: Arc<Tally>,
}

impl RingWriter {
    /// Takes `data`, interleaved, which came at `now`. What does not fit is lost, and is told of at its place.
    ///
    /// It neither locks, allocates nor waits.
    pub fn write<T: Copy>(&mut self, data: &[T], now: Instant)
    where
        f32: FromSample<T>,
    {
        let frames = (data.len() / self.channels) as u64;
        self.add_skipped(frames, now);
        self.position += frames;
        // Before the frames, so that a reader who sees these also sees when they came. Where it does not fit, the
        // notes before it tell the time well enough.
        let _ = self.notes.push(Note::Clock(Clock { position: self.position, at: now }));
        let kept = if self.tell_missing() { self.put(data, frames) } else { 0 };
        self.kept += kept;
        self.lose(frames - kept);
        self.last = Some(now);
        self.tally.callbacks.fetch_add(1, Ordering::Relaxed);
        let heard = now.saturating_duration_since(self.tally.opened).as_micros() as u64;
        self.tally.heard.store(heard, Ordering::Relaxed);
    }

    /// Takes the time that passed for the frames that the system dropped, where it said that it did.
    fn add_skipped(&mut self, frames: u64, now: Instant) {
        if !self.tally.skipped.swap(false, Ordering::Relaxed) {
            return;
        }
        let Some(last) = self.last else { return };
        let passed = now.saturating_duration_since(last).as_secs_f64() * f64::from(self.rate.0);
        let skipped = (passed as u64).saturating_sub(frames);
        self.position += skipped;
        self.lose(skipped);
    }

    fn lose(&mut self, frames: u64) {
        if frames == 0 {
            return;
        }
        if self.missing == 0 {
            self.tally.overruns.fetch_add(1, Ordering::Relaxed);
        }
        self.missing += frames;
        self.tally.lost.fetch_add(frames, Ordering::Relaxed);
    }

    /// Tells of missing frames once frames fit again; returns whether frames may follow.
    fn tell_missing(&mut self) -> bool {
        if self.missing == 0 {
            return true;
        }
        if self.frames.slots() < self.channels {
            return false;
        }
        let told = self.notes.push(Note::Loss { kept: self.kept, frames: self.missing }).is_ok();
        if told {
            self.missing = 0;
        }
        told
    }

    /// Puts the first of the frames into the ring, as many as fit.
    fn put<T: Copy>(&mut self, data: &[T], frames: u64) -> u64
    where
        f32: FromSample<T>,
    {
        let fit = frames.min((self.frames.slots() / self.channels) as u64);
        let samples = fit as usize * self.channels;
        let Ok(chunk) = self.frames.write_chunk_uninit(samples) else { return 0 };
        let put = chunk.fill_from_iter(data[..samples].iter().map(|&sample| f32::from_sample_(sample)));
        debug_assert_eq!(put, samples, "as many were asked for as there are");
        fit
    }
}

/// What a reader finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Piece {
    /// When frames were captured that come with or after this.
    Clock(Clock),
    /// So many frames.
    Frames(u64),
    /// So many frames are missing here.
    Lost(u64),
}

/// The reader's end.
pub(super) struct RingReader {
    frames: Consumer<f32>,
    notes: Consumer<Note>,
    channels: usize,
    block: usize,
    /// Frames taken out of the ring.
    taken: u64,
    /// The next loss: after how many frames of the ring, and how many are missing.
    loss: Option<(u64, u64)>,
    tally: Arc<Tally>,
}

impl RingReader {
    /// What callbacks are counted in.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// The next piece, in the device's order; the samples of frames are appended to `interleaved`. None: nothing yet.
    pub fn next(&mut self, interleaved: &mut Vec<f32>) -> Option<Piece> {
        // Frames are counted before notes are read: all notes on what is before these frames are there then.
        let ready = self.frames.slots() / self.channels;
        while self.loss.is_none() {
            match self.notes.pop() {
                Ok(Note::Clock(clock)) => return Some(Piece::Clock(clock)),
                Ok(Note::Loss { kept, frames }) => self.loss = Some((kept, frames)),
                Err(_) => break,
            }
        }
        let mut count = ready.min(self.block);
        if let Some((kept, frames)) = self.loss {
            if kept == self.taken {
                self.loss = None;
                return Some(Piece::Lost(frames));
            }
            count = count.min((kept - self.taken) as usize);
        }
        if count == 0 {
            return None;
        }
        let chunk = self.frames.read_chunk(count * self.channels).ok()?;
        let (first, second) = chunk.as_slices();
        interleaved.extend_from_slice(first);
        interleaved.extend_from_slice(second);
        chunk.commit_all();
        self.taken += count as u64;
        Some(Piece::Frames(count as u64))
    }
}

#[cfg(test)]
mod tests {
    use cpal::{I24, Sample, U24};
    use proptest::prelude::*;

    use super::*;

    const RATE: SampleRate = SampleRate(48_000);

    /// Reads all that is there: the samples, with their positions among all that were written.
    fn drain(reader: &mut RingReader, position: &mut u64, heard: &mut Vec<(u64, f32)>) {
        let mut samples = Vec::new();
        while let Some(piece) = reader.next(&mut samples) {
            match piece {
                Piece::Clock(_) => {}
                Piece::Lost(frames) => *position += frames,
                Piece::Frames(frames) => {
                    for frame in std::mem::take(&mut samples).chunks(reader.channels) {
                        heard.push((*position, frame[0]));
                        *position += 1;
                    }
                    assert!(frames > 0);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_frame_is_heard_at_its_place_or_counted_as_lost(
            channels in 1usize..4,
            // Frames of each write, and whether the reader comes after it.
            writes in prop::collection::vec((0usize..400, prop::bool::weighted(0.3)), 0..60),
        ) {
            let (mut writer, mut reader) = ring(RATE, channels, Duration::from_millis(10));
            let (mut written, mut position, mut heard) = (0u64, 0u64, Vec::new());
            for (frames, read) in writes {
                let data: Vec<f32> = (written..written + frames as u64)
                    .flat_map(|frame| std::iter::repeat_n(frame as f32, channels))
                    .collect();
                writer.write(&data, Instant::now());
                written += frames as u64;
                if read {
                    drain(&mut reader, &mut position, &mut heard);
                }
            }
            // What was lost last is told of with the next frame that fits.
            drain(&mut reader, &mut position, &mut heard);
            writer.write(&vec![written as f32; channels], Instant::now());
            drain(&mut reader, &mut position, &mut heard);
            prop_assert_eq!(position, written + 1);
            for &(at, value) in &heard {
                prop_assert_eq!(at as f32, value);
            }
            let counters = reader.tally().counters();
            prop_assert_eq!(counters.lost + heard.len() as u64, position);
        }
    }

    #[test]
    fn losses_stay_exact_where_even_the_notes_overflow() {
        let (mut writer, mut reader) = ring(RATE, 1, Duration::from_millis(1));
        let mut written = 0u64;
        for _ in 0..200 {
            writer.write(&[written as f32], Instant::now());
            written += 1;
        }
        let (mut position, mut heard) = (0, Vec::new());
        drain(&mut reader, &mut position, &mut heard);
        writer.write(&[written as f32], Instant::now());
        drain(&mut reader, &mut position, &mut heard);
        assert_eq!(position, written + 1);
        assert!(heard.iter().all(|&(at, value)| at as f32 == value));
    }

    #[test]
    fn what_the_system_dropped_is_taken_from_the_time_that_passed() {
        let (mut writer, mut reader) = ring(RATE, 1, Duration::from_secs(1));
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        writer.write(&[0.0f32; 480], after(10));
        reader.tally().note_skipped();
        writer.write(&[0.0f32; 480], after(110));
        writer.write(&[0.0f32; 480], after(120));
        let (mut samples, mut lost) = (Vec::new(), 0);
        while let Some(piece) = reader.next(&mut samples) {
            if let Piece::Lost(frames) = piece {
                assert_eq!(samples.len(), 480);
                lost += frames;
            }
        }
        assert_eq!((lost, samples.len()), (9 * 480, 1440));
    }

    /// Writes samples of one format past the ring's end, and counts what is allocated.
    fn allocations<T: Sample>() -> u64
    where
        f32: FromSample<T>,
    {
        let (mut writer, mut reader) = ring(RATE, 2, Duration::from_millis(20));
        let data = vec![T::EQUILIBRIUM; 960];
        let mut samples = Vec::new();
        let info = allocation_counter::measure(|| {
            for _ in 0..8 {
                writer.write(&data, Instant::now());
            }
            writer.tally.note_skipped();
            writer.write(&data, Instant::now());
        });
        assert!(reader.tally().counters().lost > 0, "the ring overflowed");
        while reader.next(&mut samples).is_some() {}
        assert!(!samples.is_empty() && samples.iter().all(|&sample| sample == 0.0), "silence is silence");
        // The last note and the frames after it, once there is room again.
        info.count_total + allocation_counter::measure(|| writer.write(&data, Instant::now())).count_total
    }

    /// That it does not lock is in its types: the writer owns two `Producer`s, which are wait-free, and a `Tally` of
    /// atomics; it can reach no mutex.
    #[test]
    fn the_callback_allocates_nothing_in_any_format() {
        let counts = [
            allocations::<i8>(),
            allocations::<i16>(),
            allocations::<I24>(),
            allocations::<i32>(),
            allocations::<i64>(),
            allocations::<u8>(),
            allocations::<u16>(),
            allocations::<U24>(),
            allocations::<u32>(),
            allocations::<u64>(),
            allocations::<f32>(),
            allocations::<f64>(),
        ];
        assert_eq!(counts, [0; 12]);
    }

    #[test]
    fn integers_come_at_full_scale() {
        let (mut writer, mut reader) = ring(RATE, 1, Duration::from_millis(20));
        writer.write(&[i16::MIN, 0, 16_384], Instant::now());
        writer.write(&[u8::MIN, 128, 192], Instant::now());
        let mut samples = Vec::new();
        while reader.next(&mut samples).is_some() {}
        assert_eq!(samples, [-1.0, 0.0, 0.5, -1.0, 0.0, 0.5]);
    }
}
