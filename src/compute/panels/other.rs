//! Processors without a kernel.

use std::ops::Range;

use super::int8::Int8Product;
use super::narrow::Narrow;
use super::{BLOCK, Finish, Panels, Registers, Vector};

pub fn has_int8() -> bool {
    false
}

pub fn has_bf16() -> bool {
    false
}

pub fn int8_registers() -> Option<Registers> {
    None
}

#[cfg(test)]
pub fn available() -> Vec<Registers> {
    Vec::new()
}

pub fn has_single() -> bool {
    false
}

pub fn int8_block(_: usize) -> usize {
    BLOCK
}

pub fn pairs_apart(vector: Vector) -> Vector {
    vector
}

pub fn single_panels(_: &[f32], _: usize, _: usize, _: &Panels, _: Range<usize>, _: *mut f32, _: &Finish) {
    unreachable!("no panels are made here")
}

pub fn bf16_pays() -> bool {
    false
}

pub fn has_f16() -> bool {
    false
}

impl Narrow {
    pub fn narrow(self, _: &[f32], _: f32, _: &mut [u16]) {
        unreachable!("only what multiplies them wants them")
    }

    pub fn exponentials(self, _: &[f32], _: &mut [u16]) -> f32 {
        unreachable!("only what multiplies them wants them")
    }
}

pub fn f16_panel(_: &[u16], _: usize, _: usize, _: &Panels, _: usize, _: *mut f32) {
    unreachable!("no panels are made here")
}

pub fn int8_panels(_: &Int8Product, _: Range<usize>, _: *mut f32, _: &Finish) {
    unreachable!("no panels are made here")
}

pub fn bf16_panel(_: &[u16], _: usize, _: usize, _: &Panels, _: usize, _: *mut f32, _: &Finish) {
    unreachable!("no panels are made here")
}

pub fn range(_: &[f32]) -> Option<(f32, f32)> {
    None
}

pub fn quantise(_: &[f32], _: f32, _: u8, _: &mut [u8]) -> bool {
    false
}
