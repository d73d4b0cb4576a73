//! The example jobs of compute as their buyers see them: the committed modules, the model of the forecast and what it is fed with.
//!
//! The jobs themselves are programs for WebAssembly in `examples/compute`, in a workspace of their own; this crate carries
//! what was built of them, prepares the forecast's input from a recording ([`features`]), and holds how its model was made
//! ([`train`]), so that anybody can make the same bytes again. Integers throughout, but for the training, whose floats have a fixed
//! order. Not here: running a job (`cairn-wasm`), buying one (`cairn buy compute`).

pub mod errors;
pub mod features;
pub mod grid;
pub mod network;
pub mod train;

pub use grid::{Grid, Place};
pub use network::Network;

/// The job `primes`: no input; arguments `FROM TO` or `FROM TO list`.
pub const PRIMES: &[u8] = include_bytes!("../../../examples/compute/wasm/primes.wasm");

/// The job `thumbnail`: a PPM or BMP as its input; arguments `SIZE` or `WIDTH HEIGHT`.
pub const THUMBNAIL: &[u8] = include_bytes!("../../../examples/compute/wasm/thumbnail.wasm");

/// The job `inference`: a model and rows of features as its inputs ([`network`]); no arguments.
pub const INFERENCE: &[u8] = include_bytes!("../../../examples/compute/wasm/inference.wasm");

/// The model that forecasts tomorrow's PM10 of a German station, for `inference`: it takes [`features::row`] and gives 0.1 ug/m3.
pub const PM10_MODEL: &[u8] = include_bytes!("../../../examples/compute/inference/pm10.int8net");
