//! The kernels for registers of 32 bytes: 8 sums in each, and no masks. Panels are of 16 outputs.
//!
//! Bytes are widened to 16 bits and multiplied in pairs (`vpmaddwd`), which neither saturates nor overflows, so that sums
//! are exact. Adding products of bytes in 16 bits first (`vpmaddubsw`) would be no faster: both multiply 32 products a cycle
//! on two ports.

#![expect(clippy::needless_range_loop, reason = "an index runs along several arrays that registers hold")]

use std::arch::x86_64::*;
use std::cell::Cell;
use std::ops::Range;

use super::super::int8::Int8Product;
use super::super::{BLOCK, Finish, Vector, strips};
use super::floats::{self, Floats, methods};

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
    (ROOM / depth.max(1)).clamp(4 * ROWS, BLOCK) / ROWS * ROWS
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
    // SAFETY: the caller vouches for it.
    unsafe { finish_tile(product, first, panel, &sums, out, finish) }
}

/// Turns the sums of `R` rows into outputs.
///
/// A function of its own, so that sums are in memory from here on: else the compiler keeps them there while they grow, too.
///
/// # Safety
/// As [`int8_panels`], for `R` rows.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
unsafe fn finish_tile<const R: usize>(
    product: &Int8Product,
    first: usize,
    panel: usize,
    sums: &[[__m256i; 2]; R],
    out: *mut f32,
    finish: &Finish,
) {
    let weight = product.weight;
    for half in 0..2 {
        let column = panel * PANEL + half * 8;
        // SAFETY: what lies past the outputs is left alone.
        unsafe {
            let lanes = __m256::lanes(weight.panels.outputs, column);
            let scales = __m256::load(weight.scales.as_ptr().wrapping_add(column), lanes);
            for r in 0..R {
                let sum = _mm256_cvtepi32_ps(sums[r][half]);
                let scale = _mm256_mul_ps(scales, _mm256_set1_ps(product.scales[first + r]));
                let out = out.wrapping_add(r * finish.stride + half * 8);
                floats::finish(finish, lanes, column, out, |bias| _mm256_fmadd_ps(sum, scale, bias));
            }
        }
    }
}

/// Those of eight outputs that there are.
#[derive(Clone, Copy)]
pub enum Lanes {
    All,
    /// The first so many, all bits of whose numbers are set.
    Some(__m256i),
}

impl Floats for __m256 {
    type Lanes = Lanes;

    #[inline(always)]
    unsafe fn lanes(outputs: usize, column: usize) -> Lanes {
        match outputs.saturating_sub(column) {
            8.. => Lanes::All,
            // SAFETY: the caller vouches for the processor.
            some => unsafe {
                let places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                Lanes::Some(_mm256_cmpgt_epi32(_mm256_set1_epi32(some as i32), places))
            },
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32, lanes: Lanes) -> Self {
        // SAFETY: the caller vouches for those numbers that there are.
        unsafe {
            match lanes {
                Lanes::All => _mm256_loadu_ps(from),
                Lanes::Some(mask) => _mm256_maskload_ps(from, mask),
            }
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, lanes: Lanes) {
        // SAFETY: as above.
        unsafe {
            match lanes {
                Lanes::All => _mm256_storeu_ps(to, self),
                Lanes::Some(mask) => _mm256_maskstore_ps(to, mask, self),
            }
        }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller vouches for the processor.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn below(self, limit: Self, value: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(self, limit), value) }
    }

    #[inline(always)]
    unsafe fn by_sign(self, negative: Self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_blendv_ps(other, negative, self) }
    }

    methods! {
        add(other): _mm256_add_ps,
        subtract(other): _mm256_sub_ps,
        multiply(other): _mm256_mul_ps,
        multiply_add(factor, sum): _mm256_fmadd_ps,
        multiply_subtract_from(factor, sum): _mm256_fnmadd_ps,
        greater(other): _mm256_max_ps,
        magnitude(): magnitude,
        rounded(): _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>,
        reciprocal(): _mm256_rcp_ps,
        times_power_of_two(power): times_power_of_two,
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn magnitude(x: __m256) -> __m256 {
    _mm256_andnot_ps(_mm256_set1_ps(-0.0), x)
}

#[inline]
#[target_feature(enable = "avx2")]
fn times_power_of_two(x: __m256, power: __m256) -> __m256 {
    let exponent = _mm256_slli_epi32::<23>(_mm256_cvtps_epi32(power));
    _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent))
}
