//! Products in f32: 16 sums in a register, one number of the input at a time.

#![expect(clippy::needless_range_loop, reason = "an index runs along several arrays that registers hold")]

use std::arch::x86_64::*;
use std::hint::black_box;
use std::ops::Range;

use super::super::{Finish, PANEL, Panels, Vector};
use super::avx512::{by_rows, columns, strips};
use super::floats;
use crate::compute::linear::After;

/// Inputs that are multiplied before the next: rows of so many stay in the second-level cache for all panels, and a strip
/// of them in the first.
const DEPTH: usize = 512;

/// Rows to be multiplied.
#[derive(Clone, Copy)]
pub struct Rows {
    pub start: *const f32,
    /// Numbers from one row to the next.
    pub stride: usize,
    pub count: usize,
}

/// Products of `x` with some `panels` of a weight of f32, the first output of which goes to `out`.
///
/// # Safety
/// The processor has AVX-512; each row of `x` is as long as the weight is deep; `out` has room for as many rows as `x`, each
/// `finish.stride` after the last, and for the outputs of the panels.
#[target_feature(enable = "avx512f,avx512bw")]
pub unsafe fn single_panels(x: Rows, weight: &Panels, panels: Range<usize>, out: *mut f32, finish: &Finish) {
    // A weight without inputs gives what is added to nothing.
    for first in (0..weight.depth.max(1)).step_by(DEPTH) {
        let part = first..weight.depth.min(first + DEPTH);
        for panel in panels.clone() {
            let next = weight.from(panel + 1).get(2 * part.start..).unwrap_or_default();
            let out = out.wrapping_add((panel - panels.start) * PANEL);
            for (strip, (row, rows)) in strips(x.count).enumerate() {
                let tile = Tile { weight, panel, part: part.clone(), finish };
                // A strip fetches one of the two halves that the next panel has for these inputs.
                let soon = match strip {
                    0 | 1 => next.get(strip * part.len()..(strip + 1) * part.len()).unwrap_or_default(),
                    _ => &[],
                };
                // SAFETY: the rows from `row` on are within those that the caller vouches for.
                unsafe {
                    let start = x.start.add(row * x.stride);
                    let out = out.add(row * finish.stride);
                    by_rows!(rows, tile_of(&tile, start, x.stride, soon, out));
                }
            }
        }
    }
}

/// What a few rows are multiplied with.
struct Tile<'a> {
    weight: &'a Panels,
    panel: usize,
    /// The inputs.
    part: Range<usize>,
    finish: &'a Finish<'a>,
}

/// `soon` are vectors that are needed soon.
///
/// # Safety
/// As [`single_panels`], for `R` rows.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn tile_of<const R: usize>(tile: &Tile, x: *const f32, stride: usize, soon: &[Vector], out: *mut f32) {
    let Tile { weight, panel, part, finish } = tile;
    let vectors = weight.from(*panel).as_ptr().cast::<f32>();
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for (step, k) in part.clone().enumerate() {
        if step < soon.len() {
            // What comes next is far away: a weight does not fit where its neighbour is.
            _mm_prefetch::<_MM_HINT_T1>(soon.as_ptr().wrapping_add(step).cast());
        }
        // SAFETY: `k` is within the depth of the panel and of the rows.
        unsafe {
            let weights =
                [_mm512_load_ps(vectors.add(k * PANEL)), _mm512_load_ps(vectors.add(k * PANEL + 16))];
            for r in 0..R {
                let x = _mm512_set1_ps(*x.add(r * stride + k));
                sums[r][0] = _mm512_fmadd_ps(x, weights[0], sums[r][0]);
                sums[r][1] = _mm512_fmadd_ps(x, weights[1], sums[r][1]);
            }
        }
    }
    // In memory from here on: else the compiler keeps them there while they grow too.
    let sums = black_box(sums);
    let (is_first, is_last) = (part.start == 0, part.end == weight.depth);
    let finish = Finish {
        bias: finish.bias.filter(|_| is_first),
        after: match finish.after {
            After::Gelu if is_last => After::Gelu,
            After::Add if is_first => After::Add,
            _ => After::Store,
        },
        stride: finish.stride,
    };
    for half in 0..2 {
        let column = panel * PANEL + half * 16;
        let mask = columns(weight.outputs, column);
        for r in 0..R {
            let out = out.wrapping_add(r * finish.stride + half * 16);
            // SAFETY: what lies past the outputs is masked out; a bias is as long as there are outputs.
            unsafe {
                floats::finish(&finish, mask, column, out, |bias| {
                    let sum = _mm512_add_ps(sums[r][half], bias);
                    if is_first { sum } else { _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, out)) }
                });
            }
        }
    }
}
