//! The path of the pitch through the candidates of all frames, by Viterbi search.

use super::pitch::{CANDIDATES, Candidate, Candidates};

/// A state per candidate, and one for no voice.
const STATES: usize = CANDIDATES + 1;
const UNVOICED: usize = CANDIDATES;
/// Frames after which the oldest is decided though the paths do not meet.
const LAG: usize = 40;
/// Voicing from which on a candidate is voiced.
const VOICED: f64 = 0.7;
const LOCAL_WEIGHT: f64 = 2.0;
const RANGE_WEIGHT: f64 = 1.0;
/// Cost of a voicing on the other side of [`VOICED`] than the state.
const THRESHOLD: f64 = 4.0;
/// Cost of a change of pitch and, because the reference sets one weight from the other, of its change.
const CHANGE_WEIGHT: f64 = 10.0;
const ONSET: f64 = 10.0;
/// What staying without voice costs: the reference means nothing by its weight for it and takes one.
const STAY_UNVOICED: f64 = 1.0;
/// Cost of a candidate that is none.
const NONE: f64 = 999.0;

/// The search, frame by frame.
pub(super) struct PitchPath {
    costs: [f64; STATES],
    /// States of the frames not yet decided, a path for each state of the last frame.
    paths: [Vec<usize>; STATES],
    /// Frames not yet decided.
    pending: Vec<Candidates>,
    /// The change of pitch that was looked at last; the reference compares the next one with it, whichever
    /// states it was between.
    last_change: f64,
    pitch: Vec<f64>,
}

/// The pitch of frames in hertz, 0 without voice: of those decided before the end of the sound, and of one more.
///
/// The end decides the others too, but too late: the reference has begun to describe the voice then, and has the
/// one more only for smoothing. Where nothing was decided before the end, all frames are taken.
pub(super) fn pitch_path(frames: impl Iterator<Item = Candidates>) -> Vec<f64> {
    let mut path = PitchPath {
        costs: [0.0; STATES],
        paths: Default::default(),
        pending: Vec::new(),
        last_change: 1.0,
        pitch: Vec::new(),
    };
    let mut previous = None;
    for frame in frames {
        path.step(previous.as_ref(), &frame);
        path.decide();
        previous = Some(frame);
    }
    path.finish()
}

impl PitchPath {
    fn step(&mut self, previous: Option<&Candidates>, frame: &Candidates) {
        self.pending.push(*frame);
        let Some(previous) = previous else {
            self.costs = std::array::from_fn(|state| local_cost(state, frame));
            self.paths = std::array::from_fn(|state| vec![state]);
            return;
        };
        let mut costs = [0.0; STATES];
        let mut paths: [Vec<usize>; STATES] = Default::default();
        for state in 0..STATES {
            let (from, cost) = self.cheapest(state, previous, frame);
            costs[state] = cost + local_cost(state, frame);
            paths[state] = [self.paths[from].as_slice(), &[state]].concat();
        }
        (self.costs, self.paths) = (costs, paths);
    }

    /// The state from which `state` is reached at the least cost.
    fn cheapest(&mut self, state: usize, previous: &Candidates, frame: &Candidates) -> (usize, f64) {
        let mut best = (0, f64::INFINITY);
        for from in 0..STATES {
            let cost = self.transition_cost(from, state, previous, frame) + self.costs[from];
            if cost < best.1 {
                best = (from, cost);
            }
        }
        best
    }

    fn transition_cost(&mut self, from: usize, to: usize, previous: &Candidates, frame: &Candidates) -> f64 {
        match (from, to) {
            (UNVOICED, UNVOICED) => STAY_UNVOICED,
            (UNVOICED, _) | (_, UNVOICED) => {
                self.last_change = 0.0;
                ONSET
            }
            _ => self.change_cost(previous[from].frequency, frame[to].frequency),
        }
    }

    fn change_cost(&mut self, from: f64, to: f64) -> f64 {
        if from == 0.0 || to == 0.0 {
            return NONE;
        }
        let change = (to / from).ln();
        let cost = CHANGE_WEIGHT * (change.abs() + (change - self.last_change).abs());
        self.last_change = change;
        cost
    }

    /// Decides the frames on which all paths agree, or the oldest where too many wait.
    fn decide(&mut self) {
        if self.pending.len() >= LAG {
            let state = self.paths[self.best()][0];
            return self.output(&[state]);
        }
        let first = &self.paths[0];
        let agreed =
            (0..first.len()).take_while(|&i| self.paths.iter().all(|path| path[i] == first[i])).count();
        let states = first[..agreed].to_vec();
        self.output(&states);
    }

    fn finish(mut self) -> Vec<f64> {
        let mut rest = self.paths[self.best()].clone();
        if !self.pitch.is_empty() {
            rest.truncate(1);
        }
        self.output(&rest);
        self.pitch
    }

    fn best(&self) -> usize {
        (1..STATES).fold(0, |best, state| if self.costs[state] < self.costs[best] { state } else { best })
    }

    fn output(&mut self, states: &[usize]) {
        for (state, frame) in states.iter().zip(self.pending.drain(..states.len())) {
            self.pitch.push(frame.get(*state).map_or(0.0, |candidate| candidate.frequency));
        }
        for path in &mut self.paths {
            path.drain(..states.len());
        }
    }
}

fn local_cost(state: usize, frame: &Candidates) -> f64 {
    match frame.get(state) {
        Some(candidate) => candidate_cost(candidate),
        None if frame.iter().any(|candidate| candidate.voicing >= VOICED) => LOCAL_WEIGHT * THRESHOLD,
        None => 0.0,
    }
}

fn candidate_cost(candidate: &Candidate) -> f64 {
    let voicing = candidate.voicing.clamp(0.01, 1.0);
    let threshold = if voicing < VOICED { THRESHOLD } else { 0.0 };
    LOCAL_WEIGHT * (threshold - voicing.ln()) + RANGE_WEIGHT * range_cost(candidate.frequency)
}

/// Cost of a pitch that voices seldom have.
fn range_cost(frequency: f64) -> f64 {
    match frequency {
        f if f <= 0.0 => 2.0,
        f if f < 100.0 => 1.0 - f / 100.0,
        f if f < 350.0 => 0.0,
        f if f < 600.0 => (f - 350.0) / 250.0,
        _ => 1.2,
    }
}
