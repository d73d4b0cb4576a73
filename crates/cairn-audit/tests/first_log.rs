//! The committed log of the first format passes, for ever: no revision of rules may change what it was paid by.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use cairn_audit::{AuditOptions, AuditReport, FolderSource, audit};
use cairn_core::key::PublicKey;
use tempfile::TempDir;

const OPERATOR: &str = "did:key:z6MkvVv69U1HGuN6yUd8RiYE8py6QYRzuQoG45xSpZ1Ct4tD";

fn first_log() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/first-log")
}

fn audited(folder: &Path) -> AuditReport {
    let operator = Some(PublicKey::parse_did(OPERATOR).unwrap());
    let options = AuditOptions { operator, snapshots: true, ..AuditOptions::default() };
    audit(&FolderSource::at(folder), &options, &mut |_| {}).unwrap()
}

#[test]
fn the_first_log_passes_for_ever() {
    let report = audited(&first_log());
    assert!(report.passed(), "{:?}", report.difference());
    assert_eq!((report.counts.entries, report.epochs.len()), (483, 6));
    assert_eq!(report.void.values().sum::<u64>(), 18, "{:?}", report.void);
    for line in &report.epochs {
        let compared = line.compared;
        assert!(compared.statement && compared.verdicts && compared.payouts && compared.snapshot, "{}", line.number);
    }
    assert_eq!(
        report.epochs.last().unwrap().statement,
        "3915b69cb28d38d16051b335980450a5c3550afc73a20d04065ee0b050912801",
        "the hash of the last statement follows from everything before it"
    );
}

#[test]
fn a_changed_byte_in_any_file_of_the_first_log_is_named() {
    for file in files(&first_log(), &first_log()) {
        // The key's text lies beside the log for other readers; an audit takes the key from genesis.
        if file == Path::new("log.vkey") {
            continue;
        }
        let copy = copied();
        let path = copy.path().join(&file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let report = audited(copy.path());
        assert!(!report.passed(), "byte {middle} of {} was changed", file.display());
    }
}

/// Every file under `folder`, by its path below `root`.
fn files(root: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(root, &path));
        } else {
            found.push(path.strip_prefix(root).unwrap().to_path_buf());
        }
    }
    found
}

fn copied() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(&first_log(), &first_log()) {
        let to = copy.path().join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(first_log().join(&file), to).unwrap();
    }
    copy
}
