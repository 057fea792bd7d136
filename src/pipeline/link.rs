//! Bounded links between threads, with a policy for when they are full, and counters.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel as channel;

use crate::event::LinkReport;

/// What passes through a link.
pub trait Item: Send {
    /// Samples of sound that it stands for; they count against the link's bound.
    fn samples(&self) -> u64 {
        0
    }

    /// Whether it is of no use once `later`, of the same link, is there.
    fn is_superseded_by(&self, _later: &Self) -> bool {
        false
    }

    /// Whether it may be lost when there is no room.
    fn is_optional(&self) -> bool {
        false
    }

    /// Whether work on what is optional should make way for it.
    fn is_urgent(&self) -> bool {
        !self.is_optional()
    }
}

/// What becomes of an item for which a link has no room. Those that are superseded make room first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The sender waits: for sources that can wait, such as files.
    Block,
    /// What is optional is dropped; all else is refused, and the sender must say so. The sender never waits.
    Refuse,
    /// It is dropped. The sender never waits.
    Drop,
}

/// How much a link holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Items.
    pub items: usize,
    /// Samples of sound, over all items; a single item is taken whatever its size.
    pub samples: u64,
}

/// Why an item was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum NotSent<T> {
    /// The link is full, and its policy is to refuse.
    Full(T),
    /// The receiver is gone.
    Gone,
}

/// The sending end. Clones send into the same link.
pub struct Sender<T> {
    channel: channel::Sender<T>,
    policy: Policy,
    bound: Bound,
    counters: Arc<Counters>,
}

/// The receiving end.
pub struct Receiver<T> {
    channel: channel::Receiver<T>,
    waiting: VecDeque<T>,
    bound: Bound,
    counters: Arc<Counters>,
}

/// What passed through a link; readable from anywhere.
#[derive(Debug, Default)]
pub struct Counters {
    name: String,
    passed: AtomicU64,
    dropped: AtomicU64,
    depth: AtomicU64,
    urgent: AtomicU64,
    samples: AtomicU64,
    deepest: AtomicU64,
    waited_nanos: AtomicU64,
}

/// A link called `name` that holds as much as `bound` says.
pub fn link<T: Item>(name: impl Into<String>, bound: Bound, policy: Policy) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = channel::bounded(bound.items);
    let counters = Arc::new(Counters { name: name.into(), ..Counters::default() });
    (
        Sender { channel: sender, policy, bound, counters: Arc::clone(&counters) },
        Receiver { channel: receiver, waiting: VecDeque::new(), bound, counters },
    )
}

impl<T: Item> Sender<T> {
    /// Sends `item`, as the link's policy allows.
    ///
    /// # Errors
    /// [`NotSent::Full`] gives the item back where the policy is to refuse; [`NotSent::Gone`] where nobody receives.
    pub fn send(&self, item: T) -> Result<(), NotSent<T>> {
        let (samples, urgent) = (item.samples(), u64::from(item.is_urgent()));
        if self.policy != Policy::Block && !self.has_room_for(samples) {
            return self.without_room(item);
        }
        // Counted before it is sent, so that the receiver never counts below zero.
        self.counters.enter(samples, urgent);
        let sent = match self.channel.try_send(item) {
            Err(channel::TrySendError::Full(item)) if self.policy == Policy::Block => {
                let start = Instant::now();
                let sent = self.channel.send(item);
                self.counters.wait(start.elapsed());
                sent.map_err(|_| NotSent::Gone)
            }
            Err(channel::TrySendError::Full(item)) => {
                self.counters.leave(samples, urgent);
                return self.without_room(item);
            }
            sent => sent.map_err(|_| NotSent::Gone),
        };
        if sent.is_err() {
            self.counters.leave(samples, urgent);
        }
        sent
    }

    /// The link's counters.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    fn has_room_for(&self, samples: u64) -> bool {
        let waiting = self.counters.samples.load(Ordering::Relaxed);
        samples == 0 || waiting == 0 || waiting + samples <= self.bound.samples
    }

    fn without_room(&self, item: T) -> Result<(), NotSent<T>> {
        if self.policy == Policy::Refuse && !item.is_optional() {
            return Err(NotSent::Full(item));
        }
        self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            policy: self.policy,
            bound: self.bound,
            counters: Arc::clone(&self.counters),
        }
    }
}

impl<T: Item> Receiver<T> {
    /// The next item that nothing supersedes; waits for one. None once all senders are gone and all was received.
    pub fn recv(&mut self) -> Option<T> {
        self.admit_all();
        if self.waiting.is_empty() {
            let item = self.channel.recv().ok()?;
            self.waiting.push_back(item);
            self.admit_all();
        }
        self.take()
    }

    /// As [`recv`](Self::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    /// [`channel::RecvTimeoutError`] where nothing came in time, or nothing will come any more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, channel::RecvTimeoutError> {
        self.admit_all();
        if self.waiting.is_empty() {
            let item = self.channel.recv_timeout(timeout)?;
            self.waiting.push_back(item);
            self.admit_all();
        }
        self.take().ok_or(channel::RecvTimeoutError::Timeout)
    }

    /// The link's counters.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    fn take(&mut self) -> Option<T> {
        let item = self.waiting.pop_front()?;
        self.counters.leave(item.samples(), u64::from(item.is_urgent()));
        self.counters.passed.fetch_add(1, Ordering::Relaxed);
        Some(item)
    }

    /// Takes what waits out of the channel, without what is superseded.
    fn admit_all(&mut self) {
        while self.waiting.len() < self.bound.items {
            let Ok(item) = self.channel.try_recv() else { return };
            while let Some(last) = self.waiting.pop_back_if(|last| last.is_superseded_by(&item)) {
                self.counters.leave(last.samples(), u64::from(last.is_urgent()));
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
            self.waiting.push_back(item);
        }
    }
}

impl Counters {
    /// Urgent items on their way.
    pub fn urgent(&self) -> u64 {
        self.urgent.load(Ordering::Relaxed)
    }

    /// Samples of sound on their way.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Items dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The counters as an event has them.
    pub fn report(&self) -> LinkReport {
        LinkReport {
            name: self.name.clone(),
            passed: self.passed.load(Ordering::Relaxed),
            dropped: self.dropped(),
            deepest: self.deepest.load(Ordering::Relaxed),
            waited: Duration::from_nanos(self.waited_nanos.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }

    fn enter(&self, samples: u64, urgent: u64) {
        self.urgent.fetch_add(urgent, Ordering::Relaxed);
        self.samples.fetch_add(samples, Ordering::Relaxed);
        let depth = self.depth.fetch_add(1, Ordering::Relaxed) + 1;
        self.deepest.fetch_max(depth, Ordering::Relaxed);
    }

    fn leave(&self, samples: u64, urgent: u64) {
        self.urgent.fetch_sub(urgent, Ordering::Relaxed);
        self.samples.fetch_sub(samples, Ordering::Relaxed);
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }

    fn wait(&self, waited: Duration) {
        self.waited_nanos.fetch_add(waited.as_nanos() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Work {
        Partial(u32),
        Final(u32),
    }

    impl Item for Work {
        fn samples(&self) -> u64 {
            100
        }
        fn is_superseded_by(&self, later: &Self) -> bool {
            matches!((self, later), (Self::Partial(a), Self::Partial(b) | Self::Final(b)) if a == b)
        }
        fn is_optional(&self) -> bool {
            matches!(self, Self::Partial(_))
        }
    }

    const BOUND: Bound = Bound { items: 4, samples: 300 };

    #[test]
    fn superseded_items_are_dropped_and_counted() {
        let (sender, mut receiver) = link("test", BOUND, Policy::Refuse);
        for item in [Work::Partial(0), Work::Partial(0), Work::Final(0)] {
            sender.send(item).unwrap();
        }
        assert_eq!(sender.counters().urgent(), 1);
        assert_eq!(receiver.recv(), Some(Work::Final(0)));
        drop(sender);
        assert_eq!(receiver.recv(), None);
        let report = receiver.counters().report();
        assert_eq!((report.passed, report.dropped, report.deepest), (1, 2, 3));
        assert_eq!((receiver.counters().samples(), receiver.counters().urgent()), (0, 0));
    }

    #[test]
    fn a_full_link_drops_what_is_optional_and_refuses_what_is_not() {
        let (sender, mut receiver) = link("test", BOUND, Policy::Refuse);
        for segment in 0..3 {
            sender.send(Work::Final(segment)).unwrap();
        }
        assert_eq!(sender.send(Work::Partial(3)), Ok(()));
        assert_eq!(sender.send(Work::Final(3)), Err(NotSent::Full(Work::Final(3))));
        let mut received = Vec::new();
        drop(sender);
        while let Some(work) = receiver.recv() {
            received.push(work);
        }
        assert_eq!(received, [Work::Final(0), Work::Final(1), Work::Final(2)]);
        assert_eq!(receiver.counters().dropped(), 1);
    }

    #[test]
    fn a_blocked_sender_goes_on_when_there_is_room_and_ends_when_nobody_receives() {
        let bound = Bound { items: 1, samples: u64::MAX };
        let (sender, mut receiver) = link("test", bound, Policy::Block);
        std::thread::scope(|scope| {
            let sending =
                scope.spawn(move || (0..50).map(|i| sender.send(Work::Final(i))).all(|sent| sent.is_ok()));
            for i in 0..50 {
                assert_eq!(receiver.recv(), Some(Work::Final(i)));
            }
            assert!(sending.join().unwrap());
        });
        let (sender, receiver) = link("test", bound, Policy::Block);
        drop(receiver);
        assert_eq!(sender.send(Work::Final(0)), Err(NotSent::Gone));
    }
}
