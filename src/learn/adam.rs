//! Adam, with weights that decay apart from the gradient (AdamW).
//!
//! Kingma and Ba, "Adam: A method for stochastic optimization" (2015), algorithm 1; Loshchilov and Hutter, "Decoupled weight
//! decay regularization" (2019), algorithm 2. Defaults are PyTorch's.

const MEAN_DECAY: f64 = 0.9;
const SQUARE_DECAY: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// What is remembered of the gradients so far.
#[derive(Debug, Clone)]
pub(super) struct Adam {
    rate: f64,
    weight_decay: f64,
    means: Vec<f64>,
    squares: Vec<f64>,
    steps: i32,
}

impl Adam {
    pub(super) fn new(parameters: usize, rate: f64, weight_decay: f64) -> Self {
        Self { rate, weight_decay, means: vec![0.0; parameters], squares: vec![0.0; parameters], steps: 0 }
    }

    /// Takes a step down the gradient.
    pub(super) fn step(&mut self, parameters: &mut [f64], gradient: &[f64]) {
        self.steps = self.steps.saturating_add(1);
        let (mean_scale, square_scale) =
            (1.0 - MEAN_DECAY.powi(self.steps), 1.0 - SQUARE_DECAY.powi(self.steps));
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((parameter, slope), (mean, square)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *mean = MEAN_DECAY * *mean + (1.0 - MEAN_DECAY) * slope;
            *square = SQUARE_DECAY * *square + (1.0 - SQUARE_DECAY) * slope * slope;
            *parameter -= self.rate * self.weight_decay * *parameter;
            *parameter -= self.rate * (*mean / mean_scale) / ((*square / square_scale).sqrt() + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.optim.AdamW([1, -2], lr=0.1, weight_decay=0.01)`, or without decay, on the loss `x0^2 + 3 x1^2`.
    #[test]
    fn steps_are_those_of_pytorch() {
        struct Case {
            decay: f64,
            after: [[f64; 2]; 3],
        }
        let cases = [
            Case {
                decay: 0.0,
                after: [
                    [0.9000000005, -1.9000000000833333],
                    [0.8004122286917927, -1.8001664857787731],
                    [0.7015862729460302, -1.7006233915360325],
                ],
            },
            Case {
                decay: 0.01,
                after: [
                    [0.8990000005, -1.8980000000833332],
                    [0.7985190271685215, -1.7962725883079607],
                    [0.6989111831582322, -1.694944513874826],
                ],
            },
        ];
        for case in cases {
            let mut parameters = vec![1.0, -2.0];
            let mut adam = Adam::new(2, 0.1, case.decay);
            for expected in case.after {
                let gradient = [2.0 * parameters[0], 6.0 * parameters[1]];
                adam.step(&mut parameters, &gradient);
                assert!(
                    parameters.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12),
                    "{parameters:?}"
                );
            }
        }
    }
}
