//! The one pool that layers run on.

use crate::{Error, Result};

/// A pool of threads for the work inside layers.
///
/// Layers use the pool that they are called from: wrap the outermost call of a network in [`Threads::run`].
pub struct Threads {
    pool: rayon::ThreadPool,
}

impl Threads {
    /// A pool of `count` threads; zero takes as many as the machine runs at once.
    pub fn new(count: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("compute-{index}"))
            .build()
            .map_err(|error| Error::Setting(format!("cannot start {count} compute threads: {error}")))?;
        Ok(Self { pool })
    }

    /// Runs `work` with this pool as the one that layers use.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }
}
