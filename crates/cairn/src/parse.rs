//! What the binary reads from files that others may have written, without the files: for whoever holds these readers to
//! hostile bytes. Nothing here is another reader; each calls the one that the commands use.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

use cairn_classes::sensing::Quantity;

use crate::config::Config;
use crate::config::node::{self, NodeConfig};
use crate::failure::Failure;
use crate::keys::Key;
use crate::promises;
use crate::readings::read_rows;

/// Reads the text of `network.toml`, with all that is checked when a network starts from it.
///
/// # Errors
/// As `cairn up` says it.
pub fn network_toml(text: &str) -> Result<(), Failure> {
    Config::parse(text, Path::new("network.toml")).map(|_| ())
}

/// Reads the text of a key file, and writes the key again: what is read back from that must be the same key.
///
/// # Errors
/// What is wrong with the text.
pub fn key_file(text: &str) -> Result<String, &'static str> {
    Key::parse(text).map(|key| key.text("read again"))
}

/// Reads the text of `node.toml`, with all that is checked when a node starts from it.
///
/// # Errors
/// As `cairn node run` says it.
pub fn node_toml(text: &str) -> Result<(), Failure> {
    NodeConfig::parse(text, Path::new("node.toml")).map(|_| ())
}

/// Reads the text of a PKCS#8 file, and answers the public half of the key in it, with its multicodec prefix.
///
/// # Errors
/// What is wrong with the text.
pub fn pkcs8(text: &str) -> Result<Vec<u8>, &'static str> {
    node::pkcs8(text).map(|key| key.public().multicodec())
}

/// The notes in the text of a promise file; `None` when it does not begin with one.
#[must_use]
pub fn promise_file(text: &str) -> Option<Vec<String>> {
    promises::split_promises(text)
}

/// A row of readings: line, time in ms since 1970 UTC, and the values in their integer units; or why it was skipped.
pub type ReadingRow = Result<(u64, Option<u64>, BTreeMap<Quantity, i64>), String>;

/// All rows of readings, as `cairn send` takes them.
///
/// # Errors
/// When the header names no quantity.
pub fn readings(input: impl BufRead) -> std::io::Result<Vec<ReadingRow>> {
    let mut rows = Vec::new();
    read_rows(input, |row| {
        rows.push(row.map(|read| (read.line, read.time_ms, read.values)).map_err(|bad| bad.to_string()));
        true
    })?;
    Ok(rows)
}
