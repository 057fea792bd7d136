//! What becomes of sums before they leave the registers, once for registers of any width.

use super::super::Finish;
use crate::compute::linear::After;

/// A register of f32.
///
/// Methods are compiled into the kernel that they are called from, with the instructions that it may use.
///
/// # Safety
/// The processor has AVX-512 for registers of 64 bytes, AVX2 with FMA for those of 32. That is all that most methods ask for.
pub trait Floats: Copy {
    /// Which of its numbers there are.
    type Lanes: Copy;

    /// Those of the outputs from `column` on that there are.
    unsafe fn lanes(outputs: usize, column: usize) -> Self::Lanes;

    /// Numbers from `from` on, where there are any that can be read; 0 elsewhere.
    unsafe fn load(from: *const f32, lanes: Self::Lanes) -> Self;

    /// Writes to `to`, where there is room for those that there are.
    unsafe fn store(self, to: *mut f32, lanes: Self::Lanes);

    /// `x` everywhere.
    unsafe fn splat(x: f32) -> Self;

    unsafe fn add(self, other: Self) -> Self;

    unsafe fn subtract(self, other: Self) -> Self;

    unsafe fn multiply(self, other: Self) -> Self;

    /// `self * factor + sum`, rounded once.
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;

    /// `sum - self * factor`, rounded once.
    unsafe fn multiply_subtract_from(self, factor: Self, sum: Self) -> Self;

    /// The greater of two.
    unsafe fn greater(self, other: Self) -> Self;

    unsafe fn magnitude(self) -> Self;

    /// The nearest whole number.
    unsafe fn rounded(self) -> Self;

    /// The reciprocal to 12 bits at least.
    unsafe fn reciprocal(self) -> Self;

    /// `value` where this is below `limit`, 0 elsewhere.
    unsafe fn below(self, limit: Self, value: Self) -> Self;

    /// `negative` where this is negative, `other` elsewhere.
    unsafe fn by_sign(self, negative: Self, other: Self) -> Self;

    /// This, near 1, times two to the whole number `power`, not below -126.
    unsafe fn times_power_of_two(self, power: Self) -> Self;
}

/// Writes what `product` makes of the bias of the outputs from `column` on, and of what is to come after, to `out`.
///
/// # Safety
/// As [`Floats`] asks; `out` has room for those outputs that there are, and a bias is as long as there are outputs.
#[inline(always)]
pub unsafe fn finish<F: Floats>(
    finish: &Finish,
    lanes: F::Lanes,
    column: usize,
    out: *mut f32,
    product: impl FnOnce(F) -> F,
) {
    // SAFETY: the caller vouches for it.
    unsafe {
        let bias = match finish.bias {
            Some(bias) => F::load(bias.as_ptr().wrapping_add(column), lanes),
            None => F::splat(0.0),
        };
        let value = product(bias);
        let value = match finish.after {
            After::Store => value,
            After::Gelu => gelu(value),
            After::Add => value.add(F::load(out, lanes)),
        };
        value.store(out, lanes);
    }
}

/// The exact GELU, `x Φ(x)`, by the approximation 7.1.26 of Abramowitz and Stegun to the error function: right to 2e-7.
///
/// # Safety
/// As [`Floats`] asks.
#[inline(always)]
pub unsafe fn gelu<F: Floats>(x: F) -> F {
    const TERMS: [f32; 5] = [1.061_405_4, -1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6];
    // SAFETY: the caller vouches for it.
    unsafe {
        let one = F::splat(1.0);
        let magnitude = x.magnitude().multiply(F::splat(std::f32::consts::FRAC_1_SQRT_2));
        let divisor = magnitude.multiply_add(F::splat(0.327_591_1), one);
        // A step of Newton's doubles the bits of an estimate, and is faster than a division.
        let estimate = divisor.reciprocal();
        let t = estimate.multiply(divisor.multiply_subtract_from(estimate, F::splat(2.0)));
        let mut sum = F::splat(TERMS[0]);
        for term in &TERMS[1..] {
            sum = sum.multiply_add(t, F::splat(*term));
        }
        let square = magnitude.multiply(magnitude);
        // What would be less than the least normal number is 0: products of lesser ones take a hundred times as long.
        let tail = square.below(F::splat(80.0), exp(F::splat(0.0).subtract(square)));
        // erfc(|x| / √2) / 2, the part of the normal distribution beyond |x|.
        let beyond = sum.multiply(t).multiply(tail).multiply(F::splat(0.5));
        x.multiply(x.by_sign(beyond, one.subtract(beyond)))
    }
}

/// The exponential of numbers that are not above 0, to 2 units in the last place; of those below -87, that of -87.
///
/// # Safety
/// As [`Floats`] asks.
#[inline(always)]
unsafe fn exp<F: Floats>(x: F) -> F {
    const TERMS: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5];
    // SAFETY: the caller vouches for it.
    unsafe {
        let x = x.greater(F::splat(-87.0));
        let power = x.multiply(F::splat(std::f32::consts::LOG2_E)).rounded();
        // ln 2 in two parts, so that nothing is lost.
        let rest = power.multiply_subtract_from(F::splat(0.693_359_4), x);
        let rest = power.multiply_subtract_from(F::splat(-2.121_944_4e-4), rest);
        let mut sum = F::splat(TERMS[0]);
        for term in &TERMS[1..] {
            sum = sum.multiply_add(rest, F::splat(*term));
        }
        let squares = rest.multiply(rest);
        let value = sum.multiply_add(squares, rest).add(F::splat(1.0));
        value.times_power_of_two(power)
    }
}

/// Methods of [`Floats`] that are one function of the registers.
macro_rules! methods {
    ($($method:ident($($argument:ident),*): $function:expr,)*) => {$(
        #[inline(always)]
        unsafe fn $method(self, $($argument: Self),*) -> Self {
            // SAFETY: the caller vouches for the processor.
            unsafe { $function(self, $($argument),*) }
        }
    )*};
}
pub(super) use methods;
