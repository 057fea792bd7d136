//! Weights in sixteen bits.

use rayon::prelude::*;

use super::processor::{self, bf16_pays, has_bf16, has_f16};
use super::{BLOCK, Finish, Output, PANEL, Panels, Registers, identity, share};
use crate::compute::linear::After;

/// Numbers of sixteen bits that processors multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compute) enum Narrow {
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
pub(in crate::compute) struct NarrowPanels {
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
                Narrow::Bf16 => processor::bf16_panel(x, stride, rows, &self.panels, panel, out, &finish),
                Narrow::F16 => processor::f16_panel(x, stride, rows, &self.panels, panel, out),
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
                processor::bf16_panel(&x[first * stride..], stride, rows, &self.panels, panel, out, &finish);
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
pub(in crate::compute) fn narrow_parallel(values: &[f32], out: &mut [u16]) {
    const GRAIN: usize = 64 * 1024;
    match values.len() <= GRAIN {
        true => Narrow::Bf16.narrow(values, 1.0, out),
        false => {
            let parts = values.par_chunks(GRAIN).zip(out.par_chunks_mut(GRAIN));
            parts.for_each(|(x, out)| Narrow::Bf16.narrow(x, 1.0, out));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rows::values;
    use crate::compute::{Threads, gelu_in_place};
    use proptest::prelude::*;

    fn bf16(x: f32) -> f32 {
        half::bf16::from_f32(x).to_f32()
    }

    proptest! {
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
                        Narrow::Bf16 => half::bf16::from_bits(out).to_f32(),
                        Narrow::F16 => half::f16::from_bits(out).to_f32(),
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
            gelu_in_place(&mut expected);
            errors.extend(out.iter().zip(expected).map(|(out, expected)| (out - expected).abs()));
        }
        assert!(errors.iter().all(|&error| error < 1e-6), "{errors:?}");
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
                Threads::new(threads).unwrap().run(|| panels.multiply(&x, 512, None, &mut out, After::Store));
                out
            };
            assert_eq!(product(1), product(3));
        }
    }
}
