//! The committed artefacts are what the sources compile to.

use std::path::{Path, PathBuf};
use std::process::Command;

use cairn_core::Hash;
use cairn_settle::artifacts::BUILD;
use serde_json::Value;

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/evm")
}

#[test]
fn the_committed_artefacts_were_made_of_the_committed_sources() {
    let build: Value = serde_json::from_str(BUILD).unwrap();
    let sources = build["sources"].as_object().unwrap();
    let own = |folder: &str| {
        let files = std::fs::read_dir(contracts().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        files.map(|name| format!("{folder}/{}", name.to_str().unwrap())).collect::<Vec<_>>()
    };
    let mut files = [own("src"), own("test")].concat();
    files.sort();
    let mut stated: Vec<String> = sources.keys().filter(|name| !name.starts_with('@')).cloned().collect();
    stated.sort();
    assert_eq!(stated, files, "run `node build.js` in contracts/evm");
    for file in files {
        let hash = Hash::of(&std::fs::read(contracts().join(&file)).unwrap()).to_hex();
        assert_eq!(sources[&file], hash, "{file} changed: run `node build.js` in contracts/evm");
    }
    assert!(build["compiler"].as_str().unwrap().starts_with("0.8.37+commit."));
    assert_eq!(build["settings"]["evmVersion"], "shanghai");
}

/// Needs Node and the packages of `contracts/evm/package-lock.json`: `cargo xtask test contracts` runs it, and says so where
/// it cannot.
#[test]
#[ignore = "needs the packages of contracts/evm: run by `cargo xtask test contracts`"]
fn the_committed_artefacts_are_what_the_sources_compile_to() {
    let out = tempfile::tempdir().unwrap();
    let made = Command::new("node").arg("build.js").arg("--out").arg(out.path()).current_dir(contracts()).status();
    assert!(made.expect("node starts").success(), "the contracts do not compile");
    let (mut made, mut committed) = (files(out.path()), files(&contracts().join("artifacts")));
    made.sort();
    committed.sort();
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&made), names(&committed));
    for ((name, made), (_, committed)) in made.iter().zip(&committed) {
        assert!(made == committed, "{name} is not what the sources compile to: run `node build.js` in contracts/evm");
    }
}

/// Every file below a folder, by its path there.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
    found
}
