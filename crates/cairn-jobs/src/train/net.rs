//! Dense layers of floats, forwards and backwards.

use super::seeded::Seeded;

/// A layer: `weights[input * outputs + output]`, so that inner loops run along the outputs and need no sum across them.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Values in.
    pub inputs: usize,
    /// Values out.
    pub outputs: usize,
    /// By input, then output.
    pub weights: Vec<f64>,
    /// By output.
    pub biases: Vec<f64>,
}

/// Layers with ReLU between them.
#[derive(Debug, Clone)]
pub struct FloatNet {
    /// At least one.
    pub layers: Vec<Dense>,
}

impl FloatNet {
    /// Weights as He (2015) has them, but uniform; biases of zero.
    pub fn seeded(sizes: &[usize], seeded: &mut Seeded) -> Self {
        let layer = |pair: &[usize]| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let bound = (6.0 / inputs as f64).sqrt();
            let weights = (0..inputs * outputs).map(|_| seeded.signed_unit() * bound).collect();
            Dense { inputs, outputs, weights, biases: vec![0.0; outputs] }
        };
        Self { layers: sizes.windows(2).map(layer).collect() }
    }

    /// A network of the same shape, all zero.
    pub fn zeroed(&self) -> Self {
        let zeroed = |layer: &Dense| Dense {
            weights: vec![0.0; layer.weights.len()],
            biases: vec![0.0; layer.biases.len()],
            ..*layer
        };
        Self { layers: self.layers.iter().map(zeroed).collect() }
    }
}

/// What stands between the layers while one example passes.
#[derive(Debug)]
pub struct Passes {
    /// `values[0]` is the row, `values[l + 1]` what layer `l` gave.
    pub values: Vec<Vec<f64>>,
    slopes: Vec<Vec<f64>>,
}

impl Passes {
    /// For networks of these sizes.
    pub fn of(sizes: &[usize]) -> Self {
        let zeroes: Vec<Vec<f64>> = sizes.iter().map(|size| vec![0.0; *size]).collect();
        Self { values: zeroes.clone(), slopes: zeroes }
    }

    /// The first output for a row.
    pub fn forward(&mut self, net: &FloatNet, row: &[f64]) -> f64 {
        self.values[0].copy_from_slice(row);
        for (at, layer) in net.layers.iter().enumerate() {
            let (before, after) = self.values.split_at_mut(at + 1);
            let out = &mut after[0];
            out.copy_from_slice(&layer.biases);
            for (value, weights) in before[at].iter().zip(layer.weights.chunks_exact(layer.outputs)) {
                out.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
            }
            if at + 1 < net.layers.len() {
                out.iter_mut().filter(|value| **value <= 0.0).for_each(|value| *value = 0.0);
            }
        }
        self.values[net.layers.len()][0]
    }

    /// Adds to `gradient` what the example last passed forward says, where the loss grows by `slope` with the first output.
    pub fn backward(&mut self, net: &FloatNet, gradient: &mut FloatNet, slope: f64) {
        let last = net.layers.len();
        self.slopes[last][0] = slope;
        for at in (0..last).rev() {
            let (below, above) = self.slopes.split_at_mut(at + 1);
            let (slopes, above) = (&mut below[at], &above[0]);
            let (layer, into) = (&net.layers[at], &mut gradient.layers[at]);
            into.biases.iter_mut().zip(above).for_each(|(sum, slope)| *sum += slope);
            let weights = layer.weights.chunks_exact(layer.outputs);
            let sums = into.weights.chunks_exact_mut(layer.outputs);
            for (((value, slope), weights), sums) in self.values[at].iter().zip(slopes).zip(weights).zip(sums) {
                sums.iter_mut().zip(above).for_each(|(sum, above)| *sum += value * above);
                // Below the first layer nobody asks; between layers what ReLU cut off has no slope.
                if at > 0 {
                    let back: f64 = weights.iter().zip(above).map(|(weight, above)| weight * above).sum();
                    *slope = if *value > 0.0 { back } else { 0.0 };
                }
            }
        }
    }
}
