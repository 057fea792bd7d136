//! Loudspeakers: sound at 16 kHz mono is played as fast as a device's clock asks for it.
//!
//! | file | idea |
//! |---|---|
//! | `device` | output devices of the system |
//! | `queue` | from the thread that fills it to the callback, without locks |
//! | `feeder` | what keeps the queue full, at the device's rate |
//!
//! The callback neither locks nor allocates; where nothing is there it plays silence and counts. A device that goes away is
//! opened again; what should have been heard meanwhile is left out, so that sound never comes later than it should.

mod device;
mod feeder;
mod queue;

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use self::device::System;
use self::feeder::{Fed, Feeder};
use crate::audio::capture::keeper::{Patience, close};
use crate::audio::device::DeviceInfo;
use crate::{Error, Result};

/// How often the queue is filled.
const POLL: Duration = Duration::from_millis(5);

/// Seconds that sound takes from a source to the device, beside what the device itself takes: it waits in the queue, and the
/// filter of the rate takes the rest.
pub const QUEUE_DELAY: f64 = feeder::QUEUE + 0.02;

/// What is played.
pub trait PlaySource: Send {
    /// Fills `out` with the next samples at 16 kHz. How many they are: fewer than asked for only at the end.
    fn pull(&mut self, out: &mut [f32]) -> usize;

    /// Nothing was played for a while: leaves out what that time was for.
    fn catch_up(&mut self);

    /// Seconds that sound waits in it; none where there is no sound in it yet, or no more.
    fn delay(&self) -> Option<f64>;
}

/// What to play on.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayOptions {
    /// Name or identifier of the device, or a part of one, as [`devices`](super::device::devices) lists them; none is the
    /// system's default.
    pub device: Option<String>,
    /// A device that takes nothing for so long is lost.
    pub heartbeat: Duration,
    /// How long the rest may take to be played at the end.
    pub drain: Duration,
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self { device: None, heartbeat: Duration::from_secs(2), drain: Duration::from_secs(5) }
    }
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlayTotals {
    /// Times that the device asked for sound.
    pub callbacks: u64,
    /// Those for which too little was there.
    pub underruns: u64,
    /// Seconds that were silent for that.
    pub missing: f64,
    /// Times that a device was opened again.
    pub reconnects: u64,
    /// Sum of the delays that were looked at, in seconds, from the source's beginning to the loudspeaker; and how many.
    delays: (f64, u64),
}

impl PlayTotals {
    /// Mean delay from the source's beginning to the loudspeaker, in seconds; none where nothing was heard.
    pub fn delay(&self) -> Option<f64> {
        let (sum, count) = self.delays;
        (count > 0).then(|| sum / count as f64)
    }
}

/// What opens devices.
trait Backend: Send + 'static {
    /// Opens the device that is asked for and starts it, with `prime` filling its queue first.
    fn open(&mut self, wanted: Option<&str>, prime: &mut dyn FnMut(&mut Feeder)) -> Result<Opened>;
}

/// A device that is open.
struct Opened {
    info: DeviceInfo,
    feeder: Feeder,
    /// Keeps it open until dropped.
    stream: Box<dyn Any + Send>,
}

/// A device that plays.
pub struct Player {
    info: DeviceInfo,
    totals: Arc<Mutex<PlayTotals>>,
    /// The source has no more than what it holds.
    is_ending: Arc<AtomicBool>,
    /// Dropped to stop the thread.
    at_work: Option<Sender<()>>,
    ended: Receiver<()>,
    drain: Duration,
}

impl Player {
    /// Opens the device and plays `source` on it.
    ///
    /// # Errors
    /// [`Error::Device`] where there is no such device, or it cannot be opened.
    pub fn open(options: &PlayOptions, source: impl PlaySource + 'static) -> Result<Self> {
        Self::with_backend(System, options, source, Patience::default())
    }

    fn with_backend(
        mut backend: impl Backend,
        options: &PlayOptions,
        source: impl PlaySource + 'static,
        patience: Patience,
    ) -> Result<Self> {
        let name = options.device.clone().unwrap_or_else(|| "default output device".to_owned());
        let totals = Arc::new(Mutex::new(PlayTotals::default()));
        let is_ending = Arc::new(AtomicBool::new(false));
        let (answer, answered) = bounded(1);
        let (at_work, stopped) = bounded(0);
        let (end, ended) = bounded(0);
        let mut work = Work {
            options: options.clone(),
            patience,
            source: Box::new(source),
            totals: Arc::clone(&totals),
            past: PlayTotals::default(),
            is_ending: Arc::clone(&is_ending),
            stopped,
        };
        thread::Builder::new()
            .name("playout".to_owned())
            .spawn(move || {
                match work.open(&mut backend) {
                    Ok(opened) if answer.send(Ok(opened.info.clone())).is_ok() => {
                        work.run(&mut backend, opened)
                    }
                    // Nobody listens where it took too long.
                    Ok(_) => {}
                    Err(error) => drop(answer.send(Err(error))),
                }
                drop(end);
            })
            .map_err(|error| Error::Setting(format!("cannot start the thread that plays: {error}")))?;
        let info = answered.recv_timeout(patience.open).unwrap_or_else(|_| {
            let reason =
                format!("it did not open within {} s; is the sound server stuck?", patience.open.as_secs());
            Err(Error::device(name, reason))
        })?;
        Ok(Self { info, totals, is_ending, at_work: Some(at_work), ended, drain: options.drain })
    }

    /// The device, as it was opened first.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// What tells how it went, also once the player is gone.
    pub fn report(&self) -> impl Fn() -> PlayTotals + Send + 'static {
        let totals = Arc::clone(&self.totals);
        move || *totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plays what is left in a source whose stream has ended, and stops.
    pub fn finish(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        let _ = self.ended.recv_timeout(self.drain);
        self.at_work = None;
    }
}

/// The thread's side.
struct Work {
    options: PlayOptions,
    patience: Patience,
    source: Box<dyn PlaySource>,
    totals: Arc<Mutex<PlayTotals>>,
    /// Of devices that are gone, and the delays.
    past: PlayTotals,
    is_ending: Arc<AtomicBool>,
    stopped: Receiver<()>,
}

/// Why a device plays no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All is played, or nobody wants it any more.
    Done,
    Lost,
}

impl Work {
    fn open(&mut self, backend: &mut impl Backend) -> Result<Opened> {
        let source = &mut self.source;
        backend.open(self.options.device.as_deref(), &mut |feeder| {
            feeder.feed(&mut **source);
        })
    }

    fn run(&mut self, backend: &mut impl Backend, mut opened: Opened) {
        let mut retry = self.patience.first_retry;
        loop {
            let end = self.play(&mut opened.feeder);
            self.past = self.tell(&opened.feeder);
            if opened.feeder.tally().has_played() {
                retry = self.patience.first_retry;
            }
            close(opened.stream);
            if end == End::Done {
                return;
            }
            opened = loop {
                if self.is_stopped_within(retry) || self.is_ending.load(Ordering::Relaxed) {
                    return;
                }
                retry = (retry * 2).min(self.patience.last_retry);
                self.source.catch_up();
                if let Ok(opened) = self.open(backend) {
                    break opened;
                }
            };
            self.past.reconnects += 1;
        }
    }

    /// Plays until there is no more, or no device.
    fn play(&mut self, feeder: &mut Feeder) -> End {
        let mut has_begun = false;
        loop {
            if !has_begun && feeder.tally().has_played() {
                // What came while the device was opening would be late for ever.
                self.source.catch_up();
                has_begun = true;
            }
            let fed = feeder.feed(&mut *self.source);
            if let Some(delay) = self.source.delay().filter(|_| has_begun) {
                self.past.delays.0 += delay + feeder.waiting();
                self.past.delays.1 += 1;
            }
            self.tell(feeder);
            if fed == Fed::All && feeder.is_empty() {
                // What the device took is heard a little later.
                let _ = self.is_stopped_within(feeder.tally().latency());
                return End::Done;
            }
            let patience = match feeder.tally().has_played() {
                true => self.options.heartbeat,
                false => self.options.heartbeat.max(self.patience.first_sound),
            };
            if feeder.tally().is_broken() || feeder.tally().silence(Instant::now()) > patience {
                return End::Lost;
            }
            if self.is_stopped_within(POLL) {
                return End::Done;
            }
        }
    }

    /// Tells what has been counted.
    fn tell(&self, feeder: &Feeder) -> PlayTotals {
        let totals = feeder.tally().add_to(self.past, feeder.rate());
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = totals;
        totals
    }

    fn is_stopped_within(&self, time: Duration) -> bool {
        self.stopped.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::queue::QueueReader;
    use super::*;
    use crate::moderation::DelayLine;
    use crate::time::SampleRate;

    /// A line that a test fills.
    #[derive(Clone)]
    struct Line(Arc<Mutex<(DelayLine, bool)>>);

    impl Line {
        fn new(seconds: f64) -> Self {
            Self(Arc::new(Mutex::new((DelayLine::new(seconds), false))))
        }
        fn push(&self, samples: &[f32]) {
            self.0.lock().unwrap().0.push(samples);
        }
        fn end(&self) {
            self.0.lock().unwrap().1 = true;
        }
    }

    impl PlaySource for Line {
        fn pull(&mut self, out: &mut [f32]) -> usize {
            let mut line = self.0.lock().unwrap();
            if line.1 {
                return line.0.drain(out);
            }
            line.0.pull(out);
            out.len()
        }
        fn catch_up(&mut self) {
            self.0.lock().unwrap().0.catch_up();
        }
        fn delay(&self) -> Option<f64> {
            let line = self.0.lock().unwrap();
            line.0.is_running().then(|| line.0.delay())
        }
    }

    #[test]
    fn ten_minutes_with_clocks_that_differ_leave_the_delay_as_it_was() {
        for (ppm, rate) in [(-300.0, 48_000u32), (300.0, 44_100), (0.0, 16_000)] {
            let mut line = Line::new(1.0);
            let (mut feeder, mut reader) = Feeder::new(SampleRate(rate), 2).unwrap();
            let mut data = Vec::new();
            let (mut owed, mut worst) = (0.0, 0.0f64);
            for block in 0..60_000 {
                line.push(&[0.25; 160]);
                feeder.feed(&mut line);
                owed += f64::from(rate) / 100.0 * (1.0 + ppm * 1e-6);
                let frames = owed as usize;
                owed -= frames as f64;
                data.resize(2 * frames, 0.0f32);
                reader.fill(&mut data, Duration::ZERO, Instant::now());
                if block > 3_000 {
                    let delay = line.delay().unwrap() + feeder.waiting();
                    worst = worst.max((delay - 1.0 - QUEUE_DELAY).abs());
                }
            }
            let totals = feeder.tally().add_to(PlayTotals::default(), feeder.rate());
            assert_eq!(totals.underruns, 0, "{ppm} ppm");
            assert!(worst < 0.05, "{ppm} ppm at {rate} Hz: the delay is {worst} s off");
            assert!(data.iter().all(|sample| (sample - 0.25).abs() < 0.01), "it is heard on both channels");
        }
    }

    /// A device that tests play.
    #[derive(Clone, Default)]
    struct Fake {
        rate: Arc<Mutex<Option<u32>>>,
        reader: Arc<Mutex<Option<QueueReader>>>,
        /// What opening it takes.
        opening: Arc<Mutex<Duration>>,
    }

    impl Backend for Fake {
        fn open(&mut self, _: Option<&str>, prime: &mut dyn FnMut(&mut Feeder)) -> Result<Opened> {
            let rate = *self.rate.lock().unwrap();
            let rate = SampleRate(rate.ok_or_else(|| Error::device("fake", "unplugged"))?);
            let opening = *self.opening.lock().unwrap();
            thread::sleep(opening);
            let (mut feeder, reader) = Feeder::new(rate, 1)?;
            prime(&mut feeder);
            *self.reader.lock().unwrap() = Some(reader);
            let info = DeviceInfo { name: "fake".to_owned(), rate, channels: 1, format: "f32".to_owned() };
            Ok(Opened { info, feeder, stream: Box::new(()) })
        }
    }

    impl Fake {
        /// Takes 10 ms every 10 ms for `time`, while as much is pushed; what was played.
        fn play(&self, line: &Line, sample: f32, time: Duration) -> Vec<f32> {
            let (start, mut taken, mut played) = (Instant::now(), 0, Vec::new());
            while start.elapsed() < time {
                while taken < start.elapsed().as_millis() / 10 {
                    line.push(&[sample; 160]);
                    if let (Some(reader), Some(rate)) =
                        (self.reader.lock().unwrap().as_mut(), *self.rate.lock().unwrap())
                    {
                        let mut data = vec![0.0f32; rate as usize / 100];
                        reader.fill(&mut data, Duration::ZERO, Instant::now());
                        played.extend(data);
                    }
                    taken += 1;
                }
                thread::sleep(Duration::from_millis(2));
            }
            played
        }
    }

    fn open(fake: &Fake, line: &Line) -> Result<Player> {
        let options = PlayOptions { heartbeat: Duration::from_millis(150), ..PlayOptions::default() };
        let patience = Patience {
            open: Duration::from_millis(500),
            first_sound: Duration::from_millis(200),
            first_retry: Duration::from_millis(20),
            last_retry: Duration::from_millis(80),
            close: Duration::from_millis(200),
        };
        Player::with_backend(fake.clone(), &options, line.clone(), patience)
    }

    #[test]
    fn no_device_at_first_is_an_error() {
        let told = open(&Fake::default(), &Line::new(0.2)).err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), Some("fake: unplugged"));
    }

    #[test]
    fn what_comes_while_a_device_is_opening_is_left_out() {
        let (fake, line) = (Fake::default(), Line::new(0.2));
        *fake.rate.lock().unwrap() = Some(16_000);
        let _player = open(&fake, &line).unwrap();
        fake.play(&line, 0.5, Duration::from_millis(500));
        *fake.rate.lock().unwrap() = None;
        fake.play(&line, 0.5, Duration::from_millis(400));
        *fake.opening.lock().unwrap() = Duration::from_millis(400);
        *fake.rate.lock().unwrap() = Some(16_000);
        fake.play(&line, 0.5, Duration::from_millis(900));
        let held = line.delay().unwrap();
        assert!(held < 0.35, "{held} s wait, where 0.2 are asked for");
    }

    #[test]
    fn a_device_that_vanishes_is_opened_again_and_sound_is_no_later_for_it() {
        let (fake, line) = (Fake::default(), Line::new(0.2));
        *fake.rate.lock().unwrap() = Some(48_000);
        let mut player = open(&fake, &line).unwrap();
        let report = player.report();
        let before = fake.play(&line, 0.5, Duration::from_millis(800));
        assert!(before.iter().filter(|sample| **sample > 0.4).count() > 9_600, "it is heard");
        *fake.rate.lock().unwrap() = None;
        fake.play(&line, 0.5, Duration::from_millis(600));
        *fake.rate.lock().unwrap() = Some(16_000);
        fake.play(&line, 0.5, Duration::from_millis(400));
        let held = line.delay().unwrap();
        assert!(held < 0.4, "{held} s wait after the loss");
        assert_eq!(report().reconnects, 1);
        let delay = report().delay().unwrap();
        assert!((0.2..0.6).contains(&delay), "{delay}");
        line.end();
        let (ending, rest) = (Instant::now(), fake.clone());
        let drained = thread::spawn(move || rest.play(&Line::new(1.0), 0.0, Duration::from_millis(900)));
        player.finish();
        assert!(ending.elapsed() < Duration::from_millis(900), "{:?}", ending.elapsed());
        let drained = drained.join().unwrap();
        let rest = drained.iter().filter(|sample| **sample > 0.4).count() as f64 / 16_000.0;
        assert!((0.1..0.6).contains(&rest), "{rest} s were left and are played");
    }
}
