//! Products of rows with weights that lie as wide registers want them: int8, bf16, f16 and f32.
//!
//! A weight `[outputs, inputs]` is cut into panels of 32 outputs for registers of 64 bytes, 16 for those of 32. Within a
//! panel, four bytes of each output lie side by side, then the next four: `[panels, inputs / 4, 32]` of int8, `[panels,
//! inputs / 2, 32]` of bf16 and f16, or `[panels, inputs, 32]` of f32. In panels of 16 outputs in int8, two bytes of each lie
//! side by side, then the other two.

// Only x86-64 has kernels for them; elsewhere nothing is packed so.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_imports))]

mod int8;
mod narrow;
#[cfg(not(target_arch = "x86_64"))]
mod other;
mod single;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use rayon::prelude::*;

use super::linear::After;
use super::pack::Taken;
use super::stored::{Plain, Stored};

#[cfg(not(target_arch = "x86_64"))]
use other as processor;
#[cfg(target_arch = "x86_64")]
use x86 as processor;

pub(super) use int8::Int8Panels;
pub(super) use narrow::{Narrow, NarrowPanels, narrow_parallel};
pub(super) use processor::{bf16_pays, quantise, range};
pub(super) use single::SinglePanels;

use processor::{has_single, int8_block, int8_registers, pairs_apart};

/// Outputs of a panel for registers of 64 bytes: two registers of sums.
const PANEL: usize = 32;
/// Rows that a task takes at most, which stay in the second-level cache.
const BLOCK: usize = 252;

/// Four bytes of each of 16 outputs.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Vector([u32; 16]);

// SAFETY: sixteen numbers fill all 64 bytes.
unsafe impl Plain for Vector {
    const NAME: &str = "64 bytes";
}

/// For which registers panels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registers {
    /// 64 bytes: AVX-512.
    Wide,
    /// 32 bytes: AVX2.
    Half,
}

impl Registers {
    /// Vectors of 16 outputs that lie side by side.
    fn vectors(self) -> usize {
        match self {
            Self::Wide => 2,
            Self::Half => 1,
        }
    }

    /// Outputs of a panel.
    fn panel(self) -> usize {
        16 * self.vectors()
    }

    /// The order of four bytes of each of 16 outputs in a vector of int8.
    fn int8_order(self, vector: Vector) -> Vector {
        match self {
            Self::Wide => vector,
            Self::Half => pairs_apart(vector),
        }
    }

    /// Rows of `depth` inputs in int8 that a task takes at most.
    fn int8_block(self, depth: usize) -> usize {
        match self {
            Self::Wide => BLOCK,
            Self::Half => int8_block(depth),
        }
    }
}

/// A weight in panels.
struct Panels {
    vectors: Stored<Vector>,
    registers: Registers,
    /// Times four bytes that an output has.
    depth: usize,
    outputs: usize,
}

impl Panels {
    /// Packs `outputs` rows of `depth` times four bytes, which `word` gives by row and position; each vector is then put in
    /// `order`.
    fn new(
        registers: Registers,
        outputs: usize,
        depth: usize,
        word: impl Fn(usize, usize) -> u32 + Sync,
        order: impl Fn(Vector) -> Vector + Sync,
    ) -> Self {
        let (count, width) = (registers.vectors(), registers.panel());
        let mut vectors = vec![Vector([0; 16]); outputs.div_ceil(width) * depth * count];
        vectors.par_chunks_mut((depth * count).max(1)).enumerate().for_each(|(panel, vectors)| {
            for (place, vector) in vectors.iter_mut().enumerate() {
                let (k, part) = (place / count, place % count);
                let first = panel * width + part * 16;
                for (lane, row) in (first..outputs.min(first + 16)).enumerate() {
                    vector.0[lane] = word(row, k);
                }
                *vector = order(*vector);
            }
        });
        Self { vectors: vectors.into(), registers, depth, outputs }
    }

    /// Panels that were kept.
    fn take(registers: Registers, arrays: &mut Taken, outputs: usize, depth: usize) -> Option<Self> {
        let count =
            outputs.div_ceil(registers.panel()).checked_mul(registers.vectors())?.checked_mul(depth)?;
        Some(Self { vectors: arrays.take(count)?, registers, depth, outputs })
    }

    /// The vectors of `panel` and those after it.
    fn from(&self, panel: usize) -> &[Vector] {
        &self.vectors[panel * self.depth * self.registers.vectors()..]
    }

    fn count(&self) -> usize {
        self.outputs.div_ceil(self.registers.panel())
    }
}

/// First row and number of rows of each part of `rows`, of which none has more than `most`; they are of one size, or nearly.
fn strips(rows: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let size = rows.div_ceil(rows.div_ceil(most).max(1)).max(1);
    (0..rows).step_by(size).map(move |first| (first, size.min(rows - first)))
}

/// What becomes of products.
struct Finish<'a> {
    bias: Option<&'a [f32]>,
    after: After,
    /// Numbers from one row of the output to the next.
    stride: usize,
}

/// Where the tasks of a product write; each writes rows and columns that no other does.
#[derive(Clone, Copy)]
struct Output(*mut f32);

// SAFETY: every task writes its own part of the output, which outlives the tasks.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

impl Output {
    fn at(self, index: usize) -> *mut f32 {
        self.0.wrapping_add(index)
    }
}

/// Calls `task` with the first row, the number of rows (at most `most`) and a range of panels, side by side where that is
/// worth while.
fn share(rows: usize, most: usize, panels: &Panels, task: impl Fn(usize, usize, Range<usize>) + Sync) {
    /// Dot products of four bytes that a task does at least.
    const GRAIN: usize = 256 * 1024;
    let threads = rayon::current_num_threads();
    let work = rows * panels.outputs * panels.depth;
    if threads == 1 || work < 2 * GRAIN {
        for first in (0..rows).step_by(most) {
            task(first, most.min(rows - first), 0..panels.count());
        }
        return;
    }
    let blocks = rows.div_ceil(most).next_multiple_of(if rows > most { threads } else { 1 });
    let block = rows.div_ceil(blocks);
    let blocks = rows.div_ceil(block);
    let parts = (4 * threads).div_ceil(blocks).min(work.div_ceil(blocks * GRAIN)).clamp(1, panels.count());
    let width = panels.count().div_ceil(parts);
    let parts = panels.count().div_ceil(width);
    (0..blocks * parts).into_par_iter().for_each(|index| {
        let (first, part) = (index / parts * block, index % parts);
        let last = panels.count().min((part + 1) * width);
        task(first, block.min(rows - first), part * width..last);
    });
}

/// For which instructions weights are packed: in int8, and in f32 where that is something else.
pub(crate) fn kernels() -> &'static str {
    match int8_registers() {
        Some(Registers::Wide) => "avx512-vnni",
        Some(Registers::Half) if has_single() => "avx512",
        Some(Registers::Half) => "avx2",
        None => "any",
    }
}

/// Whether the processor multiplies rows of bytes by kernels of its own, so much faster than f32 that it pays.
pub(super) fn int8_pays() -> bool {
    int8_registers().is_some()
}

/// Words that stay in the order in which they are.
fn identity(vector: Vector) -> Vector {
    vector
}
