//! Learns to tell classes from feature vectors: probes, small heads, few-shot learning. Plain loops in double precision.
//!
//! A [`Dataset`] has features, labels, speakers and languages. [`folds`] cuts it so that no speaker is on both sides,
//! [`standardise`] brings its features to one scale, a [`Classifier`] is fitted, [`calibrate`] makes its probabilities mean
//! what they say. The same seed gives the same bytes, with any number of threads.

mod adam;
mod attention;
mod blocks;
pub mod calibrate;
mod class_weights;
mod classifier;
mod dataset;
pub mod fewshot;
pub mod folds;
pub mod head;
mod kernel;
pub mod kmeans;
pub mod labels;
pub mod laspa;
mod layer_mix;
mod lbfgs;
mod logistic;
mod mlp;
mod network;
mod number;
mod smo;
mod span;
pub mod speaker;
pub mod spectral_loss;
pub mod standardise;
mod svm;
pub mod train;
mod vector;

pub use attention::{Attention, AttentionOptions, Clips};
pub use class_weights::ClassWeights;
pub use classifier::Classifier;
pub use dataset::{By, Dataset, Example};
pub use layer_mix::{LayerMix, LayerMixOptions};
pub use lbfgs::{Lbfgs, Minimum};
pub use logistic::{Logistic, LogisticOptions};
pub use mlp::{Mlp, MlpOptions, Training};
pub use network::Activation;
pub use svm::{Svm, SvmKernel, SvmOptions, SvmSolution};
