//! The threads of a stream: started, watched and waited for here and nowhere else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel as channel;

use crate::event::EndStatus;
use crate::{Error, Result};

/// How a thread ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// What it was called.
    pub name: String,
    /// How it ended.
    pub status: EndStatus,
    /// Why, where it failed or panicked.
    pub reason: Option<String>,
}

/// Threads that belong together.
pub struct Crew {
    ended: channel::Receiver<Ended>,
    report: channel::Sender<Ended>,
    at_work: Vec<String>,
    closing: Arc<AtomicBool>,
}

/// Tells the threads of a crew that no more input will come, even from senders that are stuck.
#[derive(Debug, Clone)]
pub struct Closing(Arc<AtomicBool>);

impl Closing {
    /// Whether to end once there is no input.
    pub fn is_near(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Crew {
    fn default() -> Self {
        let (report, ended) = channel::unbounded();
        Self { ended, report, at_work: Vec::new(), closing: Arc::default() }
    }
}

impl Crew {
    /// What its threads look at to know that no more input will come.
    pub fn closing(&self) -> Closing {
        Closing(Arc::clone(&self.closing))
    }

    /// Starts a thread. A panic in `work` ends that thread alone.
    ///
    /// # Errors
    /// [`Error::Setting`] where the system starts no more threads.
    pub fn start(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<EndStatus> + Send + 'static,
    ) -> Result<()> {
        let report = self.report.clone();
        let called = name.to_owned();
        let run = move || {
            let (status, reason) = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(status)) => (status, None),
                Ok(Err(error)) => (EndStatus::Failed, Some(error.to_string())),
                Err(panic) => (EndStatus::Panicked, Some(message(panic.as_ref()))),
            };
            // Nobody listens any more where the crew was left behind.
            let _ = report.send(Ended { name: called, status, reason });
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(|error| Error::Setting(format!("cannot start the thread {name}: {error}")))?;
        self.at_work.push(name.to_owned());
        Ok(())
    }

    /// The next thread that ends within `timeout`.
    pub fn next_ended(&mut self, timeout: Duration) -> Option<Ended> {
        let ended = self.ended.recv_timeout(timeout).ok()?;
        self.at_work.retain(|name| *name != ended.name);
        Some(ended)
    }

    /// Whether a thread called `name` is at work.
    pub fn has(&self, name: &str) -> bool {
        self.at_work.iter().any(|at_work| at_work == name)
    }

    /// Whether any thread is at work.
    pub fn is_at_work(&self) -> bool {
        !self.at_work.is_empty()
    }

    /// Tells all threads that no more input will come.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Waits until all have ended, or until `deadline`: who has not is abandoned.
    pub fn wait(&mut self, deadline: Instant) -> Vec<Ended> {
        let mut all = Vec::new();
        while self.is_at_work() {
            match self.next_ended(deadline.saturating_duration_since(Instant::now())) {
                Some(ended) => all.push(ended),
                None => break,
            }
        }
        let abandoned =
            |name| Ended { name, status: EndStatus::Abandoned, reason: Some("did not end in time".into()) };
        all.extend(self.at_work.drain(..).map(abandoned));
        all
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".into())
}
