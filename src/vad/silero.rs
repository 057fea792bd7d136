//! Silero VAD v6 at 16 kHz: a small recurrent network that says how likely a frame is to hold speech.
//!
//! Tensor names and the order of layers follow `tinygrad_model.py` of the Python package `silero-vad` 6.2.3; the
//! weights are that package's own. Feature maps are stored `[time, channel]` with a row of zeros before and after, so
//! that each position of a convolution (kernel 3, padding 1) reads one contiguous slice.

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};
use rten_simd::{Isa, SimdOp};
use safetensors::SafeTensors;

use crate::compute::lstm_cell;
use crate::{Error, Result};

/// New samples that each step of the network takes: 32 ms.
pub const FRAME_SAMPLES: usize = 512;

static WEIGHTS: &[u8] = include_bytes!("../../models/silero-vad/silero_vad_16k.safetensors");

const CONTEXT_SAMPLES: usize = 64;
const WINDOW: usize = 256;
const HOP: usize = 128;
/// Reflected samples after the frame; none are put before it, where the context is.
const PADDING: usize = 64;
const PADDED_SAMPLES: usize = CONTEXT_SAMPLES + FRAME_SAMPLES + PADDING;
/// Positions of the transform in a frame.
const POSITIONS: usize = (PADDED_SAMPLES - WINDOW) / HOP + 1;
const BINS: usize = WINDOW / 2 + 1;
const HIDDEN: usize = 128;
/// Louder samples are limited to this (36 dB over full scale): no square overflows, so no NaN gets into the state.
const SAMPLE_LIMIT: f32 = 64.0;

/// The network with its state; one per stream. Clones share the weights.
#[derive(Clone)]
pub struct SileroVad {
    network: Arc<Network>,
    state: State,
}

impl SileroVad {
    /// The network with the weights that are built in.
    ///
    /// # Errors
    /// [`Error::Model`] where the built-in file is damaged.
    pub fn new() -> Result<Self> {
        let network = Network::load(WEIGHTS)?;
        let state = State::new(&network);
        Ok(Self { network: Arc::new(network), state })
    }

    /// The probability, 0 to 1, that `frame` (16 kHz, full scale ±1) holds speech, given all frames before it.
    ///
    /// Does not allocate. NaN counts as silence.
    pub fn process(&mut self, frame: &[f32; FRAME_SAMPLES]) -> f32 {
        self.state.load_frame(frame);
        self.network.step(&mut self.state)
    }

    /// Forgets all frames, as at the start of a stream.
    pub fn reset(&mut self) {
        self.state = State::new(&self.network);
    }
}

impl fmt::Debug for SileroVad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SileroVad").finish_non_exhaustive()
    }
}

/// The layers, packed for the products below.
struct Network {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    conv1: Linear<POSITIONS, 16>,
    conv2: Linear<2, 32>,
    conv3: Linear<1, 64>,
    conv4: Linear<1, 64>,
    lstm: Linear<1, 64>,
    decoder: Vec<f32>,
    decoder_bias: f32,
}

/// What is carried from frame to frame, and the buffers of a step.
#[derive(Clone)]
struct State {
    /// Context, frame and reflection.
    samples: [f32; PADDED_SAMPLES],
    windowed: [f32; WINDOW],
    spectrum: [Complex32; BINS],
    fft_scratch: Vec<Complex32>,
    /// `[1 + 4 + 1, 129]`
    magnitude: [f32; (POSITIONS + 2) * BINS],
    /// `[1 + 4 + 1, 128]`
    map1: [f32; (POSITIONS + 2) * 128],
    /// `[1 + 2 + 1, 64]`
    map2: [f32; 4 * 64],
    map3: [f32; 64],
    /// Input of the LSTM (the last feature map), then its hidden state.
    input_and_hidden: [f32; 2 * HIDDEN],
    cell: [f32; HIDDEN],
    /// Input, forget, cell and output gates, each of 128.
    gates: [f32; 4 * HIDDEN],
}

impl Network {
    fn load(file: &[u8]) -> Result<Self> {
        let tensors = Tensors(SafeTensors::deserialize(file).map_err(damaged)?);
        // The first row of the transform's real part is cosine of zero: the window itself.
        let window = tensors.read("stft_conv.weight", &[2 * BINS, 1, WINDOW])?[..WINDOW].to_vec();
        let [input, hidden] = ["lstm_cell.weight_ih", "lstm_cell.weight_hh"]
            .map(|name| tensors.read(name, &[4 * HIDDEN, HIDDEN]));
        let [input, hidden] = [input?, hidden?];
        let [input_bias, hidden_bias] =
            ["lstm_cell.bias_ih", "lstm_cell.bias_hh"].map(|name| tensors.read(name, &[4 * HIDDEN]));
        let bias = input_bias?.iter().zip(hidden_bias?).map(|(a, b)| a + b).collect();
        let lstm =
            Linear::pack(4 * HIDDEN, 2 * HIDDEN, bias, |output, column| match column.checked_sub(HIDDEN) {
                None => input[output * HIDDEN + column],
                Some(column) => hidden[output * HIDDEN + column],
            });
        Ok(Self {
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            window,
            conv1: tensors.conv("conv1", BINS, 128, 0..3)?,
            conv2: tensors.conv("conv2", 128, 64, 0..3)?,
            // One position is left here, so the taps that would read only padding are left out.
            conv3: tensors.conv("conv3", 64, 64, 1..3)?,
            conv4: tensors.conv("conv4", 64, 128, 1..2)?,
            lstm,
            decoder: tensors.read("final_conv.weight", &[1, HIDDEN, 1])?,
            decoder_bias: tensors.read("final_conv.bias", &[1])?[0],
        })
    }

    fn step(&self, state: &mut State) -> f32 {
        self.transform(state);
        let State { magnitude, map1, map2, map3, input_and_hidden, cell, gates, .. } = state;

        self.conv1.apply(rows(magnitude, BINS, 1), &mut map1[128..][..POSITIONS * 128]);
        relu(map1);
        self.conv2.apply(rows(map1, 128, 2), &mut map2[64..][..2 * 64]);
        relu(map2);
        self.conv3.apply(rows(&map2[64..], 64, 2), map3);
        relu(map3);
        self.conv4.apply([map3], &mut input_and_hidden[..HIDDEN]);
        relu(&mut input_and_hidden[..HIDDEN]);

        self.lstm.apply([input_and_hidden], gates);
        let hidden = &mut input_and_hidden[HIDDEN..];
        lstm_cell(gates, cell, hidden);

        let logit: f32 = hidden.iter().zip(&self.decoder).map(|(h, w)| h.max(0.0) * w).sum();
        1.0 / (1.0 + (-logit - self.decoder_bias).exp())
    }

    /// The magnitudes of the short-time Fourier transform, into rows 1 to 4 of `state.magnitude`.
    fn transform(&self, state: &mut State) {
        for position in 0..POSITIONS {
            let samples = &state.samples[position * HOP..][..WINDOW];
            for ((out, sample), weight) in state.windowed.iter_mut().zip(samples).zip(&self.window) {
                *out = sample * weight;
            }
            self.fft
                .process_with_scratch(&mut state.windowed, &mut state.spectrum, &mut state.fft_scratch)
                .expect("buffers have the lengths of the plan");
            let row = &mut state.magnitude[(position + 1) * BINS..][..BINS];
            for (out, bin) in row.iter_mut().zip(&state.spectrum) {
                *out = bin.norm_sqr().sqrt();
            }
        }
    }
}

impl State {
    fn new(network: &Network) -> Self {
        Self {
            samples: [0.0; _],
            windowed: [0.0; _],
            spectrum: [Complex32::ZERO; _],
            fft_scratch: network.fft.make_scratch_vec(),
            magnitude: [0.0; _],
            map1: [0.0; _],
            map2: [0.0; _],
            map3: [0.0; _],
            input_and_hidden: [0.0; _],
            cell: [0.0; _],
            gates: [0.0; _],
        }
    }

    /// Moves the end of the frame before into the context, puts `frame` after it and its reflection after that.
    fn load_frame(&mut self, frame: &[f32; FRAME_SAMPLES]) {
        const END: usize = CONTEXT_SAMPLES + FRAME_SAMPLES;
        self.samples.copy_within(FRAME_SAMPLES..END, 0);
        for (out, &sample) in self.samples[CONTEXT_SAMPLES..].iter_mut().zip(frame) {
            *out = if sample.is_nan() { 0.0 } else { sample.clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT) };
        }
        for i in 0..PADDING {
            self.samples[END + i] = self.samples[END - 2 - i];
        }
    }
}

/// The inputs of `T` positions of a convolution over `map`: three rows each, `stride` rows apart.
fn rows<const T: usize>(map: &[f32], channels: usize, stride: usize) -> [&[f32]; T] {
    std::array::from_fn(|t| {
        let rows = &map[t * stride * channels..];
        &rows[..rows.len().min(3 * channels)]
    })
}

fn relu(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}

/// A linear layer over `T` inputs at once: the weights are read once for all of them.
///
/// Weights are packed in panels of `W` outputs, `[outputs / W, inputs, W]`, so that the `T * W` running sums stay in
/// registers and the weights are read in order.
struct Linear<const T: usize, const W: usize> {
    panels: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl<const T: usize, const W: usize> Linear<T, W> {
    fn pack(outputs: usize, inputs: usize, bias: Vec<f32>, weight: impl Fn(usize, usize) -> f32) -> Self {
        debug_assert_eq!(outputs % W, 0);
        let mut panels = Vec::with_capacity(outputs * inputs);
        for first in (0..outputs).step_by(W) {
            for input in 0..inputs {
                panels.extend((first..first + W).map(|output| weight(output, input)));
            }
        }
        Self { panels, bias, inputs }
    }

    /// Writes `[T, outputs]`.
    fn apply(&self, columns: [&[f32]; T], output: &mut [f32]) {
        Product { layer: self, columns: columns.map(|column| &column[..self.inputs]), output }.dispatch();
    }
}

/// [`Linear::apply`], compiled for each instruction set. The compiler vectorises the plain loops.
struct Product<'a, const T: usize, const W: usize> {
    layer: &'a Linear<T, W>,
    columns: [&'a [f32]; T],
    output: &'a mut [f32],
}

impl<const T: usize, const W: usize> SimdOp for Product<'_, T, W> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _isa: I) {
        let Self { layer, columns, output } = self;
        let outputs = layer.bias.len();
        let panels = layer.panels.chunks_exact(layer.inputs * W);
        for (block, (panel, bias)) in panels.zip(layer.bias.as_chunks::<W>().0).enumerate() {
            let mut sums = [*bias; T];
            for (input, weights) in panel.as_chunks::<W>().0.iter().enumerate() {
                for t in 0..T {
                    let x = columns[t][input];
                    for w in 0..W {
                        sums[t][w] += x * weights[w];
                    }
                }
            }
            for (t, sums) in sums.iter().enumerate() {
                output[t * outputs + block * W..][..W].copy_from_slice(sums);
            }
        }
    }
}

/// The weights file, read with checks of shape.
struct Tensors<'a>(SafeTensors<'a>);

impl Tensors<'_> {
    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let tensor = self.0.tensor(name).map_err(damaged)?;
        if tensor.dtype() != safetensors::Dtype::F32 || tensor.shape() != shape {
            return Err(damaged(format!("tensor {name} is not f32 of shape {shape:?}")));
        }
        Ok(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// A convolution of kernel 3 (`[outputs, inputs, 3]`) as a linear layer over the rows that `taps` read.
    fn conv<const T: usize, const W: usize>(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
        taps: std::ops::Range<usize>,
    ) -> Result<Linear<T, W>> {
        let weight = self.read(&format!("{name}.weight"), &[outputs, inputs, 3])?;
        let bias = self.read(&format!("{name}.bias"), &[outputs])?;
        Ok(Linear::pack(outputs, inputs * taps.len(), bias, |output, column| {
            let (tap, input) = (taps.start + column / inputs, column % inputs);
            weight[(output * inputs + input) * 3 + tap]
        }))
    }
}

fn damaged(reason: impl ToString) -> Error {
    Error::model("silero-vad", format!("built-in weights: {}", reason.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [`Network::transform`] replaces a convolution by an FFT; this holds only for these very weights.
    #[test]
    fn transform_weights_are_a_windowed_fourier_basis() {
        let tensors = Tensors(SafeTensors::deserialize(WEIGHTS).unwrap());
        let weights = tensors.read("stft_conv.weight", &[2 * BINS, 1, WINDOW]).unwrap();
        let window = &weights[..WINDOW];
        for (row, weights) in weights.chunks(WINDOW).enumerate() {
            for (n, (&weight, &window)) in weights.iter().zip(window).enumerate() {
                let angle = std::f64::consts::TAU * ((row % BINS) * n) as f64 / WINDOW as f64;
                let basis = if row < BINS { angle.cos() } else { -angle.sin() };
                assert!(
                    (f64::from(weight) - basis * f64::from(window)).abs() < 1e-6,
                    "row {row}, sample {n}"
                );
            }
        }
    }

    #[test]
    fn linear_equals_the_plain_product() {
        let weight = |output: usize, input: usize| ((output * 7 + input * 3) % 11) as f32 - 5.0;
        let layer = Linear::<2, 32>::pack(64, 5, (0..64).map(|i| i as f32).collect(), weight);
        let columns = [[1.0, -2.0, 3.0, 0.5, 0.0], [0.0, 1.0, 1.0, -1.0, 2.0]];
        let mut output = [0.0; 128];
        layer.apply([&columns[0], &columns[1]], &mut output);
        for (t, column) in columns.iter().enumerate() {
            for o in 0..64 {
                let expected: f32 =
                    o as f32 + column.iter().enumerate().map(|(i, x)| x * weight(o, i)).sum::<f32>();
                assert_eq!(output[t * 64 + o], expected);
            }
        }
    }

    #[test]
    fn no_input_poisons_the_state() {
        let mut vad = SileroVad::new().unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::MAX, -f32::MAX] {
            assert!((0.0..=1.0).contains(&vad.process(&[bad; FRAME_SAMPLES])));
        }
        let quiet: Vec<f32> = (0..60).map(|_| vad.process(&[0.0; FRAME_SAMPLES])).collect();
        assert!(quiet.iter().all(|p| (0.0..=1.0).contains(p)) && quiet[59] < 0.1, "{quiet:?}");
    }

    #[test]
    fn reset_forgets() {
        let mut vad = SileroVad::new().unwrap();
        let frame: [f32; FRAME_SAMPLES] = std::array::from_fn(|i| (i as f32 * 0.3).sin() * 0.3);
        let first = vad.process(&frame);
        vad.process(&frame);
        vad.reset();
        assert_eq!(vad.process(&frame), first);
    }
}
