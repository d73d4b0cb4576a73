//! The bytes of a model, checked once and then read in place.

/// How a model starts.
const MAGIC: &[u8] = b"int8net1";
/// Magic, layers and inputs.
const HEADER: usize = 12;
/// Of a layer, in the table of layers.
const LAYER_HEADER: usize = 8;
const LAYERS_MAX: usize = 8;
/// The most values between two layers.
pub const LAYER_VALUES_MAX: usize = 1_024;
const SHIFT_MAX: u8 = 46;
const BIAS_MAX: u32 = 1 << 30;

/// A dense layer.
#[derive(Clone, Copy)]
pub struct Layer {
    /// Values out.
    pub outputs: usize,
    /// Bits to shift down, 1 to 46.
    pub shift: u8,
    /// Whether negative values become 0.
    pub relu: bool,
    /// 1 and above.
    pub multiplier: i32,
    inputs: usize,
    biases: &'static [u8],
    weights: &'static [u8],
}

/// A model.
pub struct Model {
    /// Values in a row.
    pub inputs: usize,
    layers: [Layer; LAYERS_MAX],
    count: usize,
}

impl Model {
    /// Reads a model, or says why the bytes are none.
    pub fn read(bytes: &'static [u8]) -> Result<Self, &'static str> {
        let (header, rest) = bytes.split_at_checked(HEADER).ok_or("the model is shorter than its header")?;
        if !header.starts_with(MAGIC) {
            return Err("the model does not start with int8net1");
        }
        let (count, inputs) = (number(header, 8), number(header, 10));
        if !(1..=LAYERS_MAX).contains(&count) || !(1..=LAYER_VALUES_MAX).contains(&inputs) {
            return Err("the model has no or too many layers or inputs");
        }
        let table = rest.split_at_checked(count * LAYER_HEADER).ok_or("the model ends in its table of layers")?;
        let (table, mut rest) = table;
        let empty = Layer { outputs: 0, shift: 1, relu: false, multiplier: 1, inputs: 0, biases: &[], weights: &[] };
        let mut layers = [empty; LAYERS_MAX];
        let mut width = inputs;
        for (layer, header) in layers.iter_mut().zip(table.chunks_exact(LAYER_HEADER)) {
            (*layer, rest) = Layer::read(header, width, rest)?;
            width = layer.outputs;
        }
        if !rest.is_empty() {
            return Err("the model goes on behind its last layer");
        }
        Ok(Self { inputs, layers, count })
    }

    /// All layers but the last.
    pub fn hidden(&self) -> &[Layer] {
        &self.layers[..self.count - 1]
    }

    /// The last layer.
    pub fn last(&self) -> &Layer {
        &self.layers[self.count - 1]
    }
}

impl Layer {
    fn read(header: &[u8], inputs: usize, rest: &'static [u8]) -> Result<(Self, &'static [u8]), &'static str> {
        let (outputs, shift, relu) = (number(header, 0), header[2], header[3]);
        let multiplier = i32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let sane = (1..=LAYER_VALUES_MAX).contains(&outputs) && (1..=SHIFT_MAX).contains(&shift);
        if !sane || relu > 1 || multiplier < 1 {
            return Err(
                "a layer of the model has no or too many outputs, or a scale or activation that does not exist",
            );
        }
        let (biases, rest) = rest.split_at_checked(outputs * 4).ok_or("the model ends in a layer")?;
        let (weights, rest) = rest.split_at_checked(outputs * inputs).ok_or("the model ends in a layer")?;
        let layer = Self { outputs, shift, relu: relu == 1, multiplier, inputs, biases, weights };
        if (0..outputs).any(|at| layer.bias(at).unsigned_abs() > BIAS_MAX) {
            return Err("a bias of the model is not within 2^30");
        }
        Ok((layer, rest))
    }

    /// The bias of an output.
    pub fn bias(&self, at: usize) -> i32 {
        let bytes = &self.biases[at * 4..at * 4 + 4];
        i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// The weights of an output, each a signed byte.
    pub fn weights(&self, at: usize) -> &'static [u8] {
        &self.weights[at * self.inputs..(at + 1) * self.inputs]
    }
}

/// Two bytes, little-endian, at a place that the caller knows to be there.
pub fn number(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}
