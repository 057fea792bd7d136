//! The thread that sends what is in the spool.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::claim::Claim;
use super::options::Timing;
use super::post::{Client, Outcome};
use super::spool::{Batch, Refusal, Spool};
use crate::output::events::Notify;
use crate::output::events::losses::events;

/// Most events of a batch.
const BATCH_EVENTS: usize = 100;
/// A batch of this many bytes takes no more events.
const BATCH_BYTES: usize = 512 << 10;

/// What the stream and the sender share.
pub struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Those left by others first, the own one last.
    spools: Vec<Spool>,
    /// After the stream's end: until when to send.
    deadline: Option<Instant>,
    /// Whether the sender has returned.
    ended: bool,
    tally: Tally,
}

/// What became of the events, but for those delivered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Still in the spools.
    pub waiting: u64,
    /// Refused by the receiver for ever.
    pub refused: u64,
    /// Those of the refused that were set aside on disk.
    pub kept: u64,
    /// Lines of the spools that were no events.
    pub damaged: u64,
}

impl Shared {
    /// Starts with what the claimed spools hold.
    pub fn new(claim: Claim) -> Self {
        let mut spools = claim.left;
        spools.push(claim.own);
        let state = State { spools, deadline: None, ended: false, tally: Tally::default() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event into the process's own spool.
    pub fn append(&self, line: &str) -> Result<(), Refusal> {
        let appended = self.lock().own().append(line);
        self.changed.notify_all();
        appended
    }

    /// The folder of the process's own spool.
    pub fn folder(&self) -> PathBuf {
        self.lock().own().folder().to_path_buf()
    }

    /// The stream has ended; sending may go on until `deadline`.
    pub fn close(&self, deadline: Instant) {
        self.lock().deadline = Some(deadline);
        self.changed.notify_all();
    }

    /// Waits for the sender to return, at most until `limit`; tells whether it has.
    pub fn wait_for_end(&self, limit: Instant) -> bool {
        let mut state = self.lock();
        while !state.ended {
            let Some(left) = limit.checked_duration_since(Instant::now()) else { return false };
            state = self.wait(state, left);
        }
        true
    }

    /// What became of the events so far.
    pub fn tally(&self) -> Tally {
        let state = self.lock();
        Tally { waiting: state.spools.iter().map(Spool::waiting).sum(), ..state.tally }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn own(&mut self) -> &mut Spool {
        let last = self.spools.len() - 1;
        &mut self.spools[last]
    }

    /// Which spool has the oldest events.
    fn oldest(&self) -> Option<usize> {
        self.spools.iter().position(|spool| !spool.is_empty())
    }

    fn is_past_deadline(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// The thread's own part.
pub struct Sender {
    shared: Arc<Shared>,
    client: Client,
    gather: Duration,
    backoff: Backoff,
    name: String,
    notify: Notify,
    /// Whether the last batch found no receiver that takes it now.
    is_down: bool,
    /// Whether the last batch was refused for ever.
    is_refused: bool,
}

impl Sender {
    /// Sends what is in the spools of `shared` through `client`. Reports call it `name`; `notify` hears of trouble.
    pub fn new(shared: Arc<Shared>, client: Client, timing: &Timing, name: &str, notify: Notify) -> Self {
        Self {
            shared,
            client,
            gather: timing.gather,
            backoff: Backoff::new(timing.first_wait, timing.longest_wait),
            name: name.into(),
            notify,
            is_down: false,
            is_refused: false,
        }
    }

    /// Sends until the stream has ended and everything is sent, or its deadline has passed.
    pub fn run(mut self) {
        self.send_all();
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }

    fn send_all(&mut self) {
        while self.wait_for_events() {
            let Err(Setback { reason, pause }) = self.send_next() else {
                self.backoff.reset();
                if std::mem::take(&mut self.is_down) {
                    self.tell("answers again");
                }
                continue;
            };
            if !std::mem::replace(&mut self.is_down, true) {
                self.tell(&format!("{reason}; events wait on disk and are sent later"));
            }
            if self.rest(pause) == Next::GiveUp {
                return;
            }
        }
    }

    fn tell(&self, what: &str) {
        (self.notify)(&format!("{}: {what}", self.name));
    }

    /// Waits for a batch that is full or old enough; false where there is nothing more to send, or no more time.
    fn wait_for_events(&self) -> bool {
        let mut due = None;
        let mut state = self.shared.lock();
        loop {
            if state.is_past_deadline() {
                return false;
            }
            let closing = state.deadline.is_some();
            let own = state.spools.len() - 1;
            let Some(at) = state.oldest() else {
                if closing {
                    return false;
                }
                due = None;
                state = self.shared.wait(state, Duration::from_secs(3600));
                continue;
            };
            let is_full = state.spools[at].waiting() >= BATCH_EVENTS as u64;
            let now = Instant::now();
            let due = *due.get_or_insert(now + self.gather);
            if closing || at < own || is_full || now >= due {
                return true;
            }
            state = self.shared.wait(state, due - now);
        }
    }

    /// Sends the oldest batch.
    fn send_next(&mut self) -> Result<(), Setback> {
        let (spool, batch, limit) = {
            let state = self.shared.lock();
            let limit =
                state.deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            let Some(spool) = state.oldest() else { return Ok(()) };
            (spool, state.spools[spool].peek(BATCH_EVENTS, BATCH_BYTES)?, limit)
        };
        let outcome = match batch.events.as_slice() {
            [] => Outcome::Accepted,
            events => self.client.post(events, limit),
        };
        match outcome {
            Outcome::Accepted => self.is_refused = false,
            Outcome::Refused(reason) => self.set_aside(spool, &batch, &reason),
            Outcome::Later { reason, pause } => return Err(Setback { reason, pause }),
        }
        if batch.damaged > 0 {
            self.tell(&format!("{} in the spool cannot be read", events(batch.damaged)));
        }
        let mut state = self.shared.lock();
        state.tally.damaged += batch.damaged;
        // Where this cannot be noted on disk, the next run sends the batch again, which it may.
        let _ = state.spools[spool].acknowledge(&batch);
        Ok(())
    }

    /// Keeps a batch that the receiver will never take out of the way of the others.
    fn set_aside(&mut self, spool: usize, batch: &Batch, reason: &str) {
        let count = batch.events.len() as u64;
        let mut state = self.shared.lock();
        let kept = state.spools[spool].set_aside(batch);
        state.tally.refused += count;
        if kept.is_ok() {
            state.tally.kept += count;
        }
        drop(state);
        if std::mem::replace(&mut self.is_refused, true) {
            return;
        }
        let fate = match kept {
            Ok(path) => format!("they are kept in {}", path.display()),
            Err(error) => format!("they are lost: {error}"),
        };
        self.tell(&format!("{reason}; {} will not be sent again, {fate}", events(count)));
    }

    /// Waits after a setback. The end of the stream cuts a wait short that the receiver has not asked for.
    fn rest(&mut self, pause: Option<Duration>) -> Next {
        let until = Instant::now() + pause.unwrap_or_else(|| self.backoff.next(fastrand::f64()));
        let mut state = self.shared.lock();
        let was_closing = state.deadline.is_some();
        loop {
            if let Some(deadline) = state.deadline {
                if !was_closing && pause.is_none() {
                    self.backoff.reset();
                    return Next::Try;
                }
                if until >= deadline {
                    return Next::GiveUp;
                }
            }
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return Next::Try;
            };
            state = self.shared.wait(state, left);
        }
    }
}

/// What to do after a wait.
#[derive(PartialEq)]
enum Next {
    Try,
    GiveUp,
}

/// Why a batch is still in the spool.
struct Setback {
    reason: String,
    pause: Option<Duration>,
}

impl From<io::Error> for Setback {
    fn from(error: io::Error) -> Self {
        Self { reason: format!("the spool cannot be read: {error}"), pause: None }
    }
}
