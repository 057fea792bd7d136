//! Layers as one pass over memory each, forwards and backwards, for tensors of f32 on a processor. What candle makes of the same
//! sums goes through memory once for each term, which a processor that trains notices; elsewhere layers are those sums.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_vecmath::{Exp, Gelu, Sigmoid, Sum, SumSquareSub, Tanh};

/// Whether `x` can be computed here.
pub(super) fn fits(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// A sum of shifted frames: `padded` is `[batch, time + taps - 1, channels]`, `taps` `[taps, channels]`, and what comes out
/// `[batch, time, channels]`.
pub(super) fn depthwise(padded: &Tensor, taps: &Tensor) -> Result<Tensor> {
    padded.contiguous()?.apply_op2(&taps.contiguous()?, Depthwise)
}

/// The exact GELU, `x Φ(x)`.
pub(super) fn gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(GeluOp)
}

/// The last axis of `x` normalised, times `weight`, plus `bias`.
pub(super) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Norm(eps as f32))
}

/// The outputs of an LSTM, `[batch, time, width]`, whose gates (in, forget, cell, out) are `gates`, `[batch, time, 4 width]`, plus what `recurrent`,
/// `[4 width, width]`, makes of the last output. It begins with zeros.
pub(super) fn lstm(gates: &Tensor, recurrent: &Tensor) -> Result<Tensor> {
    gates.contiguous()?.apply_op2(&recurrent.contiguous()?, LstmOp::default())
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a fused layer needs its values side by side"),
    }
}

fn to_vec(x: &Tensor) -> Result<Vec<f32>> {
    x.detach().flatten_all()?.to_vec1()
}

fn like(values: Vec<f32>, x: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, x.shape(), x.device())
}

struct Depthwise;

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(
        &self,
        padded: &CpuStorage,
        layout: &Layout,
        taps: &CpuStorage,
        of_taps: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, long, channels) = layout.shape().dims3()?;
        let (x, weights) = (values(padded, layout)?, values(taps, of_taps)?);
        let time = long + 1 - of_taps.dims()[0];
        let mut out = vec![0.0_f32; batch * time * channels];
        for (sound, out) in x.chunks_exact(long * channels).zip(out.chunks_exact_mut(time * channels)) {
            for (at, out) in out.chunks_exact_mut(channels).enumerate() {
                for (tap, weights) in weights.chunks_exact(channels).enumerate() {
                    let frame = &sound[(at + tap) * channels..][..channels];
                    for ((out, x), weight) in out.iter_mut().zip(frame).zip(weights) {
                        *out += x * weight;
                    }
                }
            }
        }
        Ok((CpuStorage::F32(out), (batch, time, channels).into()))
    }

    fn bwd(
        &self,
        padded: &Tensor,
        taps: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, long, channels) = padded.dims3()?;
        let time = grad.dim(1)?;
        let (x, weights, grads) = (to_vec(padded)?, to_vec(taps)?, to_vec(grad)?);
        let (mut of_x, mut of_weights) = (vec![0.0_f32; x.len()], vec![0.0_f32; weights.len()]);
        let sounds = x.chunks_exact(long * channels).zip(of_x.chunks_exact_mut(long * channels));
        for ((sound, of_sound), grads) in sounds.zip(grads.chunks_exact(time * channels)) {
            for (at, grad) in grads.chunks_exact(channels).enumerate() {
                let both = weights.chunks_exact(channels).zip(of_weights.chunks_exact_mut(channels));
                for (tap, (weights, of_weights)) in both.enumerate() {
                    let place = (at + tap) * channels;
                    let (frame, of_frame) = (&sound[place..][..channels], &mut of_sound[place..][..channels]);
                    for channel in 0..channels {
                        of_frame[channel] += grad[channel] * weights[channel];
                        of_weights[channel] += grad[channel] * frame[channel];
                    }
                }
            }
        }
        Ok((Some(like(of_x, padded)?), Some(like(of_weights, taps)?)))
    }
}

struct GeluOp;

impl CustomOp1 for GeluOp {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = values(storage, layout)?.to_vec();
        Gelu {}.map_mut(&mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// `Φ(x) + x φ(x)`; `Φ(x)` is what came out over what went in.
    fn bwd(&self, arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        const DENSITY: f32 = 0.398_942_3;
        let (x, y, mut out) = (to_vec(arg)?, to_vec(res)?, to_vec(grad)?);
        let mut bell: Vec<f32> = x.iter().map(|x| -0.5 * x * x).collect();
        Exp {}.map_mut(&mut bell);
        for (((out, x), y), bell) in out.iter_mut().zip(x).zip(y).zip(bell) {
            let share = if x.abs() > 1e-2 { y / x } else { 0.5 + DENSITY * x };
            *out *= share + x * DENSITY * bell;
        }
        Ok(Some(like(out, arg)?))
    }
}

/// What is added to the variance.
struct Norm(f32);

impl Norm {
    /// The mean of a row and what its deviations from it are multiplied by.
    fn moments(&self, row: &[f32]) -> (f32, f32) {
        let count = row.len() as f32;
        let mean = Sum::new(row).dispatch() / count;
        (mean, (SumSquareSub::new(row, mean).dispatch() / count + self.0).sqrt().recip())
    }
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        of_weight: &Layout,
        bias: &CpuStorage,
        of_bias: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (weight, bias) = (values(weight, of_weight)?, values(bias, of_bias)?);
        let mut out = values(x, layout)?.to_vec();
        for row in out.chunks_exact_mut(weight.len()) {
            let (mean, scale) = self.moments(row);
            for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
                *x = (*x - mean) * scale * weight + bias;
            }
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, weights, mut grads) = (to_vec(x)?, to_vec(weight)?, to_vec(grad)?);
        let width = weights.len();
        let (mut of_weight, mut of_bias) = (vec![0.0_f32; width], vec![0.0_f32; width]);
        for (row, grad) in rows.chunks_exact(width).zip(grads.chunks_exact_mut(width)) {
            let (mean, scale) = self.moments(row);
            let (mut sum, mut along) = (0.0, 0.0);
            for at in 0..width {
                let normal = (row[at] - mean) * scale;
                of_weight[at] += grad[at] * normal;
                of_bias[at] += grad[at];
                grad[at] *= weights[at];
                sum += grad[at];
                along += grad[at] * normal;
            }
            let (sum, along) = (sum / width as f32, along / width as f32);
            for (grad, x) in grad.iter_mut().zip(row) {
                *grad = scale * (*grad - sum - (x - mean) * scale * along);
            }
        }
        Ok((Some(like(grads, x)?), Some(like(of_weight, weight)?), Some(like(of_bias, bias)?)))
    }
}

/// An LSTM's steps, with what they passed on the way.
#[derive(Default)]
struct LstmOp(Mutex<Passed>);

/// Of each step in turn, of all sounds.
#[derive(Default, Clone)]
struct Passed {
    /// Gates as they act, `[time, batch, 4 width]`.
    gates: Vec<f32>,
    /// Cells after the step, `[time, batch, width]`.
    cells: Vec<f32>,
}

impl LstmOp {
    /// The outputs, `[time, batch, width]`, and what was passed.
    fn steps(
        gates: &[f32],
        recurrent: &Tensor,
        (batch, time, width): (usize, usize, usize),
    ) -> Result<(Vec<f32>, Passed)> {
        let turned = recurrent.t()?.contiguous()?;
        let mut passed = Passed {
            gates: Vec::with_capacity(gates.len()),
            cells: Vec::with_capacity(batch * time * width),
        };
        let mut outputs = Vec::with_capacity(batch * time * width);
        let (mut hidden, mut cells) = (vec![0.0_f32; batch * width], vec![0.0_f32; batch * width]);
        for at in 0..time {
            let told = Tensor::from_slice(&hidden, (batch, width), recurrent.device())?.matmul(&turned)?;
            let mut acting = to_vec(&told)?;
            for (sound, acting) in acting.chunks_exact_mut(4 * width).enumerate() {
                let given = &gates[(sound * time + at) * 4 * width..][..4 * width];
                acting.iter_mut().zip(given).for_each(|(acting, given)| *acting += given);
                let (ins, rest) = acting.split_at_mut(2 * width);
                let (candidates, outs) = rest.split_at_mut(width);
                Sigmoid {}.map_mut(ins);
                Tanh {}.map_mut(candidates);
                Sigmoid {}.map_mut(outs);
                let (ins, forgets) = ins.split_at(width);
                let cells = &mut cells[sound * width..][..width];
                let hidden = &mut hidden[sound * width..][..width];
                for unit in 0..width {
                    cells[unit] = forgets[unit] * cells[unit] + ins[unit] * candidates[unit];
                }
                hidden.copy_from_slice(cells);
                Tanh {}.map_mut(hidden);
                hidden.iter_mut().zip(&*outs).for_each(|(hidden, out)| *hidden *= out);
            }
            passed.gates.extend_from_slice(&acting);
            passed.cells.extend_from_slice(&cells);
            outputs.extend_from_slice(&hidden);
        }
        Ok((outputs, passed))
    }
}

/// Rows of `[first, second, width]` as `[second, first, width]`.
fn turned(x: &[f32], (first, second, width): (usize, usize, usize)) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for column in 0..second {
        for row in 0..first {
            out.extend_from_slice(&x[(row * second + column) * width..][..width]);
        }
    }
    out
}

impl CustomOp2 for LstmOp {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn cpu_fwd(
        &self,
        gates: &CpuStorage,
        layout: &Layout,
        recurrent: &CpuStorage,
        of_recurrent: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, time, wide) = layout.shape().dims3()?;
        let width = wide / 4;
        let weight = values(recurrent, of_recurrent)?;
        let weight = Tensor::from_slice(weight, (wide, width), &candle_core::Device::Cpu)?;
        let (outputs, passed) = Self::steps(values(gates, layout)?, &weight, (batch, time, width))?;
        if let Ok(mut kept) = self.0.lock() {
            *kept = passed;
        }
        Ok((CpuStorage::F32(turned(&outputs, (time, batch, width))), (batch, time, width).into()))
    }

    fn bwd(
        &self,
        gates: &Tensor,
        recurrent: &Tensor,
        res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (batch, time, width) = res.dims3()?;
        let recurrent = recurrent.detach();
        let passed = match self.0.lock() {
            Ok(kept) => kept.clone(),
            Err(_) => bail!("an LSTM's steps were lost"),
        };
        let grads = turned(&to_vec(grad)?, (batch, time, width));
        let outputs = turned(&to_vec(res)?, (batch, time, width));
        let row = batch * width;
        let mut of_gates = vec![0.0_f32; 4 * time * row];
        let (mut of_hidden, mut of_cells) = (vec![0.0_f32; row], vec![0.0_f32; row]);
        for at in (0..time).rev() {
            of_hidden.iter_mut().zip(&grads[at * row..]).for_each(|(sum, grad)| *sum += grad);
            let before = at.checked_sub(1).map(|last| &passed.cells[last * row..][..row]);
            let of_step = &mut of_gates[4 * at * row..][..4 * row];
            let mut tangents = passed.cells[at * row..][..row].to_vec();
            Tanh {}.map_mut(&mut tangents);
            for sound in 0..batch {
                let acting = &passed.gates[4 * (at * row + sound * width)..][..4 * width];
                let of_step = &mut of_step[4 * sound * width..][..4 * width];
                for unit in 0..width {
                    let place = sound * width + unit;
                    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| acting[gate * width + unit]);
                    let tangent = tangents[place];
                    let of_cell = of_cells[place] + of_hidden[place] * o * (1.0 - tangent * tangent);
                    of_step[unit] = of_cell * g * i * (1.0 - i);
                    of_step[width + unit] =
                        of_cell * before.map_or(0.0, |before| before[place]) * f * (1.0 - f);
                    of_step[2 * width + unit] = of_cell * i * (1.0 - g * g);
                    of_step[3 * width + unit] = of_hidden[place] * tangent * o * (1.0 - o);
                    of_cells[place] = of_cell * f;
                }
            }
            let step = Tensor::from_slice(of_step, (batch, 4 * width), res.device())?;
            of_hidden = to_vec(&step.matmul(&recurrent)?)?;
        }
        // The output before the first step is zero, so that the first step's gates tell nothing of the weights.
        let later = (time - 1) * row;
        let of_recurrent = match later {
            0 => recurrent.zeros_like()?,
            _ => {
                let gates =
                    Tensor::from_slice(&of_gates[4 * row..], (later / width, 4 * width), res.device())?;
                let before = Tensor::from_slice(&outputs[..later], (later / width, width), res.device())?;
                gates.t()?.matmul(&before)?
            }
        };
        let of_gates = turned(&of_gates, (time, batch, 4 * width));
        Ok((Some(like(of_gates, gates)?), Some(of_recurrent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn random(shape: &[usize]) -> Var {
        Var::from_tensor(&Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap()).unwrap()
    }

    fn far(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap()
    }

    /// Two ways to compute one function: values and gradients of a sum with weights are the same.
    fn same(vars: &[&Var], fused: &dyn Fn() -> Tensor, plain: &dyn Fn() -> Tensor) {
        let (a, b) = (fused(), plain());
        assert!(far(&a, &b) < 2e-5, "{}", far(&a, &b));
        let weights = Tensor::randn(0f32, 1.0, a.shape(), &Device::Cpu).unwrap();
        let slopes = |x: &Tensor| (x * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let (a, b) = (slopes(&a), slopes(&b));
        for var in vars {
            let (a, b) = (a.get(var).unwrap(), b.get(var).unwrap());
            let size = b.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(far(a, b) < 2e-5 * size.max(1.0), "{} of {size}", far(a, b));
        }
    }

    #[test]
    fn depthwise_is_the_sum_of_shifted_frames() {
        let (x, taps) = (random(&[2, 9, 5]), random(&[3, 5]));
        let plain = || {
            let part = |tap: usize| {
                let weight = taps.narrow(0, tap, 1).unwrap().reshape((1, 1, 5)).unwrap();
                x.narrow(1, tap, 7).unwrap().broadcast_mul(&weight).unwrap()
            };
            ((part(0) + part(1)).unwrap() + part(2)).unwrap()
        };
        same(&[&x, &taps], &|| depthwise(&x, &taps).unwrap(), &plain);
    }

    #[test]
    fn gelu_is_candles() {
        let x = random(&[4, 50]);
        same(&[&x], &|| gelu(&x).unwrap(), &|| x.gelu_erf().unwrap());
        let near = Var::new(&[0.0f32, 1e-3, -9e-3, 1.1e-2], &Device::Cpu).unwrap();
        same(&[&near], &|| gelu(&near).unwrap(), &|| near.gelu_erf().unwrap());
    }

    #[test]
    fn layer_norm_is_the_sum_of_its_terms() {
        let (x, weight, bias) = (random(&[3, 4, 7]), random(&[7]), random(&[7]));
        let plain = || {
            let normal = super::super::layers::layer_norm(&x, 1e-5).unwrap();
            normal.broadcast_mul(&weight).unwrap().broadcast_add(&bias).unwrap()
        };
        same(&[&x, &weight, &bias], &|| layer_norm(&x, &weight, &bias, 1e-5).unwrap(), &plain);
    }

    #[test]
    fn lstm_is_step_after_step() {
        let sigmoid = |x: &Tensor| (((x * 0.5).unwrap().tanh().unwrap() + 1.0).unwrap() * 0.5).unwrap();
        let (gates, recurrent) = (random(&[2, 5, 12]), random(&[12, 3]));
        let plain = || {
            let mut hidden = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
            let mut cell = hidden.clone();
            let mut outputs = Vec::new();
            for at in 0..5 {
                let told = hidden.matmul(&recurrent.t().unwrap()).unwrap();
                let all = (gates.narrow(1, at, 1).unwrap().squeeze(1).unwrap() + told).unwrap();
                let gate = |index: usize| all.narrow(1, 3 * index, 3).unwrap();
                let new = (sigmoid(&gate(0)) * gate(2).tanh().unwrap()).unwrap();
                cell = ((sigmoid(&gate(1)) * &cell).unwrap() + new).unwrap();
                hidden = (sigmoid(&gate(3)) * cell.tanh().unwrap()).unwrap();
                outputs.push(hidden.clone());
            }
            Tensor::stack(&outputs, 1).unwrap()
        };
        same(&[&gates, &recurrent], &|| lstm(&gates, &recurrent).unwrap(), &plain);
    }
}
