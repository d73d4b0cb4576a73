//! The committed modules are what their sources compile to, and the list of hashes is true.

use std::path::{Path, PathBuf};
use std::process::Command;

use cairn_core::Hash;
use cairn_jobs::network::encode_rows;
use cairn_jobs::{INFERENCE, PM10_MODEL, PRIMES, THUMBNAIL};

use crate::running::output;
use crate::thumbnail::Plain;

/// The compiler whose bytes are committed: another one may choose other instructions for the same program.
const RUSTC: &str = "rustc 1.95.0 (59807616e 2026-04-14)";
const TARGET: &str = "wasm32-unknown-unknown";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/compute")
}

/// The first line that a program prints.
fn says(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Builds the modules anew in a folder and gives what reads them by name, or says why they cannot be built here.
fn build(into: &Path) -> Result<impl Fn(&str) -> Vec<u8>, String> {
    let library = says(&rustc(), &["--print", "target-libdir", "--target", TARGET]).unwrap_or_default();
    if library.is_empty() || !Path::new(&library).exists() {
        return Err(format!("the target is missing: rustup target add {TARGET}"));
    }
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    build.args(["build", "--release", "--quiet", "--locked", "--offline"]).current_dir(examples());
    build.env("CARGO_TARGET_DIR", into);
    // What the surroundings ask of the compiler is not part of the program.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"]
    {
        build.env_remove(name);
    }
    assert!(build.status().unwrap().success());
    let folder = into.join(TARGET).join("release");
    Ok(move |name: &str| std::fs::read(folder.join(name).with_extension("wasm")).unwrap())
}

/// The compiler that built this test.
fn rustc() -> String {
    std::env::var("RUSTC").unwrap_or("rustc".to_owned())
}

#[test]
fn the_committed_modules_are_what_their_sources_compile_to() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let built = match build(folder.path()) {
        Ok(built) => built,
        Err(why) => {
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "with CI=true nothing may be left out: {why}"
            );
            eprintln!("left out: {why}");
            return;
        }
    };
    let here = says(&rustc(), &["--version"]).unwrap_or_default();
    for (name, committed) in [("primes", PRIMES), ("thumbnail", THUMBNAIL), ("inference", INFERENCE)] {
        let built = built(name);
        if here == RUSTC {
            assert!(built == committed, "{name}.wasm is not what its source compiles to");
        } else {
            eprintln!("{name}: the bytes are those of {RUSTC}; here is {here}, which must build what does the same");
            assert_eq!(sample(name, &built), sample(name, committed), "{name}");
        }
    }
}

/// What a module gives for an order of its kind.
fn sample(name: &str, module: &[u8]) -> Vec<u8> {
    match name {
        "primes" => output(module, &[], "0 200000 list"),
        "thumbnail" => output(module, &[&Plain::pattern(50, 40).bmp(false)], "7 9"),
        _ => output(module, &[PM10_MODEL, &encode_rows(43, &[vec![17; 43], vec![-90; 43]])], ""),
    }
}

#[test]
fn the_list_of_hashes_names_every_committed_file() {
    let files = [
        ("wasm/inference.wasm", INFERENCE),
        ("wasm/primes.wasm", PRIMES),
        ("wasm/thumbnail.wasm", THUMBNAIL),
        ("inference/pm10.int8net", PM10_MODEL),
    ];
    let list: String = files.iter().map(|(name, bytes)| format!("{}  {name}\n", Hash::of(bytes).to_hex())).collect();
    assert_eq!(std::fs::read_to_string(examples().join("SHA256SUMS")).unwrap(), list);
}

#[test]
fn a_module_is_a_few_kibibytes() {
    for module in [PRIMES, THUMBNAIL, INFERENCE] {
        assert!(module.len() < 12 << 10, "{}", module.len());
    }
}
