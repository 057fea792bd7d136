//! ECAPA-TDNN: an x-vector from dilated convolutions with attention to channels, and statistics weighted by attention.
//!
//! Desplanques, Thienpondt and Demuynck, "ECAPA-TDNN: emphasized channel attention, propagation and aggregation in TDNN based
//! speaker verification" (arXiv 2005.07143), in the layouts of two codes, which differ in names, features and details:
//! SpeechBrain (`lobes/models/ECAPA_TDNN.py`, as `spkrec-ecapa-voxceleb` sets it) and TaoRuijie/ECAPA-TDNN (`model.py`). How
//! many channels there are, the tensors tell; dilations, 2, 3 and 4, are those of the paper.

use super::ecapa_layers::{Norm, Pooling, Res2Block, Tdnn};
use super::ecapa_layout::Layout;
use super::{SpeakerEncoder, check_not_empty, repeated, unit};
use crate::Result;
use crate::compute::{Linear, Precision};
use crate::dsp::{Bins, Edges, HOP, MelFilters, MelSpectrogram, Window};
use crate::models::loader::Loader;
use crate::time::SampleRate;
use crate::weights::Checkpoint;

/// Samples of a window: 25 ms.
const WINDOW: usize = 400;
/// Frames before and after one that the widest convolution hears.
const WIDEST: usize = 4;

/// The network, of either layout.
pub struct Ecapa {
    layout: Layout,
    spectrogram: MelSpectrogram,
    first: Tdnn,
    blocks: Vec<Res2Block>,
    aggregate: Tdnn,
    pooling: Pooling,
    pooled_norm: Norm,
    linear: Linear,
    last_norm: Option<Norm>,
}

impl Ecapa {
    /// Whether the tensors of `checkpoint` are named as those of such a network.
    pub fn recognises(checkpoint: &Checkpoint) -> bool {
        Layout::of(checkpoint).is_some()
    }

    /// Reads the tensors of `checkpoint`, to multiply in f32.
    ///
    /// # Errors
    /// One that names the first tensor that is missing or misshapen.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self> {
        let layout = Layout::of(checkpoint).unwrap_or(Layout::SpeechBrain);
        let loader = Loader::new(checkpoint, Precision::F32).within(layout.prefix());
        let names = layout.names();
        let sizes =
            |name: &str| checkpoint.shape(&format!("{}{name}.weight", layout.prefix())).unwrap_or_default();
        let size = |name: &str, axis: usize| sizes(name).get(axis).copied().unwrap_or(0);
        let (channels, mels) = (size(&names.first.conv, 0), size(&names.first.conv, 1).max(1));
        let aggregated = size(&names.aggregate.conv, 0);
        let bins = Bins { fft: layout.fft(), rate: f64::from(SampleRate::PIPELINE.0) };
        let (filters, edges) = match layout {
            Layout::SpeechBrain => (MelFilters::symmetric(mels, bins), Edges::Zeros),
            Layout::TaoRuijie => (MelFilters::htk(mels, bins, (20.0, 7600.0)), Edges::Mirror),
        };
        let window = Window::Hamming.periodic(WINDOW);
        let blocks = names.blocks.iter().zip([2, 3, WIDEST]);
        let blocks = blocks.map(|(names, dilation)| {
            Res2Block::load(&loader, layout, names, channels, size(&names.squeeze, 0), dilation)
        });
        let outputs = size(&names.linear, 0);
        Ok(Self {
            spectrogram: MelSpectrogram::new(&window, layout.fft(), HOP, edges, filters),
            first: Tdnn::load(&loader, layout, &names.first, mels, channels, size(&names.first.conv, 2), 1)?,
            blocks: blocks.collect::<Result<_>>()?,
            aggregate: Tdnn::load(&loader, layout, &names.aggregate, 3 * channels, aggregated, 1, 1)?,
            pooling: Pooling::load(&loader, layout, &names, aggregated, size(&names.attend.conv, 0))?,
            pooled_norm: Norm::load(&loader, &names.pooled_norm, 2 * aggregated)?,
            linear: layout.load_linear(&loader, &names.linear, 2 * aggregated, outputs)?,
            last_norm: match &names.last_norm {
                Some(name) => Some(Norm::load(&loader, name, outputs)?),
                None => None,
            },
            layout,
        })
    }

    /// The vector of a sound, 16 kHz samples, as it leaves the network, of any length.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a sound without samples.
    pub fn vector(&self, samples: &[f32]) -> Result<Vec<f32>> {
        check_not_empty(samples)?;
        let features = self.features(&repeated(samples, self.shortest()));
        let x = self.first.forward(&features);
        let (mut outputs, mut input) = (Vec::new(), x);
        for block in &self.blocks {
            let output = block.forward(&input);
            // The one code feeds each block the sum of all before it, the other what the last gave.
            match self.layout {
                Layout::SpeechBrain => input.clone_from(&output),
                Layout::TaoRuijie => crate::compute::add_into(&output, &mut input),
            }
            outputs.push(output);
        }
        let aggregated = self.aggregate.forward(&side_by_side(&outputs, self.first.outputs()));
        let mut pooled = self.pooling.forward(aggregated);
        self.pooled_norm.in_place(&mut pooled);
        let mut vector = vec![0.0; self.linear.outputs()];
        self.linear.forward_into(&pooled, &mut vector);
        if let Some(norm) = &self.last_norm {
            norm.in_place(&mut vector);
        }
        Ok(vector)
    }

    /// Log-mel features, `[frames, mels]`, each band with mean 0 over the sound.
    fn features(&self, samples: &[f32]) -> Vec<f32> {
        let mels = self.spectrogram.mels();
        let mut features = match self.layout {
            Layout::SpeechBrain => self.spectrogram.power(samples),
            Layout::TaoRuijie => self.spectrogram.power(&pre_emphasised(samples)),
        };
        match self.layout {
            Layout::SpeechBrain => {
                features.iter_mut().for_each(|x| *x = 10.0 * x.max(1e-10).log10());
                let floor = features.iter().copied().fold(f32::NEG_INFINITY, f32::max) - 80.0;
                features.iter_mut().for_each(|x| *x = x.max(floor));
            }
            Layout::TaoRuijie => features.iter_mut().for_each(|x| *x = (*x + 1e-6).ln()),
        }
        crate::dsp::subtract_mean(&mut features, mels);
        features
    }
}

impl SpeakerEncoder for Ecapa {
    fn width(&self) -> usize {
        self.linear.outputs()
    }

    /// The frames that the widest convolution needs for its mirrored edges, 50 ms; shorter sounds are repeated.
    fn shortest(&self) -> usize {
        (WIDEST + 1) * HOP
    }

    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
        Ok(unit(self.vector(samples)?))
    }
}

/// Each sample less 0.97 of the one before; before the first is the second, its mirror image.
fn pre_emphasised(samples: &[f32]) -> Vec<f32> {
    let before = samples.get(1).or(samples.first()).into_iter().chain(samples);
    samples.iter().zip(before).map(|(x, before)| x - 0.97 * before).collect()
}

/// Frames of several layers, each `[frames, width]`, as `[frames, layers * width]`.
fn side_by_side(layers: &[Vec<f32>], width: usize) -> Vec<f32> {
    let frames = layers.first().map_or(0, |layer| layer.len() / width);
    let frame =
        |frame: usize| layers.iter().flat_map(move |layer| &layer[frame * width..(frame + 1) * width]);
    (0..frames).flat_map(frame).copied().collect()
}
