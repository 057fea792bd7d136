//! Peaks of a contour, and how steeply it rises to them and falls from them.

/// Rises and falls of less than this part of the contour's range are none.
const RELATIVE_THRESHOLD: f64 = 0.1;
/// A peak that follows another without a fall between replaces it if it is higher by this factor.
const HIGHER: f64 = 1.05;
/// Seconds from one value to the next.
const PERIOD: f64 = 0.01;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    High,
    Low,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Extreme {
    kind: Kind,
    at: usize,
    value: f64,
}

/// Means and standard deviations of slopes, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slopes {
    pub rising: (f64, f64),
    pub falling: (f64, f64),
}

/// How many peaks a contour has.
pub(super) fn count(contour: &[f64]) -> usize {
    extremes(contour).iter().filter(|extreme| extreme.kind == Kind::High).count()
}

/// The slopes of a contour from low to high and from high to low.
pub(super) fn slopes(contour: &[f64]) -> Slopes {
    let (Some(&first), Some(&end)) = (contour.first(), contour.last()) else { return Slopes::default() };
    let extremes = extremes(contour);
    let (mut rising, mut falling) = (Vec::new(), Vec::new());
    // The contour's first value counts as a high and a low.
    let (mut high, mut low) = ((0, first), (0, first));
    for extreme in &extremes {
        let here = (extreme.at, extreme.value);
        match extreme.kind {
            Kind::High => {
                rising.push(steepness(low, here));
                high = here;
            }
            Kind::Low => {
                falling.push(-steepness(high, here));
                low = here;
            }
        }
    }
    // The slope after the last extreme is in the means and not in the sums of the deviations; what falls after
    // a high counts as negative there. Both are the reference's.
    let last = (contour.len() - 1, end);
    let (mut last_rise, mut last_fall) = (None, None);
    match extremes.last().map(|extreme| extreme.kind) {
        Some(Kind::High) => last_fall = Some(steepness(high, last)),
        Some(Kind::Low) => last_rise = Some(steepness(low, last)),
        None if end > first => last_rise = Some((end - first) / contour.len() as f64),
        None if end < first => last_fall = Some((end - first) / contour.len() as f64),
        None => {}
    }
    Slopes { rising: moments(&rising, last_rise), falling: moments(&falling, last_fall) }
}

fn steepness(from: (usize, f64), to: (usize, f64)) -> f64 {
    (to.1 - from.1) / ((to.0 - from.0) as f64 * PERIOD)
}

fn moments(slopes: &[f64], last: Option<f64>) -> (f64, f64) {
    let count = (slopes.len() + usize::from(last.is_some())).max(1) as f64;
    let mean = (slopes.iter().sum::<f64>() + last.unwrap_or(0.0)) / count;
    let squares: f64 = slopes.iter().map(|slope| (slope - mean) * (slope - mean)).sum();
    (mean, (squares / count).sqrt())
}

/// Highs and lows in turn.
fn extremes(contour: &[f64]) -> Vec<Extreme> {
    let Some(&first) = contour.first() else { return Vec::new() };
    let (low, high) = contour.iter().fold((first, first), |(low, high), &x| (low.min(x), high.max(x)));
    let threshold = RELATIVE_THRESHOLD * (high - low);
    let highs = without_small_highs(&all(contour), first, threshold);
    in_turn(&without_small_lows(&highs, first, threshold))
}

/// All extremes but those at the two values at either end.
fn all(contour: &[f64]) -> Vec<Extreme> {
    let inner = 2..contour.len().saturating_sub(2).max(2);
    let extreme = |at: usize| {
        let (before, value, after) = (contour[at - 1], contour[at], contour[at + 1]);
        let kind = match () {
            () if value > before && value > after => Kind::High,
            () if value < before && value < after => Kind::Low,
            () => return None,
        };
        Some(Extreme { kind, at, value })
    };
    inner.filter_map(extreme).collect()
}

/// Drops highs that rise too little over what came before.
fn without_small_highs(extremes: &[Extreme], first: f64, threshold: f64) -> Vec<Extreme> {
    let mut kept = vec![true; extremes.len()];
    let (mut last, mut low, mut high) = (first, first, first);
    let mut last_high: Option<usize> = None;
    let mut fell = false;
    for (i, extreme) in extremes.iter().enumerate() {
        let value = extreme.value;
        let moved = (value - last).abs() >= threshold;
        last = value;
        match extreme.kind {
            Kind::Low if moved => (fell, low) = (true, value),
            Kind::Low => {}
            Kind::High if moved => (fell, high, last_high) = (false, value, Some(i)),
            Kind::High if value - low < threshold => kept[i] = false,
            Kind::High => {
                if value > high * HIGHER {
                    // It takes the place of the one before.
                    if let Some(before) = last_high {
                        kept[before] = false;
                    }
                    (high, last_high) = (value, Some(i));
                } else if fell {
                    (high, last_high) = (value, Some(i));
                } else {
                    kept[i] = false;
                }
                fell = false;
            }
        }
    }
    extremes.iter().zip(kept).filter_map(|(extreme, kept)| kept.then_some(*extreme)).collect()
}

/// Drops lows that fall too little from the high before.
fn without_small_lows(extremes: &[Extreme], first: f64, threshold: f64) -> Vec<Extreme> {
    let mut high = first;
    let deep = |extreme: &&Extreme| match extreme.kind {
        Kind::High => {
            high = extreme.value;
            true
        }
        Kind::Low => high - extreme.value >= threshold,
    };
    extremes.iter().filter(deep).copied().collect()
}

/// Of extremes of one kind in a row, keeps the most extreme.
fn in_turn(extremes: &[Extreme]) -> Vec<Extreme> {
    let mut turns: Vec<Extreme> = Vec::new();
    for extreme in extremes {
        match turns.last_mut() {
            Some(last) if last.kind == extreme.kind => {
                let more = match extreme.kind {
                    Kind::High => extreme.value > last.value,
                    Kind::Low => extreme.value < last.value,
                };
                if more {
                    *last = *extreme;
                }
            }
            _ => turns.push(*extreme),
        }
    }
    turns
}
