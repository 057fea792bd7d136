//! Weights in int8.

use super::processor::{self, int8_registers};
use super::{Finish, Output, Panels, Registers, share};
use crate::compute::int8_rows::QuantisedRows;
use crate::compute::linear::After;
use crate::compute::pack::{Arrays, Taken};
use crate::compute::stored::Stored;

/// A weight in int8.
pub(in crate::compute) struct Int8Panels {
    pub(super) panels: Panels,
    pub(super) scales: Stored<f32>,
    /// Sums of the rows of integers: what a zero that is not 0 adds to a product.
    pub(super) sums: Stored<i32>,
}

/// Rows of bytes and what they are multiplied by.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "there is no kernel for it"))]
pub(super) struct Int8Product<'a> {
    pub weight: &'a Int8Panels,
    pub values: &'a [u8],
    pub zeros: &'a [i32],
    pub scales: &'a [f32],
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
            processor::int8_panels(&product, panels, out, &finish);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::int8_rows::{quantise_weight, row_sums};
    use crate::compute::plain::gelu;
    use crate::compute::rows::values;
    use proptest::prelude::*;

    proptest! {
        /// Panels for either kind of registers, whichever the processor would take.
        #[test]
        fn panels_equal_the_product_of_integers(
            rows in 1usize..40, fours in 1usize..40, outputs in 1usize..70,
            after in prop::sample::select(vec![After::Store, After::Add, After::Gelu]), has_bias: bool, seed in 0u32..99,
        ) {
            let inputs = 4 * fours;
            let (weight, scales) = quantise_weight(&values(outputs * inputs, seed), inputs, 127.0);
            let sums = row_sums(&weight, inputs);
            let mut x = QuantisedRows::default();
            x.fill(&values(rows * inputs, seed + 1), inputs, inputs);
            let bias = Some(values(outputs, seed + 2)).filter(|_| has_bias);
            for registers in processor::available() {
                let mut out = vec![1.0; rows * outputs];
                Int8Panels::pack(registers, &weight, &scales, &sums, inputs)
                    .multiply(&x, bias.as_deref(), &mut out, after);
                for (m, out) in out.chunks_exact(outputs).enumerate() {
                    for (n, &out) in out.iter().enumerate() {
                        let product = |k: usize| {
                            (i32::from(x.values[m * inputs + k]) - x.zeros[m]) * i32::from(weight[n * inputs + k])
                        };
                        let sum: i32 = (0..inputs).map(product).sum();
                        let bias = bias.as_ref().map_or(0.0, |bias| f64::from(bias[n]));
                        let value = f64::from(sum) * f64::from(x.scales[m]) * f64::from(scales[n]) + bias;
                        let expected = match after {
                            After::Store => value,
                            After::Add => value + 1.0,
                            After::Gelu => gelu(value),
                        };
                        prop_assert!((f64::from(out) - expected).abs() < 1e-5, "{out}, {expected}, {registers:?}");
                    }
                }
            }
        }
    }

    /// The largest bytes of either kind, whose sums any addition in 16 bits would spoil.
    #[test]
    fn sums_neither_saturate_nor_overflow() {
        let (inputs, outputs) = (4096, 20);
        let weight: Vec<i8> =
            (0..outputs * inputs).map(|at| if at / inputs % 2 == 0 { 127 } else { -127 }).collect();
        let sums = row_sums(&weight, inputs);
        let x = QuantisedRows { values: vec![255; 7 * inputs], zeros: vec![0; 7], scales: vec![1.0; 7] };
        for registers in processor::available() {
            let mut out = vec![0.0; 7 * outputs];
            Int8Panels::pack(registers, &weight, &vec![1.0; outputs], &sums, inputs).multiply(
                &x,
                None,
                &mut out,
                After::Store,
            );
            for (at, &out) in out.iter().enumerate() {
                let sign = if at % outputs % 2 == 0 { 1.0 } else { -1.0 };
                assert_eq!(out, sign * (255 * 127 * inputs) as f32, "{registers:?}");
            }
        }
    }
}
