//! Matrices for few rows at once: weights stay row-major and are streamed from memory once a call.
//!
//! A decoding step multiplies one row a sequence, so its time is that of reading the weights. Halving their
//! size halves the time: weights that were trained or stored in f16 are kept so (which loses nothing) and
//! widened in registers.

use std::marker::PhantomData;

use rayon::prelude::*;
use rten_simd::ops::{BitOps, Extend, NumOps};
use rten_simd::{Isa, SimdOp};

use half::f16;

use super::int8_rows::Int8Rows;
use super::pack::{Arrays, Packed, Taken};
use super::stored::Stored;

/// Products (multiply-adds) that a task takes at least; less is not worth waking a thread for.
const GRAIN: usize = 128 * 1024;
/// Weight rows that are multiplied together.
const TILE_OUTPUTS: usize = 4;
/// Input rows that are multiplied together.
const TILE_ROWS: usize = 4;

/// A number as stored in a matrix or cache, widened to f32 as it is loaded.
pub(super) trait Element: Copy + Default + Send + Sync {
    /// The nearest stored value.
    fn narrow(value: f32) -> Self;
    /// The value.
    fn widen(self) -> f32;
    /// The first two f32 vectors' worth of elements, widened.
    fn load_pair<I: Isa>(isa: I, from: &[Self]) -> [I::F32; 2];
}

impl Element for f32 {
    fn narrow(value: f32) -> Self {
        value
    }
    fn widen(self) -> f32 {
        self
    }
    #[inline(always)]
    fn load_pair<I: Isa>(isa: I, from: &[Self]) -> [I::F32; 2] {
        let ops = isa.f32();
        [ops.load(from), ops.load(&from[ops.len()..])]
    }
}

impl Element for f16 {
    fn narrow(value: f32) -> Self {
        Self::from_f32(value)
    }
    fn widen(self) -> f32 {
        self.to_f32()
    }
    #[inline(always)]
    fn load_pair<I: Isa>(isa: I, from: &[Self]) -> [I::F32; 2] {
        let ops = isa.f16();
        assert!(from.len() >= ops.len());
        // SAFETY: `from` is long enough, and both types are the sixteen bits of an IEEE 754 binary16.
        let narrow = unsafe { ops.load_ptr(from.as_ptr().cast::<rten_simd::f16>()) };
        [ops.extend_low(narrow), ops.extend_high(narrow)]
    }
}

enum Elements {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Int8(Int8Rows),
}

/// A row-major matrix `[outputs, inputs]` whose products with a few rows at a time are fast.
pub struct RowMatrix {
    elements: Elements,
    inputs: usize,
}

impl RowMatrix {
    /// A matrix of f32 values, kept as f16 where each of them is exactly an f16.
    pub fn from_f32(values: Vec<f32>, inputs: usize) -> Self {
        assert!(values.len().is_multiple_of(inputs), "a matrix has whole rows");
        let exact = values.iter().all(|&value| f16::narrow(value).widen().to_bits() == value.to_bits());
        let elements = match exact {
            true => Elements::F16(values.into_iter().map(f16::narrow).collect()),
            false => Elements::F32(values),
        };
        Self { elements, inputs }
    }

    /// A matrix of `values` in int8, with one scale for each row.
    pub fn int8(values: &[f32], inputs: usize) -> Self {
        assert!(values.len().is_multiple_of(inputs), "a matrix has whole rows");
        Self { elements: Elements::Int8(Int8Rows::new(values, inputs)), inputs }
    }

    /// A matrix of f16 values.
    pub fn from_f16(values: Vec<f16>, inputs: usize) -> Self {
        assert!(values.len().is_multiple_of(inputs), "a matrix has whole rows");
        Self { elements: Elements::F16(values), inputs }
    }

    /// Number of rows of the matrix, which is the width of a product.
    pub fn outputs(&self) -> usize {
        match &self.elements {
            Elements::F32(values) => values.len() / self.inputs,
            Elements::F16(values) => values.len() / self.inputs,
            Elements::Int8(matrix) => matrix.outputs(),
        }
    }

    /// Width of a row of the matrix.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Copies row `index` into `out`, `[inputs]`: the look-up of an embedding.
    pub fn row_into(&self, index: usize, out: &mut [f32]) {
        let range = index * self.inputs..(index + 1) * self.inputs;
        match &self.elements {
            Elements::F32(values) => out.copy_from_slice(&values[range]),
            Elements::F16(values) => {
                for (out, value) in out.iter_mut().zip(&values[range]) {
                    *out = value.widen();
                }
            }
            Elements::Int8(matrix) => matrix.row_into(index, out),
        }
    }

    /// `x` `[rows, inputs]` times the transposed matrix into `out`, `[rows, outputs]`.
    ///
    /// Each number of the result is the same whatever the number of rows and threads.
    pub fn multiply_into(&self, x: &[f32], out: &mut [f32]) {
        let rows = x.len() / self.inputs;
        assert_eq!(x.len(), rows * self.inputs, "whole rows of inputs");
        assert_eq!(out.len(), rows * self.outputs(), "a row of outputs for each row of inputs");
        match &self.elements {
            Elements::F32(values) => multiply(values, self.inputs, x, out),
            Elements::F16(values) => multiply(values, self.inputs, x, out),
            Elements::Int8(matrix) => matrix.multiply_into(x, out),
        }
    }
}

impl Packed for RowMatrix {
    fn put<'a>(&'a self, arrays: &mut Arrays<'a>) -> bool {
        match &self.elements {
            Elements::Int8(matrix) => matrix.put(arrays),
            // In their files they are as good as here.
            Elements::F32(_) | Elements::F16(_) => return false,
        }
        true
    }

    fn take(arrays: &mut Taken, inputs: usize, outputs: usize) -> Option<Self> {
        let elements = Elements::Int8(Int8Rows::take(arrays, inputs, outputs)?);
        Some(Self { elements, inputs })
    }
}

/// `x Wᵀ + b` for few rows; see [`Linear`](super::Linear) for many.
pub struct RowLinear {
    weight: RowMatrix,
    bias: Stored<f32>,
}

impl Packed for RowLinear {
    fn put<'a>(&'a self, arrays: &mut Arrays<'a>) -> bool {
        let kept = self.weight.put(arrays);
        arrays.put(&self.bias);
        kept
    }

    fn take(arrays: &mut Taken, inputs: usize, outputs: usize) -> Option<Self> {
        Some(Self { weight: RowMatrix::take(arrays, inputs, outputs)?, bias: arrays.take(outputs)? })
    }
}

impl RowLinear {
    /// A layer with `weight` `[outputs, inputs]` and `bias` `[outputs]`.
    pub fn new(weight: RowMatrix, bias: Vec<f32>) -> Self {
        assert_eq!(weight.outputs(), bias.len(), "a bias has one value an output");
        Self { weight, bias: bias.into() }
    }

    /// Width of a row of the output.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The layer applied to each row of `x`, `[rows, inputs]`, into `out`, `[rows, outputs]`.
    pub fn forward_into(&self, x: &[f32], out: &mut [f32]) {
        self.weight.multiply_into(x, out);
        for row in out.chunks_exact_mut(self.bias.len()) {
            super::add_into(&self.bias, row);
        }
    }
}

/// Where tasks write disjoint columns of one row-major matrix.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    start: *mut f32,
    width: usize,
    rows: usize,
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: every task writes columns that no other task touches (products hand out each once), and the matrix
// outlives the tasks, which are joined before the product returns.
unsafe impl Send for Columns<'_> {}
// SAFETY: as above.
unsafe impl Sync for Columns<'_> {}

impl<'a> Columns<'a> {
    /// The columns of `matrix`, `[rows, width]`.
    pub fn new(matrix: &'a mut [f32], width: usize) -> Self {
        Self { start: matrix.as_mut_ptr(), width, rows: matrix.len() / width, matrix: PhantomData }
    }

    /// Writes `values` to `row` from `column` on.
    pub fn set_row(self, row: usize, column: usize, values: &[f32]) {
        assert!(row < self.rows && column + values.len() <= self.width);
        // SAFETY: the range lies within the matrix that `start` and the sizes were taken from, and is no other task's.
        unsafe {
            let to = self.start.add(row * self.width + column);
            std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len());
        }
    }

    pub fn set(self, row: usize, column: usize, value: f32) {
        assert!(row < self.rows && column < self.width);
        // SAFETY: the index lies within the matrix that `start` and the sizes were taken from.
        unsafe { *self.start.add(row * self.width + column) = value };
    }
}

fn multiply<E: Element>(weight: &[E], inputs: usize, x: &[f32], out: &mut [f32]) {
    let rows = x.len() / inputs;
    let outputs = weight.len() / inputs;
    if rows == 0 {
        return;
    }
    let out = Columns::new(out, outputs);
    let wanted = (outputs * inputs * rows / GRAIN).clamp(1, rayon::current_num_threads());
    let share = outputs.div_ceil(wanted).next_multiple_of(TILE_OUTPUTS);
    let task = |part: usize| {
        let first = part * share;
        let weight = &weight[first * inputs..((first + share) * inputs).min(weight.len())];
        Multiply { weight, inputs, x, out, first }.dispatch();
    };
    let tasks = outputs.div_ceil(share);
    match tasks {
        1 => task(0),
        _ => (0..tasks).into_par_iter().for_each(task),
    }
}

/// The product of `x` with some rows of a matrix, written to the columns from `first` on.
struct Multiply<'a, E> {
    weight: &'a [E],
    inputs: usize,
    x: &'a [f32],
    out: Columns<'a>,
    first: usize,
}

impl<E: Element> SimdOp for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let tile_weights = TILE_OUTPUTS * self.inputs;
        for (tile, weight) in self.weight.chunks(tile_weights).enumerate() {
            let column = self.first + tile * TILE_OUTPUTS;
            match weight.len() == tile_weights {
                true => self.columns::<I, TILE_OUTPUTS>(isa, weight, column),
                false => {
                    for (extra, weight) in weight.chunks_exact(self.inputs).enumerate() {
                        self.columns::<I, 1>(isa, weight, column + extra);
                    }
                }
            }
        }
    }
}

impl<E: Element> Multiply<'_, E> {
    #[inline(always)]
    fn columns<I: Isa, const R: usize>(&self, isa: I, weight: &[E], column: usize) {
        for (tile, x) in self.x.chunks(TILE_ROWS * self.inputs).enumerate() {
            let row = tile * TILE_ROWS;
            match x.len() == TILE_ROWS * self.inputs {
                true => self.tile::<I, R, TILE_ROWS>(isa, weight, x, row, column),
                false => {
                    for (extra, x) in x.chunks_exact(self.inputs).enumerate() {
                        self.tile::<I, R, 1>(isa, weight, x, row + extra, column);
                    }
                }
            }
        }
    }

    /// `R` rows of the weight times `M` rows of the input. The order of additions within one product does
    /// not depend on `R` and `M`.
    #[inline(always)]
    fn tile<I: Isa, const R: usize, const M: usize>(
        &self,
        isa: I,
        weight: &[E],
        x: &[f32],
        row: usize,
        column: usize,
    ) {
        let ops = isa.f32();
        let inputs = self.inputs;
        let pair = 2 * ops.len();
        let weights: [&[E]; R] = std::array::from_fn(|r| &weight[r * inputs..(r + 1) * inputs]);
        let xs: [&[f32]; M] = std::array::from_fn(|m| &x[m * inputs..(m + 1) * inputs]);
        let mut sums = [[ops.zero(); M]; R];
        let mut k = 0;
        while k + pair <= inputs {
            // Loops rather than closures, which are not always compiled into a function of the processor's own.
            let mut x = [[ops.zero(); 2]; M];
            for (x, xs) in x.iter_mut().zip(xs) {
                *x = f32::load_pair(isa, &xs[k..]);
            }
            for r in 0..R {
                let w = E::load_pair(isa, &weights[r][k..]);
                for m in 0..M {
                    let sum = ops.mul_add(w[0], x[m][0], sums[r][m]);
                    sums[r][m] = ops.mul_add(w[1], x[m][1], sum);
                }
            }
            k += pair;
        }
        for r in 0..R {
            for m in 0..M {
                let tail: f32 = weights[r][k..].iter().zip(&xs[m][k..]).map(|(w, x)| w.widen() * x).sum();
                self.out.set(row + m, column + r, ops.sum(sums[r][m]) + tail);
            }
        }
    }
}

/// Numbers for tests.
#[cfg(test)]
pub(super) fn values(count: usize, seed: u32) -> Vec<f32> {
    let value =
        |i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(seed * 977) >> 12) as f32 / 1_048_576.0 - 0.5;
    (0..count as u32).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_plain_product(rows in 1usize..11, inputs in 1usize..150, outputs in 1usize..40, seed in 0u32..99) {
            let x = values(rows * inputs, seed);
            let half: Vec<f16> = values(outputs * inputs, seed + 1).into_iter().map(f16::from_f32).collect();
            for matrix in [
                RowMatrix::from_f16(half.clone(), inputs),
                RowMatrix::from_f32(half.iter().map(|w| w.to_f32() + 1e-6).collect(), inputs),
            ] {
                let mut out = vec![0.0; rows * outputs];
                matrix.multiply_into(&x, &mut out);
                for (m, x) in x.chunks(inputs).enumerate() {
                    for n in 0..outputs {
                        let dot: f32 = x.iter().zip(&half[n * inputs..]).map(|(x, w)| x * w.to_f32()).sum();
                        prop_assert!((out[m * outputs + n] - dot).abs() < 1e-3);
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_gives_the_same_bits_alone_and_among_others() {
        // Miri is slow.
        let (inputs, outputs) = if cfg!(miri) { (40, 50) } else { (384, 512) };
        let weight = values(outputs * inputs, 3);
        for matrix in [RowMatrix::from_f32(weight.clone(), inputs), RowMatrix::int8(&weight, inputs)] {
            let x = values(7 * inputs, 4);
            let mut together = vec![0.0; 7 * outputs];
            matrix.multiply_into(&x, &mut together);
            for (x, together) in x.chunks(inputs).zip(together.chunks(outputs)) {
                let mut alone = vec![0.0; outputs];
                matrix.multiply_into(x, &mut alone);
                assert_eq!(alone, together);
            }
        }
    }

    #[test]
    fn narrows_to_f16_only_where_nothing_is_lost() {
        assert!(matches!(RowMatrix::from_f32(vec![0.5, -2.0], 2).elements, Elements::F16(_)));
        assert!(matches!(RowMatrix::from_f32(vec![0.1, -2.0], 2).elements, Elements::F32(_)));
    }

    #[test]
    fn looks_up_rows() {
        let mut row = [0.0; 2];
        RowMatrix::from_f32(vec![0.5, -2.0, 3.0, 4.0], 2).row_into(1, &mut row);
        assert_eq!(row, [3.0, 4.0]);
    }
}
