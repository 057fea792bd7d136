//! A projection of speaker vectors that keeps the speaker and drops the language (LASPA, arXiv 2506.02083).
//!
//! Two linear branches hear the same frozen features: one gives the speaker's vector, one that of the language. Each attends
//! to the other through a prefix tuner, a cross-attention with learned prefixes before keys and values, and a decoder makes the
//! features again of what both tuners give. Four losses train all of it together: additive-margin softmax of the speaker's
//! vector, the negative log-likelihood of the language from the other, the mean absolute Pearson correlation of both over a
//! batch, and the squared error of the decoder. Afterwards only the speaker's projection is used.
//!
//! The paper reconstructs log-mel frames, which frozen vectors do not have: here the features themselves are reconstructed.
//! Its weights of the losses are not known to this project; each is 1 unless set otherwise. With only the first loss this
//! trains a plain projection ([`LaspaOptions::speaker_alone`]).

mod attention;
mod losses;
mod network;

use candle_core::{Device, Tensor};

use super::adam::Adam;
use super::dataset::Dataset;
use crate::{Error, Result};

use losses::{additive_margin_softmax, correlation, mean_squared_error, negative_log_likelihood};
use network::Network;

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct LaspaOptions {
    /// Values of a vector.
    pub width: usize,
    /// Learned prefixes of a tuner.
    pub prefixes: usize,
    /// Heads of a tuner; they share the width.
    pub heads: usize,
    /// What is taken off the cosine with the right speaker.
    pub margin: f64,
    /// What cosines are multiplied by before the softmax.
    pub scale: f64,
    /// What the losses count.
    pub weights: LossWeights,
    /// AdamW's rate.
    pub rate: f64,
    /// AdamW's decay of weights.
    pub weight_decay: f64,
    /// Examples of a step.
    pub batch: usize,
    /// Passes over the examples.
    pub epochs: usize,
    /// The share of features that is left out of every step, from 0 to below 1.
    pub dropout: f64,
    /// The same seed gives the same projection.
    pub seed: u64,
}

/// What each loss counts; with 0 it is not computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossWeights {
    /// Additive-margin softmax over speakers.
    pub speaker: f64,
    /// Negative log-likelihood of the language.
    pub language: f64,
    /// Mean absolute Pearson correlation.
    pub correlation: f64,
    /// Mean squared error of the features that are made again.
    pub reconstruction: f64,
}

impl Default for LaspaOptions {
    fn default() -> Self {
        let weights = LossWeights { speaker: 1.0, language: 1.0, correlation: 1.0, reconstruction: 1.0 };
        Self {
            width: 192,
            prefixes: 5,
            heads: 4,
            margin: 0.2,
            scale: 30.0,
            weights,
            rate: 1e-3,
            weight_decay: 1e-2,
            batch: 128,
            epochs: 30,
            dropout: 0.2,
            seed: 0,
        }
    }
}

impl LaspaOptions {
    /// Without the branch of the language.
    pub fn speaker_alone() -> Self {
        let weights = LossWeights { speaker: 1.0, language: 0.0, correlation: 0.0, reconstruction: 0.0 };
        Self { weights, ..Self::default() }
    }
}

/// A linear projection.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// `[outputs, inputs]`, row by row.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// How one epoch went: means over its batches.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Losses {
    /// Additive-margin softmax.
    pub speaker: f64,
    /// Negative log-likelihood of the language.
    pub language: f64,
    /// Mean absolute correlation of the two vectors.
    pub correlation: f64,
    /// Squared error.
    pub reconstruction: f64,
}

/// Trains on standardised features whose labels are speakers; languages are those of the examples. `hear` is told of each
/// epoch, counted from 1, and may end the training by an error.
///
/// # Errors
/// [`Error::Setting`] where an option is out of range, there are fewer than two speakers, the language counts and there are
/// fewer than two of them, or the loss is no number any more; that of `hear`.
pub fn train(
    dataset: &Dataset,
    options: &LaspaOptions,
    mut hear: impl FnMut(usize, &Losses) -> Result<()>,
) -> Result<Projection> {
    let (languages, names) = dataset.parts(super::By::Language);
    check(dataset, options, names.len())?;
    let mut random = fastrand::Rng::with_seed(options.seed);
    let network = Network::new(dataset, options, names.len(), &mut random)?;
    let mut adams: Vec<Adam> = network
        .parameters()
        .iter()
        .map(|parameter| Adam::new(parameter.elem_count(), options.rate, options.weight_decay))
        .collect();
    let mut order: Vec<usize> = (0..dataset.rows()).collect();
    for epoch in 1..=options.epochs {
        random.shuffle(&mut order);
        let mut sums = Losses::default();
        // A last batch of one has no correlation; the order is another each time.
        let batches: Vec<&[usize]> = order.chunks(options.batch).filter(|batch| batch.len() > 1).collect();
        for batch in &batches {
            let (loss, losses) = step_loss(&network, dataset, &languages, batch, options, &mut random)?;
            descend(&network, &loss, &mut adams)?;
            sums.add(&losses, 1.0 / batches.len() as f64);
        }
        if ![sums.speaker, sums.language, sums.correlation, sums.reconstruction].iter().all(|x| x.is_finite())
        {
            return Err(Error::Setting(format!(
                "the loss of epoch {epoch} is no number; standardise the features or lower the rate"
            )));
        }
        hear(epoch, &sums)?;
    }
    network.projection()
}

impl Losses {
    fn add(&mut self, other: &Self, share: f64) {
        self.speaker += share * other.speaker;
        self.language += share * other.language;
        self.correlation += share * other.correlation;
        self.reconstruction += share * other.reconstruction;
    }
}

/// The loss of a batch, to be derived, and its parts.
fn step_loss(
    network: &Network,
    dataset: &Dataset,
    languages: &[usize],
    batch: &[usize],
    options: &LaspaOptions,
    random: &mut fastrand::Rng,
) -> Result<(Tensor, Losses)> {
    let LossWeights { speaker, language, correlation: correlated, reconstruction } = options.weights;
    let ids = |of: &[usize]| -> Result<Tensor> {
        let ids: Vec<u32> = batch.iter().map(|&row| of[row] as u32).collect();
        Ok(Tensor::new(ids, &Device::Cpu)?)
    };
    let whole = features(dataset, batch)?;
    let heard = dropped(&whole, options.dropout, random)?;
    let vector = network.speaker(&heard)?;
    let cosines = network.cosines(&vector)?;
    let own = additive_margin_softmax(&cosines, &ids(dataset.labels())?, options.margin, options.scale)?;
    let mut losses = Losses { speaker: value(&own)?, ..Losses::default() };
    let mut sum = (own * speaker)?;
    if language > 0.0 || correlated > 0.0 || reconstruction > 0.0 {
        let other = network.language(&heard)?;
        let parts = [
            (language, negative_log_likelihood(&network.language_logits(&other)?, &ids(languages)?)?),
            (correlated, correlation(&vector, &other)?),
            (reconstruction, mean_squared_error(&network.reconstruct(&vector, &other)?, &whole)?),
        ];
        let [nll, pearson, squares] = &parts;
        losses.language = value(&nll.1)?;
        losses.correlation = value(&pearson.1)?;
        losses.reconstruction = value(&squares.1)?;
        for (weight, loss) in parts {
            sum = (sum + (loss * weight)?)?;
        }
    }
    Ok((sum, losses))
}

fn value(loss: &Tensor) -> Result<f64> {
    Ok(f64::from(loss.to_scalar::<f32>()?))
}

/// Takes a step down the gradient of `loss`.
fn descend(network: &Network, loss: &Tensor, adams: &mut [Adam]) -> Result<()> {
    let gradients = loss.backward()?;
    for (parameter, adam) in network.parameters().iter().zip(adams) {
        // What has no part in the loss has no gradient.
        let Some(gradient) = gradients.get(parameter.as_tensor()) else { continue };
        let doubles = |tensor: &Tensor| -> Result<Vec<f64>> {
            Ok(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
        };
        let mut values = doubles(parameter.as_tensor())?;
        adam.step(&mut values, &doubles(gradient)?);
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        parameter.set(&Tensor::from_vec(values, parameter.shape(), &Device::Cpu)?)?;
    }
    Ok(())
}

/// The features of rows, `[rows, width]`.
fn features(dataset: &Dataset, rows: &[usize]) -> Result<Tensor> {
    let values: Vec<f32> = rows.iter().flat_map(|&row| dataset.row(row)).copied().collect();
    Ok(Tensor::from_vec(values, (rows.len(), dataset.width()), &Device::Cpu)?)
}

/// `x` with a share of its values zero and the others larger for it.
fn dropped(x: &Tensor, share: f64, random: &mut fastrand::Rng) -> Result<Tensor> {
    if share == 0.0 {
        return Ok(x.clone());
    }
    let kept = (1.0 / (1.0 - share)) as f32;
    let mask: Vec<f32> = (0..x.elem_count()).map(|_| if random.f64() < share { 0.0 } else { kept }).collect();
    Ok((x * Tensor::from_vec(mask, x.shape(), &Device::Cpu)?)?)
}

fn check(dataset: &Dataset, options: &LaspaOptions, languages: usize) -> Result<()> {
    let refused = |what: String| Err(Error::Setting(format!("training a projection: {what}")));
    let LaspaOptions { width, prefixes, heads, margin, scale, weights, rate, batch, epochs, dropout, .. } =
        *options;
    let LossWeights { speaker, language, correlation, reconstruction } = weights;
    if dataset.class_counts().iter().filter(|&&count| count > 0).count() < 2 {
        return refused("there must be clips of two speakers at least".into());
    }
    if language > 0.0 && languages < 2 {
        return refused(format!("all clips are in one language ({languages}); give clips in two at least"));
    }
    if width == 0 || heads == 0 || prefixes == 0 || width % heads != 0 {
        return refused(format!("{heads} heads cannot share {width} values, or there is no prefix"));
    }
    if batch < 2 || epochs == 0 {
        return refused("a batch needs two examples, and training an epoch".into());
    }
    if !(rate > 0.0 && rate.is_finite() && scale > 0.0 && scale.is_finite()) {
        return refused(format!("the rate {rate} and the scale {scale} must be positive numbers"));
    }
    if !(options.weight_decay >= 0.0 && (0.0..1.0).contains(&margin) && (0.0..1.0).contains(&dropout)) {
        return refused(
            "margin and dropout must be from 0 to below 1, and the decay of weights not negative".into(),
        );
    }
    if ![speaker, language, correlation, reconstruction].iter().all(|weight| (0.0..=1e6).contains(weight)) {
        return refused("what losses count must not be negative".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
