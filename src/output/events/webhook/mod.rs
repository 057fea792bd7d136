//! Events to a URL, at least once.
//!
//! | file | idea |
//! |---|---|
//! | `options` | what can be set, and which URLs are taken |
//! | `spool` | [`Spool`](spool::Spool): events on disk that are not acknowledged, in order, bounded |
//! | `claim` | which spool is whose when several processes post to one URL |
//! | `post` | one batch to the receiver, and what its answer means |
//! | `backoff` | how long to wait after a failure |
//! | `sender` | the thread that sends what is in the spool |
//!
//! An event is on disk before [`write`](crate::pipeline::EventSink::write) returns, and leaves it only after the
//! receiver has taken it. So the receiver gets it even if it, or this process, is down in between; it may get it twice.

mod backoff;
mod claim;
mod options;
mod post;
mod sender;
mod spool;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use options::{Timing, WebhookOptions};

use self::options::Target;
use self::post::Client;
use self::sender::{Sender, Shared};
use self::spool::Refusal;
use super::Notify;
use super::losses::{Losses, events};
use crate::event::Event;
use crate::pipeline::EventSink;
use crate::{Error, Result};

/// How long [`Webhook::finish`] waits past the deadline for the sender to see that it has passed.
const GRACE: Duration = Duration::from_millis(100);

/// Posts events to a URL, in batches, from a spool on disk.
pub struct Webhook {
    name: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    deadline: Duration,
    bound: u64,
    losses: Losses,
    notify: Notify,
}

impl Webhook {
    /// Opens the spool of the URL and starts to send what an earlier run has left in it.
    ///
    /// # Errors
    /// [`Error::Setting`] where the URL cannot be posted to, [`Error::Io`] where the spool cannot be opened.
    pub fn open(options: &WebhookOptions, notify: Notify) -> Result<Self> {
        let target = Target::parse(&options.url)?;
        let name = format!("webhook {}", target.shown);
        let claim = claim::claim(&options.cache.join("webhook"), &target.digest, options.bound)?;
        let shared = Arc::new(Shared::new(claim));
        let client = Client::new(target.url, &options.timing);
        let sender = Sender::new(shared.clone(), client, &options.timing, &name, notify.clone());
        let thread = std::thread::Builder::new()
            .name("webhook".into())
            .spawn(move || sender.run())
            .map_err(|e| Error::Setting(format!("{name}: no thread could be started: {e}")))?;
        Ok(Self {
            name,
            shared,
            thread: Some(thread),
            deadline: options.timing.deadline,
            bound: options.bound,
            losses: Losses::default(),
            notify,
        })
    }

    fn lose(&mut self, refusal: &Refusal) {
        if !self.losses.add() {
            return;
        }
        let folder = self.shared.folder();
        let told = match refusal {
            Refusal::Full => format!("the spool is full ({} bytes)", self.bound),
            Refusal::Io(error) => error.to_string(),
        };
        (self.notify)(&format!(
            "{}: {}: {told}; new events are lost until there is room",
            self.name,
            folder.display()
        ));
    }

    /// Waits until the sender has sent everything, or may no longer.
    fn drain(&mut self) {
        let deadline = Instant::now() + self.deadline;
        self.shared.close(deadline);
        if self.shared.wait_for_end(deadline + GRACE)
            && let Some(thread) = self.thread.take()
        {
            // A panic of the sender was told by the panic itself; what it did not send is still in the spool.
            let _ = thread.join();
        }
    }
}

impl EventSink for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    /// Puts the event into the spool; never waits for the receiver.
    fn write(&mut self, event: &Event) -> Result<()> {
        match self.shared.append(&event.to_line()) {
            Ok(()) => {
                if let Some(lost) = self.losses.end_row() {
                    (self.notify)(&format!("{}: there is room again; {} lost", self.name, events(lost)));
                }
            }
            Err(refusal) => self.lose(&refusal),
        }
        Ok(())
    }

    /// Sends for a bounded time ([`Timing::deadline`]), then tells how many events stay for the next run.
    ///
    /// # Errors
    /// [`Error::Io`] where events were lost or were refused by the receiver, with their number.
    fn finish(&mut self) -> Result<()> {
        self.drain();
        let tally = self.shared.tally();
        let folder = self.shared.folder();
        if tally.waiting > 0 {
            (self.notify)(&format!(
                "{}: {} not delivered; the next run sends them first, from {}",
                self.name,
                events(tally.waiting),
                folder.display()
            ));
        }
        let mut told = Vec::new();
        let lost = self.losses.total();
        if lost > 0 {
            told.push(format!("{} lost, for want of room", events(lost)));
        }
        if tally.refused > 0 {
            told.push(format!("{} refused by the receiver ({} kept)", events(tally.refused), tally.kept));
        }
        if tally.damaged > 0 {
            told.push(format!("{} unreadable", events(tally.damaged)));
        }
        if told.is_empty() {
            return Ok(());
        }
        Err(Error::io(folder, io::Error::other(told.join("; "))))
    }
}

impl Drop for Webhook {
    /// Without [`finish`](EventSink::finish) nothing more is sent; all of it stays in the spool.
    fn drop(&mut self) {
        self.shared.close(Instant::now());
    }
}
