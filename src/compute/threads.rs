//! The one pool that layers run on.

use std::str::FromStr;

use crate::{Error, Result};

/// A pool of threads for the work inside layers.
///
/// Layers use the pool that they are called from: wrap the outermost call of a network in [`Threads::run`]. Threads that
/// have nothing to do sleep.
pub struct Threads {
    pool: rayon::ThreadPool,
}

impl Threads {
    /// A pool of `count` threads; zero takes as many as the machine runs at once.
    pub fn new(count: usize) -> Result<Self> {
        Self::placed(&Placement::Anywhere(count))
    }

    /// A pool of threads as `placement` says.
    ///
    /// # Errors
    /// [`Error::Setting`] for processors that this process may not use.
    pub fn placed(placement: &Placement) -> Result<Self> {
        let count = placement.count();
        let builder = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("compute-{index}"));
        let builder = match placement {
            Placement::Anywhere(_) => builder,
            Placement::On(processors) => {
                let usable = core_affinity::get_core_ids().unwrap_or_default();
                let ids = processors.iter().map(|&wanted| {
                    usable.iter().copied().find(|id| id.id == wanted).ok_or_else(|| {
                        let usable: Vec<String> = usable.iter().map(|id| id.id.to_string()).collect();
                        Error::Setting(format!(
                            "processor {wanted} cannot be used by this process; there are {}",
                            usable.join(", ")
                        ))
                    })
                });
                let ids = ids.collect::<Result<Vec<_>>>()?;
                builder.start_handler(move |index| {
                    // A thread that stays free does the same work.
                    core_affinity::set_for_current(ids[index]);
                })
            }
        };
        let pool = builder
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

/// How many threads there are, and where they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// So many, wherever the system puts them.
    Anywhere(usize),
    /// One on each of these processors, by their numbers, and nowhere else.
    On(Vec<usize>),
}

impl Placement {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            Self::Anywhere(count) => *count,
            Self::On(processors) => processors.len(),
        }
    }
}

impl FromStr for Placement {
    type Err = String;

    /// A number of threads, `4`, or processors, `cpu0-3,6`.
    fn from_str(text: &str) -> Result<Self, String> {
        /// Processors of the largest machines.
        const MOST: usize = 4096;
        let wrong = || "give a number of threads (4) or the processors to run on (cpu0-3,6)".to_owned();
        let number =
            |text: &str| text.parse::<usize>().ok().filter(|&number| number < MOST).ok_or_else(wrong);
        let Some(list) = text.strip_prefix("cpu") else {
            return number(text)
                .and_then(|count| if count > 0 { Ok(Self::Anywhere(count)) } else { Err(wrong()) });
        };
        let mut processors = Vec::new();
        for part in list.split(',') {
            match part.split_once('-') {
                Some((first, last)) => processors.extend(number(first)?..=number(last)?),
                None => processors.push(number(part)?),
            }
        }
        let mut once = processors.clone();
        once.sort_unstable();
        once.dedup();
        if processors.is_empty() || once.len() < processors.len() {
            return Err(wrong());
        }
        Ok(Self::On(processors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_are_numbers_of_threads_or_lists_of_processors() {
        assert_eq!("4".parse(), Ok(Placement::Anywhere(4)));
        assert_eq!("cpu2".parse(), Ok(Placement::On(vec![2])));
        assert_eq!("cpu0-2,6".parse(), Ok(Placement::On(vec![0, 1, 2, 6])));
        for wrong in ["", "0", "-1", "cpu", "cpu1,1", "cpu3-1", "cpu0-", "cpu0-99999", "two"] {
            assert!(wrong.parse::<Placement>().is_err(), "{wrong}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "there are no processors to stay on")]
    fn threads_stay_on_their_processors() {
        let Some(usable) = core_affinity::get_core_ids() else {
            return println!("skipped: this system does not tell which processors there are");
        };
        let last = usable.last().map_or(0, |id| id.id);
        let threads = Threads::placed(&Placement::On(vec![last])).unwrap();
        let seen = threads.run(core_affinity::get_core_ids).unwrap();
        assert_eq!(seen.iter().map(|id| id.id).collect::<Vec<_>>(), [last]);
        assert!(Threads::placed(&Placement::On(vec![4000])).is_err());
    }
}
