//! From floats to 8 bits: one scale for each layer's weights, one for what it gives.

use super::net::{Dense, FloatNet, Passes};
use crate::network::{Layer, Network};

/// By what a row's integers are divided.
pub const ROW_SCALE: f64 = 64.0;

/// What 1.0 of the float network's output is, in ug/m3.
pub const OUTPUT: f64 = 10.0;

/// What 1 of the integer network's output is, in ug/m3.
const PREDICTION: f64 = 0.1;

/// One in so many examples may go beyond the scale of what is between layers, and is cut.
const CUT_ONE_IN: usize = 2_000;

/// The network in integers. `rows` say how large the values between layers get.
pub fn quantise<'a>(net: &FloatNet, rows: impl Iterator<Item = &'a [f64]>) -> Network {
    let largest = largest_values(net, rows);
    let mut input_scale = 1.0 / ROW_SCALE;
    let last = net.layers.len() - 1;
    let layer = |(at, layer): (usize, &Dense)| {
        let output_scale = if at < last { largest[at] / 127.0 } else { PREDICTION / OUTPUT };
        let (quantised, weight_sum_scale) = (quantise_layer(layer, input_scale, output_scale, at < last), output_scale);
        input_scale = weight_sum_scale;
        quantised
    };
    Network { inputs: net.layers[0].inputs, layers: net.layers.iter().enumerate().map(layer).collect() }
}

/// The largest value that each hidden layer gives but for one example in [`CUT_ONE_IN`].
fn largest_values<'a>(net: &FloatNet, rows: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
    let sizes: Vec<usize> =
        core::iter::once(net.layers[0].inputs).chain(net.layers.iter().map(|l| l.outputs)).collect();
    let mut passes = Passes::of(&sizes);
    let mut largest = vec![Vec::new(); net.layers.len()];
    for row in rows {
        passes.forward(net, row);
        for (values, largest) in passes.values[1..].iter().zip(&mut largest) {
            largest.push(values.iter().copied().fold(f64::MIN_POSITIVE, f64::max));
        }
    }
    let one = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let cut = values.len() / CUT_ONE_IN;
        values.iter().rev().nth(cut).copied().unwrap_or(1.0)
    };
    largest.into_iter().map(one).collect()
}

fn quantise_layer(layer: &Dense, input_scale: f64, output_scale: f64, relu: bool) -> Layer {
    let widest = layer.weights.iter().fold(f64::MIN_POSITIVE, |widest, weight| widest.max(weight.abs()));
    let weight_scale = widest / 127.0;
    let sum_scale = input_scale * weight_scale;
    let mut multiplier = sum_scale / output_scale;
    let mut shift = 0;
    // Doubling is exact: the multiplier gets 30 significant bits, as long as the shift stays allowed.
    while multiplier < f64::from(1 << 29) && shift < 46 {
        multiplier *= 2.0;
        shift += 1;
    }
    let weight =
        |input: usize, output: usize| (layer.weights[input * layer.outputs + output] / weight_scale).round() as i8;
    Layer {
        relu,
        multiplier: multiplier.round() as i32,
        shift,
        biases: layer.biases.iter().map(|bias| (bias / sum_scale).round() as i32).collect(),
        weights: (0..layer.outputs).map(|o| (0..layer.inputs).map(|i| weight(i, o)).collect()).collect(),
    }
}
