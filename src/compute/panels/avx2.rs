//! The kernels for registers of 32 bytes: 8 sums in each, and no masks. Panels are of 16 outputs.
//!
//! Bytes are widened to 16 bits and multiplied in pairs (`vpmaddwd`), which neither saturates nor overflows, so that sums
//! are exact. Adding products of bytes in 16 bits first (`vpmaddubsw`) would be no faster: both multiply 32 products a cycle
//! on two ports.

#![expect(clippy::needless_range_loop, reason = "an index runs along several arrays that registers hold")]

use std::arch::x86_64::*;
use std::cell::Cell;
use std::hint::black_box;
use std::ops::Range;

use super::{Finish, Int8Product, Vector, strips};
use crate::compute::linear::After;

/// Outputs of a panel.
pub const PANEL: usize = 16;
/// Rows that are multiplied together: 12 sums, two vectors of the panel, a spread row and a product fill the 16 registers.
const ROWS: usize = 6;
/// Numbers of 16 bits that the rows of a task have at most, which stay in the second-level cache.
const ROOM: usize = 128 * 1024;

thread_local! {
    /// Room for rows in 16 bits.
    static WIDENED: Cell<Vec<i16>> = const { Cell::new(Vec::new()) };
}

/// Whether the processor has what all of this needs.
pub fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Rows of `depth` bytes that a task takes at most.
pub fn int8_block(depth: usize) -> usize {
    (ROOM / depth.max(1)).clamp(4 * ROWS, super::BLOCK) / ROWS * ROWS
}

/// Calls `$tile::<R>` for `R` rows, which registers hold.
macro_rules! by_rows {
    ($rows:expr, $tile:ident($($argument:expr),*)) => {
        match $rows {
            1 => $tile::<1>($($argument),*),
            2 => $tile::<2>($($argument),*),
            3 => $tile::<3>($($argument),*),
            4 => $tile::<4>($($argument),*),
            5 => $tile::<5>($($argument),*),
            _ => $tile::<6>($($argument),*),
        }
    };
}

/// Four bytes of each of 16 outputs so that a load widens the first two of eight of them: pairs of all, then the other pairs.
pub fn pairs_apart(vector: Vector) -> Vector {
    let pairs = |first: usize, high: bool| {
        let half = |lane: usize| if high { vector.0[lane] >> 16 } else { vector.0[lane] & 0xffff };
        half(first) | half(first + 1) << 16
    };
    Vector(std::array::from_fn(|lane| pairs(lane % 8 * 2, lane >= 8)))
}

/// Products of rows of bytes with `panels`, the first output of which goes to `out`.
///
/// # Safety
/// The processor has what [`is_available`] asks for; `rows` are as many rows as `product` has zeros, each of the panels'
/// depth; `out` has room for them, each `finish.stride` after the last, and for the outputs of the panels.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn int8_panels(product: &Int8Product, panels: Range<usize>, out: *mut f32, finish: &Finish) {
    let width = product.weight.panels.depth * 4;
    // Taken rather than borrowed: it costs nothing, and nothing can panic over it.
    let mut widened = WIDENED.take();
    widened.resize(product.values.len(), 0);
    if width > 0 {
        let rows = product.values.chunks_exact(width).zip(widened.chunks_exact_mut(width));
        rows.zip(product.zeros).for_each(|((row, out), &zero)| widen(row, zero as i16, out));
    }
    for panel in panels.clone() {
        let next = product.weight.panels.from(panel + 1);
        for (strip, (first, rows)) in strips(product.zeros.len(), ROWS).enumerate() {
            // The first strip fetches the next panel; more would drive the rows out of the cache.
            let soon = if strip == 0 { next } else { &[] };
            // SAFETY: the rows from `first` on are within those that the caller vouches for.
            unsafe {
                let x = widened.as_ptr().add(first * width);
                let out = out.add(first * finish.stride + (panel - panels.start) * PANEL);
                by_rows!(rows, int8_tile(product, first, x, panel, soon, out, finish));
            }
        }
    }
    WIDENED.set(widened);
}

/// `row` less `zero`, in 16 bits.
#[target_feature(enable = "avx2")]
fn widen(row: &[u8], zero: i16, out: &mut [i16]) {
    for (out, &value) in out.iter_mut().zip(row) {
        *out = i16::from(value) - zero;
    }
}

/// `soon` are vectors that are needed soon, of which as many as the panel is deep are fetched.
///
/// # Safety
/// As [`int8_panels`], for `R` rows.
#[target_feature(enable = "avx2,fma")]
unsafe fn int8_tile<const R: usize>(
    product: &Int8Product,
    first: usize,
    x: *const i16,
    panel: usize,
    soon: &[Vector],
    out: *mut f32,
    finish: &Finish,
) {
    let weight = product.weight;
    let depth = weight.panels.depth;
    let vectors = weight.panels.from(panel).as_ptr();
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for k in 0..depth {
        if k < soon.len() {
            // What comes next is far away: a panel does not fit where its neighbour is.
            _mm_prefetch::<_MM_HINT_T1>(soon.as_ptr().wrapping_add(k).cast());
        }
        for pair in 0..2 {
            // SAFETY: `k` is within the depth of the panel and of the rows.
            unsafe {
                let bytes = vectors.add(k).cast::<__m128i>().add(2 * pair);
                let weights = [
                    _mm256_cvtepi8_epi16(_mm_load_si128(bytes)),
                    _mm256_cvtepi8_epi16(_mm_load_si128(bytes.add(1))),
                ];
                for r in 0..R {
                    let x = x.add((r * depth + k) * 4 + 2 * pair).cast::<i32>().read_unaligned();
                    let x = _mm256_set1_epi32(x);
                    sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(weights[0], x));
                    sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(weights[1], x));
                }
            }
        }
    }
    // In memory from here on: else the compiler keeps them there while they grow too.
    let sums = black_box(sums);
    for half in 0..2 {
        let column = panel * PANEL + half * 8;
        let lanes = Lanes::of(weight.panels.outputs, column);
        // SAFETY: what lies past the outputs is left alone.
        unsafe {
            let scales = lanes.load(weight.scales.as_ptr().wrapping_add(column));
            let bias = lanes.load_bias(finish, column);
            for r in 0..R {
                let scale = _mm256_mul_ps(scales, _mm256_set1_ps(product.scales[first + r]));
                let value = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[r][half]), scale, bias);
                lanes.finish(finish.after, out.wrapping_add(r * finish.stride + half * 8), value);
            }
        }
    }
}

/// Those of eight outputs that there are.
#[derive(Clone, Copy)]
enum Lanes {
    All,
    /// The first so many, all bits of whose numbers are set.
    Some(__m256i),
}

impl Lanes {
    /// Those from `column` on.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn of(outputs: usize, column: usize) -> Self {
        match outputs.saturating_sub(column) {
            8.. => Self::All,
            some => {
                let places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                Self::Some(_mm256_cmpgt_epi32(_mm256_set1_epi32(some as i32), places))
            }
        }
    }

    /// # Safety
    /// These can be read from `from` on.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller vouches for it.
        unsafe {
            match self {
                Self::All => _mm256_loadu_ps(from),
                Self::Some(mask) => _mm256_maskload_ps(from, mask),
            }
        }
    }

    /// # Safety
    /// A bias is as long as there are outputs, of which these begin at `column`.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load_bias(self, finish: &Finish, column: usize) -> __m256 {
        match finish.bias {
            // SAFETY: the caller vouches for it.
            Some(bias) => unsafe { self.load(bias.as_ptr().wrapping_add(column)) },
            None => _mm256_setzero_ps(),
        }
    }

    /// # Safety
    /// `out` has room for these.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn finish(self, after: After, out: *mut f32, value: __m256) {
        // SAFETY: the caller vouches for it.
        unsafe {
            let value = match after {
                After::Store => value,
                After::Gelu => gelu(value),
                After::Add => _mm256_add_ps(value, self.load(out)),
            };
            match self {
                Self::All => _mm256_storeu_ps(out, value),
                Self::Some(mask) => _mm256_maskstore_ps(out, mask, value),
            }
        }
    }
}

/// The exact GELU, as that of `avx512`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn gelu(x: __m256) -> __m256 {
    const TERMS: [f32; 5] = [1.061_405_4, -1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6];
    let one = _mm256_set1_ps(1.0);
    let sign = _mm256_set1_ps(-0.0);
    let magnitude = _mm256_mul_ps(_mm256_andnot_ps(sign, x), _mm256_set1_ps(std::f32::consts::FRAC_1_SQRT_2));
    let divisor = _mm256_fmadd_ps(magnitude, _mm256_set1_ps(0.327_591_1), one);
    // A step of Newton's makes the 12 bits of an estimate 23, and is faster than a division.
    let estimate = _mm256_rcp_ps(divisor);
    let t = _mm256_mul_ps(estimate, _mm256_fnmadd_ps(divisor, estimate, _mm256_set1_ps(2.0)));
    let mut sum = _mm256_set1_ps(TERMS[0]);
    for term in &TERMS[1..] {
        sum = _mm256_fmadd_ps(sum, t, _mm256_set1_ps(*term));
    }
    let square = _mm256_mul_ps(magnitude, magnitude);
    // What would be less than the least normal number is 0: products of lesser ones take a hundred times as long.
    let counts = _mm256_cmp_ps::<_CMP_LT_OQ>(square, _mm256_set1_ps(80.0));
    let tail = _mm256_and_ps(counts, exp(_mm256_xor_ps(square, sign)));
    // erfc(|x| / √2) / 2, the part of the normal distribution beyond |x|.
    let beyond = _mm256_mul_ps(_mm256_mul_ps(_mm256_mul_ps(sum, t), tail), _mm256_set1_ps(0.5));
    // The sign of x chooses.
    let below = _mm256_blendv_ps(_mm256_sub_ps(one, beyond), beyond, x);
    _mm256_mul_ps(x, below)
}

/// The exponential of numbers that are not above 0, to 2 units in the last place; of those below -87, that of -87.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn exp(x: __m256) -> __m256 {
    const TERMS: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5];
    let x = _mm256_max_ps(x, _mm256_set1_ps(-87.0));
    let power = round(_mm256_mul_ps(x, _mm256_set1_ps(std::f32::consts::LOG2_E)));
    // ln 2 in two parts, so that nothing is lost.
    let rest = _mm256_fnmadd_ps(power, _mm256_set1_ps(0.693_359_4), x);
    let rest = _mm256_fnmadd_ps(power, _mm256_set1_ps(-2.121_944_4e-4), rest);
    let mut sum = _mm256_set1_ps(TERMS[0]);
    for term in &TERMS[1..] {
        sum = _mm256_fmadd_ps(sum, rest, _mm256_set1_ps(*term));
    }
    let squares = _mm256_mul_ps(rest, rest);
    let value = _mm256_add_ps(_mm256_fmadd_ps(sum, squares, rest), _mm256_set1_ps(1.0));
    times_power_of_two(value, power)
}

#[inline]
#[target_feature(enable = "avx2")]
fn round(x: __m256) -> __m256 {
    _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
}

/// `x`, near 1, times two to the whole number `power`, not below -126.
#[inline]
#[target_feature(enable = "avx2")]
fn times_power_of_two(x: __m256, power: __m256) -> __m256 {
    let exponent = _mm256_slli_epi32::<23>(_mm256_cvtps_epi32(power));
    _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent))
}
