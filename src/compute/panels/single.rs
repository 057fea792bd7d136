//! Weights in f32.

use super::processor::{self, has_single};
use super::{BLOCK, Finish, Output, PANEL, Panels, Registers, identity, share};
use crate::compute::linear::After;
use crate::compute::pack::{Arrays, Taken};

/// A weight in f32.
pub(in crate::compute) struct SinglePanels(Panels);

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
            processor::single_panels(&x[first * stride..], stride, rows, &self.0, panels, out, &finish);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::gelu_in_place;
    use crate::compute::rows::values;
    use proptest::prelude::*;

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
                        gelu_in_place(&mut expected);
                    }
                    prop_assert!((out - expected[0]).abs() < 1e-4);
                }
            }
        }
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
}
