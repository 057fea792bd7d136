//! The wav2vec 2.0 family: sound to a frame every 20 ms, by convolutions and a stack of transformer layers.
//!
//! wav2vec 2.0 (Baevski et al. 2020), XLSR-53, XLS-R (Babu et al. 2021), MMS (Pratap et al. 2023), HuBERT (Hsu et al.
//! 2021), WavLM (Chen et al. 2021) and data2vec-audio (Baevski et al. 2022). Names of layers and tensors are those of
//! Hugging Face transformers; dropout, masks and layers left out in training play no part.
//!
//! Each sound is encoded at its own length, without padding: what else is encoded with it changes nothing.

mod adapters;
mod attention;
mod config;
mod device_network;
mod feature_stream;
mod features;
mod positions;
mod standardise;
mod stream;
mod transformer;
mod xvector;

pub use adapters::{adapter_file, adapter_languages, some_of, with_adapter};
pub use config::{Config, ConvNorm, Family};
pub use standardise::{Standardise, normalise};
pub use stream::{StreamChunk, StreamOptions, Wav2Vec2Stream};
pub use xvector::Wav2Vec2ForXVector;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candle_core::{Device, Tensor};

use crate::compute::{Linear, Precision, Target};
use crate::models::loader::{Loader, pack_of};
use crate::weights::Checkpoint;
use crate::{Error, Result};

use device_network::DeviceNetwork;
use features::{FeatureEncoder, FeatureProjection};
use transformer::Transformer;

/// A network without a head.
pub struct Wav2Vec2 {
    /// Sizes and variants.
    pub config: Config,
    form: Form,
}

/// By what it is computed.
enum Form {
    Packed(Box<Packed>),
    Device(Box<DeviceNetwork>),
}

/// A network of layers made for the processor.
struct Packed {
    features: FeatureEncoder,
    projection: FeatureProjection,
    transformer: Transformer,
}

impl Wav2Vec2 {
    /// Reads the tensors of `checkpoint`, which may be a network's own or that of one with a head, to be
    /// computed on `target`.
    ///
    /// # Errors
    /// One that names the first tensor that is missing or misshapen.
    pub fn load(checkpoint: &Checkpoint, config: Config, target: impl Into<Target>) -> Result<Self> {
        let prefix = ["wav2vec2.", "hubert.", "wavlm.", "data2vec_audio.", ""]
            .into_iter()
            .find(|prefix| checkpoint.contains(&format!("{prefix}feature_projection.projection.weight")))
            .ok_or_else(|| Error::Tensor {
                path: checkpoint.path().to_path_buf(),
                tensor: "feature_projection.projection.weight".into(),
                reason: "missing; is this a model of the wav2vec 2.0 family?".into(),
            })?;
        let precision = match target.into() {
            Target::Processor(precision) => precision,
            Target::Candle(target) => {
                let loader = Loader::new(checkpoint, Precision::F32).within(prefix);
                let network = DeviceNetwork::load(&loader, &config, &target)?;
                return Ok(Self { config, form: Form::Device(Box::new(network)) });
            }
        };
        let pack = pack_of(checkpoint, precision);
        let loader = Loader::new(checkpoint, precision).within(prefix).with_pack(pack.as_ref());
        let features = FeatureEncoder::load(&loader, &config)?;
        let projection = FeatureProjection::load(&loader, &config)?;
        let transformer = Transformer::load(&loader, &config)?;
        if let Some(pack) = pack {
            pack.finish();
        }
        Ok(Self { config, form: Form::Packed(Box::new(Packed { features, projection, transformer })) })
    }

    /// The layers for the processor, which streams go through.
    fn packed(&self) -> Result<&Packed> {
        match &self.form {
            Form::Packed(packed) => Ok(packed),
            Form::Device(_) => Err(Error::Setting(
                "streams of this network are heard on the processor alone: leave out --on".into(),
            )),
        }
    }

    fn check_lengths(&self, sounds: &[&[f32]]) -> Result<()> {
        let least = self.config.field();
        match sounds.iter().map(|samples| samples.len()).min() {
            Some(few) if few < least => {
                Err(Error::Setting(format!("{few} samples are too few to encode; {least} is the least")))
            }
            _ => Ok(()),
        }
    }

    /// Hidden states of `samples` at 16 kHz: of the frames as they enter the first layer, then after each layer, each
    /// `[frames, hidden_size]`. Where layers are pre-norm, the last has the final norm.
    ///
    /// # Errors
    /// Those of candle; [`Error::Setting`] where the sound is shorter than a frame (25 ms).
    pub fn hidden_states(&self, samples: &[f32]) -> Result<Vec<Tensor>> {
        self.check_lengths(&[samples])?;
        let mut states = Vec::with_capacity(self.config.num_hidden_layers + 1);
        let packed = match &self.form {
            Form::Packed(packed) => packed,
            Form::Device(network) => {
                let states = network.states(&[samples], 0..=self.config.num_hidden_layers)?;
                return Ok(states.into_iter().flatten().collect());
            }
        };
        packed.run(&[samples], |state| {
            states.push(self.tensor(state));
            ControlFlow::Continue(())
        });
        states.into_iter().collect()
    }

    /// Of each of `sounds` at 16 kHz one hidden state, `[frames, hidden_size]`: number `layer` of
    /// [`hidden_states`](Self::hidden_states). Layers after it are not run.
    ///
    /// Sounds share the matrix products of the layers, which makes short ones cheaper together than one by one, and
    /// nothing else: each is encoded as if it were alone.
    ///
    /// # Errors
    /// As [`hidden_states`](Self::hidden_states); [`Error::Setting`] where there is no such layer.
    pub fn hidden_state(&self, sounds: &[&[f32]], layer: usize) -> Result<Vec<Tensor>> {
        let layers = self.config.num_hidden_layers;
        if layer > layers {
            return Err(Error::Setting(format!(
                "there is no layer {layer}: the network has {layers}, and 0 is what enters them"
            )));
        }
        self.check_lengths(sounds)?;
        if sounds.is_empty() {
            return Ok(Vec::new());
        }
        let packed = match &self.form {
            Form::Packed(packed) => packed,
            Form::Device(network) => {
                return Ok(network.states(sounds, layer..=layer)?.pop().unwrap_or_default());
            }
        };
        let (mut number, mut found) = (0, None);
        let lengths = packed.run(sounds, |state| {
            number += 1;
            if number <= layer {
                return ControlFlow::Continue(());
            }
            found = Some(self.tensor(state));
            ControlFlow::Break(())
        });
        found.map_or(Ok(Vec::new()), |all| parts(&all?, &lengths))
    }

    /// The hidden states of `samples` whose numbers are in `layers`, each `[frames, hidden_size]`. Layers after the last of
    /// them are not run.
    ///
    /// # Errors
    /// As [`hidden_states`](Self::hidden_states).
    pub fn states_of(&self, samples: &[f32], layers: &[usize]) -> Result<BTreeMap<usize, Vec<f32>>> {
        self.check_lengths(&[samples])?;
        let last = layers.iter().copied().max().unwrap_or(0);
        let (mut number, mut kept) = (0, BTreeMap::new());
        let packed = match &self.form {
            Form::Packed(packed) => packed,
            Form::Device(network) => {
                for &layer in layers {
                    let state = network.states(&[samples], layer..=layer)?.into_iter().flatten().next();
                    kept.extend(
                        state
                            .map(|state| Ok::<_, Error>((layer, state.flatten_all()?.to_vec1()?)))
                            .transpose()?,
                    );
                }
                return Ok(kept);
            }
        };
        packed.run(&[samples], |state| {
            if layers.contains(&number) {
                kept.insert(number, state.to_vec());
            }
            number += 1;
            if number > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Ok(kept)
    }

    /// The last hidden state of each of `sounds`, `[frames, hidden_size]`.
    ///
    /// # Errors
    /// As [`hidden_states`](Self::hidden_states).
    pub fn encode(&self, sounds: &[&[f32]]) -> Result<Vec<Tensor>> {
        self.hidden_state(sounds, self.config.num_hidden_layers)
    }

    /// The sum of the hidden states of `samples`, each by its weight, `[frames, hidden_size]`; the last where there are none.
    fn mixed_state(&self, samples: &[f32], weights: Option<&[f32]>) -> Result<Tensor> {
        let Some(weights) = weights else { return Ok(self.encode(&[samples])?.remove(0)) };
        let mut sum = None;
        for (state, &weight) in self.hidden_states(samples)?.iter().zip(weights) {
            let part = (state * f64::from(weight))?;
            sum = Some(match sum {
                None => part,
                Some(sum) => (sum + part)?,
            });
        }
        sum.ok_or_else(|| Error::Setting("the network has no layers".into()))
    }

    /// A hidden state, `[frames, hidden_size]`.
    fn tensor(&self, state: &[f32]) -> Result<Tensor> {
        let width = self.config.hidden_size;
        Ok(Tensor::from_slice(state, (state.len() / width, width), &Device::Cpu)?)
    }
}

impl Packed {
    /// Hands the hidden states of all sounds, one after the other, to `keep`; returns how many frames each has.
    fn run(&self, sounds: &[&[f32]], keep: impl FnMut(&[f32]) -> ControlFlow<()>) -> Vec<usize> {
        let (mut features, mut lengths) = (Vec::new(), Vec::with_capacity(sounds.len()));
        for samples in sounds {
            let sound = self.features.forward(samples);
            lengths.push(sound.len() / self.features.channels());
            features.extend(sound);
        }
        self.transformer.forward(self.projection.forward(&features), &lengths, keep);
        lengths
    }

    /// The last hidden state of `features`, `[frames, channels]`, which the convolutions made of one sound.
    fn transform(&self, features: &[f32]) -> Vec<f32> {
        let (mut last, mut seen) = (Vec::new(), 0);
        let frames = features.len() / self.features.channels();
        self.transformer.forward(self.projection.forward(features), &[frames], |state| {
            if seen == self.transformer.layers() {
                last = state.to_vec();
            }
            seen += 1;
            ControlFlow::Continue(())
        });
        last
    }
}

/// The rows of `all` that belong to each of `lengths`.
fn parts(all: &Tensor, lengths: &[usize]) -> Result<Vec<Tensor>> {
    if let [_] = lengths {
        return Ok(vec![all.clone()]);
    }
    let mut start = 0;
    let part = |&length: &usize| {
        start += length;
        Ok(all.narrow(0, start - length, length)?.contiguous()?)
    };
    lengths.iter().map(part).collect()
}

/// A network with a linear layer that gives each frame's logits of the vocabulary, for CTC.
pub struct Wav2Vec2ForCtc {
    /// The network below.
    pub encoder: Wav2Vec2,
    lm_head: Linear,
}

impl Wav2Vec2ForCtc {
    /// As [`Wav2Vec2::load`]. The size of the vocabulary is that of the head, whatever `config` has: with an adapter it
    /// is that of the adapter's language.
    ///
    /// # Errors
    /// As there.
    pub fn load(checkpoint: &Checkpoint, mut config: Config, target: impl Into<Target>) -> Result<Self> {
        let loader = Loader::new(checkpoint, Precision::F32);
        if let Some(&[vocab_size, _]) = checkpoint.shape("lm_head.weight").as_deref() {
            config.vocab_size = vocab_size;
        }
        let lm_head = loader.linear(&["lm_head".into()], config.hidden_size, config.vocab_size)?;
        Ok(Self { encoder: Wav2Vec2::load(checkpoint, config, target)?, lm_head })
    }

    /// Logits of each of `sounds` at 16 kHz, `[frames, vocab_size]`.
    ///
    /// # Errors
    /// As [`Wav2Vec2::hidden_states`].
    pub fn logits(&self, sounds: &[&[f32]]) -> Result<Vec<Tensor>> {
        self.encoder.encode(sounds)?.iter().map(|hidden| self.logits_of(hidden)).collect()
    }

    /// Number of tokens that it gives logits of.
    pub fn tokens(&self) -> usize {
        self.lm_head.outputs()
    }

    /// Logits of last hidden states, `[frames, hidden_size]`: `[frames, vocab_size]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn logits_of(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(self.lm_head.forward(hidden)?)
    }
}

/// A network that says what a whole sound is: a language, an emotion, a speaker.
pub struct Wav2Vec2ForSequenceClassification {
    /// The network below.
    pub encoder: Wav2Vec2,
    /// How much each hidden state counts, where the last is not all.
    layer_weights: Option<Vec<f32>>,
    projector: Linear,
    classifier: Linear,
}

impl Wav2Vec2ForSequenceClassification {
    /// As [`Wav2Vec2::load`].
    ///
    /// # Errors
    /// As there.
    pub fn load(checkpoint: &Checkpoint, config: Config, target: impl Into<Target>) -> Result<Self> {
        let loader = Loader::new(checkpoint, Precision::F32);
        let states = config.num_hidden_layers + 1;
        let layer_weights = match config.use_weighted_layer_sum {
            true => Some(softmax(&loader.values("layer_weights", &[states])?)),
            false => None,
        };
        let width = config.classifier_proj_size;
        let projector = loader.linear(&["projector".into()], config.hidden_size, width)?;
        let labels =
            checkpoint.shape("classifier.bias").and_then(|shape| shape.first().copied()).unwrap_or(0);
        let classifier = loader.linear(&["classifier".into()], width, labels)?;
        Ok(Self {
            encoder: Wav2Vec2::load(checkpoint, config, target)?,
            layer_weights,
            projector,
            classifier,
        })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classifier.outputs()
    }

    /// Logits of the labels, in the order of `id2label`.
    ///
    /// # Errors
    /// As [`Wav2Vec2::hidden_states`].
    pub fn logits(&self, samples: &[f32]) -> Result<Vec<f32>> {
        let hidden = self.encoder.mixed_state(samples, self.layer_weights.as_deref())?;
        let pooled = self.projector.forward(&hidden)?.mean_keepdim(0)?;
        Ok(self.classifier.forward(&pooled)?.flatten_all()?.to_vec1()?)
    }
}

fn softmax(values: &[f32]) -> Vec<f32> {
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = values.iter().map(|x| (x - most).exp()).sum();
    values.iter().map(|x| (x - most).exp() / sum).collect()
}
