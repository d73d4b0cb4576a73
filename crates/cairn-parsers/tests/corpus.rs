//! Every committed input through its parser, and nothing missing: each parser has a fuzz target and a corpus, each
//! target and each corpus a parser.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cairn_parsers::PARSERS;

/// The most bytes of one committed input, and of all.
const FILE_BYTES_MAX: u64 = 16 << 10;
const CORPUS_BYTES_MAX: u64 = 400 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_input_of_the_corpus_obeys_the_law_of_its_parser() {
    for parser in PARSERS {
        let folder = fuzz().join("corpus").join(parser.name);
        for name in names_in(&folder) {
            let bytes = fs::read(folder.join(&name)).unwrap();
            let held = std::panic::catch_unwind(|| (parser.run)(&bytes));
            assert!(held.is_ok(), "{}/{name} breaks the law that {}", parser.name, parser.law);
        }
    }
}

#[test]
fn every_parser_has_a_target_and_a_corpus_and_there_are_no_others() {
    let parsers: BTreeSet<String> = PARSERS.iter().map(|parser| parser.name.to_owned()).collect();
    assert_eq!(parsers.len(), PARSERS.len(), "a name stands twice");
    assert_eq!(names_in(&fuzz().join("corpus")), parsers, "folders of the corpus");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let mut targets = BTreeSet::new();
    for name in &parsers {
        let file = format!("{}.rs", name.replace('-', "_"));
        let target = fs::read_to_string(fuzz().join("fuzz_targets").join(&file)).unwrap();
        let wanted = format!(
            "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|bytes: &[u8]| cairn_parsers::run(\"{name}\", bytes));\n"
        );
        assert_eq!(target, wanted, "{file}");
        let row = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{file}\"\n");
        assert!(manifest.contains(&row), "{name} is no target of fuzz/Cargo.toml");
        targets.insert(file);
    }
    assert_eq!(names_in(&fuzz().join("fuzz_targets")), targets, "targets without a parser");
    assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
}

#[test]
fn the_corpus_is_small_and_no_folder_of_it_is_empty() {
    let mut all = 0;
    for parser in PARSERS {
        let folder = fuzz().join("corpus").join(parser.name);
        let names = names_in(&folder);
        assert!(!names.is_empty(), "{} has no corpus", parser.name);
        for name in names {
            let bytes = fs::metadata(folder.join(&name)).unwrap().len();
            assert!(bytes <= FILE_BYTES_MAX, "{}/{name} has {bytes} bytes", parser.name);
            all += bytes;
        }
    }
    assert!(all <= CORPUS_BYTES_MAX, "{all} bytes in all");
}
