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
    run_on(job, cancelled, interpreter::run)
}

/// Runs a job on an engine of one's own choice: `engine` is given the instrumented module and its host, and says how it
/// ended, how much gas is left in the counter and [`Host::reserve`] together, and what was written.
///
/// # Errors
/// What `engine` says.
pub fn run_on<'a>(
    job: &Job<'a>,
    cancelled: &'a mut dyn FnMut() -> bool,
    engine: impl FnOnce(&Instrumented, Host<'a>) -> Result<(Outcome, u64, Vec<u8>), Fault>,
) -> Result<Ran, Fault> {
    let ended = |outcome, gas| Ok(Ran { outcome, gas, output: Vec::new() });
    let limit = job.limits.gas;
    let intrinsic = job.intrinsic_gas();
    if intrinsic > limit {
        return ended(Outcome::OutOfGas, limit);
    }
    if let Err(why) = job.check() {
        return ended(Outcome::Refused(why), intrinsic);
    }
    let module = match instrument::instrument(job.module, job.profile, job.limits.pages) {
        Ok(module) => module,
        Err(why) => return ended(Outcome::Refused(why), intrinsic),
    };
    let Some(gas) = (limit - intrinsic).checked_sub(module.initial_gas) else {
        return ended(Outcome::OutOfGas, limit);
    };
    let (outcome, left, output) = engine(&module, Host::of(job, gas, cancelled))?;
    match outcome {
        Outcome::OutOfGas => ended(outcome, limit),
        Outcome::Done => Ok(Ran { outcome, gas: limit - left, output }),
        _ => ended(outcome, limit - left),
    }
}
