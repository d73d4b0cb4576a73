//! `inference`: runs a small network of dense layers in int8 over rows of features, to the bit.
//!
//! Input 0 is the model (`int8net`), input 1 the features (`int8rows`); there are no arguments. Output: a prediction of 4 bytes,
//! little-endian, for each row and output of the network. Bytes that are no model or no features, or rows of another width,
//! are refused before anything is computed. The formats are in the example's README.

#![no_std]

mod model;

use guest::{Output, input, inputs, refuse, zeroed};
use model::{LAYER_VALUES_MAX, Layer, Model, number};

/// How features start.
const ROWS_MAGIC: &[u8] = b"int8rows";
/// Magic, width and count.
const ROWS_HEADER: usize = 12;

/// Runs the job.
#[unsafe(no_mangle)]
pub extern "C" fn run() {
    if inputs() != 2 {
        return refuse("there are two inputs: a model and rows of features");
    }
    let model = match Model::read(input(0)) {
        Ok(model) => model,
        Err(why) => return refuse(why),
    };
    let rows = match rows(input(1), model.inputs) {
        Ok(rows) => rows,
        Err(why) => return refuse(why),
    };
    let mut output = Output::new();
    let (mut values, mut next) = (zeroed::<i8>(LAYER_VALUES_MAX), zeroed::<i8>(LAYER_VALUES_MAX));
    for row in rows.chunks_exact(model.inputs) {
        for (value, byte) in values.iter_mut().zip(row) {
            *value = *byte as i8;
        }
        let mut width = model.inputs;
        for layer in model.hidden() {
            layer.hidden(&values[..width], &mut next[..layer.outputs]);
            width = layer.outputs;
            core::mem::swap(&mut values, &mut next);
        }
        let last = model.last();
        for at in 0..last.outputs {
            output.write(&last.prediction(at, &values[..width]).to_le_bytes());
        }
    }
    output.flush();
}

/// The rows alone, when they are what their header says and the model takes them.
fn rows(bytes: &[u8], width: usize) -> Result<&[u8], &'static str> {
    let (header, rows) = bytes.split_at_checked(ROWS_HEADER).ok_or("the features are shorter than their header")?;
    if !header.starts_with(ROWS_MAGIC) {
        return Err("the features do not start with int8rows");
    }
    if number(header, 8) != width {
        return Err("the features have another width than the model");
    }
    if rows.len() != width * number(header, 10) {
        return Err("the features are not as long as their header says");
    }
    Ok(rows)
}

impl Layer {
    /// Computes a layer between others.
    fn hidden(&self, values: &[i8], next: &mut [i8]) {
        let low = if self.relu { 0 } else { i64::from(i8::MIN) };
        for (at, value) in next.iter_mut().enumerate() {
            *value = self.rescaled(at, values).clamp(low, i8::MAX.into()) as i8;
        }
    }

    /// Computes an output of the last layer.
    fn prediction(&self, at: usize, values: &[i8]) -> i32 {
        self.rescaled(at, values).clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// The sum of an output, times the multiplier, divided by 2^shift; halves are rounded up.
    fn rescaled(&self, at: usize, values: &[i8]) -> i64 {
        let product = i64::from(dot(self.bias(at), self.weights(at), values)) * i64::from(self.multiplier);
        (product + (1 << (self.shift - 1))) >> self.shift
    }
}

/// `bias + sum of weight * value`. It stays within 32 bits: the bias is within 2^30, and 1,024 products are within 2^24.
fn dot(bias: i32, weights: &[u8], values: &[i8]) -> i32 {
    let mut sum = bias;
    let (fours, weight_fours) = (values.chunks_exact(4), weights.chunks_exact(4));
    let rest = fours.remainder().iter().zip(weight_fours.remainder());
    // Gas is counted by the turn of a loop: four products to a turn.
    for (value, weight) in fours.zip(weight_fours) {
        sum += product(value[0], weight[0])
            + product(value[1], weight[1])
            + product(value[2], weight[2])
            + product(value[3], weight[3]);
    }
    rest.fold(sum, |sum, (value, weight)| sum + product(*value, *weight))
}

fn product(value: i8, weight: u8) -> i32 {
    i32::from(value) * i32::from(weight as i8)
}
