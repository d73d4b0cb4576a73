//! A job on every engine there is.

use cairn_wasm::{Job, Limits, Outcome, Profile, Ran, run};

/// Enough for everything here.
pub const LIMITS: Limits = Limits { gas: 1 << 36, pages: 1_024, output_bytes: 1 << 24 };

/// A job under [`LIMITS`], of integers alone.
pub fn job<'a>(module: &'a [u8], inputs: &'a [&'a [u8]], arguments: &'a [u8]) -> Job<'a> {
    Job { module, inputs, arguments, profile: Profile::DetInt, limits: LIMITS, seed: [0; 32] }
}

/// What a job gives under [`LIMITS`], which must be an output.
pub fn output(module: &[u8], inputs: &[&[u8]], arguments: &str) -> Vec<u8> {
    let Ran { outcome, output, .. } = run(&job(module, inputs, arguments.as_bytes())).unwrap();
    assert_eq!(outcome, Outcome::Done, "arguments {arguments}");
    output
}

/// As [`output`], for output that is text.
pub fn text(module: &[u8], inputs: &[&[u8]], arguments: &str) -> String {
    String::from_utf8(output(module, inputs, arguments)).unwrap()
}
