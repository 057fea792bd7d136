//! Linear layers for many rows at once: weights packed for the matrix kernel when they are loaded.

use std::cell::Cell;

use candle_core::{Result, Tensor};
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

use super::elementwise::gelu_in_place;
use super::int8::Int8Weight;
use super::norm::LayerNorm;
use super::pack::{Arrays, Packed, Taken};
use super::panels::{NarrowPanels, SinglePanels, bf16_pays, narrow_parallel};
use super::stored::Stored;
use super::{Precision, tensor};

/// What is done with a product after the bias was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It replaces what is in the output.
    Store,
    /// Its exact GELU replaces what is in the output.
    Gelu,
    /// It is added to what is in the output.
    Add,
}

enum Weight {
    /// For what the processor has for many products of f32.
    Single(SinglePanels),
    /// For what rten-gemm finds.
    F32(PackedBMatrix<f32>),
    Bf16(NarrowPanels),
    Int8(Int8Weight),
}

thread_local! {
    /// Room for rows in bf16.
    static NARROWED: Cell<Vec<u16>> = const { Cell::new(Vec::new()) };
}

/// `x Wᵀ + b`. Made for tens of rows and more; [`RowLinear`](super::RowLinear) is made for few.
pub struct Linear {
    weight: Weight,
    bias: Option<Stored<f32>>,
    inputs: usize,
    outputs: usize,
}

impl Packed for Linear {
    fn put<'a>(&'a self, arrays: &mut Arrays<'a>) -> bool {
        let kept = match &self.weight {
            Weight::Int8(weight) => weight.put(arrays),
            Weight::Single(weight) => {
                weight.put(arrays);
                true
            }
            Weight::F32(_) | Weight::Bf16(_) => false,
        };
        if let Some(bias) = &self.bias {
            arrays.put(bias);
        }
        kept
    }

    fn take(arrays: &mut Taken, inputs: usize, outputs: usize) -> Option<Self> {
        let mut others = arrays.clone();
        let weight = match Int8Weight::take(arrays, inputs, outputs) {
            Some(weight) => Weight::Int8(weight),
            None => {
                let weight = SinglePanels::take(&mut others, inputs, outputs)?;
                *arrays = others;
                Weight::Single(weight)
            }
        };
        let bias = match arrays.is_empty() {
            true => None,
            false => Some(arrays.take(outputs)?),
        };
        Some(Self { weight, bias, inputs, outputs })
    }
}

impl Linear {
    /// A layer with `weight` `[outputs, inputs]` and `bias` `[outputs]`, multiplied in `precision`.
    pub fn new(weight: &[f32], bias: Option<Vec<f32>>, inputs: usize, precision: Precision) -> Self {
        let outputs = weight.len() / inputs;
        assert_eq!(weight.len(), inputs * outputs, "a weight is outputs times inputs");
        assert!(bias.as_ref().is_none_or(|bias| bias.len() == outputs), "a bias has one value an output");
        let single = || {
            if let Some(panels) = SinglePanels::new(weight, inputs) {
                return Weight::Single(panels);
            }
            // The kernel multiplies by [inputs, outputs]: the same numbers, seen transposed.
            let transposed = NdTensorView::from_data([outputs, inputs], weight);
            Weight::F32(GemmExecutor::<f32>::new().prepack_b(transposed.transposed()))
        };
        let weight = match precision {
            Precision::Int8 => Weight::Int8(Int8Weight::new(weight, inputs)),
            Precision::Bf16 if bf16_pays() => {
                NarrowPanels::bf16(weight, inputs).map_or_else(single, Weight::Bf16)
            }
            Precision::Bf16 | Precision::F32 => single(),
        };
        Self { weight, bias: bias.map(Stored::from), inputs, outputs }
    }

    /// Width of a row of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of a row of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The layer applied to `x`, `[rows, inputs]`: `[rows, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.apply(x)?;
        let rows = out.len() / self.outputs;
        tensor::from_values(out, (rows, self.outputs))
    }

    /// Calls `use_output` with the layer applied to `x`, `[rows, outputs]`.
    pub fn forward_with<R>(&self, x: &Tensor, use_output: impl FnOnce(&[f32]) -> R) -> Result<R> {
        Ok(use_output(&self.apply(x)?))
    }

    /// The layer applied to each row of `x`, `[rows, inputs]`, into `out`, `[rows, outputs]`.
    pub fn forward_into(&self, x: &[f32], out: &mut [f32]) {
        self.rows_into(x, out, After::Store);
    }

    /// The layer applied to each row of `x`, then the exact GELU.
    pub fn forward_gelu_into(&self, x: &[f32], out: &mut [f32]) {
        self.rows_into(x, out, After::Gelu);
    }

    /// The layer applied to each row of `x`, added to `sum`, `[rows, outputs]`.
    pub fn forward_add_into(&self, x: &[f32], sum: &mut [f32]) {
        self.rows_into(x, sum, After::Add);
    }

    /// The layer applied to each row of `x`, normalised by `norm` first.
    pub fn forward_normed_into(&self, norm: &LayerNorm, x: &[f32], out: &mut [f32]) {
        self.normed_into(norm, x, out, After::Store);
    }

    /// The same, then the exact GELU.
    pub fn forward_normed_gelu_into(&self, norm: &LayerNorm, x: &[f32], out: &mut [f32]) {
        self.normed_into(norm, x, out, After::Gelu);
    }

    /// The layer applied to windows of `x` that start every `stride` elements; `out` has a row for each.
    pub(super) fn forward_windows_into(&self, x: &[f32], stride: usize, out: &mut [f32], after: After) {
        self.multiply(x, stride, out, after);
    }

    fn apply(&self, x: &Tensor) -> Result<Vec<f32>> {
        let mut out = vec![0.0; x.elem_count() / self.inputs * self.outputs];
        tensor::with_slice(x, |x| self.multiply(x, self.inputs, &mut out, After::Store))?;
        Ok(out)
    }

    fn rows_into(&self, x: &[f32], out: &mut [f32], after: After) {
        self.check(x, out);
        self.multiply(x, self.inputs, out, after);
    }

    fn normed_into(&self, norm: &LayerNorm, x: &[f32], out: &mut [f32], after: After) {
        self.check(x, out);
        match &self.weight {
            Weight::Int8(weight) => weight.multiply_normed(norm, x, self.bias.as_deref(), out, after),
            Weight::Single(_) | Weight::F32(_) | Weight::Bf16(_) => {
                self.multiply(&norm.rows(x), self.inputs, out, after)
            }
        }
    }

    fn check(&self, x: &[f32], out: &[f32]) {
        let (rows, rows_out) = (x.len() / self.inputs, out.len() / self.outputs);
        assert_eq!(rows, rows_out, "a row of outputs for each row of inputs");
    }

    fn multiply(&self, x: &[f32], stride: usize, out: &mut [f32], after: After) {
        let rows = out.len() / self.outputs;
        if rows == 0 {
            return;
        }
        let (x, bias) = (&x[..(rows - 1) * stride + self.inputs], self.bias.as_deref());
        match &self.weight {
            Weight::Int8(weight) => weight.multiply(x, stride, bias, out, after),
            Weight::Bf16(panels) => {
                // Taken rather than borrowed: while tasks are waited for, this thread may work on another product.
                let mut narrowed = NARROWED.take();
                narrowed.resize(x.len(), 0);
                narrow_parallel(x, &mut narrowed);
                panels.multiply(&narrowed, stride, bias, out, after);
                NARROWED.set(narrowed);
            }
            Weight::Single(weight) => weight.multiply(x, stride, bias, out, after),
            Weight::F32(weight) => self.multiply_single(weight, x, stride, out, after),
        }
    }

    fn multiply_single(
        &self,
        weight: &PackedBMatrix<f32>,
        x: &[f32],
        stride: usize,
        out: &mut [f32],
        after: After,
    ) {
        let x =
            NdTensorView::from_slice_with_strides([out.len() / self.outputs, self.inputs], x, [stride, 1])
                .expect("strides lie within the slice cut for them");
        let options = GemmOptions {
            beta: if after == After::Add { 1.0 } else { 0.0 },
            bias: self.bias.as_deref().map(BiasVector::Row),
            ..GemmOptions::default()
        };
        // An executor holds no state but the choice of kernel, and cannot be sent between threads.
        GemmExecutor::<f32>::new()
            .gemm(out, GemmInputA::Unpacked(x), GemmInputB::Packed(weight), options)
            .expect("shapes were checked when the layer was made");
        if after == After::Gelu {
            gelu_in_place(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_plain_product(rows in 1usize..40, inputs in 1usize..70, outputs in 1usize..70, seed in 0u32..99) {
            let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 16) as f32 / 65_536.0 - 0.5;
            let weight: Vec<f32> = (0..outputs * inputs).map(value).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| value(i + 7)).collect();
            let x: Vec<f32> = (0..rows * inputs).map(|i| value(i + 13)).collect();
            let layer = Linear::new(&weight, Some(bias.clone()), inputs, Precision::F32);
            let mut out = vec![1.0; rows * outputs];
            layer.forward_add_into(&x, &mut out);
            let out: Vec<&[f32]> = out.chunks(outputs).collect();
            for (row, out) in x.chunks(inputs).zip(&out) {
                for (n, out) in out.iter().enumerate() {
                    let dot: f32 = row.iter().zip(&weight[n * inputs..]).map(|(x, w)| x * w).sum();
                    prop_assert!((out - (dot + bias[n] + 1.0)).abs() < 1e-4);
                }
            }
        }
    }
}
