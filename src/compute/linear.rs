//! Linear layers for many rows at once: weights packed for the matrix kernel when they are loaded.

use candle_core::{Result, Tensor};
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

use super::elementwise::gelu_in_place;
use super::int8::Int8Weight;
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
    F32(PackedBMatrix<f32>),
    Int8(Int8Weight),
}

/// `x Wᵀ + b`. Made for tens of rows and more; [`RowLinear`](super::RowLinear) is made for few.
pub struct Linear {
    weight: Weight,
    bias: Option<Vec<f32>>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// A layer with `weight` `[outputs, inputs]` and `bias` `[outputs]`, multiplied in `precision`.
    pub fn new(weight: &[f32], bias: Option<Vec<f32>>, inputs: usize, precision: Precision) -> Self {
        let outputs = weight.len() / inputs;
        assert_eq!(weight.len(), inputs * outputs, "a weight is outputs times inputs");
        assert!(bias.as_ref().is_none_or(|bias| bias.len() == outputs), "a bias has one value an output");
        let weight = match precision {
            Precision::Int8 => Weight::Int8(Int8Weight::new(weight, inputs)),
            Precision::F32 => {
                // The kernel multiplies by [inputs, outputs]: the same numbers, seen transposed.
                let transposed = NdTensorView::from_data([outputs, inputs], weight);
                Weight::F32(GemmExecutor::<f32>::new().prepack_b(transposed.transposed()))
            }
        };
        Self { weight, bias, inputs, outputs }
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
        let out = self.apply(x, After::Store)?;
        let rows = out.len() / self.outputs;
        tensor::from_values(out, (rows, self.outputs))
    }

    /// The layer applied to each row of `x`, `[rows, inputs]`, into `out`, `[rows, outputs]`.
    pub fn forward_into(&self, x: &[f32], out: &mut [f32]) {
        assert_eq!(
            x.len() / self.inputs,
            out.len() / self.outputs,
            "a row of outputs for each row of inputs"
        );
        self.multiply(x, self.inputs, out, After::Store);
    }

    /// Calls `use_output` with the layer applied to `x`, `[rows, outputs]`.
    pub fn forward_with<R>(&self, x: &Tensor, use_output: impl FnOnce(&[f32]) -> R) -> Result<R> {
        Ok(use_output(&self.apply(x, After::Store)?))
    }

    /// The layer applied to `x`, then the exact GELU.
    pub fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        let out = self.apply(x, After::Gelu)?;
        let rows = out.len() / self.outputs;
        tensor::from_values(out, (rows, self.outputs))
    }

    /// The layer applied to `x`, added to `residual`, `[rows, outputs]`.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let mut out = tensor::with_slice(residual, <[f32]>::to_vec)?;
        tensor::with_slice(x, |x| self.multiply(x, self.inputs, &mut out, After::Add))?;
        tensor::from_values(out, residual.shape())
    }

    /// The layer applied to windows of `x` that start every `stride` elements; `out` has a row for each.
    pub(super) fn forward_windows_into(&self, x: &[f32], stride: usize, out: &mut [f32], after: After) {
        self.multiply(x, stride, out, after);
    }

    fn apply(&self, x: &Tensor, after: After) -> Result<Vec<f32>> {
        let mut out = vec![0.0; x.elem_count() / self.inputs * self.outputs];
        tensor::with_slice(x, |x| self.multiply(x, self.inputs, &mut out, after))?;
        Ok(out)
    }

    fn multiply(&self, x: &[f32], stride: usize, out: &mut [f32], after: After) {
        let rows = out.len() / self.outputs;
        if rows == 0 {
            return;
        }
        let x = &x[..(rows - 1) * stride + self.inputs];
        let weight = match &self.weight {
            Weight::Int8(weight) => return weight.multiply(x, stride, self.bias.as_deref(), out, after),
            Weight::F32(weight) => weight,
        };
        let x = NdTensorView::from_slice_with_strides([rows, self.inputs], x, [stride, 1])
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
    use candle_core::Device;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_plain_product(rows in 1usize..40, inputs in 1usize..70, outputs in 1usize..70, seed in 0u32..99) {
            let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 16) as f32 / 65_536.0 - 0.5;
            let weight: Vec<f32> = (0..outputs * inputs).map(value).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| value(i + 7)).collect();
            let x: Vec<f32> = (0..rows * inputs).map(|i| value(i + 13)).collect();
            let layer = Linear::new(&weight, Some(bias.clone()), inputs, Precision::F32);
            let x_tensor = Tensor::from_slice(&x, (rows, inputs), &Device::Cpu).unwrap();
            let residual = Tensor::ones((rows, outputs), candle_core::DType::F32, &Device::Cpu).unwrap();
            let out = layer.forward_add(&x_tensor, &residual).unwrap().to_vec2::<f32>().unwrap();
            for (row, out) in x.chunks(inputs).zip(&out) {
                for (n, out) in out.iter().enumerate() {
                    let dot: f32 = row.iter().zip(&weight[n * inputs..]).map(|(x, w)| x * w).sum();
                    prop_assert!((out - (dot + bias[n] + 1.0)).abs() < 1e-4);
                }
            }
        }
    }
}
