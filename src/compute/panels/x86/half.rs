//! Products in f16, on processors with AVX-512 FP16: twice as many a cycle as in f32. For attention, whose sums are short.

use std::arch::x86_64::*;

use super::super::{PANEL, Panels};
use super::avx512::{by_rows, columns, exp_short, strips};

/// Products that a lane sums in f16 before the sum is added to one in f32.
const RUN: usize = 64;

/// Whether the processor multiplies f16.
pub fn has_f16() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512fp16")
}

/// Products of `rows` rows of f16, each `stride` numbers after the last, with panel number `panel`, into `out`, whose rows
/// are as wide as there are outputs.
///
/// # Safety
/// The processor has what [`has_f16`] asks for; the rows are of the panel's depth; `out` has room for them, from the
/// panel's first output on.
#[target_feature(enable = "avx512f,avx512bw,avx512fp16")]
pub unsafe fn f16_panel(
    x: *const u16,
    stride: usize,
    rows: usize,
    panels: &Panels,
    panel: usize,
    out: *mut f32,
) {
    for (first, rows) in strips(rows) {
        // SAFETY: the rows from `first` on are within those that the caller vouches for.
        unsafe {
            let x = x.add(first * stride);
            let out = out.add(first * panels.outputs);
            by_rows!(rows, f16_tile(x, stride, panels, panel, out));
        }
    }
}

/// # Safety
/// As [`f16_panel`], for `R` rows.
#[target_feature(enable = "avx512f,avx512bw,avx512fp16")]
unsafe fn f16_tile<const R: usize>(
    x: *const u16,
    stride: usize,
    panels: &Panels,
    panel: usize,
    out: *mut f32,
) {
    let vectors = panels.from(panel).as_ptr();
    for start in (0..panels.depth).step_by(RUN) {
        // Of each output, the sum of products at even places and that at odd ones.
        let mut sums = [[_mm512_castsi512_ph(_mm512_setzero_si512()); 2]; R];
        for k in start..panels.depth.min(start + RUN) {
            // SAFETY: `k` is within the depth of the panel and of the rows.
            unsafe {
                let low = _mm512_castsi512_ph(_mm512_load_si512(vectors.add(2 * k).cast()));
                let high = _mm512_castsi512_ph(_mm512_load_si512(vectors.add(2 * k + 1).cast()));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_epi32(x.add(r * stride + 2 * k).cast::<i32>().read_unaligned());
                    let x = _mm512_castsi512_ph(x);
                    sums[0] = _mm512_fmadd_ph(x, low, sums[0]);
                    sums[1] = _mm512_fmadd_ph(x, high, sums[1]);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (half, &sum) in sums.iter().enumerate() {
                let column = half * 16;
                let mask = columns(panels.outputs, panel * PANEL + column);
                // SAFETY: what lies past the outputs is masked out.
                unsafe {
                    let out = out.add(r * panels.outputs).wrapping_add(column);
                    let before = match start {
                        0 => _mm512_setzero_ps(),
                        _ => _mm512_maskz_loadu_ps(mask, out),
                    };
                    _mm512_mask_storeu_ps(out, mask, _mm512_add_ps(before, pairs(sum)));
                }
            }
        }
    }
}

/// The sums of neighbours, in f32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512fp16")]
fn pairs(sums: __m512h) -> __m512 {
    let sums = _mm512_castph_si512(sums);
    let even = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(sums));
    let odd = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(sums)));
    _mm512_add_ps(even, odd)
}

/// `row` times `scale` in f16, rounded to the nearest.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn narrow(row: &[f32], scale: f32, out: &mut [u16]) {
    let scale = _mm512_set1_ps(scale);
    for (part, out) in row.chunks(16).zip(out.chunks_mut(16)) {
        let mask = columns(part.len().min(out.len()), 0);
        // SAFETY: what lies past the parts is masked out.
        unsafe {
            let value = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, part.as_ptr()), scale);
            store(out.as_mut_ptr(), mask, value);
        }
    }
}

/// The exponentials of `scores` less the largest of them, in f16; returns their sum.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn exponentials(scores: &[f32], out: &mut [u16]) -> f32 {
    let most = super::avx512::most(scores);
    let mut sum = _mm512_setzero_ps();
    for (part, out) in scores.chunks(16).zip(out.chunks_mut(16)) {
        let mask = columns(part.len().min(out.len()), 0);
        // SAFETY: what lies past the parts is masked out.
        unsafe {
            let x = exp_short(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, part.as_ptr()), most));
            sum = _mm512_mask_add_ps(sum, mask, sum, x);
            store(out.as_mut_ptr(), mask, x);
        }
    }
    _mm512_reduce_add_ps(sum)
}

/// # Safety
/// `out` has room for the numbers of `mask`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store(out: *mut u16, mask: __mmask16, value: __m512) {
    let value = _mm512_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(value);
    // SAFETY: the caller vouches for `out`.
    unsafe { _mm512_mask_storeu_epi16(out.cast(), u32::from(mask), _mm512_zextsi256_si512(value)) };
}
