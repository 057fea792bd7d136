//! Products of many rows in int8: weights are quantised by row when they are loaded, activations by row as they come.

use std::cell::Cell;

use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, PackedBMatrix};
use rten_simd::ops::{BitOps, NumOps, ToFloat};
use rten_simd::{Isa, SimdOp};
use rten_tensor::NdTensorView;

use super::elementwise::gelu_in_place;
use super::int8_rows::{QuantisedRows, quantise_weight, row_sums};
use super::linear::After;
use super::norm::LayerNorm;
use super::pack::{Arrays, Taken};
use super::panels::Int8Panels;

/// Rows that are quantised, multiplied and scaled together, while they are in the second-level cache.
const BLOCK: usize = 64;
/// Rows that a task takes at least.
const LEAST: usize = 8;

type Executor = GemmExecutor<u8, i8, i32>;

/// A weight `[outputs, inputs]` in int8, with one scale for each output.
pub(super) struct Int8Weight {
    kernel: Kernel,
    inputs: usize,
}

enum Kernel {
    /// With what the processor has for products of bytes.
    Panels(Int8Panels),
    /// With what rten-gemm finds.
    General(General),
}

struct General {
    packed: PackedBMatrix<i8>,
    scales: Vec<f32>,
    /// Sums of the rows of integers: what a zero that is not 0 adds to a product. It is taken away here, since the kernels
    /// of rten-gemm 0.27 give wrong sums where each row has a zero of its own.
    sums: Vec<i32>,
}

thread_local! {
    /// Room for quantised rows.
    static SCRATCH: Cell<QuantisedRows> = const { Cell::new(QuantisedRows::new()) };
}

impl Int8Weight {
    /// Quantises `weight`, `[outputs, inputs]`, symmetrically: the largest of each row becomes 127.
    pub fn new(weight: &[f32], inputs: usize) -> Self {
        let (values, scales) = quantise_weight(weight, inputs, largest(inputs));
        let sums = row_sums(&values, inputs);
        let kernel = match Int8Panels::new(&values, &scales, &sums, inputs) {
            Some(panels) => Kernel::Panels(panels),
            None => Kernel::General(General::new(&values, scales, sums, inputs)),
        };
        Self { kernel, inputs }
    }

    /// Adds its arrays to those that are kept; false where only rten-gemm knows their order.
    pub fn put<'a>(&'a self, arrays: &mut Arrays<'a>) -> bool {
        match &self.kernel {
            Kernel::Panels(panels) => panels.put(arrays),
            Kernel::General(_) => return false,
        }
        true
    }

    /// A weight `[outputs, inputs]` that was kept.
    pub fn take(arrays: &mut Taken, inputs: usize, outputs: usize) -> Option<Self> {
        Int8Panels::take(arrays, inputs, outputs)
            .map(|panels| Self { kernel: Kernel::Panels(panels), inputs })
    }

    /// `x Wᵀ + bias`, where rows of `x` start every `stride` elements, into or onto `out`, `[rows, outputs]`.
    pub fn multiply(&self, x: &[f32], stride: usize, bias: Option<&[f32]>, out: &mut [f32], after: After) {
        match &self.kernel {
            Kernel::Panels(panels) => {
                self.quantised(
                    |rows| rows.fill(x, stride, self.inputs),
                    |x| panels.multiply(x, bias, out, after),
                );
            }
            Kernel::General(general) => general.multiply(x, stride, self.inputs, bias, out, after),
        }
    }

    /// The same of the rows of `x`, `[rows, inputs]`, each normalised by `norm`.
    pub fn multiply_normed(
        &self,
        norm: &LayerNorm,
        x: &[f32],
        bias: Option<&[f32]>,
        out: &mut [f32],
        after: After,
    ) {
        match &self.kernel {
            Kernel::Panels(panels) => {
                self.quantised(
                    |rows| rows.fill_normed(norm, x, self.inputs),
                    |x| panels.multiply(x, bias, out, after),
                );
            }
            Kernel::General(general) => {
                general.multiply(&norm.rows(x), self.inputs, self.inputs, bias, out, after);
            }
        }
    }

    fn quantised(&self, fill: impl FnOnce(&mut QuantisedRows), multiply: impl FnOnce(&QuantisedRows)) {
        // Taken rather than borrowed: while tasks are waited for, this thread may work on another product.
        let mut rows = SCRATCH.take();
        fill(&mut rows);
        multiply(&rows);
        SCRATCH.set(rows);
    }
}

/// What the largest weight of a row of `inputs` becomes.
fn largest(inputs: usize) -> f32 {
    // Without VNNI, rten-gemm adds pairs of products in 16 bits, which seven bits of weight do not overflow.
    if !Int8Panels::take_rows_of(inputs) && Executor::new().may_saturate() { 63.0 } else { 127.0 }
}

impl General {
    fn new(values: &[i8], scales: Vec<f32>, sums: Vec<i32>, inputs: usize) -> Self {
        // The kernel multiplies by [inputs, outputs]: the same numbers, seen transposed.
        let transposed = NdTensorView::from_data([scales.len(), inputs], values);
        let packed = Executor::new().prepack_b(transposed.transposed());
        Self { packed, scales, sums }
    }

    fn multiply(
        &self,
        x: &[f32],
        stride: usize,
        inputs: usize,
        bias: Option<&[f32]>,
        out: &mut [f32],
        after: After,
    ) {
        let outputs = self.scales.len();
        let rows = out.len() / outputs;
        let block = rows.div_ceil(rayon::current_num_threads()).clamp(LEAST, BLOCK);
        out.par_chunks_mut(block * outputs).enumerate().for_each_init(
            Buffers::default,
            |buffers, (i, out)| {
                let rows = out.len() / outputs;
                let first = i * block * stride;
                buffers.x.fill(&x[first..first + (rows - 1) * stride + inputs], stride, inputs);
                buffers.products.resize(rows * outputs, 0);
                let x = NdTensorView::from_data([rows, inputs], &*buffers.x.values);
                // An executor holds no state but the choice of kernel, and cannot be sent between threads.
                Executor::new()
                    .gemm(
                        &mut buffers.products,
                        GemmInputA::Unpacked(x),
                        GemmInputB::Packed(&self.packed),
                        Default::default(),
                    )
                    .expect("shapes were checked when the layer was made");
                let products = buffers.products.chunks_exact(outputs);
                let rows = buffers
                    .x
                    .zeros
                    .iter()
                    .zip(&buffers.x.scales)
                    .zip(products)
                    .zip(out.chunks_exact_mut(outputs));
                for (((&zero, &scale), products), out) in rows {
                    Scale { products, zero, scale, weight: self, bias, out, add: after == After::Add }
                        .dispatch();
                }
                if after == After::Gelu {
                    gelu_in_place(out);
                }
            },
        );
    }
}

/// What one task needs.
#[derive(Default)]
struct Buffers {
    x: QuantisedRows,
    products: Vec<i32>,
}

/// Turns a row of integer products into f32.
struct Scale<'a> {
    products: &'a [i32],
    zero: i32,
    scale: f32,
    weight: &'a General,
    bias: Option<&'a [f32]>,
    out: &'a mut [f32],
    add: bool,
}

impl SimdOp for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { products, zero, scale, weight: General { scales, sums, .. }, bias, out, add } = self;
        let (ints, floats) = (isa.i32(), isa.f32());
        let (row_zero, row_scale) = (ints.splat(zero), floats.splat(scale));
        let width = floats.len();
        let whole = out.len() - out.len() % width;
        for i in (0..whole).step_by(width) {
            let part = i..i + width;
            let shift = ints.mul(ints.load(&sums[part.clone()]), row_zero);
            let product = ints.to_float(ints.sub(ints.load(&products[part.clone()]), shift));
            let column_scale = floats.mul(floats.load(&scales[part.clone()]), row_scale);
            let mut sum = match bias {
                Some(bias) => floats.load(&bias[part.clone()]),
                None => floats.zero(),
            };
            if add {
                sum = floats.add(sum, floats.load(&out[part.clone()]));
            }
            floats.store(floats.mul_add(product, column_scale, sum), &mut out[part]);
        }
        for i in whole..out.len() {
            let product = (products[i] - zero * sums[i]) as f32;
            let before = if add { out[i] } else { 0.0 };
            out[i] = product.mul_add(scales[i] * scale, bias.map_or(0.0, |bias| bias[i]) + before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rows::values;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_product_of_what_was_quantised(
            rows in 1usize..90, inputs in 1usize..150, outputs in 1usize..70, gap in 0usize..9,
            after in prop::sample::select(vec![After::Store, After::Add, After::Gelu]), seed in 0u32..99,
        ) {
            let stride = inputs + gap;
            let weight = values(outputs * inputs, seed);
            let x = values((rows - 1) * stride + inputs, seed + 1);
            let bias = values(outputs, seed + 2);
            let mut out = vec![1.0; rows * outputs];
            Int8Weight::new(&weight, inputs).multiply(&x, stride, Some(&bias), &mut out, after);

            let (weight, scales) = quantise_weight(&weight, inputs, largest(inputs));
            let mut quantised = QuantisedRows::default();
            quantised.fill(&x, stride, inputs);
            let mut general = vec![1.0; rows * outputs];
            let sums = row_sums(&weight, inputs);
            General::new(&weight, scales.clone(), sums, inputs)
                .multiply(&x, stride, inputs, Some(&bias), &mut general, after);
            for m in 0..rows {
                let x = &quantised.values[m * inputs..(m + 1) * inputs];
                for n in 0..outputs {
                    let product = |(x, w): (&u8, &i8)| (i32::from(*x) - quantised.zeros[m]) * i32::from(*w);
                    let sum: i32 = x.iter().zip(&weight[n * inputs..]).map(product).sum();
                    let before = if after == After::Add { 1.0 } else { 0.0 };
                    let mut expected = [sum as f32 * quantised.scales[m] * scales[n] + bias[n] + before];
                    if after == After::Gelu {
                        gelu_in_place(&mut expected);
                    }
                    prop_assert!((out[m * outputs + n] - expected[0]).abs() < 1e-4);
                    if !Executor::new().may_saturate() {
                        prop_assert!((general[m * outputs + n] - expected[0]).abs() < 1e-4);
                    }
                }
            }
        }
    }
}
