//! The classifiers that a head may have, and their tensors.

use serde::{Deserialize, Serialize};

use super::super::attention::Attention;
use super::super::classifier::Classifier;
use super::super::layer_mix::LayerMix;
use super::super::logistic::Logistic;
use super::super::mlp::Mlp;
use super::super::network::{Activation, Network};
use super::super::svm::{Svm, pairs};
use super::tensors::{Tensor, Tensors};
use crate::Result;

/// Layers of a network at most; without a limit a damaged file would decide.
const MOST_LAYERS: usize = 8;

/// A classifier of a head.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// Logistic regression.
    Logistic(Logistic),
    /// A support vector machine.
    Svm(Svm),
    /// A network of one or two hidden layers, also one that MAML adapted.
    Mlp(Mlp),
    /// A mix of layers with a linear head.
    LayerMix(LayerMix),
    /// A pooling of frames with a linear head; it takes the frames of a sound, as many as there are.
    Attention(Attention),
}

/// What the file says of a model beside its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Kind {
    Logistic,
    LinearSvm,
    RbfSvm,
    Mlp { activation: Activation },
    LayerMix,
    Attention,
}

impl Model {
    /// What it can do.
    pub fn classifier(&self) -> &dyn Classifier {
        match self {
            Self::Logistic(model) => model,
            Self::Svm(model) => model,
            Self::Mlp(model) => model,
            Self::LayerMix(model) => model,
            Self::Attention(model) => model,
        }
    }

    /// Whether it takes the frames of a sound, as many as there are, and not one vector.
    pub fn takes_frames(&self) -> bool {
        matches!(self, Self::Attention(_))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Logistic(_) => Kind::Logistic,
            Self::Svm(svm) if svm.gamma.is_none() => Kind::LinearSvm,
            Self::Svm(_) => Kind::RbfSvm,
            Self::Mlp(mlp) => Kind::Mlp { activation: mlp.network.activation },
            Self::LayerMix(_) => Kind::LayerMix,
            Self::Attention(_) => Kind::Attention,
        }
    }

    pub(super) fn tensors(&self) -> Vec<Tensor> {
        match self {
            Self::Logistic(model) => {
                let outputs = model.intercepts().len();
                linear(outputs, model.weights(), model.intercepts())
            }
            Self::Svm(model) => svm_tensors(model),
            Self::Mlp(model) => {
                let layers = model.network.layers(&model.parameters).enumerate();
                let of_layer = |(layer, (weights, biases)): (usize, (&[f64], &[f64]))| {
                    let shape = [biases.len(), weights.len() / biases.len()];
                    let weight = Tensor::f64(format!("layers.{layer}.weight"), &shape, weights);
                    [weight, Tensor::f64(format!("layers.{layer}.bias"), &shape[..1], biases)]
                };
                layers.flat_map(of_layer).collect()
            }
            Self::LayerMix(model) => {
                let mut tensors = linear(model.intercepts.len(), &model.weights, &model.intercepts);
                tensors.push(Tensor::f64("layer_scores", &[model.scores.len()], &model.scores));
                tensors
            }
            Self::Attention(model) => {
                let mut tensors = linear(model.intercepts.len(), &model.weights, &model.intercepts);
                tensors.push(Tensor::f64("layer_scores", &[model.scores.len()], &model.scores));
                tensors.push(Tensor::f64("query", &[model.width], &model.query));
                tensors
            }
        }
    }

    /// The model of the tensors of a file, of at least two classes.
    pub(super) fn read(kind: Kind, classes: usize, tensors: &Tensors<'_>) -> Result<Self> {
        Ok(match kind {
            Kind::Logistic => Self::Logistic(read_logistic(classes, tensors)?),
            Kind::LinearSvm => Self::Svm(read_linear_svm(classes, tensors)?),
            Kind::RbfSvm => Self::Svm(read_rbf_svm(classes, tensors)?),
            Kind::Mlp { activation } => Self::Mlp(read_mlp(activation, classes, tensors)?),
            Kind::LayerMix => {
                let (width, weights, intercepts) = read_linear(classes, tensors)?;
                Self::LayerMix(LayerMix { width, scores: read_scores(tensors)?, weights, intercepts })
            }
            Kind::Attention => {
                let [width] = tensors.shape("query")?;
                let (pooled, weights, intercepts) = read_linear(classes, tensors)?;
                if pooled != 2 * width {
                    return Err(tensors.fault("query", format!("it is of {width}, and the head of {pooled}")));
                }
                let (scores, query) = (read_scores(tensors)?, tensors.f64("query", &[width])?);
                Self::Attention(Attention { width, scores, query, weights, intercepts })
            }
        })
    }
}

fn linear(outputs: usize, weights: &[f64], intercepts: &[f64]) -> Vec<Tensor> {
    let weight = Tensor::f64("weight", &[outputs, weights.len() / outputs], weights);
    vec![weight, Tensor::f64("bias", &[outputs], intercepts)]
}

fn svm_tensors(model: &Svm) -> Vec<Tensor> {
    let pairs = model.intercepts.len();
    let Some(gamma) = model.gamma else {
        return linear(pairs, &model.coefficients, &model.intercepts);
    };
    let vectors = model.support_vectors();
    vec![
        Tensor::f32("support_vectors", &[vectors, model.width], &model.vectors),
        Tensor::f64("coefficients", &[pairs, vectors], &model.coefficients),
        Tensor::f64("bias", &[pairs], &model.intercepts),
        Tensor::f64("gamma", &[1], &[gamma]),
    ]
}

/// The width, the weights `[outputs, width]` and the intercepts `[outputs]`.
fn read_linear(outputs: usize, tensors: &Tensors<'_>) -> Result<(usize, Vec<f64>, Vec<f64>)> {
    let [_, width] = tensors.shape("weight")?;
    if width == 0 {
        return Err(tensors.fault("weight", "it is of no feature".into()));
    }
    Ok((width, tensors.f64("weight", &[outputs, width])?, tensors.f64("bias", &[outputs])?))
}

/// A number for each layer of a mix.
fn read_scores(tensors: &Tensors<'_>) -> Result<Vec<f64>> {
    let [layers] = tensors.shape("layer_scores")?;
    if layers == 0 {
        return Err(tensors.fault("layer_scores", "there is no layer".into()));
    }
    tensors.f64("layer_scores", &[layers])
}

fn read_logistic(classes: usize, tensors: &Tensors<'_>) -> Result<Logistic> {
    let outputs = if classes == 2 { 1 } else { classes };
    let (width, weights, intercepts) = read_linear(outputs, tensors)?;
    Ok(Logistic { width, classes, weights, intercepts })
}

fn read_linear_svm(classes: usize, tensors: &Tensors<'_>) -> Result<Svm> {
    let (width, coefficients, intercepts) = read_linear(pairs(classes).len(), tensors)?;
    Ok(Svm { width, classes, gamma: None, vectors: Vec::new(), coefficients, intercepts })
}

fn read_rbf_svm(classes: usize, tensors: &Tensors<'_>) -> Result<Svm> {
    let pairs = pairs(classes).len();
    let [vectors, width] = tensors.shape("support_vectors")?;
    if width == 0 {
        return Err(tensors.fault("support_vectors", "they are of no feature".into()));
    }
    let gamma = tensors.f64("gamma", &[1])?[0];
    if gamma <= 0.0 {
        return Err(tensors.fault("gamma", "it is not positive".into()));
    }
    Ok(Svm {
        width,
        classes,
        gamma: Some(gamma),
        vectors: tensors.f32("support_vectors", &[vectors, width])?,
        coefficients: tensors.f64("coefficients", &[pairs, vectors])?,
        intercepts: tensors.f64("bias", &[pairs])?,
    })
}

fn read_mlp(activation: Activation, classes: usize, tensors: &Tensors<'_>) -> Result<Mlp> {
    let weight = |layer: usize| format!("layers.{layer}.weight");
    let layers = (0..=MOST_LAYERS).take_while(|&layer| tensors.has(&weight(layer))).count();
    if layers > MOST_LAYERS {
        return Err(tensors.fault(&weight(MOST_LAYERS), format!("there are more than {MOST_LAYERS} layers")));
    }
    let [_, features] = tensors.shape(&weight(0))?;
    let outputs = |layer: usize| tensors.shape(&weight(layer)).map(|[outputs, _]| outputs);
    let hidden = (0..layers - 1).map(outputs).collect::<Result<Vec<_>>>()?;
    let network = Network::new(features, &hidden, classes, activation)
        .map_err(|error| tensors.fault(&weight(0), error.to_string()))?;
    let mut parameters = Vec::new();
    for (layer, widths) in network.widths.windows(2).enumerate() {
        parameters.extend(tensors.f64(&weight(layer), &[widths[1], widths[0]])?);
        parameters.extend(tensors.f64(&format!("layers.{layer}.bias"), &[widths[1]])?);
    }
    Ok(Mlp { network, parameters })
}
