//! The thread that owns the device: opens it, watches its heartbeat, and opens it again once it is lost.
//!
//! Opening a device whose server hangs can take seconds; here that keeps nobody waiting. Closing one can take for ever:
//! PulseAudio's client waits for itself where its server dies while a block of sound is being read. So a lost device is
//! closed on a thread that may be left behind. Beside those of the system's sound library there are no other threads.

use std::any::Any;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::CaptureOptions;
use super::ring::{RingReader, Tally};
use crate::audio::device::DeviceInfo;
use crate::{Error, Result};

/// What opens devices.
pub(super) trait Backend: Send + 'static {
    /// Opens the device that is asked for, or the default one, and starts it.
    fn open(&mut self, options: &CaptureOptions) -> Result<Device>;
}

/// A device that is open.
pub(super) struct Device {
    /// What it is, and where its frames are read.
    pub opened: Opened,
    /// Keeps it open until dropped.
    pub stream: Box<dyn Any + Send>,
}

/// What the reader needs of an open device.
pub(super) struct Opened {
    pub device: DeviceInfo,
    pub reader: RingReader,
}

/// What becomes of the device.
pub(super) enum Message {
    Opened(Opened),
    Lost,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(in crate::audio) struct Patience {
    /// For the first device to open.
    pub open: Duration,
    /// For the first callback of a device: some start slowly.
    pub first_sound: Duration,
    /// Before a lost device is opened again; doubled each time that it does not work.
    pub first_retry: Duration,
    /// The longest that `first_retry` grows to.
    pub last_retry: Duration,
    /// For the device to close.
    pub close: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(10),
            first_sound: Duration::from_secs(3),
            first_retry: Duration::from_millis(250),
            last_retry: Duration::from_secs(5),
            close: Duration::from_secs(2),
        }
    }
}

/// The handle of the thread.
pub(super) struct Keeper {
    messages: Receiver<Message>,
    /// Dropped to stop the thread.
    at_work: Option<Sender<()>>,
    ended: Receiver<()>,
    patience: Patience,
}

impl Keeper {
    /// Starts the thread and waits for the first device.
    ///
    /// # Errors
    /// Those of opening it; [`Error::Device`] where that takes too long.
    pub fn start(
        backend: impl Backend,
        options: &CaptureOptions,
        patience: Patience,
    ) -> Result<(Self, Opened)> {
        let name = options.device.clone().unwrap_or_else(|| "default input device".to_owned());
        let (to_reader, messages) = unbounded();
        let (answer, answered) = bounded(1);
        let (at_work, stopped) = bounded(0);
        let (end, ended) = bounded(0);
        let watch = Watch { options: options.clone(), patience, stopped, to_reader };
        thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || {
                watch.run(backend, &answer);
                drop(end);
            })
            .map_err(|error| Error::Setting(format!("cannot start the thread that captures: {error}")))?;
        let opened = answered.recv_timeout(patience.open).unwrap_or_else(|_| {
            let reason =
                format!("it did not open within {} s; is the sound server stuck?", patience.open.as_secs());
            Err(Error::device(name, reason))
        })?;
        Ok((Self { messages, at_work: Some(at_work), ended, patience }, opened))
    }

    /// What has become of the device since the last call.
    pub fn message(&self) -> Option<Message> {
        self.messages.try_recv().ok()
    }

    /// Closes the device. One that does not close in time is left to the end of the process.
    pub fn stop(&mut self) {
        if self.at_work.take().is_some() {
            let _ = self.ended.recv_timeout(self.patience.close);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread's side.
struct Watch {
    options: CaptureOptions,
    patience: Patience,
    stopped: Receiver<()>,
    to_reader: Sender<Message>,
}

impl Watch {
    fn run(&self, mut backend: impl Backend, answer: &Sender<Result<Opened>>) {
        let Device { opened, mut stream } = match backend.open(&self.options) {
            Ok(device) => device,
            Err(error) => {
                // Nobody listens where it took too long.
                let _ = answer.send(Err(error));
                return;
            }
        };
        let mut tally = opened.reader.tally().clone();
        if answer.send(Ok(opened)).is_err() {
            return;
        }
        let mut retry = self.patience.first_retry;
        while self.watch(&tally) {
            if tally.has_sounded() {
                retry = self.patience.first_retry;
            }
            if self.to_reader.send(Message::Lost).is_err() {
                return;
            }
            close(stream);
            let device = loop {
                if self.is_stopped_within(retry) {
                    return;
                }
                retry = (retry * 2).min(self.patience.last_retry);
                if let Ok(device) = backend.open(&self.options) {
                    break device;
                }
            };
            tally = device.opened.reader.tally().clone();
            stream = device.stream;
            if self.to_reader.send(Message::Opened(device.opened)).is_err() {
                return;
            }
        }
    }

    /// Returns true once the device is lost, false once it is not wanted any more.
    fn watch(&self, tally: &Tally) -> bool {
        loop {
            if self.is_stopped_within(self.options.heartbeat / 4) {
                return false;
            }
            let patience = match tally.has_sounded() {
                true => self.options.heartbeat,
                false => self.options.heartbeat.max(self.patience.first_sound),
            };
            if tally.is_broken() || tally.silence(Instant::now()) > patience {
                return true;
            }
        }
    }

    fn is_stopped_within(&self, time: Duration) -> bool {
        self.stopped.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Closes a device without waiting for it.
pub(in crate::audio) fn close(stream: Box<dyn Any + Send>) {
    // Where the system starts no more threads, the closure is dropped here, and the stream with it.
    let _ = thread::Builder::new().name("capture close".to_owned()).spawn(move || drop(stream));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::ring::{RingWriter, ring};
    use super::super::{Capture, Captured};
    use super::*;
    use crate::event::GapReason;
    use crate::time::SampleRate;

    /// A device that tests play.
    #[derive(Clone, Default)]
    struct Fake {
        /// Whether there is a device, and its rate.
        rate: Arc<Mutex<Option<u32>>>,
        writer: Arc<Mutex<Option<RingWriter>>>,
        /// When it was tried to open it.
        tries: Arc<Mutex<Vec<Instant>>>,
    }

    /// A stream that takes long to close.
    struct Slow;

    impl Drop for Slow {
        fn drop(&mut self) {
            thread::sleep(Duration::from_millis(1500));
        }
    }

    impl Backend for Fake {
        fn open(&mut self, options: &CaptureOptions) -> Result<Device> {
            self.tries.lock().unwrap().push(Instant::now());
            let rate = *self.rate.lock().unwrap();
            let rate = SampleRate(rate.ok_or_else(|| Error::device("fake", "unplugged"))?);
            let (writer, reader) = ring(rate, 1, options.ring);
            *self.writer.lock().unwrap() = Some(writer);
            let device = DeviceInfo { name: "fake".to_owned(), rate, channels: 1, format: "f32".to_owned() };
            Ok(Device { opened: Opened { device, reader }, stream: Box::new(Slow) })
        }
    }

    impl Fake {
        fn plug(&self, rate: u32) {
            *self.rate.lock().unwrap() = Some(rate);
        }

        /// The device goes away, and tells so or not.
        fn unplug(&self, told: Option<&Capture>) {
            *self.rate.lock().unwrap() = None;
            if let Some(reader) = told.and_then(|capture| capture.reader.as_ref()) {
                reader.tally().note_broken();
            }
        }

        /// Delivers 10 ms every 10 ms for `time`, and reads along.
        fn sound(&self, capture: &mut Capture, time: Duration) -> Heard {
            let (start, mut heard, mut delivered) = (Instant::now(), Heard::default(), 0);
            while start.elapsed() < time {
                heard.read(capture, Duration::from_millis(2));
                let mut writer = self.writer.lock().unwrap();
                let Some(writer) = writer.as_mut() else { continue };
                let frames = (capture.info().rate.0 / 100) as usize;
                while delivered < start.elapsed().as_millis() / 10 {
                    writer.write(&vec![0.5f32; frames], Instant::now());
                    delivered += 1;
                }
            }
            heard
        }
    }

    #[derive(Default, Debug)]
    struct Heard {
        audio: u64,
        gaps: Vec<(u64, GapReason)>,
    }

    impl Heard {
        fn read(&mut self, capture: &mut Capture, timeout: Duration) {
            match capture.read(timeout).unwrap() {
                Some(Captured::Audio { samples, .. }) => self.audio += samples.len() as u64,
                Some(Captured::Gap { samples, reason }) => self.gaps.push((samples, reason)),
                None => {}
            }
        }

        fn read_for(&mut self, capture: &mut Capture, time: Duration) {
            let start = Instant::now();
            while start.elapsed() < time {
                self.read(capture, Duration::from_millis(5));
            }
        }

        fn missing(&self) -> u64 {
            self.gaps.iter().map(|gap| gap.0).sum()
        }

        fn seconds(&self) -> f64 {
            (self.audio + self.missing()) as f64 / 16_000.0
        }
    }

    const HEARTBEAT: Duration = Duration::from_millis(150);

    fn open(fake: &Fake) -> Result<Capture> {
        let options = CaptureOptions { heartbeat: HEARTBEAT, ..CaptureOptions::default() };
        let patience = Patience {
            open: Duration::from_millis(500),
            first_sound: Duration::from_millis(200),
            first_retry: Duration::from_millis(20),
            last_retry: Duration::from_millis(80),
            close: Duration::from_millis(200),
        };
        Capture::with_backend(fake.clone(), &options, patience)
    }

    #[test]
    fn no_device_at_first_is_an_error() {
        let told = open(&Fake::default()).err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), Some("fake: unplugged"));
    }

    #[test]
    fn a_device_that_vanishes_and_returns_leaves_a_gap_of_that_time() {
        for tells in [true, false] {
            let fake = Fake::default();
            fake.plug(48_000);
            let mut capture = open(&fake).unwrap();
            let start = Instant::now();
            let before = fake.sound(&mut capture, Duration::from_millis(300));
            assert!(before.audio > 3_000 && before.gaps.is_empty(), "{before:?}");
            fake.unplug(tells.then_some(&capture));
            let mut away = Heard::default();
            away.read_for(&mut capture, Duration::from_millis(400));
            assert!(matches!(away.gaps[..], [(1.., GapReason::DeviceLost)]), "{away:?}");
            fake.plug(44_100);
            away.read_for(&mut capture, Duration::from_millis(150));
            let after = fake.sound(&mut capture, Duration::from_millis(300));
            let elapsed = start.elapsed().as_secs_f64();
            assert!(after.audio > 3_000, "{after:?}");
            assert_eq!(capture.info().rate, SampleRate(44_100));
            assert_eq!(capture.counters().reconnects, 1);
            let stream = before.seconds() + away.seconds() + after.seconds();
            assert!((stream - elapsed).abs() < 0.1, "{stream} s of stream in {elapsed} s");
        }
    }

    #[test]
    fn a_device_that_stalls_is_opened_again() {
        let fake = Fake::default();
        fake.plug(16_000);
        let mut capture = open(&fake).unwrap();
        fake.sound(&mut capture, Duration::from_millis(100));
        let mut stalled = Heard::default();
        stalled.read_for(&mut capture, HEARTBEAT * 3);
        assert!(stalled.missing() > 2_000, "{stalled:?}");
        assert!(capture.counters().reconnects >= 1);
        let after = fake.sound(&mut capture, Duration::from_millis(200));
        assert!(after.audio > 2_000, "{after:?}");
    }

    #[test]
    fn tries_to_open_grow_rarer() {
        let fake = Fake::default();
        fake.plug(16_000);
        let mut capture = open(&fake).unwrap();
        fake.sound(&mut capture, Duration::from_millis(50));
        fake.unplug(Some(&capture));
        Heard::default().read_for(&mut capture, Duration::from_millis(500));
        let tries = fake.tries.lock().unwrap().clone();
        let waits: Vec<_> = tries.windows(2).skip(1).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        assert!(waits.len() >= 3 && waits[0] >= 40 && waits[1..].iter().all(|&wait| wait >= 80), "{waits:?}");
    }

    #[test]
    fn stopping_waits_only_so_long_for_the_device_to_close() {
        let fake = Fake::default();
        fake.plug(16_000);
        let mut capture = open(&fake).unwrap();
        let start = Instant::now();
        capture.stop();
        let (took, patience) = (start.elapsed(), Duration::from_millis(200));
        assert!(took >= patience && took < Duration::from_millis(600), "{took:?}");
        assert!(matches!(capture.read(Duration::ZERO), Ok(None)));
    }

    #[test]
    fn a_device_that_never_opens_is_an_error() {
        struct Stuck;
        impl Backend for Stuck {
            fn open(&mut self, _: &CaptureOptions) -> Result<Device> {
                thread::sleep(Duration::from_secs(3));
                Err(Error::device("stuck", "late"))
            }
        }
        let patience = Patience { open: Duration::from_millis(50), ..Patience::default() };
        let told =
            Capture::with_backend(Stuck, &CaptureOptions::default(), patience).err().unwrap().to_string();
        assert!(told.starts_with("default input device: it did not open"), "{told}");
    }
}
