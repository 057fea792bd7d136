//! Triangular filters that sum the bins of a power spectrum to mel bands, as the tools make them that networks were trained
//! with.

/// Hertz above which Slaney's scale turns from linear to logarithmic.
const BREAK_HERTZ: f64 = 1000.0;
/// Hertz of one mel in the linear part.
const LINEAR_STEP: f64 = 200.0 / 3.0;

/// A mel filter: the weights of a run of bins.
struct Filter {
    first_bin: usize,
    weights: Vec<f32>,
}

/// The filters of a spectrogram.
pub struct MelFilters(Vec<Filter>);

/// The bins of a transform: how many samples it takes, and of how many a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bins {
    /// Samples of the transform, an even number.
    pub fft: usize,
    /// Samples a second.
    pub rate: f64,
}

impl Bins {
    /// Bins from 0 to half the rate, both included.
    fn count(self) -> usize {
        self.fft / 2 + 1
    }

    fn hertz(self, bin: usize) -> f64 {
        self.rate * bin as f64 / self.fft as f64
    }

    fn top(self) -> f64 {
        self.rate / 2.0
    }
}

impl MelFilters {
    /// Filters from 0 to half the rate on Slaney's mel scale, each of unit area, as `librosa.filters.mel` makes them.
    pub fn slaney(mels: usize, bins: Bins) -> Self {
        Self::slaney_over(mels, bins, (0.0, bins.top()))
    }

    /// The same over `range` of hertz.
    pub fn slaney_over(mels: usize, bins: Bins, range: (f64, f64)) -> Self {
        let edge = edges(mels, range, slaney_mel, slaney_hertz);
        Self::new(mels, bins, |mel, hertz| {
            let (low, centre, high) = (edge(mel), edge(mel + 1), edge(mel + 2));
            triangle(hertz, low, centre, high) * 2.0 / (high - low)
        })
    }

    /// Filters over `range` of hertz on the mel scale of HTK, each of unit height: torchaudio's `melscale_fbanks`.
    pub fn htk(mels: usize, bins: Bins, range: (f64, f64)) -> Self {
        let edge = edges(mels, range, htk_mel, htk_hertz);
        Self::new(mels, bins, |mel, hertz| triangle(hertz, edge(mel), edge(mel + 1), edge(mel + 2)))
    }

    /// The same from 0 to half the rate, but as wide above their centres as below: SpeechBrain's `Filterbank`.
    pub fn symmetric(mels: usize, bins: Bins) -> Self {
        let edge = edges(mels, (0.0, bins.top()), htk_mel, htk_hertz);
        Self::new(mels, bins, |mel, hertz| {
            let (low, centre) = (edge(mel), edge(mel + 1));
            1.0 - ((hertz - centre) / (centre - low)).abs()
        })
    }

    /// Filters over `range` of hertz that are triangles in mels, not in hertz, and leave the last bin out: Kaldi's `MelBanks`.
    pub fn kaldi(mels: usize, bins: Bins, range: (f64, f64)) -> Self {
        let (low, high) = (kaldi_mel(range.0), kaldi_mel(range.1));
        let edge = |index: usize| low + (high - low) * index as f64 / (mels + 1) as f64;
        Self::new(mels, bins, |mel, hertz| match hertz < bins.top() {
            true => triangle(kaldi_mel(hertz), edge(mel), edge(mel + 1), edge(mel + 2)),
            false => 0.0,
        })
    }

    /// Filters of `weight` by band and hertz, where it is above zero.
    fn new(mels: usize, bins: Bins, weight: impl Fn(usize, f64) -> f64) -> Self {
        let filter = |mel: usize| {
            let weight = |bin: usize| weight(mel, bins.hertz(bin)) as f32;
            let first_bin = (0..bins.count()).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
            let weights = (first_bin..bins.count()).map(weight).take_while(|&weight| weight > 0.0).collect();
            Filter { first_bin, weights }
        };
        Self((0..mels).map(filter).collect())
    }

    /// Number of mel bands.
    pub fn mels(&self) -> usize {
        self.0.len()
    }

    /// Adds to each of `bins` what each of `bands` counts by it: the sums of [`energies`](Self::energies) the other way round, as
    /// their slopes need.
    pub fn spread(&self, bands: &[f32], bins: &mut [f32]) {
        for (filter, band) in self.0.iter().zip(bands) {
            let bins = &mut bins[filter.first_bin..];
            filter.weights.iter().zip(bins).for_each(|(weight, bin)| *bin += weight * band);
        }
    }

    /// The energy in each band of a power spectrum.
    pub fn energies<'a>(&'a self, power: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        self.0.iter().map(|filter| {
            let bins = &power[filter.first_bin..];
            filter.weights.iter().zip(bins).map(|(weight, power)| weight * power).sum()
        })
    }
}

/// The `mels + 2` edges of filters over `range`, evenly spaced on a scale, in hertz.
fn edges(
    mels: usize,
    range: (f64, f64),
    to_mel: impl Fn(f64) -> f64,
    to_hertz: impl Fn(f64) -> f64,
) -> impl Fn(usize) -> f64 {
    let (low, high) = (to_mel(range.0), to_mel(range.1));
    move |index| to_hertz(low + (high - low) * index as f64 / (mels + 1) as f64)
}

/// What a triangle of height 1 has at `x`, below zero outside.
fn triangle(x: f64, low: f64, centre: f64, high: f64) -> f64 {
    ((x - low) / (centre - low)).min((high - x) / (high - centre))
}

/// Mels of one e-fold in the logarithmic part of Slaney's scale: 27 a factor of 6.4.
fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

pub(super) fn slaney_mel(hertz: f64) -> f64 {
    if hertz < BREAK_HERTZ {
        return hertz / LINEAR_STEP;
    }
    BREAK_HERTZ / LINEAR_STEP + (hertz / BREAK_HERTZ).ln() / log_step()
}

pub(super) fn slaney_hertz(mel: f64) -> f64 {
    let break_mel = BREAK_HERTZ / LINEAR_STEP;
    if mel < break_mel {
        return mel * LINEAR_STEP;
    }
    BREAK_HERTZ * ((mel - break_mel) * log_step()).exp()
}

fn htk_mel(hertz: f64) -> f64 {
    2595.0 * (1.0 + hertz / 700.0).log10()
}

fn htk_hertz(mel: f64) -> f64 {
    700.0 * (10f64.powf(mel / 2595.0) - 1.0)
}

fn kaldi_mel(hertz: f64) -> f64 {
    1127.0 * (1.0 + hertz / 700.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINS: Bins = Bins { fft: 512, rate: 16_000.0 };

    #[test]
    fn a_tone_is_strongest_in_the_band_that_has_it() {
        let kinds = [
            ("slaney", MelFilters::slaney(40, BINS)),
            ("htk", MelFilters::htk(40, BINS, (20.0, 7600.0))),
            ("symmetric", MelFilters::symmetric(40, BINS)),
            ("kaldi", MelFilters::kaldi(40, BINS, (20.0, 8000.0))),
        ];
        for (kind, filters) in kinds {
            assert_eq!(filters.mels(), 40, "{kind}");
            let band = |bin: usize| {
                let mut power = [0.0; 257];
                power[bin] = 1.0;
                let energies: Vec<f32> = filters.energies(&power).collect();
                (0..40).max_by(|&a, &b| energies[a].total_cmp(&energies[b])).unwrap()
            };
            let bands: Vec<usize> = (4..240).map(band).collect();
            assert!(bands.is_sorted() && bands[0] < 4 && bands[235] > 36, "{kind}: {bands:?}");
        }
    }

    #[test]
    fn filters_of_unit_height_sum_to_one() {
        for filters in [MelFilters::htk(40, BINS, (0.0, 8000.0)), MelFilters::kaldi(40, BINS, (0.0, 8000.0))]
        {
            for bin in 20..200 {
                let mut power = [0.0; 257];
                power[bin] = 1.0;
                let sum: f32 = filters.energies(&power).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{bin}: {sum}");
            }
        }
    }
}
