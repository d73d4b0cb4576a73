//! The deterministic runtime of compute: a job is a WebAssembly module, inputs and arguments, and anyone who runs it gets the
//! same outcome, the same gas and the same bytes, on any machine and engine.
//!
//! What decides is done to the module's bytes, before any engine sees them: it is validated under a fixed set of features
//! and limits, and gas and stack are counted by code that is injected into it ([`mod@instrument`]). So engines differ in speed
//! alone. The one that runs here is an interpreter; tests hold a compiler to the very same results.
//!
//! Pure: no clock, file, network or thread. Not here: orders, prices and who runs what.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod gas;
pub mod host;
pub mod instrument;
mod interpreter;
mod job;
mod outcome;

pub use gas::{
    ARGUMENTS_BYTES_MAX, GAS_MAX, GAS_TABLE, INPUT_BYTES_MAX, INPUTS_MAX, MODULE_BYTES_MAX, OUTPUT_BYTES_MAX, PAGES_MAX,
};
pub use job::{Job, Limits, Profile};
pub use outcome::{Fault, Outcome, Ran, Refusal, digest};

use host::Host;
use instrument::Instrumented;

/// Runs a job to its end.
///
/// The result depends on the job alone. An outcome that is not [`Outcome::Done`] is a result as much as one that is.
///
/// # Errors
/// [`Fault`] when the host, and not the job, is to blame; then nothing is known of the job.
pub fn run(job: &Job<'_>) -> Result<Ran, Fault> {
    run_unless(job, &mut || false)
}

/// Runs a job to its end unless `cancelled` says otherwise, which is asked from time to time.
///
/// # Errors
/// As [`run`], and [`Fault::Cancelled`].
pub fn run_unless(job: &Job<'_>, cancelled: &mut dyn FnMut() -> bool) -> Result<Ran, Fault> {
    let ready = match prepare(job) {
        Ok(ready) => ready,
        Err(ran) => return Ok(ran),
    };
    let end = interpreter::run(&ready.module, Host::of(job, ready.gas, cancelled))?;
    Ok(ready.conclude(end))
}

/// A job that is ready for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The module to run.
    pub module: Instrumented,
    /// The gas that running it may use: what the host hands out, all together.
    pub gas: u64,
    limit: u64,
}

/// How an engine ended a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub outcome: Outcome,
    /// The gas that is left: what is in the counter, which may be below zero, and [`Host::reserve`] together.
    pub left: u64,
    /// What was written.
    pub output: Vec<u8>,
}

/// Does everything that comes before an engine. The `Err` is a result, not an error: the job ended here.
///
/// # Errors
/// The result of a job that no engine sees: it is refused, or its gas does not even suffice for looking at it.
pub fn prepare(job: &Job<'_>) -> Result<Ready, Ran> {
    let ended = |outcome, gas| Ran { outcome, gas, output: Vec::new() };
    let limit = job.limits.gas;
    let intrinsic = job.intrinsic_gas();
    if intrinsic > limit {
        return Err(ended(Outcome::OutOfGas, limit));
    }
    let refused = |why| ended(Outcome::Refused(why), intrinsic);
    job.check().map_err(refused)?;
    let module = instrument::instrument(job.module, job.profile, job.limits.pages).map_err(refused)?;
    match (limit - intrinsic).checked_sub(module.initial_gas) {
        Some(gas) => Ok(Ready { module, gas, limit }),
        None => Err(ended(Outcome::OutOfGas, limit)),
    }
}

impl Ready {
    /// The result of a run that ended so.
    #[must_use]
    pub fn conclude(&self, end: End) -> Ran {
        let End { outcome, left, output } = end;
        match outcome {
            Outcome::OutOfGas => Ran { outcome, gas: self.limit, output: Vec::new() },
            Outcome::Done => Ran { outcome, gas: self.limit - left, output },
            _ => Ran { outcome, gas: self.limit - left, output: Vec::new() },
        }
    }
}
