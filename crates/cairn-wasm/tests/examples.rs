//! The examples of the reference page are compiled by the tools that it names, and run. Where a tool is missing the test
//! says so and leaves that example out; in continuous integration it fails instead.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use cairn_wasm::{Job, Limits, Outcome, Profile, run};

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/compute").join(path)
}

/// Runs a compiler, and reads what it wrote; or nothing, where the tool is missing.
fn compiled(tool: &str, arguments: &[&str], source: &Path) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("minimal.wasm");
    let ran = Command::new(tool).args(arguments).arg("-o").arg(&target).arg(source).output();
    let missing = match ran {
        Ok(done) if done.status.success() => return Some(std::fs::read(target).unwrap()),
        Ok(done) => String::from_utf8_lossy(&done.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let absent =
        ["No such file", "may not be installed", "unable to find", "No available targets", "unable to execute"];
    let absent = absent.iter().any(|words| missing.contains(words));
    assert!(absent && std::env::var_os("CI").is_none(), "{tool} does not compile {}: {missing}", source.display());
    println!("left out, since {tool} is missing: {}", source.display());
    None
}

fn hash(bytes: &[u8]) -> [u8; 8] {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    hash.to_le_bytes()
}

fn hashes_its_inputs(module: &[u8]) {
    let long: Vec<u8> = (0..10_000u32).map(|at| (at % 251) as u8).collect();
    let inputs: [&[u8]; 3] = [b"", b"cairn", &long];
    let limits = Limits { gas: 10_000_000, pages: 32, output_bytes: 24 };
    let job = Job { module, inputs: &inputs, arguments: &[], profile: Profile::DetInt, limits, seed: [0; 32] };
    let ran = run(&job).unwrap();
    assert_eq!(ran.outcome, Outcome::Done, "{}", ran.outcome);
    assert_eq!(ran.output, inputs.map(hash).concat());
    assert_eq!(run(&job).unwrap(), ran);
    println!("{} bytes of module, {} gas", module.len(), ran.gas);
}

#[test]
fn the_example_in_rust_compiles_and_does_what_it_says() {
    let arguments = "--edition=2024 --crate-type=cdylib --crate-name=minimal --target=wasm32-unknown-unknown -Copt-level=s \
                     -Cpanic=abort -Cstrip=symbols -Cdebug-assertions=off";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let tool = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    if let Some(module) = compiled(&tool, &arguments, &example("minimal-rust/src/lib.rs")) {
        hashes_its_inputs(&module);
    }
}

#[test]
fn the_example_in_c_compiles_and_does_what_it_says() {
    let arguments = ["--target=wasm32", "-Os", "-nostdlib", "-Wl,--no-entry"];
    if let Some(module) = compiled("clang", &arguments, &example("minimal-c/minimal.c")) {
        hashes_its_inputs(&module);
    }
}
