//! Adam (Kingma and Ba, 2015, algorithm 1) with decoupled weight decay (Loshchilov and Hutter, 2019).

use super::net::FloatNet;

const FIRST: f64 = 0.9;
const SECOND: f64 = 0.999;
const LEAST: f64 = 1e-8;

/// What is remembered of the gradients so far.
#[derive(Debug)]
pub struct Adam {
    mean: FloatNet,
    square: FloatNet,
    first_power: f64,
    second_power: f64,
}

impl Adam {
    /// Before the first step of a network.
    pub fn of(net: &FloatNet) -> Self {
        Self { mean: net.zeroed(), square: net.zeroed(), first_power: 1.0, second_power: 1.0 }
    }

    /// A step against the mean of a gradient that was summed over `count` examples.
    pub fn step(&mut self, net: &mut FloatNet, gradient: &FloatNet, count: f64, rate: f64, decay: f64) {
        self.first_power *= FIRST;
        self.second_power *= SECOND;
        let (first_rest, second_rest) = (1.0 - self.first_power, 1.0 - self.second_power);
        let change = |values: &mut [f64], sums: &[f64], means: &mut [f64], squares: &mut [f64], decay: f64| {
            for (((value, sum), mean), square) in values.iter_mut().zip(sums).zip(means).zip(squares) {
                let slope = sum / count;
                *mean = FIRST * *mean + (1.0 - FIRST) * slope;
                *square = SECOND * *square + (1.0 - SECOND) * slope * slope;
                let towards = *mean / first_rest / ((*square / second_rest).sqrt() + LEAST);
                *value -= rate * (towards + decay * *value);
            }
        };
        for (at, layer) in net.layers.iter_mut().enumerate() {
            let (sums, means, squares) = (&gradient.layers[at], &mut self.mean.layers[at], &mut self.square.layers[at]);
            change(&mut layer.weights, &sums.weights, &mut means.weights, &mut squares.weights, decay);
            change(&mut layer.biases, &sums.biases, &mut means.biases, &mut squares.biases, 0.0);
        }
    }
}
