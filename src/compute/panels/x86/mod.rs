//! The kernels of x86-64 processors, behind functions that are safe to call.

mod avx2;
mod avx512;
mod floats;
mod half;
mod single;

use std::ops::Range;
use std::sync::OnceLock;

use super::int8::Int8Product;
use super::narrow::Narrow;
use super::{Finish, PANEL, Panels, Registers};

pub use avx2::{int8_block, pairs_apart};

/// Whether the processor multiplies bytes.
pub fn has_int8() -> bool {
    avx512::has_int8()
}

/// Whether the processor multiplies bf16.
pub fn has_bf16() -> bool {
    avx512::has_bf16()
}

/// Whether it multiplies them faster than f32. Measured once.
pub fn bf16_pays() -> bool {
    static PAYS: OnceLock<bool> = OnceLock::new();
    *PAYS.get_or_init(avx512::bf16_pays)
}

/// The registers for panels of int8.
pub fn int8_registers() -> Option<Registers> {
    if has_int8() { Some(Registers::Wide) } else { avx2::is_available().then_some(Registers::Half) }
}

/// All registers that there are panels of int8 for.
#[cfg(test)]
pub fn available() -> Vec<Registers> {
    let kinds = [(has_int8(), Registers::Wide), (avx2::is_available(), Registers::Half)];
    kinds.into_iter().filter_map(|(has, kind)| has.then_some(kind)).collect()
}

/// Whether the processor has registers for panels of f32.
pub fn has_single() -> bool {
    avx512::has_single()
}

pub fn single_panels(
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

pub fn int8_panels(product: &Int8Product, panels: Range<usize>, out: *mut f32, finish: &Finish) {
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

pub fn bf16_panel(
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
pub fn range(row: &[f32]) -> Option<(f32, f32)> {
    // SAFETY: the processor has it.
    has_int8().then(|| unsafe { avx512::range(row) })
}

/// Quantises `row` into `out` where the processor can; tells whether it did.
pub fn quantise(row: &[f32], inverse_scale: f32, zero: u8, out: &mut [u8]) -> bool {
    let can = has_int8();
    if can {
        // SAFETY: the processor has it.
        unsafe { avx512::quantise(row, inverse_scale, zero.into(), out) };
    }
    can
}

pub fn f16_panel(x: &[u16], stride: usize, rows: usize, panels: &Panels, panel: usize, out: *mut f32) {
    // SAFETY: as above.
    unsafe { half::f16_panel(x.as_ptr(), stride, rows, panels, panel, out) }
}

/// Whether the processor multiplies f16.
pub fn has_f16() -> bool {
    half::has_f16()
}

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
