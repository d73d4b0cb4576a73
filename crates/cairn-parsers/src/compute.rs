//! What a job is: a module, checked and metered, whose run is a result whatever it holds.

use cairn_wasm::instrument::{growth_max, instrument};
use cairn_wasm::{Job, Limits, Outcome, Profile, run};

pub fn wasm_module(bytes: &[u8]) {
    let limits = Limits { gas: 2_000_000, pages: 2, output_bytes: 1024 };
    let profile = if bytes.len().is_multiple_of(2) { Profile::DetInt } else { Profile::DetFloat };
    let job = Job { module: bytes, inputs: &[b"input"], arguments: b"arguments", profile, limits, seed: [1; 32] };
    let ran = run(&job).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(ran.gas <= limits.gas && (ran.outcome == Outcome::Done || ran.output.is_empty()));
    assert_eq!(run(&job).unwrap_or_else(|fault| panic!("{fault}")), ran);
    match instrument(bytes, profile, limits.pages) {
        Ok(made) => assert!(made.bytes.len() <= growth_max(bytes.len())),
        Err(why) => assert!(ran.outcome == Outcome::Refused(why) || ran.outcome == Outcome::OutOfGas),
    }
}
