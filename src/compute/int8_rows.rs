//! Products of few rows with a row-major matrix in int8. All sums are of integers, so that every kernel gives the same
//! bits, and a row gives the same alone and among others.

use std::cell::Cell;
use std::mem::MaybeUninit;

use rayon::prelude::*;
use rten_simd::SimdOp;
use rten_vecmath::{MinMax, Quantize};

use super::norm::LayerNorm;
use super::pack::{Arrays, Taken};
use super::panels;
use super::rows::Columns;
use super::stored::Stored;

/// Products that a task takes at least; less is not worth waking a thread for.
const GRAIN: usize = 256 * 1024;
/// Rows of a weight that a task quantises at least.
const LEAST_ROWS: usize = 64;
/// Rows of the matrix that are multiplied together.
const TILE_OUTPUTS: usize = 4;
/// Rows of the input that are multiplied together.
const TILE_ROWS: usize = 4;

thread_local! {
    /// Room for one normalised row.
    static ROW: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    /// Room for quantised rows, so that a decoding step need not allocate.
    static SCRATCH: Cell<QuantisedRows> = const { Cell::new(QuantisedRows::new()) };
}

/// A matrix `[outputs, inputs]` in int8, with one scale for each row.
pub(super) struct Int8Rows {
    values: Stored<i8>,
    scales: Stored<f32>,
    /// Sums of the rows of integers: what a zero that is not 0 adds to a product.
    sums: Stored<i32>,
    inputs: usize,
}

impl Int8Rows {
    /// Quantises `weight`, `[outputs, inputs]`, symmetrically: the largest of each row becomes 127.
    pub fn new(weight: &[f32], inputs: usize) -> Self {
        let (values, scales) = quantise_weight(weight, inputs, 127.0);
        let sums = row_sums(&values, inputs);
        Self { values: values.into(), scales: scales.into(), sums: sums.into(), inputs }
    }

    /// Adds its arrays to those that are kept.
    pub fn put<'a>(&'a self, arrays: &mut Arrays<'a>) {
        arrays.put(&self.values);
        arrays.put(&self.scales);
        arrays.put(&self.sums);
    }

    /// A matrix `[outputs, inputs]` that was kept.
    pub fn take(arrays: &mut Taken, inputs: usize, outputs: usize) -> Option<Self> {
        let values = arrays.take(outputs.checked_mul(inputs)?)?;
        Some(Self { values, scales: arrays.take(outputs)?, sums: arrays.take(outputs)?, inputs })
    }

    /// Number of rows.
    pub fn outputs(&self) -> usize {
        self.scales.len()
    }

    /// Copies row `index` into `out`, `[inputs]`.
    pub fn row_into(&self, index: usize, out: &mut [f32]) {
        let row = &self.values[index * self.inputs..(index + 1) * self.inputs];
        for (out, &value) in out.iter_mut().zip(row) {
            *out = f32::from(value) * self.scales[index];
        }
    }

    /// `x` `[rows, inputs]`, quantised by row, times the transposed matrix into `out`, `[rows, outputs]`.
    pub fn multiply_into(&self, x: &[f32], out: &mut [f32]) {
        // Taken rather than borrowed: while tasks are waited for, this thread may work on another product.
        let mut quantised = SCRATCH.take();
        quantised.fill(x, self.inputs, self.inputs);
        self.multiply_with(Kernel::best(), &quantised, out);
        SCRATCH.set(quantised);
    }

    fn multiply_with(&self, kernel: Kernel, x: &QuantisedRows, out: &mut [f32]) {
        let (rows, outputs) = (x.scales.len(), self.outputs());
        if rows == 0 {
            return;
        }
        let out = Columns::new(out, outputs);
        let wanted = (outputs * self.inputs * rows / GRAIN).clamp(1, rayon::current_num_threads());
        let share = outputs.div_ceil(wanted).next_multiple_of(TILE_OUTPUTS);
        let task = |part: usize| {
            for column in (part * share..((part + 1) * share).min(outputs)).step_by(TILE_OUTPUTS) {
                self.columns(kernel, column, x, out);
            }
        };
        match outputs.div_ceil(share) {
            1 => task(0),
            tasks => (0..tasks).into_par_iter().for_each(task),
        }
    }

    /// The products with up to four rows of the matrix, from `column` on.
    fn columns(&self, kernel: Kernel, column: usize, x: &QuantisedRows, out: Columns) {
        let count = (self.outputs() - column).min(TILE_OUTPUTS);
        let weight = &self.values[column * self.inputs..(column + count) * self.inputs];
        let rows = x.scales.len();
        for row in (0..rows).step_by(TILE_ROWS) {
            let values = &x.values[row * self.inputs..rows.min(row + TILE_ROWS) * self.inputs];
            let products = kernel.tile(weight, values, self.inputs);
            for (row, products) in (row..rows.min(row + TILE_ROWS)).zip(products) {
                for (column, product) in (column..column + count).zip(products) {
                    let sum = product - x.zeros[row] * self.sums[column];
                    out.set(row, column, sum as f32 * (x.scales[row] * self.scales[column]));
                }
            }
        }
    }
}

/// Quantises each row of `weight`, `[outputs, inputs]`, so that its largest value becomes `largest`; with the scale of
/// each row, which turns its integers back.
pub(super) fn quantise_weight(weight: &[f32], inputs: usize, largest: f32) -> (Vec<i8>, Vec<f32>) {
    /// Added and taken away again, it leaves whole numbers; unlike `round`, whole vectors at a time on any processor.
    const ROUND: f32 = 12_582_912.0;
    let mut values = vec![0; weight.len()];
    let rows = values.par_chunks_exact_mut(inputs).zip(weight.par_chunks_exact(inputs));
    let quantise = |(values, row): (&mut [i8], &[f32])| {
        let most = row.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let scale = if most > 0.0 { most / largest } else { 1.0 };
        for (to, value) in values.iter_mut().zip(row) {
            *to = (value / scale + ROUND - ROUND) as i32 as i8;
        }
        scale
    };
    let scales = rows.with_min_len(LEAST_ROWS).map(quantise).collect();
    (values, scales)
}

/// The sum of each row of integers.
pub(super) fn row_sums(values: &[i8], inputs: usize) -> Vec<i32> {
    values.chunks_exact(inputs).map(|row| row.iter().copied().map(i32::from).sum()).collect()
}

/// Rows of activations in eight bits: the value is `(integer - zero) * scale`.
#[derive(Default)]
pub(super) struct QuantisedRows {
    pub values: Vec<u8>,
    pub zeros: Vec<i32>,
    pub scales: Vec<f32>,
}

impl QuantisedRows {
    pub const fn new() -> Self {
        Self { values: Vec::new(), zeros: Vec::new(), scales: Vec::new() }
    }

    /// Quantises rows of `inputs` that start every `stride` elements of `x`, each from its smallest value to its largest.
    pub fn fill(&mut self, x: &[f32], stride: usize, inputs: usize) {
        let rows = if x.is_empty() { 0 } else { (x.len() - inputs) / stride + 1 };
        self.fill_with(rows, inputs, |row, quantise| quantise(&x[row * stride..row * stride + inputs]));
    }

    /// The same of the rows of `x`, `[rows, inputs]`, each normalised by `norm`.
    pub fn fill_normed(&mut self, norm: &LayerNorm, x: &[f32], inputs: usize) {
        self.fill_with(x.len() / inputs, inputs, |row, quantise| {
            let mut normed = ROW.take();
            normed.clear();
            normed.extend_from_slice(&x[row * inputs..(row + 1) * inputs]);
            norm.in_place(&mut normed);
            quantise(&normed);
            ROW.set(normed);
        });
    }

    fn fill_with(&mut self, rows: usize, inputs: usize, row: impl Fn(usize, &mut dyn FnMut(&[f32])) + Sync) {
        self.values.resize(rows * inputs, 0);
        self.zeros.resize(rows, 0);
        self.scales.resize(rows, 0.0);
        let parts = self.values.par_chunks_mut(inputs).zip(&mut self.zeros).zip(&mut self.scales);
        parts.enumerate().with_min_len((GRAIN / 8).div_ceil(inputs)).for_each(
            |(index, ((values, zero), scale))| {
                row(index, &mut |row| (*zero, *scale) = quantise_row(row, values));
            },
        );
    }
}

/// Quantises `row` into `values`, from its smallest value to its largest; returns the zero and the scale.
fn quantise_row(row: &[f32], values: &mut [u8]) -> (i32, f32) {
    // Zero is a value of its own, so that zeros add nothing.
    let (least, most) = panels::range(row).unwrap_or_else(|| {
        let (least, most) = MinMax::new(row).dispatch();
        (least.min(0.0), most.max(0.0))
    });
    let range = most - least;
    let scale = if range > 0.0 && range.is_finite() { range / 255.0 } else { 1.0 };
    let zero = (-least / scale).round() as u8;
    if !panels::quantise(row, scale.recip(), zero, values) {
        // SAFETY: values that are written may be seen as values that are to be written.
        let free = unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<u8>]) };
        Quantize::new(row, free, scale.recip(), zero).dispatch();
    }
    (zero.into(), scale)
}

/// Sums of products of up to four rows of the input (first index) and of the matrix.
type Tile = [[i32; TILE_OUTPUTS]; TILE_ROWS];

/// How products are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    /// With AVX-512 VNNI, 64 products an instruction.
    #[cfg(target_arch = "x86_64")]
    Vnni512,
    /// With AVX-VNNI, 32 products an instruction.
    #[cfg(target_arch = "x86_64")]
    Vnni256,
    /// With AVX2, 16 products an instruction.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// As the compiler does it; on ARM that is with NEON.
    Plain,
}

impl Kernel {
    /// The fastest that the processor has.
    fn best() -> Self {
        Self::available().next().unwrap_or(Self::Plain)
    }

    #[cfg(target_arch = "x86_64")]
    fn available() -> impl Iterator<Item = Self> {
        let vnni512 = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni");
        let vnni256 = is_x86_feature_detected!("avxvnni");
        let kernels = [
            (vnni512, Self::Vnni512),
            (vnni256, Self::Vnni256),
            (is_x86_feature_detected!("avx2"), Self::Avx2),
            (true, Self::Plain),
        ];
        kernels.into_iter().filter_map(|(has, kernel)| has.then_some(kernel))
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn available() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Plain)
    }

    /// The products of rows of `weight` and of `x`, at most four each.
    fn tile(self, weight: &[i8], x: &[u8], inputs: usize) -> Tile {
        #[cfg(target_arch = "x86_64")]
        if weight.len() == TILE_OUTPUTS * inputs {
            let vnni512 = self == Self::Vnni512;
            if vnni512 || self == Self::Vnni256 {
                return match x.len() / inputs {
                    4 => vnni_tile::<4>(vnni512, weight, x, inputs),
                    3 => vnni_tile::<3>(vnni512, weight, x, inputs),
                    2 => vnni_tile::<2>(vnni512, weight, x, inputs),
                    _ => vnni_tile::<1>(vnni512, weight, x, inputs),
                };
            }
        }
        #[cfg(target_arch = "x86_64")]
        if self != Self::Plain {
            let is_whole = weight.len() == TILE_OUTPUTS * inputs;
            // SAFETY: of the kernels that `available` gives, all but the plain one imply AVX2.
            return unsafe {
                match x.len() / inputs {
                    4 if is_whole => avx2_tile::<4>(weight, x, inputs),
                    3 if is_whole => avx2_tile::<3>(weight, x, inputs),
                    2 if is_whole => avx2_tile::<2>(weight, x, inputs),
                    1 if is_whole => avx2_tile::<1>(weight, x, inputs),
                    _ => avx2_edge(weight, x, inputs),
                }
            };
        }
        plain_tile(weight, x, inputs)
    }
}

#[inline(always)]
fn plain_tile(weight: &[i8], x: &[u8], inputs: usize) -> Tile {
    let mut tile = Tile::default();
    for (x, sums) in x.chunks_exact(inputs).zip(&mut tile) {
        for (weight, sum) in weight.chunks_exact(inputs).zip(sums) {
            for (&x, &weight) in x.iter().zip(weight) {
                *sum += i32::from(i16::from(x)) * i32::from(i16::from(weight));
            }
        }
    }
    tile
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_edge(weight: &[i8], x: &[u8], inputs: usize) -> Tile {
    plain_tile(weight, x, inputs)
}

/// The products of four rows of `weight` and `M` rows of `x`, two rows of each at a time, whose widened bytes and sums
/// registers hold.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_tile<const M: usize>(weight: &[i8], x: &[u8], inputs: usize) -> Tile {
    use std::arch::x86_64::*;
    /// Tiles from one that is multiplied to the one that is fetched.
    const AHEAD: usize = 2;
    assert!(weight.len() == TILE_OUTPUTS * inputs && x.len() == M * inputs);
    let whole = inputs - inputs % 16;
    let mut tile = Tile::default();
    for first in (0..M).step_by(2) {
        let rows = if first + 1 < M { 2 } else { 1 };
        let mut sums = [[_mm256_setzero_si256(); TILE_OUTPUTS]; 2];
        for k in (0..whole).step_by(16) {
            if first == 0 {
                // The rows that come after the next, a line at a time and in order, as memory likes it; what is past the end
                // of the matrix is not fetched.
                _mm_prefetch::<_MM_HINT_T0>(
                    weight.as_ptr().wrapping_add(AHEAD * weight.len() + TILE_OUTPUTS * k),
                );
            }
            let mut wide = [_mm256_setzero_si256(); 2];
            for (row, wide) in wide.iter_mut().enumerate().take(rows) {
                // SAFETY: 16 bytes from `k` on lie within the row.
                *wide = unsafe {
                    _mm256_cvtepu8_epi16(_mm_loadu_si128(x.as_ptr().add((first + row) * inputs + k).cast()))
                };
            }
            for output in 0..TILE_OUTPUTS {
                // SAFETY: as above.
                let weights = unsafe {
                    _mm256_cvtepi8_epi16(_mm_loadu_si128(weight.as_ptr().add(output * inputs + k).cast()))
                };
                for (sums, wide) in sums.iter_mut().zip(wide).take(rows) {
                    sums[output] = _mm256_add_epi32(sums[output], _mm256_madd_epi16(wide, weights));
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate().take(rows) {
            let [a, b, c, d] = sums;
            let abcd = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
            let four = _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256::<1>(abcd));
            // SAFETY: there is room for four integers.
            unsafe { _mm_storeu_si128(tile[first + row].as_mut_ptr().cast(), four) };
        }
    }
    for (x, sums) in x.chunks_exact(inputs).zip(&mut tile) {
        for (weight, sum) in weight.chunks_exact(inputs).zip(sums) {
            for (&x, &weight) in x[whole..].iter().zip(&weight[whole..]) {
                *sum += i32::from(x) * i32::from(weight);
            }
        }
    }
    tile
}

/// The products of four rows of `weight` and `M` rows of `x`.
#[cfg(target_arch = "x86_64")]
fn vnni_tile<const M: usize>(wide: bool, weight: &[i8], x: &[u8], inputs: usize) -> Tile {
    assert!(weight.len() == TILE_OUTPUTS * inputs && x.len() == M * inputs);
    match wide {
        // SAFETY: kernels are of those that the processor has; lengths are as asserted.
        true => unsafe { vnni512_tile::<M>(weight, x, inputs) },
        // SAFETY: as above.
        false => unsafe { vnni256_tile::<M>(weight, x, inputs) },
    }
}

/// # Safety
/// `weight` holds four rows of `inputs`, `x` holds `M`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn vnni512_tile<const M: usize>(weight: &[i8], x: &[u8], inputs: usize) -> Tile {
    use std::arch::x86_64::*;
    let mut sums = [[_mm512_setzero_si512(); TILE_OUTPUTS]; M];
    let mut weights = [_mm512_setzero_si512(); TILE_OUTPUTS];
    for k in (0..inputs).step_by(64) {
        let mask = u64::MAX >> 64usize.saturating_sub(inputs - k);
        for (row, to) in weights.iter_mut().enumerate() {
            // SAFETY: lanes past the end of the row are masked out.
            *to = unsafe { _mm512_maskz_loadu_epi8(mask, weight.as_ptr().add(row * inputs + k)) };
            // The rows that come next; what is past the end of the matrix is not fetched.
            let next = weight.as_ptr().wrapping_add((TILE_OUTPUTS + row) * inputs + k);
            _mm_prefetch::<_MM_HINT_T0>(next);
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let x = unsafe { _mm512_maskz_loadu_epi8(mask, x.as_ptr().add(row * inputs + k).cast()) };
            for (sum, &weight) in sums.iter_mut().zip(&weights) {
                *sum = _mm512_dpbusd_epi32(*sum, x, weight);
            }
        }
    }
    let mut tile = Tile::default();
    for (to, [a, b, c, d]) in tile.iter_mut().zip(sums) {
        // Lanes of four vectors are summed together: their four sums end side by side.
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        let abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let half = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64::<1>(abcd));
        let four = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
        // SAFETY: there is room for four integers.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), four) };
    }
    tile
}

/// # Safety
/// `weight` holds four rows of `inputs`, `x` holds `M`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn vnni256_tile<const M: usize>(weight: &[i8], x: &[u8], inputs: usize) -> Tile {
    use std::arch::x86_64::*;
    let whole = inputs - inputs % 32;
    let mut tile = Tile::default();
    for (row, to) in tile.iter_mut().take(M).enumerate() {
        let mut sums = [_mm256_setzero_si256(); TILE_OUTPUTS];
        for k in (0..whole).step_by(32) {
            // SAFETY: 32 bytes from `k` on lie within the row.
            let x = unsafe { _mm256_loadu_si256(x.as_ptr().add(row * inputs + k).cast()) };
            for (output, sum) in sums.iter_mut().enumerate() {
                // SAFETY: as above.
                let weight = unsafe { _mm256_loadu_si256(weight.as_ptr().add(output * inputs + k).cast()) };
                *sum = _mm256_dpbusd_avx_epi32(*sum, x, weight);
            }
        }
        let [a, b, c, d] = sums;
        let abcd = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        let four = _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256::<1>(abcd));
        // SAFETY: there is room for four integers.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), four) };
        for (output, to) in to.iter_mut().enumerate() {
            for k in whole..inputs {
                *to += i32::from(x[row * inputs + k]) * i32::from(weight[output * inputs + k]);
            }
        }
    }
    tile
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rows::values;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kernel_equals_the_product_of_what_was_quantised(
            rows in 1usize..11, inputs in 1usize..200, outputs in 1usize..40, seed in 0u32..99,
        ) {
            let matrix = Int8Rows::new(&values(outputs * inputs, seed), inputs);
            let mut x = QuantisedRows::default();
            x.fill(&values(rows * inputs, seed + 1), inputs, inputs);
            let mut expected = Vec::new();
            for m in 0..rows {
                for n in 0..outputs {
                    let product = |k: usize| {
                        (i32::from(x.values[m * inputs + k]) - x.zeros[m]) * i32::from(matrix.values[n * inputs + k])
                    };
                    let sum: i32 = (0..inputs).map(product).sum();
                    expected.push(sum as f32 * (x.scales[m] * matrix.scales[n]));
                }
            }
            for kernel in Kernel::available() {
                let mut out = vec![0.0; rows * outputs];
                matrix.multiply_with(kernel, &x, &mut out);
                prop_assert_eq!(&out, &expected, "{:?}", kernel);
            }
        }
    }

    #[test]
    fn the_largest_sums_do_not_overflow_or_saturate() {
        let inputs = 4096;
        let matrix = Int8Rows::new(&vec![-1.0; 5 * inputs], inputs);
        let x = vec![2.0; inputs];
        let mut quantised = QuantisedRows::default();
        quantised.fill(&x, inputs, inputs);
        for kernel in Kernel::available() {
            let mut out = vec![0.0; 5];
            matrix.multiply_with(kernel, &quantised, &mut out);
            assert!(out.iter().all(|&sum| (sum + 2.0 * inputs as f32).abs() < 0.1), "{kernel:?}: {out:?}");
        }
    }

    #[test]
    fn rows_are_quantised_to_within_half_a_step() {
        let x = [-1.0, 0.0, 0.5, 3.0, 0.0, 0.0, 0.0, 0.0, 2.0, 4.0, 6.0, 8.0];
        let mut quantised = QuantisedRows::default();
        quantised.fill(&x, 4, 4);
        for (i, x) in x.iter().enumerate() {
            let (scale, zero) = (quantised.scales[i / 4], quantised.zeros[i / 4] as f32);
            let back = (f32::from(quantised.values[i]) - zero) * scale;
            assert!((back - x).abs() <= scale / 2.0 + 1e-6, "{x} came back as {back}");
        }
    }
}
