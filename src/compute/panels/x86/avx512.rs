//! The kernels: 16 sums in a register, each of which takes a dot product of four bytes at a time.

#![expect(clippy::needless_range_loop, reason = "an index runs along several arrays that registers hold")]

use std::arch::x86_64::*;
use std::hint::black_box;
use std::time::Instant;

use super::super::int8::Int8Product;
use super::super::{Finish, PANEL, Panels, Vector};
use super::floats::{self, Floats, methods};

/// Rows that are multiplied together: 24 sums, two vectors of the panel and a spread row fill the 32 registers.
const ROWS: usize = 12;

/// Vectors that are compared side by side, which hides the latency of a comparison.
const WIDE: usize = 4;

/// Whether the processor multiplies bytes.
pub fn has_int8() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}

/// Whether it has registers of 16 numbers.
pub fn has_single() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

/// Whether the processor multiplies bf16.
pub fn has_bf16() -> bool {
    has_int8() && is_x86_feature_detected!("avx512bf16")
}

/// Whether products of bf16 are quicker than those of f32, which a processor's name does not tell: of two with the same
/// instruction, one does four times as many as the other.
pub fn bf16_pays() -> bool {
    const STEPS: usize = 400;
    let time = |work: &dyn Fn() -> f32| {
        let once = || {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        };
        (0..16).map(|_| once()).min().unwrap_or_default()
    };
    // SAFETY: the processor has the instructions, or the second is not reached.
    has_bf16() && unsafe { time(&|| sums_of_bf16(STEPS)) < time(&|| sums_of_f32(2 * STEPS)).mul_f32(0.8) }
}

/// # Safety
/// The processor has AVX-512.
#[target_feature(enable = "avx512f")]
unsafe fn sums_of_f32(steps: usize) -> f32 {
    let one = black_box(_mm512_set1_ps(1.0));
    let mut sums = [_mm512_setzero_ps(); 2 * ROWS];
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(one, one, *sum);
        }
    }
    sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
}

/// # Safety
/// The processor has what [`has_bf16`] asks for.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn sums_of_bf16(steps: usize) -> f32 {
    // SAFETY: both types are 64 bytes of any content; these are ones.
    let ones: __m512bh = unsafe { std::mem::transmute(black_box(_mm512_set1_epi32(0x3f80_3f80))) };
    let mut sums = [_mm512_setzero_ps(); 2 * ROWS];
    for _ in 0..steps {
        for sum in &mut sums {
            *sum = _mm512_dpbf16_ps(*sum, ones, ones);
        }
    }
    sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
}

/// The largest of `scores`, in every lane.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn most(scores: &[f32]) -> __m512 {
    let mut most = [_mm512_set1_ps(f32::NEG_INFINITY); WIDE];
    for part in scores.chunks(WIDE * 16) {
        for (most, part) in most.iter_mut().zip(part.chunks(16)) {
            // SAFETY: what lies past the part is masked out.
            let x = unsafe { _mm512_mask_loadu_ps(*most, columns(part.len(), 0), part.as_ptr()) };
            *most = _mm512_max_ps(x, *most);
        }
    }
    let most = _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3]));
    _mm512_set1_ps(_mm512_reduce_max_ps(most))
}

/// Calls `$tile::<R>` for `R` rows, which a register holds.
macro_rules! by_rows {
    ($rows:expr, $tile:ident($($argument:expr),*)) => {
        match $rows {
            1 => $tile::<1>($($argument),*),
            2 => $tile::<2>($($argument),*),
            3 => $tile::<3>($($argument),*),
            4 => $tile::<4>($($argument),*),
            5 => $tile::<5>($($argument),*),
            6 => $tile::<6>($($argument),*),
            7 => $tile::<7>($($argument),*),
            8 => $tile::<8>($($argument),*),
            9 => $tile::<9>($($argument),*),
            10 => $tile::<10>($($argument),*),
            11 => $tile::<11>($($argument),*),
            _ => $tile::<12>($($argument),*),
        }
    };
}
pub(super) use by_rows;

/// Products of rows of bytes with panel number `panel`, the first output of which goes to `out`.
///
/// # Safety
/// The processor has what [`has_int8`] asks for; `rows` are as many rows as `product` has zeros, each of the panel's depth;
/// `out` has room for them, each `finish.stride` after the last.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub unsafe fn int8_panel(product: &Int8Product, panel: usize, out: *mut f32, finish: &Finish) {
    let depth = product.weight.panels.depth;
    let next = product.weight.panels.from(panel + 1);
    for (strip, (first, rows)) in strips(product.zeros.len()).enumerate() {
        let soon = next.get(strip * depth..).unwrap_or_default();
        // SAFETY: the rows from `first` on are within those that the caller vouches for.
        unsafe {
            let x = product.values.as_ptr().add(first * depth * 4);
            let out = out.add(first * finish.stride);
            by_rows!(rows, int8_tile(product, first, x, panel, soon, out, finish));
        }
    }
}

/// The parts of `rows` that are multiplied at once.
pub(super) fn strips(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    super::super::strips(rows, ROWS)
}

/// `soon` are vectors that are needed soon, of which as many as the panel is deep are fetched.
///
/// # Safety
/// As [`int8_panel`], for `R` rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn int8_tile<const R: usize>(
    product: &Int8Product,
    first: usize,
    x: *const u8,
    panel: usize,
    soon: &[Vector],
    out: *mut f32,
    finish: &Finish,
) {
    let weight = product.weight;
    let depth = weight.panels.depth;
    let vectors = weight.panels.from(panel).as_ptr();
    let mut sums = [[_mm512_setzero_si512(); 2]; R];
    for k in 0..depth {
        if k < soon.len() {
            // What comes next is far away: a panel does not fit where its neighbour is.
            _mm_prefetch::<_MM_HINT_T1>(soon.as_ptr().wrapping_add(k).cast());
        }
        // SAFETY: `k` is within the depth of the panel and of the rows.
        unsafe {
            let weights = [load_int8(vectors.add(2 * k)), load_int8(vectors.add(2 * k + 1))];
            for r in 0..R {
                let x = _mm512_set1_epi32(x.add((r * depth + k) * 4).cast::<i32>().read_unaligned());
                sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], x, weights[0]);
                sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], x, weights[1]);
            }
        }
    }
    for half in 0..2 {
        let column = panel * PANEL + half * 16;
        let mask = columns(weight.panels.outputs, column);
        // SAFETY: what lies past the outputs is masked out.
        unsafe {
            let scales = _mm512_maskz_loadu_ps(mask, weight.scales.as_ptr().wrapping_add(column));
            let weight_sums = _mm512_maskz_loadu_epi32(mask, weight.sums.as_ptr().wrapping_add(column));
            for r in 0..R {
                let shift = _mm512_mullo_epi32(weight_sums, _mm512_set1_epi32(product.zeros[first + r]));
                let sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[r][half], shift));
                let scale = _mm512_mul_ps(scales, _mm512_set1_ps(product.scales[first + r]));
                let out = out.add(r * finish.stride).wrapping_add(half * 16);
                floats::finish(finish, mask, column, out, |bias| _mm512_fmadd_ps(sum, scale, bias));
            }
        }
    }
}

/// Products of `rows` rows of bf16, each `stride` numbers after the last, with panel number `panel`; see [`int8_panel`].
///
/// # Safety
/// The processor has what [`has_bf16`] asks for; else as there.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub unsafe fn bf16_panel(
    x: *const u16,
    stride: usize,
    rows: usize,
    panels: &Panels,
    panel: usize,
    out: *mut f32,
    finish: &Finish,
) {
    for (first, rows) in strips(rows) {
        // SAFETY: the rows from `first` on are within those that the caller vouches for.
        unsafe {
            let x = x.add(first * stride);
            let out = out.add(first * finish.stride);
            by_rows!(rows, bf16_tile(x, stride, panels, panel, out, finish));
        }
    }
}

/// # Safety
/// As [`bf16_panel`], for `R` rows.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn bf16_tile<const R: usize>(
    x: *const u16,
    stride: usize,
    panels: &Panels,
    panel: usize,
    out: *mut f32,
    finish: &Finish,
) {
    let vectors = panels.from(panel).as_ptr();
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for k in 0..panels.depth {
        // SAFETY: `k` is within the depth of the panel and of the rows.
        unsafe {
            let weights = [load_bf16(vectors.add(2 * k)), load_bf16(vectors.add(2 * k + 1))];
            for r in 0..R {
                let x = _mm512_set1_epi32(x.add(r * stride + 2 * k).cast::<i32>().read_unaligned());
                let x = std::mem::transmute::<__m512i, __m512bh>(x);
                sums[r][0] = _mm512_dpbf16_ps(sums[r][0], x, weights[0]);
                sums[r][1] = _mm512_dpbf16_ps(sums[r][1], x, weights[1]);
            }
        }
    }
    for half in 0..2 {
        let column = panel * PANEL + half * 16;
        let mask = columns(panels.outputs, column);
        for r in 0..R {
            // SAFETY: what lies past the outputs is masked out.
            unsafe {
                let out = out.add(r * finish.stride).wrapping_add(half * 16);
                floats::finish(finish, mask, column, out, |bias| _mm512_add_ps(sums[r][half], bias));
            }
        }
    }
}

/// The outputs from `column` on that there are.
pub(super) fn columns(outputs: usize, column: usize) -> __mmask16 {
    match outputs.saturating_sub(column) {
        0 => 0,
        some @ 1..16 => (1 << some) - 1,
        _ => !0,
    }
}

impl Floats for __m512 {
    type Lanes = __mmask16;

    #[inline(always)]
    unsafe fn lanes(outputs: usize, column: usize) -> __mmask16 {
        columns(outputs, column)
    }

    #[inline(always)]
    unsafe fn load(from: *const f32, lanes: __mmask16) -> Self {
        // SAFETY: the caller vouches for those numbers that there are.
        unsafe { _mm512_maskz_loadu_ps(lanes, from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, lanes: __mmask16) {
        // SAFETY: as above.
        unsafe { _mm512_mask_storeu_ps(to, lanes, self) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller vouches for the processor.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn below(self, limit: Self, value: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(self, limit), value) }
    }

    #[inline(always)]
    unsafe fn by_sign(self, negative: Self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let is_negative = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self, _mm512_setzero_ps());
            _mm512_mask_blend_ps(is_negative, other, negative)
        }
    }

    methods! {
        add(other): _mm512_add_ps,
        subtract(other): _mm512_sub_ps,
        multiply(other): _mm512_mul_ps,
        multiply_add(factor, sum): _mm512_fmadd_ps,
        multiply_subtract_from(factor, sum): _mm512_fnmadd_ps,
        greater(other): _mm512_max_ps,
        magnitude(): _mm512_abs_ps,
        rounded(): _mm512_roundscale_ps::<8>,
        reciprocal(): _mm512_rcp14_ps,
        times_power_of_two(power): _mm512_scalef_ps,
    }
}

/// # Safety
/// `vector` can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_int8(vector: *const Vector) -> __m512i {
    // SAFETY: a `Vector` is 64 bytes, aligned.
    unsafe { _mm512_load_si512(vector.cast()) }
}

/// # Safety
/// `vector` can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_bf16(vector: *const Vector) -> __m512bh {
    // SAFETY: a `Vector` is 64 bytes, aligned, of any content.
    unsafe { std::mem::transmute(_mm512_load_si512(vector.cast())) }
}

/// The exponential of numbers that are not above 0, to 18 bits: enough for what is kept in 11.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn exp_short(x: __m512) -> __m512 {
    // Of 2 to the power of what is left of -1/2 to 1/2, the least squares of the relative error.
    const TERMS: [f32; 5] = [0.009_600_4, 0.055_916_89, 0.240_237_18, 0.693_121_99, 1.0];
    let x = _mm512_mul_ps(_mm512_max_ps(x, _mm512_set1_ps(-100.0)), _mm512_set1_ps(std::f32::consts::LOG2_E));
    let power = _mm512_roundscale_ps::<8>(x);
    let rest = _mm512_sub_ps(x, power);
    let mut sum = _mm512_set1_ps(TERMS[0]);
    for term in &TERMS[1..] {
        sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(*term));
    }
    _mm512_scalef_ps(sum, power)
}

/// The least and the most of `row`, with 0 among them.
#[target_feature(enable = "avx512f")]
pub fn range(row: &[f32]) -> (f32, f32) {
    let (mut least, mut most) = ([_mm512_setzero_ps(); WIDE], [_mm512_setzero_ps(); WIDE]);
    for part in row.chunks(WIDE * 16) {
        for (lane, part) in part.chunks(16).enumerate() {
            let mask = columns(part.len(), 0);
            // SAFETY: what lies past the part is masked out.
            let x = unsafe { _mm512_maskz_loadu_ps(mask, part.as_ptr()) };
            least[lane] = _mm512_min_ps(x, least[lane]);
            most[lane] = _mm512_max_ps(x, most[lane]);
        }
    }
    let least = _mm512_min_ps(_mm512_min_ps(least[0], least[1]), _mm512_min_ps(least[2], least[3]));
    let most = _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3]));
    (_mm512_reduce_min_ps(least), _mm512_reduce_max_ps(most))
}

/// `round(x * inverse_scale) + zero` of each number of `row`, within 0 and 255.
#[target_feature(enable = "avx512f")]
pub fn quantise(row: &[f32], inverse_scale: f32, zero: i32, out: &mut [u8]) {
    let (inverse_scale, zero) = (_mm512_set1_ps(inverse_scale), _mm512_set1_epi32(zero));
    for (part, out) in row.chunks(16).zip(out.chunks_mut(16)) {
        let mask = columns(part.len().min(out.len()), 0);
        // SAFETY: what lies past the parts is masked out.
        unsafe {
            let x = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, part.as_ptr()), inverse_scale);
            let value = _mm512_add_epi32(_mm512_cvtps_epi32(x), zero);
            let value = _mm512_max_epi32(value, _mm512_setzero_si512());
            _mm512_mask_cvtusepi32_storeu_epi8(out.as_mut_ptr().cast(), mask, value);
        }
    }
}

/// `row` times `scale` in bf16, rounded to the nearest.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn narrow(row: &[f32], scale: f32, out: &mut [u16]) {
    let scale = _mm512_set1_ps(scale);
    for (part, out) in row.chunks(16).zip(out.chunks_mut(16)) {
        let mask = columns(part.len().min(out.len()), 0);
        // SAFETY: what lies past the parts is masked out.
        unsafe {
            let value = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, part.as_ptr()), scale);
            store_narrow(out.as_mut_ptr(), mask, value);
        }
    }
}

/// The exponentials of `scores` less the largest of them, in bf16; returns their sum.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn exponentials(scores: &[f32], out: &mut [u16]) -> f32 {
    let most = most(scores);
    let mut sum = _mm512_setzero_ps();
    for (part, out) in scores.chunks(16).zip(out.chunks_mut(16)) {
        let mask = columns(part.len().min(out.len()), 0);
        // SAFETY: what lies past the parts is masked out.
        unsafe {
            let x = exp_short(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, part.as_ptr()), most));
            sum = _mm512_mask_add_ps(sum, mask, sum, x);
            store_narrow(out.as_mut_ptr(), mask, x);
        }
    }
    _mm512_reduce_add_ps(sum)
}

/// # Safety
/// `out` has room for the numbers of `mask`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn store_narrow(out: *mut u16, mask: __mmask16, value: __m512) {
    // SAFETY: the caller vouches for `out`; both types are sixteen times sixteen bits.
    unsafe {
        let value = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value));
        _mm512_mask_storeu_epi16(out.cast(), u32::from(mask), _mm512_zextsi256_si512(value));
    }
}
