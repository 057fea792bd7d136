//! Stopping when the user asks.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Exit;
use crate::asr::{Observer, Segment};
use crate::time::SampleIndex;
use crate::{Error, Result};

/// Whether the user has asked to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A stop that Ctrl-C, SIGTERM and SIGHUP ask for. The second of them ends the process at once.
    ///
    /// # Errors
    /// [`Error::Setting`] where the process handles signals already.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let asked = stop.clone();
        let handler = move || {
            if asked.request() {
                #[cfg(feature = "view")]
                crate::output::view::restore();
                std::process::exit(Exit::Interrupted.code().into());
            }
            let _ = writeln!(std::io::stderr(), "\nstopping; once more stops at once");
        };
        ctrlc::set_handler(handler)
            .map_err(|error| Error::Setting(format!("cannot handle signals: {error}")))?;
        Ok(stop)
    }

    /// Asks to stop; returns whether that had been asked before.
    pub fn request(&self) -> bool {
        self.0.swap(true, Ordering::SeqCst)
    }

    /// What is true once it was asked for.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether to stop.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Hears of recognition nothing but whether it is to stop.
pub struct UntilStopped<'a>(pub &'a Stop);

impl Observer for UntilStopped<'_> {
    fn segment(&mut self, _: &Segment) {}
    fn progress(&mut self, _: SampleIndex) {}
    fn warn(&mut self, _: &str) {}
    fn stopped(&self) -> bool {
        self.0.is_requested()
    }
}
