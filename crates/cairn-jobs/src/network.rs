//! The format `int8net`: a small network of dense layers in integers, to the bit.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `int8net1` |
//! | 2 | layers, 1 to 8 |
//! | 2 | inputs, 1 to 1,024 |
//! | 8 for each layer | outputs (2; 1 to 1,024), shift (1; 1 to 46), activation (1; 0 none, 1 ReLU), multiplier (4; 1 to 2^31 - 1) |
//! | for each layer | outputs biases of 4 bytes (within 2^30), then outputs x inputs weights of 1 byte, output by output |
//!
//! Numbers are little-endian, signed ones in two's complement; nothing follows. A layer's sum is `bias + sum of weight * input`, in 32 bits,
//! which it cannot leave. It is rescaled by `(sum * multiplier + 2^(shift - 1)) >> shift` in 64 bits, rounding halves up. Between layers that is
//! clamped to -128..127, with ReLU to 0..127; of the last layer it is clamped to 32 bits and is the prediction.
//!
//! Features are `int8rows`: 8 bytes `int8rows`, 2 bytes width, 2 bytes rows, then rows x width signed bytes. Predictions are 4 bytes each,
//! row by row.
//!
//! This is the plain reading of the format, for training and tests; the job in `examples/compute/inference` was written apart from it.

use core::fmt;

/// How a model starts.
pub const MODEL_MAGIC: &[u8; 8] = b"int8net1";
/// How features start.
pub const ROWS_MAGIC: &[u8; 8] = b"int8rows";

/// A dense layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Whether negative sums become 0.
    pub relu: bool,
    /// What a sum is multiplied with before it is shifted: 1 and above.
    pub multiplier: i32,
    /// By how many bits it is shifted down, 1 to 46.
    pub shift: u8,
    /// One for each output, in the scale of the sum, within 2^30.
    pub biases: Vec<i32>,
    /// One for each output and input: `weights[output][input]`.
    pub weights: Vec<Vec<i8>>,
}

/// A network: what a model's bytes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Values in each row of features.
    pub inputs: usize,
    /// At least one.
    pub layers: Vec<Layer>,
}

/// Why bytes are no model or no features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Malformed {}

impl Network {
    /// The model's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let short =
            |number: usize| u16::try_from(number).expect("a network has at most 1,024 of anything").to_le_bytes();
        let mut bytes = MODEL_MAGIC.to_vec();
        bytes.extend(short(self.layers.len()));
        bytes.extend(short(self.inputs));
        for layer in &self.layers {
            bytes.extend(short(layer.biases.len()));
            bytes.extend([layer.shift, u8::from(layer.relu)]);
            bytes.extend(layer.multiplier.to_le_bytes());
        }
        for layer in &self.layers {
            bytes.extend(layer.biases.iter().flat_map(|bias| bias.to_le_bytes()));
            bytes.extend(layer.weights.iter().flatten().map(|weight| weight.cast_unsigned()));
        }
        bytes
    }

    /// The predictions for one row.
    ///
    /// # Panics
    /// When the row is not as wide as the network's input.
    #[must_use]
    pub fn predict(&self, row: &[i8]) -> Vec<i32> {
        assert_eq!(row.len(), self.inputs, "a row has a value for each input");
        let mut values: Vec<i64> = row.iter().map(|value| i64::from(*value)).collect();
        for (at, layer) in self.layers.iter().enumerate() {
            let last = at + 1 == self.layers.len();
            values = layer.outputs(&values);
            for value in &mut values {
                let low = if layer.relu { 0 } else { i64::from(i8::MIN) };
                *value = match last {
                    true => (*value).clamp(i32::MIN.into(), i32::MAX.into()),
                    false => (*value).clamp(low, i8::MAX.into()),
                };
            }
        }
        values.into_iter().map(|value| i32::try_from(value).expect("clamped to 32 bits")).collect()
    }
}

impl Layer {
    /// The rescaled sums, neither clamped nor rectified.
    fn outputs(&self, inputs: &[i64]) -> Vec<i64> {
        let output = |(bias, weights): (&i32, &Vec<i8>)| {
            let products = weights.iter().zip(inputs).map(|(weight, input)| i64::from(*weight) * input);
            let sum = i64::from(*bias) + products.sum::<i64>();
            (sum * i64::from(self.multiplier) + (1 << (self.shift - 1))) >> self.shift
        };
        self.biases.iter().zip(&self.weights).map(output).collect()
    }
}

/// Rows of features as a job's input.
#[must_use]
pub fn encode_rows(width: usize, rows: &[Vec<i8>]) -> Vec<u8> {
    let short = |number: usize| u16::try_from(number).expect("at most 65,535 rows of that width").to_le_bytes();
    let mut bytes = ROWS_MAGIC.to_vec();
    bytes.extend(short(width));
    bytes.extend(short(rows.len()));
    bytes.extend(rows.iter().flatten().map(|value| value.cast_unsigned()));
    bytes
}
