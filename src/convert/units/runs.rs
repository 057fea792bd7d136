//! Equal neighbours as one, with how long they last.

/// A unit and the frames that have it, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The unit.
    pub unit: u32,
    /// Its first frame.
    pub start: usize,
    /// How many.
    pub frames: usize,
}

impl Run {
    /// The frame after its last.
    pub fn end(self) -> usize {
        self.start + self.frames
    }
}

/// The runs of `units`.
pub fn collapse(units: &[u32]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (start, &unit) in units.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.unit == unit => run.frames += 1,
            _ => runs.push(Run { unit, start, frames: 1 }),
        }
    }
    runs
}

/// The units of `runs`, frame by frame: what [`collapse`] was given.
pub fn expand(runs: &[Run]) -> Vec<u32> {
    runs.iter().flat_map(|run| std::iter::repeat_n(run.unit, run.frames)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_neighbours_are_one_run() {
        let runs = collapse(&[7, 7, 2, 7]);
        let run = |unit, start, frames| Run { unit, start, frames };
        assert_eq!(runs, [run(7, 0, 2), run(2, 2, 1), run(7, 3, 1)]);
        assert_eq!(runs[0].end(), 2);
        assert!(collapse(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost(units in proptest::collection::vec(0u32..3, 0..60)) {
            let runs = collapse(&units);
            prop_assert_eq!(expand(&runs), units);
            prop_assert!(runs.windows(2).all(|pair| pair[0].unit != pair[1].unit && pair[0].end() == pair[1].start));
        }
    }
}
