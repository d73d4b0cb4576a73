//! How the forecast's model is made: the same bytes from the same recording, on any machine.
//!
//! A network of floats is fitted by Adam (Kingma and Ba, 2015, algorithm 1, with decoupled weight decay) to Huber's loss, with batches drawn
//! by a generator of its own; then its weights are rounded to 8 bits, layer by layer. Floats are 64-bit, only added, multiplied, divided and
//! rooted, one after another in a fixed order: each of these has one result by IEEE 754, and the compiler may not change their order. No
//! libm, no threads, no clock.
//!
//! The recipe was chosen on 2005 and 2006 with training up to 2004. The years after 2006 were looked at once, for the table.
#![allow(clippy::float_arithmetic, clippy::cast_possible_truncation, clippy::cast_precision_loss)]

mod adam;
mod net;
mod quantise;
mod seeded;

use crate::features::{WIDTH, row};
use crate::grid::Grid;
use crate::network::Network;
use adam::Adam;
use net::{FloatNet, Passes};
use seeded::Seeded;

/// 2007-01-01 in days since 1970: what comes from here on is for testing alone.
pub const TEST_FROM: u32 = 13_514;

/// How a model is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Values in the hidden layers.
    pub hidden: Vec<usize>,
    /// How often every example is seen.
    pub epochs: usize,
    /// Examples to a step.
    pub batch: usize,
    /// Length of the first step; it falls to nothing in a straight line.
    pub rate: f64,
    /// Share of a weight that is lost per step of length 1.
    pub decay: f64,
    /// From which error on, in ug/m3, the loss grows no faster.
    pub huber: f64,
    /// Where the generator starts.
    pub seed: u64,
}

impl Recipe {
    /// The recipe of the committed model.
    #[must_use]
    pub fn committed() -> Self {
        Self { hidden: vec![24, 12], epochs: 20, batch: 64, rate: 0.002, decay: 0.3, huber: 8.0, seed: 7 }
    }
}

/// What a row and what came look like to floats.
struct Example {
    /// Features by 64.
    row: Vec<f64>,
    /// In ug/m3.
    came: f64,
}

/// The model made of everything up to the day before `until` (in days since 1970).
#[must_use]
pub fn train(grid: &Grid, until: u32, recipe: &Recipe) -> Network {
    let examples = examples(grid, until);
    let net = fit(&examples, recipe);
    quantise::quantise(&net, examples.iter().step_by(7).map(|example| example.row.as_slice()))
}

fn examples(grid: &Grid, until: u32) -> Vec<Example> {
    let (first, last) = grid.days();
    let days = first..until.min(last + 1).saturating_sub(1).max(first);
    let example = |day: u32, station: usize| {
        let came = f64::from(grid.value(station, day + 1)?) / 10.0;
        let row = row(grid, station, day)?.into_iter().map(|value| f64::from(value) / quantise::ROW_SCALE).collect();
        Some(Example { row, came })
    };
    days.flat_map(|day| (0..grid.stations()).filter_map(move |station| example(day, station))).collect()
}

/// Fits a network whose one output is in [`quantise::OUTPUT`] ug/m3.
fn fit(examples: &[Example], recipe: &Recipe) -> FloatNet {
    let mut sizes = vec![WIDTH];
    sizes.extend(&recipe.hidden);
    sizes.push(1);
    let mut seeded = Seeded(recipe.seed);
    let mut net = FloatNet::seeded(&sizes, &mut seeded);
    let mut adam = Adam::of(&net);
    let mut passes = Passes::of(&sizes);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let steps = recipe.epochs * (examples.len() / recipe.batch);
    let mut step = 0;
    for _ in 0..recipe.epochs {
        seeded.shuffle(&mut order);
        for batch in order.chunks_exact(recipe.batch) {
            let mut gradient = net.zeroed();
            for example in batch.iter().map(|at| &examples[*at]) {
                let error = passes.forward(&net, &example.row) * quantise::OUTPUT - example.came;
                passes.backward(&net, &mut gradient, error.clamp(-recipe.huber, recipe.huber) / quantise::OUTPUT);
            }
            step += 1;
            let rate = recipe.rate * (1.0 - step as f64 / (steps as f64 + 1.0));
            adam.step(&mut net, &gradient, recipe.batch as f64, rate, recipe.decay);
        }
    }
    net
}
