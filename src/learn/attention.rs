//! Frames of a clip, weighed by how much they tell, and a linear head on their mean and deviation, learnt together.
//!
//! Attentive statistics pooling (Okabe, Koshinaka and Shinoda, Interspeech 2018, equations 3 to 6) with a linear score, on a
//! mix of layers as in [`LayerMix`](super::LayerMix). Frames are `[frames, layers, width]`. With a query of zeros, from which
//! learning begins, it is the plain mean and standard deviation.

use super::blocks::sum_over_rows;
use super::class_weights::ClassWeights;
use super::classifier::Classifier;
use super::dataset::Dataset;
use super::lbfgs::{Lbfgs, Minimum};
use super::standardise::Moments;
use super::vector::{add_scaled, dot, softmax};
use crate::{Error, Result};

/// Clips whose gradient is summed by one thread.
const BLOCK_CLIPS: usize = 16;
/// Keeps the slope of a deviation of 0 finite.
const LEAST_VARIANCE: f64 = 1e-6;

/// Frames of clips.
#[derive(Debug, Clone)]
pub struct Clips {
    /// Of each clip `[frames, width]`.
    frames: Vec<Vec<f32>>,
    /// Features of a frame: of all layers together.
    width: usize,
}

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionOptions {
    /// Number of layers, whose features follow one another in every frame.
    pub layers: usize,
    /// How much errors cost beside the weights of the head and of the query, as in logistic regression.
    pub c: f64,
    /// How much clips of each class count.
    pub class_weights: ClassWeights,
    /// When to end.
    pub solver: Lbfgs,
}

impl AttentionOptions {
    /// The usual options for this number of layers.
    pub fn of(layers: usize) -> Self {
        let solver = Lbfgs { iterations: 60, ..Lbfgs::default() };
        Self { layers, c: 1.0, class_weights: ClassWeights::Balanced, solver }
    }
}

/// A fitted pooling with its head.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// Features of one layer.
    pub(super) width: usize,
    /// `[layers]`, whose softmax weights the layers.
    pub(super) scores: Vec<f64>,
    /// `[width]`: the inner product with a frame is what it counts, before the softmax over frames.
    pub(super) query: Vec<f64>,
    /// `[classes, 2 * width]`, of the means, then of the deviations.
    pub(super) weights: Vec<f64>,
    /// `[classes]`.
    pub(super) intercepts: Vec<f64>,
}

impl Clips {
    /// Clips of frames so wide.
    ///
    /// # Errors
    /// [`Error::Setting`] where a clip has no frame, or not whole ones.
    pub fn new(frames: Vec<Vec<f32>>, width: usize) -> Result<Self> {
        let whole = |clip: &Vec<f32>| !clip.is_empty() && clip.len().is_multiple_of(width);
        if width == 0 || !frames.iter().all(whole) {
            return Err(Error::Setting(format!(
                "a clip has no frame, or not whole frames of {width} values"
            )));
        }
        Ok(Self { frames, width })
    }

    /// The frames of a clip.
    pub fn frames(&self, clip: usize) -> &[f32] {
        &self.frames[clip]
    }

    /// The moments of all frames of `clips`.
    pub fn moments(&self, clips: &[usize]) -> Moments {
        let rows = clips.iter().flat_map(|&clip| self.frames[clip].chunks_exact(self.width));
        Moments::of(self.width, rows)
    }
}

/// What a clip becomes on its way to the classes.
struct Trace {
    /// `[layers, ..]` of every frame, standardised.
    frames: Vec<f32>,
    /// The mix of the layers, `[frames, width]`.
    mixed: Vec<f64>,
    /// What each frame counts; their sum is 1.
    shares: Vec<f64>,
    /// `[2 * width]`.
    pooled: Vec<f64>,
}

impl Attention {
    /// Fits to clips, whose frames are standardised by `moments`. Each row of `dataset` is a clip: its one feature is the
    /// clip's number in `clips`.
    ///
    /// # Errors
    /// [`Error::Setting`] where C is not positive, frames are not of so many layers, there are not two classes, or one has no
    /// example.
    pub fn fit(
        clips: &Clips,
        dataset: &Dataset,
        moments: &Moments,
        options: &AttentionOptions,
    ) -> Result<Self> {
        Ok(Self::fit_to_the_end(clips, dataset, moments, options)?.0)
    }

    /// The same with what the solver found.
    ///
    /// # Errors
    /// As [`Attention::fit`].
    pub fn fit_to_the_end(
        clips: &Clips,
        dataset: &Dataset,
        moments: &Moments,
        options: &AttentionOptions,
    ) -> Result<(Self, Minimum)> {
        if !(options.c > 0.0 && options.c.is_finite()) {
            return Err(Error::Setting(format!("C is {}; it must be a positive number", options.c)));
        }
        if options.layers == 0 || !clips.width.is_multiple_of(options.layers) {
            return Err(Error::Setting(format!(
                "frames of {} values are not those of {} layers",
                clips.width, options.layers
            )));
        }
        let class_weights = options.class_weights.of(dataset)?;
        let whole: f64 = dataset.labels().iter().map(|&label| class_weights[label]).sum();
        let (layers, width, classes) = (options.layers, clips.width / options.layers, dataset.classes());
        let penalty = 1.0 / (options.c * whole);
        let penalised = layers..layers + width + classes * 2 * width;
        let objective = |parameters: &[f64]| {
            let attention = Self::of_parameters(parameters, layers, width, classes);
            let (mut loss, mut gradient) = attention.loss(clips, dataset, moments, &class_weights);
            loss /= whole;
            gradient.iter_mut().for_each(|value| *value /= whole);
            let weights = &parameters[penalised.clone()];
            add_scaled(&mut gradient[penalised.clone()], penalty, weights);
            (loss + penalty / 2.0 * dot(weights, weights), gradient)
        };
        let minimum = options.solver.minimise(vec![0.0; penalised.end + classes], objective);
        Ok((Self::of_parameters(&minimum.point, layers, width, classes), minimum))
    }

    fn of_parameters(parameters: &[f64], layers: usize, width: usize, classes: usize) -> Self {
        let (scores, rest) = parameters.split_at(layers);
        let (query, rest) = rest.split_at(width);
        let (weights, intercepts) = rest.split_at(classes * 2 * width);
        Self {
            width,
            scores: scores.to_vec(),
            query: query.to_vec(),
            weights: weights.to_vec(),
            intercepts: intercepts.to_vec(),
        }
    }

    fn layer_weights(&self) -> Vec<f64> {
        let mut weights = self.scores.clone();
        softmax(&mut weights);
        weights
    }

    fn trace(&self, frames: Vec<f32>) -> Trace {
        let layer_weights = self.layer_weights();
        let mut mixed = vec![0.0; frames.len() / layer_weights.len()];
        let of_frames =
            frames.chunks_exact(self.width * layer_weights.len()).zip(mixed.chunks_exact_mut(self.width));
        for (frame, mixed) in of_frames {
            for (layer, weight) in frame.chunks_exact(self.width).zip(&layer_weights) {
                add_scaled(mixed, *weight, layer);
            }
        }
        let mut shares: Vec<f64> =
            mixed.chunks_exact(self.width).map(|frame| dot(frame, &self.query)).collect();
        softmax(&mut shares);
        let (mut means, mut squares) = (vec![0.0; self.width], vec![0.0; self.width]);
        for (frame, share) in mixed.chunks_exact(self.width).zip(&shares) {
            for ((mean, square), x) in means.iter_mut().zip(&mut squares).zip(frame) {
                *mean += share * x;
                *square += share * x * x;
            }
        }
        let deviation = |(square, mean): (f64, &f64)| (square - mean * mean).max(0.0).sqrt();
        let deviations: Vec<f64> = squares
            .into_iter()
            .zip(&means)
            .map(|(square, mean)| deviation((square + LEAST_VARIANCE, mean)))
            .collect();
        means.extend(deviations);
        Trace { frames, mixed, shares, pooled: means }
    }

    fn head(&self, pooled: &[f64]) -> Vec<f64> {
        let rows = self.weights.chunks_exact(2 * self.width).zip(&self.intercepts);
        rows.map(|(weights, intercept)| dot(pooled, weights) + intercept).collect()
    }

    /// The sum of the weighted losses of all clips and its gradient by scores, query, weights and intercepts.
    fn loss(
        &self,
        clips: &Clips,
        dataset: &Dataset,
        moments: &Moments,
        class_weights: &[f64],
    ) -> (f64, Vec<f64>) {
        let length = self.scores.len() + self.width + self.weights.len() + self.intercepts.len();
        let layer_weights = self.layer_weights();
        sum_over_rows(dataset.rows(), BLOCK_CLIPS, length, |rows, gradient: &mut [f64]| {
            let clip_loss = |row: usize| {
                let mut frames = clips.frames(dataset.row(row)[0] as usize).to_vec();
                frames.chunks_exact_mut(clips.width).for_each(|frame| moments.apply(frame));
                let trace = self.trace(frames);
                let label = dataset.labels()[row];
                let mut errors = self.head(&trace.pooled);
                let own = errors[label];
                let whole = softmax(&mut errors);
                errors[label] -= 1.0;
                errors.iter_mut().for_each(|error| *error *= class_weights[label]);
                self.back(&trace, &errors, &layer_weights, gradient);
                class_weights[label] * (whole - own)
            };
            rows.map(clip_loss).sum()
        })
    }

    /// Adds the gradient of one clip, of whose logits it is `errors`.
    fn back(&self, trace: &Trace, errors: &[f64], layer_weights: &[f64], gradient: &mut [f64]) {
        let (layers, width) = (self.scores.len(), self.width);
        let (by_score, rest) = gradient.split_at_mut(layers);
        let (by_query, rest) = rest.split_at_mut(width);
        let (by_weight, by_intercept) = rest.split_at_mut(self.weights.len());
        let mut by_pooled = vec![0.0; 2 * width];
        for (class, &error) in errors.iter().enumerate() {
            add_scaled(&mut by_weight[class * 2 * width..][..2 * width], error, &trace.pooled);
            add_scaled(&mut by_pooled, error, &self.weights[class * 2 * width..][..2 * width]);
            by_intercept[class] += error;
        }
        // Of a deviation s = sqrt(v) with v = sum of shares x^2 - m^2.
        let (by_mean, by_deviation) = by_pooled.split_at_mut(width);
        let (means, deviations) = trace.pooled.split_at(width);
        for ((by_deviation, deviation), (by_mean, mean)) in
            by_deviation.iter_mut().zip(deviations).zip(by_mean.iter_mut().zip(means))
        {
            *by_deviation /= 2.0 * deviation.max(f64::MIN_POSITIVE);
            *by_mean -= 2.0 * mean * *by_deviation;
        }
        let by_share = |frame: &[f64]| -> f64 {
            let terms = frame.iter().zip(by_mean.iter().zip(by_deviation.iter()));
            terms.map(|(x, (mean, square))| x * mean + x * x * square).sum()
        };
        let slopes: Vec<f64> = trace.mixed.chunks_exact(width).map(by_share).collect();
        let centre = dot(&slopes, &trace.shares);
        let mut by_layer = vec![0.0; layers];
        let frames = trace.mixed.chunks_exact(width).zip(trace.frames.chunks_exact(layers * width));
        for ((frame, inputs), (slope, &share)) in frames.zip(slopes.iter().zip(&trace.shares)) {
            let by_score_of_frame = share * (slope - centre);
            add_scaled(by_query, by_score_of_frame, frame);
            let terms = frame.iter().zip(by_mean.iter().zip(by_deviation.iter())).zip(&self.query);
            let by_frame: Vec<f64> = terms
                .map(|((x, (mean, square)), query)| {
                    share * (mean + 2.0 * x * square) + by_score_of_frame * query
                })
                .collect();
            for (sum, layer) in by_layer.iter_mut().zip(inputs.chunks_exact(width)) {
                *sum += dot(layer, &by_frame);
            }
        }
        let mean = dot(&by_layer, layer_weights);
        for ((sum, slope), weight) in by_score.iter_mut().zip(&by_layer).zip(layer_weights) {
            *sum += weight * (slope - mean);
        }
    }
}

impl Classifier for Attention {
    /// Features of a frame: of all layers together.
    fn width(&self) -> usize {
        self.width * self.scores.len()
    }

    fn classes(&self) -> usize {
        self.intercepts.len()
    }

    /// Of the frames of a clip, `[frames, layers, width]`, one at least.
    fn logits(&self, frames: &[f32]) -> Vec<f64> {
        self.head(&self.trace(frames.to_vec()).pooled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::{examples, normal};

    /// Clips of two layers of two values and from 5 to 9 frames. Of every clip one frame, the only one whose second value is
    /// large, has the sign of its class in the first; the others have a sign at random.
    fn clips(count: usize) -> (Clips, Dataset) {
        let mut random = fastrand::Rng::with_seed(4);
        let mut frames = Vec::new();
        for clip in 0..count {
            let length = random.usize(5..10);
            let told = random.usize(..length);
            let frame = |at: usize| {
                let sign = if at == told { clip % 2 == 0 } else { at.is_multiple_of(2) };
                let first = if sign { 1.0 } else { -1.0 };
                let second = if at == told { 3.0 } else { 0.0 };
                [first, second, 0.3, -0.2]
            };
            let mut all: Vec<f32> = (0..length).flat_map(frame).collect();
            all.iter_mut().for_each(|value| *value += 0.05 * normal(&mut random) as f32);
            frames.push(all);
        }
        let rows: Vec<(usize, &str, &str)> = (0..count).map(|clip| (clip % 2, "a", "hi")).collect();
        let numbers = (0..count).map(|clip| clip as f32).collect();
        (Clips::new(frames, 4).unwrap(), Dataset::new(numbers, 1, 2, examples(&rows)).unwrap())
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (clips, dataset) = clips(6);
        let moments = clips.moments(&[0, 1, 2, 3, 4, 5]);
        let weights = [1.5, 0.5];
        let mut random = fastrand::Rng::with_seed(7);
        let length = 2 + 2 + 2 * 4 + 2;
        let at: Vec<f64> = (0..length).map(|_| random.f64() - 0.5).collect();
        let loss =
            |at: &[f64]| Attention::of_parameters(at, 2, 2, 2).loss(&clips, &dataset, &moments, &weights);
        let gradient = loss(&at).1;
        for (entry, slope) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut at = at.clone();
                at[entry] += by;
                loss(&at).0
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - difference).abs() < 1e-6, "parameter {entry}: {slope} is not {difference}");
        }
    }

    #[test]
    fn it_finds_the_frame_that_tells() {
        let (clips, dataset) = clips(80);
        let (train, test): (Vec<usize>, Vec<usize>) = (0..80).partition(|clip| clip % 8 < 6);
        let moments = clips.moments(&train);
        let options = AttentionOptions { c: 10.0, ..AttentionOptions::of(2) };
        let fitted = Attention::fit(&clips, &dataset.subset(&train).unwrap(), &moments, &options).unwrap();
        let right = |&&clip: &&usize| {
            let mut frames = clips.frames(clip).to_vec();
            frames.chunks_exact_mut(4).for_each(|frame| moments.apply(frame));
            let logits = fitted.logits(&frames);
            usize::from(logits[1] > logits[0]) == clip % 2
        };
        assert_eq!(test.iter().filter(right).count(), test.len());
        assert!(
            fitted.query[1] > 0.1,
            "what marks the frame is what the query looks for: {:?}",
            fitted.query
        );
    }

    #[test]
    fn the_same_bytes_with_any_number_of_threads() {
        let (clips, dataset) = clips(40);
        let moments = clips.moments(&(0..40).collect::<Vec<_>>());
        let fitted = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Attention::fit(&clips, &dataset, &moments, &AttentionOptions::of(2)).unwrap())
        };
        assert_eq!(fitted(1), fitted(3));
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let (clips, dataset) = clips(10);
        let moments = clips.moments(&[0]);
        for options in [AttentionOptions::of(3), AttentionOptions { c: 0.0, ..AttentionOptions::of(2) }] {
            assert!(Attention::fit(&clips, &dataset, &moments, &options).is_err());
        }
        assert!(Clips::new(vec![vec![0.0; 3]], 2).is_err() && Clips::new(vec![vec![]], 2).is_err());
    }
}
