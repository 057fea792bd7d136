//! Products of rows with weights that lie as wide registers want them: int8, bf16, f16 and f32.
//!
//! A weight `[outputs, inputs]` is cut into panels of 32 outputs for registers of 64 bytes, 16 for those of 32. Within a
//! panel, four bytes of each output lie side by side, then the next four: `[panels, inputs / 4, 32]` of int8, `[panels,
//! inputs / 2, 32]` of bf16 and f16, or `[panels, inputs, 32]` of f32. In panels of 16 outputs in int8, two bytes of each lie
//! side by side, then the other two.

// Only x86-64 has kernels for them; elsewhere nothing is packed so.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_imports))]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod half;
#[cfg(target_arch = "x86_64")]
mod single;

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::int8_rows::QuantisedRows;
use super::linear::After;
use super::pack::{Arrays, Taken};
use super::stored::{Plain, Stored};

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

/// A weight in int8.
pub(super) struct Int8Panels {
    panels: Panels,
    scales: Stored<f32>,
    /// Sums of the rows of integers: what a zero that is not 0 adds to a product.
    sums: Stored<i32>,
}

/// Rows of bytes and what they are multiplied by.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "there is no kernel for it"))]
struct Int8Product<'a> {
    weight: &'a Int8Panels,
    values: &'a [u8],
    zeros: &'a [i32],
    scales: &'a [f32],
}

impl Int8Panels {
    /// Whether the processor has instructions for rows of `inputs` bytes.
    pub fn take_rows_of(inputs: usize) -> bool {
        int8_registers().is_some() && inputs.is_multiple_of(4)
    }

    /// Packs rows of integers, `[outputs, inputs]`, and their scales and sums; none where the processor has no instruction
    /// for it, or `inputs` is no multiple of four.
    pub fn new(values: &[i8], scales: &[f32], sums: &[i32], inputs: usize) -> Option<Self> {
        let registers = int8_registers().filter(|_| Self::take_rows_of(inputs))?;
        Some(Self::pack(registers, values, scales, sums, inputs))
    }

    fn pack(registers: Registers, values: &[i8], scales: &[f32], sums: &[i32], inputs: usize) -> Self {
        let word = |row: usize, k: usize| {
            let at = row * inputs + 4 * k;
            u32::from_le_bytes([0, 1, 2, 3].map(|i| values[at + i] as u8))
        };
        let order = |vector| registers.int8_order(vector);
        let panels = Panels::new(registers, scales.len(), inputs / 4, word, order);
        Self { panels, scales: scales.to_vec().into(), sums: sums.to_vec().into() }
    }

    /// Adds its arrays to those that are kept.
    pub fn put<'a>(&'a self, arrays: &mut Arrays<'a>) {
        arrays.put(&self.panels.vectors);
        arrays.put(&self.scales);
        arrays.put(&self.sums);
    }

    /// A weight `[outputs, inputs]` that was kept; none where the processor has no instruction for it.
    pub fn take(arrays: &mut Taken, inputs: usize, outputs: usize) -> Option<Self> {
        let registers = int8_registers().filter(|_| Self::take_rows_of(inputs))?;
        let panels = Panels::take(registers, arrays, outputs, inputs / 4)?;
        Some(Self { panels, scales: arrays.take(outputs)?, sums: arrays.take(outputs)? })
    }

    /// `x Wᵀ + bias` into or onto `out`, `[rows, outputs]`.
    pub fn multiply(&self, x: &QuantisedRows, bias: Option<&[f32]>, out: &mut [f32], after: After) {
        let (rows, stride, inputs) = (x.zeros.len(), self.panels.outputs, self.panels.depth * 4);
        assert_eq!(out.len(), rows * stride, "a row of outputs for each row of inputs");
        assert_eq!(x.values.len(), rows * inputs, "rows are as long as the weight's");
        assert!(bias.is_none_or(|bias| bias.len() == stride), "a bias has one value an output");
        let finish = Finish { bias, after, stride };
        let out = Output(out.as_mut_ptr());
        share(rows, self.panels.registers.int8_block(inputs), &self.panels, |first, rows, panels| {
            let product = Int8Product {
                weight: self,
                values: &x.values[first * inputs..(first + rows) * inputs],
                zeros: &x.zeros[first..first + rows],
                scales: &x.scales[first..first + rows],
            };
            let out = out.at(first * stride + panels.start * self.panels.registers.panel());
            int8_panels(&product, panels, out, &finish);
        });
    }
}

/// A weight in f32.
pub(super) struct SinglePanels(Panels);

impl SinglePanels {
    /// Packs `weight`, `[outputs, inputs]`; none where the processor has no registers that wide.
    pub fn new(weight: &[f32], inputs: usize) -> Option<Self> {
        let word = |row: usize, k: usize| weight[row * inputs + k].to_bits();
        has_single()
            .then(|| Self(Panels::new(Registers::Wide, weight.len() / inputs, inputs, word, identity)))
    }

    /// Adds its array to those that are kept.
    pub fn put<'a>(&'a self, arrays: &mut Arrays<'a>) {
        arrays.put(&self.0.vectors);
    }

    /// A weight `[outputs, inputs]` that was kept; none where the processor has no registers that wide.
    pub fn take(arrays: &mut Taken, inputs: usize, outputs: usize) -> Option<Self> {
        has_single().then(|| Panels::take(Registers::Wide, arrays, outputs, inputs)).flatten().map(Self)
    }

    /// `x Wᵀ + bias` into or onto `out`, `[rows, outputs]`; rows of `x` start every `stride` numbers.
    pub fn multiply(&self, x: &[f32], stride: usize, bias: Option<&[f32]>, out: &mut [f32], after: After) {
        let (inputs, outputs) = (self.0.depth, self.0.outputs);
        let rows = out.len() / outputs;
        assert_eq!(out.len(), rows * outputs, "whole rows of outputs");
        assert!(rows == 0 || x.len() >= (rows - 1) * stride + inputs, "a row for each of `out`");
        assert!(bias.is_none_or(|bias| bias.len() == outputs), "a bias has one value an output");
        let finish = Finish { bias, after, stride: outputs };
        let out = Output(out.as_mut_ptr());
        share(rows, BLOCK, &self.0, |first, rows, panels| {
            let out = out.at(first * outputs + panels.start * PANEL);
            single_panels(&x[first * stride..], stride, rows, &self.0, panels, out, &finish);
        });
    }
}

/// Numbers of sixteen bits that processors multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Narrow {
    /// The upper half of an f32; sums are f32.
    Bf16,
    /// IEEE 754 binary16; sums of up to 64 products are f16, those of more f32. For numbers that are not above 65504.
    F16,
}

impl Narrow {
    /// What is fastest for numbers of moderate size, if it is faster than f32.
    pub fn best() -> Option<Self> {
        if has_f16() {
            return Some(Self::F16);
        }
        bf16_pays().then_some(Self::Bf16)
    }

    /// Whether the processor multiplies them.
    pub fn is_available(self) -> bool {
        match self {
            Self::Bf16 => has_bf16(),
            Self::F16 => has_f16(),
        }
    }
}

/// A matrix in numbers of sixteen bits.
pub(super) struct NarrowPanels {
    format: Narrow,
    panels: Panels,
}

impl NarrowPanels {
    /// Packs `weight`, `[outputs, inputs]`, in bf16; none where the processor has no instruction for it, or `inputs` is odd.
    pub fn bf16(weight: &[f32], inputs: usize) -> Option<Self> {
        if !has_bf16() || !inputs.is_multiple_of(2) {
            return None;
        }
        let mut narrowed = vec![0; weight.len()];
        narrow_parallel(weight, &mut narrowed);
        Some(Self::from_rows(Narrow::Bf16, &narrowed, inputs))
    }

    /// Packs rows, `[outputs, inputs]`, of numbers that the processor multiplies.
    pub fn from_rows(format: Narrow, rows: &[u16], inputs: usize) -> Self {
        assert!(format.is_available(), "only what multiplies them wants them");
        let word = |row: usize, k: usize| {
            let at = row * inputs + 2 * k;
            u32::from(rows[at]) | u32::from(rows[at + 1]) << 16
        };
        Self { format, panels: Panels::new(Registers::Wide, rows.len() / inputs, inputs / 2, word, identity) }
    }

    /// Packs columns, `[inputs, outputs]`, of numbers that the processor multiplies; `inputs` is even.
    pub fn from_columns(format: Narrow, columns: &[u16], outputs: usize) -> Self {
        assert!(format.is_available(), "only what multiplies them wants them");
        let word = |column: usize, k: usize| {
            let at = 2 * k * outputs + column;
            u32::from(columns[at]) | u32::from(columns[at + outputs]) << 16
        };
        Self {
            format,
            panels: Panels::new(Registers::Wide, outputs, columns.len() / outputs / 2, word, identity),
        }
    }

    /// `x Wᵀ` of rows of `x` that start every `stride` numbers, by this thread alone, into `out`, `[rows, outputs]`.
    pub fn multiply_alone(&self, x: &[u16], stride: usize, out: &mut [f32]) {
        let outputs = self.panels.outputs;
        let rows = out.len() / outputs;
        self.check(x, stride, rows, out);
        let finish = Finish { bias: None, after: After::Store, stride: outputs };
        let out = Output(out.as_mut_ptr());
        for panel in 0..self.panels.count() {
            let out = out.at(panel * PANEL);
            match self.format {
                Narrow::Bf16 => bf16_panel(x, stride, rows, &self.panels, panel, out, &finish),
                Narrow::F16 => f16_panel(x, stride, rows, &self.panels, panel, out),
            }
        }
    }

    /// `x Wᵀ + bias` into or onto `out`, `[rows, outputs]`, in bf16; rows of `x` start every `stride` numbers.
    pub fn multiply(&self, x: &[u16], stride: usize, bias: Option<&[f32]>, out: &mut [f32], after: After) {
        assert_eq!(self.format, Narrow::Bf16, "sums of any length are for bf16");
        let outputs = self.panels.outputs;
        let rows = out.len() / outputs;
        self.check(x, stride, rows, out);
        assert!(bias.is_none_or(|bias| bias.len() == outputs), "a bias has one value an output");
        let finish = Finish { bias, after, stride: outputs };
        let out = Output(out.as_mut_ptr());
        share(rows, BLOCK, &self.panels, |first, rows, panels| {
            for panel in panels {
                let out = out.at(first * outputs + panel * PANEL);
                bf16_panel(&x[first * stride..], stride, rows, &self.panels, panel, out, &finish);
            }
        });
    }

    fn check(&self, x: &[u16], stride: usize, rows: usize, out: &[f32]) {
        assert_eq!(out.len(), rows * self.panels.outputs, "whole rows of outputs");
        assert!(
            rows == 0 || x.len() >= (rows - 1) * stride + 2 * self.panels.depth,
            "a row for each of `out`"
        );
    }
}

/// `values` in bf16, on all threads.
pub(super) fn narrow_parallel(values: &[f32], out: &mut [u16]) {
    const GRAIN: usize = 64 * 1024;
    match values.len() <= GRAIN {
        true => Narrow::Bf16.narrow(values, 1.0, out),
        false => {
            let parts = values.par_chunks(GRAIN).zip(out.par_chunks_mut(GRAIN));
            parts.for_each(|(x, out)| Narrow::Bf16.narrow(x, 1.0, out));
        }
    }
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

/// Whether the processor multiplies bytes.
#[cfg(target_arch = "x86_64")]
pub(super) fn has_int8() -> bool {
    avx512::has_int8()
}

/// Whether the processor multiplies bf16.
#[cfg(target_arch = "x86_64")]
pub(super) fn has_bf16() -> bool {
    avx512::has_bf16()
}

/// Whether it multiplies them faster than f32. Measured once.
#[cfg(target_arch = "x86_64")]
pub(super) fn bf16_pays() -> bool {
    static PAYS: OnceLock<bool> = OnceLock::new();
    *PAYS.get_or_init(avx512::bf16_pays)
}

/// The registers for panels of int8.
#[cfg(target_arch = "x86_64")]
fn int8_registers() -> Option<Registers> {
    if has_int8() { Some(Registers::Wide) } else { avx2::is_available().then_some(Registers::Half) }
}

/// Whether the processor has registers for panels of f32.
#[cfg(target_arch = "x86_64")]
fn has_single() -> bool {
    avx512::has_single()
}

#[cfg(target_arch = "x86_64")]
use avx2::{int8_block, pairs_apart};

#[cfg(target_arch = "x86_64")]
fn single_panels(
    x: &[f32],
    stride: usize,
    count: usize,
    weight: &Panels,
    panels: Range<usize>,
    out: *mut f32,
    finish: &Finish,
) {
    let rows = single::Rows { start: x.as_ptr(), stride, count };
    // SAFETY: panels are only made where the processor has what it takes; `multiply` checked the lengths, and no task
    // writes to another's rows and panels.
    unsafe { single::single_panels(rows, weight, panels, out, finish) }
}

#[cfg(target_arch = "x86_64")]
fn int8_panels(product: &Int8Product, panels: Range<usize>, out: *mut f32, finish: &Finish) {
    // SAFETY: panels are only made where the processor has what it takes; `multiply` checked the lengths, and no task
    // writes to another's rows and panels.
    unsafe {
        match product.weight.panels.registers {
            Registers::Wide => {
                for panel in panels.clone() {
                    let out = out.wrapping_add((panel - panels.start) * PANEL);
                    avx512::int8_panel(product, panel, out, finish);
                }
            }
            Registers::Half => avx2::int8_panels(product, panels, out, finish),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn bf16_panel(
    x: &[u16],
    stride: usize,
    rows: usize,
    panels: &Panels,
    panel: usize,
    out: *mut f32,
    finish: &Finish,
) {
    // SAFETY: as above.
    unsafe { avx512::bf16_panel(x.as_ptr(), stride, rows, panels, panel, out, finish) }
}

/// The least and the most of `row`, with 0 among them, and whether it is there at all.
#[cfg(target_arch = "x86_64")]
pub(super) fn range(row: &[f32]) -> Option<(f32, f32)> {
    // SAFETY: the processor has it.
    has_int8().then(|| unsafe { avx512::range(row) })
}

/// Quantises `row` into `out` where the processor can; tells whether it did.
#[cfg(target_arch = "x86_64")]
pub(super) fn quantise(row: &[f32], inverse_scale: f32, zero: u8, out: &mut [u8]) -> bool {
    let can = has_int8();
    if can {
        // SAFETY: the processor has it.
        unsafe { avx512::quantise(row, inverse_scale, zero.into(), out) };
    }
    can
}

#[cfg(target_arch = "x86_64")]
fn f16_panel(x: &[u16], stride: usize, rows: usize, panels: &Panels, panel: usize, out: *mut f32) {
    // SAFETY: as above.
    unsafe { half::f16_panel(x.as_ptr(), stride, rows, panels, panel, out) }
}

/// Whether the processor multiplies f16.
#[cfg(target_arch = "x86_64")]
fn has_f16() -> bool {
    half::has_f16()
}

#[cfg(target_arch = "x86_64")]
impl Narrow {
    /// `row` times `scale`, rounded to the nearest.
    pub fn narrow(self, row: &[f32], scale: f32, out: &mut [u16]) {
        assert!(self.is_available(), "only what multiplies them wants them");
        // SAFETY: the processor has it.
        unsafe {
            match self {
                Self::Bf16 => avx512::narrow(row, scale, out),
                Self::F16 => half::narrow(row, scale, out),
            }
        }
    }

    /// The exponentials of `scores` less the largest of them; returns their sum.
    pub fn exponentials(self, scores: &[f32], out: &mut [u16]) -> f32 {
        assert!(self.is_available(), "only what multiplies them wants them");
        // SAFETY: the processor has it.
        unsafe {
            match self {
                Self::Bf16 => avx512::exponentials(scores, out),
                Self::F16 => half::exponentials(scores, out),
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use other::*;

/// Processors without a kernel.
#[cfg(not(target_arch = "x86_64"))]
mod other {
    use std::ops::Range;

    use super::{Finish, Int8Product, Panels, Registers, Vector};

    pub fn has_int8() -> bool {
        false
    }

    pub fn has_bf16() -> bool {
        false
    }

    pub(super) fn int8_registers() -> Option<Registers> {
        None
    }

    pub(super) fn has_single() -> bool {
        false
    }

    pub(super) fn int8_block(_: usize) -> usize {
        super::BLOCK
    }

    pub(super) fn pairs_apart(vector: Vector) -> Vector {
        vector
    }

    pub(super) fn single_panels(
        _: &[f32],
        _: usize,
        _: usize,
        _: &Panels,
        _: Range<usize>,
        _: *mut f32,
        _: &Finish,
    ) {
        unreachable!("no panels are made here")
    }

    pub fn bf16_pays() -> bool {
        false
    }

    pub fn has_f16() -> bool {
        false
    }

    impl super::Narrow {
        pub fn narrow(self, _: &[f32], _: f32, _: &mut [u16]) {
            unreachable!("only what multiplies them wants them")
        }

        pub fn exponentials(self, _: &[f32], _: &mut [u16]) -> f32 {
            unreachable!("only what multiplies them wants them")
        }
    }

    pub(super) fn f16_panel(_: &[u16], _: usize, _: usize, _: &Panels, _: usize, _: *mut f32) {
        unreachable!("no panels are made here")
    }

    pub(super) fn int8_panels(_: &Int8Product, _: Range<usize>, _: *mut f32, _: &Finish) {
        unreachable!("no panels are made here")
    }

    pub(super) fn bf16_panel(_: &[u16], _: usize, _: usize, _: &Panels, _: usize, _: *mut f32, _: &Finish) {
        unreachable!("no panels are made here")
    }

    pub fn range(_: &[f32]) -> Option<(f32, f32)> {
        None
    }

    pub fn quantise(_: &[f32], _: f32, _: u8, _: &mut [u8]) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rows::values;
    use proptest::prelude::*;

    fn bf16(x: f32) -> f32 {
        ::half::bf16::from_f32(x).to_f32()
    }

    proptest! {
        #[test]
        fn singles_equal_the_plain_product(
            rows in 1usize..40, inputs in prop_oneof![1usize..40, 500usize..530, 1020usize..1030], outputs in 1usize..70,
            gap in 0usize..9, after in prop::sample::select(vec![After::Store, After::Add, After::Gelu]), seed in 0u32..99,
        ) {
            let stride = inputs + gap;
            let weight = values(outputs * inputs, seed);
            let Some(panels) = SinglePanels::new(&weight, inputs) else { return Ok(()) };
            let x = values((rows - 1) * stride + inputs, seed + 1);
            let bias = values(outputs, seed + 2);
            let mut out = vec![1.0; rows * outputs];
            panels.multiply(&x, stride, Some(&bias), &mut out, after);
            for (m, out) in out.chunks_exact(outputs).enumerate() {
                for (n, out) in out.iter().enumerate() {
                    let product = |i: usize| f64::from(x[m * stride + i]) * f64::from(weight[n * inputs + i]);
                    let sum: f64 = (0..inputs).map(product).sum();
                    let mut expected = [sum as f32 + bias[n] + if after == After::Add { 1.0 } else { 0.0 }];
                    if after == After::Gelu {
                        super::super::gelu_in_place(&mut expected);
                    }
                    prop_assert!((out - expected[0]).abs() < 1e-4);
                }
            }
        }

        #[test]
        fn bf16_equals_the_plain_product(
            rows in 1usize..40, half in 1usize..40, outputs in 1usize..70, gap in 0usize..9, add: bool, seed in 0u32..99,
        ) {
            let (inputs, stride) = (2 * half, 2 * half + gap);
            let weight = values(outputs * inputs, seed);
            let Some(panels) = NarrowPanels::bf16(&weight, inputs) else { return Ok(()) };
            let x = values((rows - 1) * stride + inputs, seed + 1);
            let bias = values(outputs, seed + 2);
            let mut narrowed = vec![0; x.len()];
            Narrow::Bf16.narrow(&x, 1.0, &mut narrowed);
            let mut out = vec![1.0; rows * outputs];
            let after = if add { After::Add } else { After::Store };
            panels.multiply(&narrowed, stride, Some(&bias), &mut out, after);
            for (m, out) in out.chunks_exact(outputs).enumerate() {
                for (n, out) in out.iter().enumerate() {
                    let product = |i: usize| bf16(x[m * stride + i]) * bf16(weight[n * inputs + i]);
                    let sum: f32 = (0..inputs).map(product).sum();
                    let before = if add { 1.0 } else { 0.0 };
                    prop_assert!((out - (sum + bias[n] + before)).abs() < 1e-4);
                }
            }
        }

        #[test]
        fn rows_and_columns_equal_the_plain_product(
            rows in 1usize..40, half in 1usize..120, outputs in 1usize..70, seed in 0u32..99,
        ) {
            let inputs = 2 * half;
            let (weight, x) = (values(outputs * inputs, seed), values(rows * inputs, seed + 1));
            let turned: Vec<f32> =
                (0..inputs * outputs).map(|i| weight[i % outputs * inputs + i / outputs]).collect();
            for (format, precise) in [(Narrow::Bf16, 1.0 / 128.0), (Narrow::F16, 1.0 / 256.0)] {
                if !format.is_available() {
                    continue;
                }
                let narrowed = |values: &[f32], scale: f32| {
                    let mut out = vec![0; values.len()];
                    format.narrow(values, scale, &mut out);
                    out
                };
                let x_narrow = narrowed(&x, 2.0);
                let (mut out, mut same) = (vec![0.0; rows * outputs], vec![0.0; rows * outputs]);
                NarrowPanels::from_rows(format, &narrowed(&weight, 1.0), inputs)
                    .multiply_alone(&x_narrow, inputs, &mut out);
                NarrowPanels::from_columns(format, &narrowed(&turned, 1.0), outputs)
                    .multiply_alone(&x_narrow, inputs, &mut same);
                prop_assert_eq!(&out, &same);
                for (m, out) in out.chunks_exact(outputs).enumerate() {
                    for (n, out) in out.iter().enumerate() {
                        let products = x[m * inputs..].iter().zip(&weight[n * inputs..]).take(inputs);
                        let products: Vec<f32> = products.map(|(x, w)| 2.0 * x * w).collect();
                        let (sum, size) = (products.iter().sum::<f32>(), products.iter().map(|x| x.abs()).sum::<f32>());
                        prop_assert!((out - sum).abs() <= precise * size, "{out} and {sum}, {format:?}");
                    }
                }
            }
        }

        #[test]
        fn exponentials_equal_the_plain_ones(scores in prop::collection::vec(-30f32..30.0, 1..100)) {
            for (format, tolerance) in [(Narrow::Bf16, 4e-3), (Narrow::F16, 6e-4)] {
                if !format.is_available() {
                    continue;
                }
                let mut out = vec![0; scores.len()];
                let sum = format.exponentials(&scores, &mut out);
                let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let expected: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
                prop_assert!((sum - expected.iter().sum::<f32>()).abs() < 1e-4 * sum);
                for (&out, expected) in out.iter().zip(expected) {
                    let out = match format {
                        Narrow::Bf16 => ::half::bf16::from_bits(out).to_f32(),
                        Narrow::F16 => ::half::f16::from_bits(out).to_f32(),
                    };
                    prop_assert!((out - expected).abs() < tolerance);
                }
            }
        }
    }

    #[test]
    fn gelu_follows_the_product() {
        let identity = [1.0, 0.0, 0.0, 1.0];
        let Some(panels) = NarrowPanels::bf16(&identity, 2) else { return };
        let mut errors = Vec::new();
        for step in -400..400 {
            let x = bf16(step as f32 / 40.0);
            let mut narrowed = [0; 2];
            Narrow::Bf16.narrow(&[x, -x], 1.0, &mut narrowed);
            let mut out = [0.0; 2];
            panels.multiply(&narrowed, 2, None, &mut out, After::Gelu);
            let mut expected = [x, -x];
            super::super::gelu_in_place(&mut expected);
            errors.extend(out.iter().zip(expected).map(|(out, expected)| (out - expected).abs()));
        }
        assert!(errors.iter().all(|&error| error < 1e-6), "{errors:?}");
    }

    /// Numbers below the normal ones slow down what is multiplied with them a hundredfold.
    #[test]
    fn gelu_gives_no_number_below_the_normal_ones() {
        let Some(panels) = SinglePanels::new(&[1.0], 1) else { return };
        for step in 0..4000 {
            let mut out = [0.0f32];
            panels.multiply(&[step as f32 / -100.0], 1, None, &mut out, After::Gelu);
            assert!(!out[0].is_subnormal(), "{} becomes {:e}", step as f32 / -100.0, out[0]);
        }
    }

    /// Products that are shared among threads equal those of one.
    #[test]
    fn threads_change_nothing() {
        let weight = values(200 * 512, 1);
        let Some(panels) = NarrowPanels::bf16(&weight, 512) else { return };
        for rows in [1, 40, 150, 700] {
            let mut x = vec![0; rows * 512];
            Narrow::Bf16.narrow(&values(rows * 512, 2), 1.0, &mut x);
            let product = |threads: usize| {
                let mut out = vec![0.0; rows * 200];
                super::super::Threads::new(threads)
                    .unwrap()
                    .run(|| panels.multiply(&x, 512, None, &mut out, After::Store));
                out
            };
            assert_eq!(product(1), product(3));
        }
    }
}
