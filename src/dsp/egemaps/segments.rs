//! Stretches with and without voice.

/// Values that a stretch lasts before it counts.
const SHORTEST: usize = 3;
/// Values of the other kind that end a stretch.
const GAP: usize = 2;
/// Stretches counted at most, as in the reference.
const MOST: usize = 1000;
/// Seconds from one value to the next.
const PERIOD: f64 = 0.01;

/// Stretches of a contour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Segments {
    pub count: usize,
    /// Mean of the lengths, in seconds.
    pub mean: f64,
    /// Standard deviation of the lengths, in seconds.
    pub deviation: f64,
}

enum State {
    Outside,
    /// It began, and may be too short yet.
    Begun {
        start: usize,
        inside: usize,
        outside: usize,
    },
    Inside {
        start: usize,
        outside: usize,
    },
}

impl Segments {
    /// The stretches of values that `belongs` holds for.
    pub(super) fn of(contour: &[f64], belongs: impl Fn(f64) -> bool) -> Self {
        let lengths = lengths(contour, belongs);
        let count = lengths.len();
        let mean = lengths.iter().sum::<f64>() / count.max(1) as f64;
        let squares: f64 = lengths.iter().map(|length| (length - mean) * (length - mean)).sum();
        let deviation = (squares / count.max(1) as f64).sqrt();
        Self { count, mean: mean * PERIOD, deviation: deviation * PERIOD }
    }
}

/// From the first to the last value of every stretch: one less than it has values.
fn lengths(contour: &[f64], belongs: impl Fn(f64) -> bool) -> Vec<f64> {
    let mut lengths = Vec::new();
    let mut state = State::Outside;
    for (i, &value) in contour.iter().enumerate() {
        state = match (state, belongs(value)) {
            (State::Outside, false) => State::Outside,
            (State::Outside, true) => State::Begun { start: i, inside: 1, outside: 0 },
            (State::Begun { start, inside, .. }, true) if inside + 1 >= SHORTEST => {
                State::Inside { start, outside: 0 }
            }
            (State::Begun { start, inside, .. }, true) => {
                State::Begun { start, inside: inside + 1, outside: 0 }
            }
            (State::Begun { outside, .. }, false) if outside + 1 >= GAP => State::Outside,
            (State::Begun { start, inside, outside }, false) => {
                State::Begun { start, inside, outside: outside + 1 }
            }
            (State::Inside { start, .. }, true) => State::Inside { start, outside: 0 },
            (State::Inside { start, outside }, false) if outside + 1 >= GAP => {
                lengths.push((i - GAP - start) as f64);
                State::Outside
            }
            (State::Inside { start, outside }, false) => State::Inside { start, outside: outside + 1 },
        };
    }
    if let State::Inside { start, outside } = state {
        lengths.push((contour.len() - 1 - outside - start) as f64);
    }
    lengths.truncate(MOST);
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_stretches_and_short_gaps_do_not_count() {
        struct Case {
            contour: &'static [u8],
            lengths: &'static [f64],
        }
        let cases = [
            Case { contour: b"", lengths: &[] },
            Case { contour: b"..xx..", lengths: &[] },
            Case { contour: b"..xxx..", lengths: &[2.0] },
            Case { contour: b"xxx.xxx..xxxx", lengths: &[6.0, 3.0] },
            Case { contour: b"x.x.x", lengths: &[4.0] },
            Case { contour: b"xxxx.", lengths: &[3.0] },
        ];
        for case in cases {
            let contour: Vec<f64> = case.contour.iter().map(|&c| if c == b'x' { 1.0 } else { 0.0 }).collect();
            assert_eq!(lengths(&contour, |x| x != 0.0), case.lengths, "{:?}", case.contour);
        }
    }
}
