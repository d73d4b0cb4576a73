//! What packages install is what the program writes itself.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use cairn_edge::service::{SYSTEM_FOLDER, UNIT_FILE, Unit, Whose};

fn deploy(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy")).join(file)
}

/// The file, after it was written anew where `CAIRN_BLESS` asks for that.
fn committed(file: &str, expected: &str) -> String {
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(deploy(file), expected).unwrap();
    }
    std::fs::read_to_string(deploy(file)).unwrap()
}

#[test]
fn the_packaged_unit_is_the_one_that_setup_writes() {
    let unit = Unit {
        program: "/usr/bin/cairn".into(),
        folder: SYSTEM_FOLDER.into(),
        whose: Whose::System,
        groups: Vec::new(),
    };
    assert_eq!(committed(UNIT_FILE, &unit.text()), unit.text());
}

#[test]
fn every_other_way_to_run_it_runs_the_same_command() {
    for (file, command) in [
        ("Dockerfile", "ENTRYPOINT [\"/cairn\"]\nCMD [\"node\", \"run\", \"--dir\", \"/var/lib/cairn-node\"]"),
        ("openwrt/cairn-node.init", "/usr/bin/cairn node run --dir \"$folder\""),
    ] {
        let text = std::fs::read_to_string(deploy(file)).unwrap();
        assert!(text.contains(command), "deploy/{file} does not run `{command}`");
    }
}
