//! What is trained: two branches, two prefix tuners, a decoder, and what the losses compare with.

use candle_core::{D, Device, Shape, Tensor, Var};

use super::attention::PrefixTuner;
use super::{LaspaOptions, Projection};
use crate::Result;
use crate::learn::dataset::Dataset;

/// Below the length of any vector.
const TINY: f64 = 1e-9;

/// A linear layer.
pub(super) struct Linear {
    /// `[outputs, inputs]`.
    weight: Var,
    /// `[outputs]`.
    bias: Var,
}

impl Linear {
    /// Weights at random, uniform within the root of the inputs, as PyTorch begins; biases are zero.
    pub fn new(inputs: usize, outputs: usize, random: &mut fastrand::Rng) -> Result<Self> {
        let bound = (inputs as f64).sqrt().recip();
        Ok(Self {
            weight: random_tensor(&[outputs, inputs], bound, random)?,
            bias: Var::from_vec(vec![0.0f32; outputs], outputs, &Device::Cpu)?,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight.as_tensor().t()?.contiguous()?)?.broadcast_add(self.bias.as_tensor())?)
    }

    pub fn parameters(&self) -> [&Var; 2] {
        [&self.weight, &self.bias]
    }
}

/// Values at random, uniform within `bound`.
pub(super) fn random_tensor(shape: &[usize], bound: f64, random: &mut fastrand::Rng) -> Result<Var> {
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| ((2.0 * random.f64() - 1.0) * bound) as f32).collect();
    Ok(Var::from_vec(values, Shape::from(shape), &Device::Cpu)?)
}

/// All of it.
pub(super) struct Network {
    speaker: Linear,
    language: Linear,
    /// A direction for each speaker, `[speakers, width]`.
    directions: Var,
    /// To logits of languages.
    classifier: Linear,
    /// The speaker's vector asks that of the language, and the other way round.
    tuners: [PrefixTuner; 2],
    decoder: Linear,
}

impl Network {
    pub fn new(
        dataset: &Dataset,
        options: &LaspaOptions,
        languages: usize,
        random: &mut fastrand::Rng,
    ) -> Result<Self> {
        let LaspaOptions { width, heads, prefixes, .. } = *options;
        let tuner = |random: &mut fastrand::Rng| PrefixTuner::new(width, heads, prefixes, random);
        Ok(Self {
            speaker: Linear::new(dataset.width(), width, random)?,
            directions: random_tensor(&[dataset.classes(), width], 1.0, random)?,
            language: Linear::new(dataset.width(), width, random)?,
            classifier: Linear::new(width, languages, random)?,
            tuners: [tuner(random)?, tuner(random)?],
            decoder: Linear::new(2 * width, dataset.width(), random)?,
        })
    }

    /// The speaker's vectors, `[batch, width]`.
    pub fn speaker(&self, x: &Tensor) -> Result<Tensor> {
        self.speaker.forward(x)
    }

    /// Those of the language, `[batch, width]`.
    pub fn language(&self, x: &Tensor) -> Result<Tensor> {
        self.language.forward(x)
    }

    /// Of the speaker's vectors with the direction of each speaker, `[batch, speakers]`.
    pub fn cosines(&self, vectors: &Tensor) -> Result<Tensor> {
        Ok(unit(vectors)?.matmul(&unit(self.directions.as_tensor())?.t()?.contiguous()?)?)
    }

    pub fn language_logits(&self, vectors: &Tensor) -> Result<Tensor> {
        self.classifier.forward(vectors)
    }

    /// The features made again, `[batch, features]`.
    pub fn reconstruct(&self, speaker: &Tensor, language: &Tensor) -> Result<Tensor> {
        let [first, second] = &self.tuners;
        let fused = Tensor::cat(&[first.forward(speaker, language)?, second.forward(language, speaker)?], 1)?;
        self.decoder.forward(&fused)
    }

    /// All that is learned, always in the same order.
    pub fn parameters(&self) -> Vec<&Var> {
        let linear = [&self.speaker, &self.language, &self.classifier, &self.decoder];
        let linear = linear.into_iter().flat_map(Linear::parameters);
        let tuners = self.tuners.iter().flat_map(PrefixTuner::parameters);
        linear.chain([&self.directions]).chain(tuners).collect()
    }

    /// What is kept.
    pub fn projection(&self) -> Result<Projection> {
        let [weight, bias] = self.speaker.parameters();
        let values = |var: &Var| -> Result<Vec<f32>> { Ok(var.as_tensor().flatten_all()?.to_vec1()?) };
        Ok(Projection { weight: values(weight)?, bias: values(bias)? })
    }
}

/// Rows of length 1.
fn unit(x: &Tensor) -> Result<Tensor> {
    let lengths = (x.sqr()?.sum_keepdim(D::Minus1)? + TINY)?.sqrt()?;
    Ok(x.broadcast_div(&lengths)?)
}
