//! `inference` against the plain reading of its formats.

use cairn_jobs::network::{Layer, Network, encode_rows};
use cairn_jobs::{INFERENCE, PM10_MODEL};
use cairn_wasm::{Outcome, run};
use proptest::prelude::*;

use crate::running::{job, output, text};

/// What the job must say.
fn predictions(network: &Network, rows: &[Vec<i8>]) -> Vec<u8> {
    rows.iter().flat_map(|row| network.predict(row)).flat_map(i32::to_le_bytes).collect()
}

/// Weights and values so extreme that sums, products and clamps are at their bounds.
fn extreme(weight: i8, bias: i32, relu: bool) -> Network {
    let layer = |inputs: usize, outputs: usize, shift: u8| Layer {
        relu,
        multiplier: i32::MAX,
        shift,
        biases: vec![bias; outputs],
        weights: vec![vec![weight; inputs]; outputs],
    };
    Network { inputs: 1_024, layers: vec![layer(1_024, 1_024, 46), layer(1_024, 3, 1)] }
}

#[test]
fn at_the_bounds_of_the_format_nothing_wraps() {
    for (weight, value) in [(-128, -128), (-128, 127), (127, -128), (127, 127)] {
        for bias in [-(1 << 30), 0, 1 << 30] {
            for relu in [false, true] {
                let network = extreme(weight, bias, relu);
                let rows = [vec![value; 1_024]];
                let said = output(INFERENCE, &[&network.encode(), &encode_rows(1_024, &rows)], "");
                assert_eq!(said, predictions(&network, &rows), "weight {weight} value {value} bias {bias} relu {relu}");
            }
        }
    }
}

#[test]
fn what_is_no_model_or_no_features_is_refused_with_the_reason() {
    let network = extreme(1, 0, true);
    let network =
        Network { inputs: 2, layers: vec![Layer { weights: vec![vec![1, 2]; 3], ..network.layers[1].clone() }] };
    let (model, rows) = (network.encode(), encode_rows(2, &[vec![3, 4], vec![5, 6]]));
    let patched = |bytes: &[u8], at: usize, with: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let model_with = |at: usize, with: &[u8]| (patched(&model, at, with), rows.clone());
    let rows_with = |at: usize, with: &[u8]| (model.clone(), patched(&rows, at, with));
    let cases = [
        ((vec![], rows.clone()), "model is shorter"),
        (model_with(7, b"2"), "does not start with int8net1"),
        (model_with(8, &[0, 0]), "layers or inputs"),
        (model_with(8, &[9, 0]), "layers or inputs"),
        (model_with(10, &[0, 0]), "layers or inputs"),
        (model_with(10, &[1, 4]), "layers or inputs"),
        (model_with(8, &[2, 0]), "layer"),
        (model_with(12, &[0, 0]), "scale"),
        (model_with(12, &[1, 4]), "scale"),
        (model_with(14, &[0]), "scale"),
        (model_with(14, &[47]), "scale"),
        (model_with(15, &[2]), "scale"),
        (model_with(16, &[0; 4]), "scale"),
        (model_with(16, &[0xff; 4]), "scale"),
        (model_with(20, &[1, 0, 0, 0x40]), "bias"),
        (model_with(20, &[0, 0, 0, 0x80]), "bias"),
        ((model[..model.len() - 1].to_vec(), rows.clone()), "ends in a layer"),
        (([model.as_slice(), &[0]].concat(), rows.clone()), "goes on"),
        ((model.clone(), vec![]), "features are shorter"),
        (rows_with(0, b"x"), "int8rows"),
        (rows_with(8, &[1, 0]), "width"),
        (rows_with(10, &[3, 0]), "as long"),
        (rows_with(10, &[1, 0]), "as long"),
    ];
    for ((model, rows), why) in cases {
        let said = text(INFERENCE, &[&model, &rows], "");
        assert!(said.starts_with("refused: ") && said.contains(why), "{why}: {said}");
    }
    assert!(text(INFERENCE, &[&model], "").starts_with("refused: there are two inputs"));
    assert!(text(INFERENCE, &[&model, &rows, &rows], "").starts_with("refused: there are two inputs"));
    assert_eq!(output(INFERENCE, &[&model, &encode_rows(2, &[])], ""), []);
}

#[test]
fn no_cut_or_flipped_byte_of_a_model_traps() {
    let rows = encode_rows(43, &[vec![1; 43]]);
    let cuts = (0..PM10_MODEL.len()).step_by(11).map(|end| PM10_MODEL[..end].to_vec());
    let flips = (0..40 * 8).map(|bit| {
        let mut flipped = PM10_MODEL.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    });
    for bytes in cuts.chain(flips) {
        assert_eq!(run(&job(INFERENCE, &[&bytes, &rows], b"")).unwrap().outcome, Outcome::Done);
    }
}

/// A layer for so many inputs.
fn layers(inputs: usize, rest: Vec<usize>) -> BoxedStrategy<Vec<Layer>> {
    let Some((&outputs, rest)) = rest.split_first() else { return Just(Vec::new()).boxed() };
    let weights = prop::collection::vec(prop::collection::vec(any::<i8>(), inputs), outputs);
    let biases = prop::collection::vec(-(1i32 << 30)..=1 << 30, outputs);
    let layer = (any::<bool>(), 1..=i32::MAX, 1u8..=46, biases, weights)
        .prop_map(|(relu, multiplier, shift, biases, weights)| Layer { relu, multiplier, shift, biases, weights });
    (layer, layers(outputs, rest.to_vec()))
        .prop_map(|(layer, rest)| core::iter::once(layer).chain(rest).collect())
        .boxed()
}

fn networks() -> impl Strategy<Value = Network> {
    (1usize..20, prop::collection::vec(1usize..20, 1..=8))
        .prop_flat_map(|(inputs, outputs)| (Just(inputs), layers(inputs, outputs)))
        .prop_map(|(inputs, layers)| Network { inputs, layers })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_network_predicts_what_its_format_says(
        (network, rows) in networks().prop_flat_map(|network| {
            let row = prop::collection::vec(any::<i8>(), network.inputs);
            (Just(network), prop::collection::vec(row, 0..6))
        }),
    ) {
        let said = output(INFERENCE, &[&network.encode(), &encode_rows(network.inputs, &rows)], "");
        prop_assert_eq!(said, predictions(&network, &rows));
    }
}
