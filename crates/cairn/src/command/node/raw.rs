//! `cairn node raw`: what went into a report, reduced again.

use std::path::{Path, PathBuf};

use cairn_classes::sensing::Quantity;
use cairn_core::Hash;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::report::Report;
use cairn_edge::reduce::{RAW_BYTES_MAX, Recomputed, raw_files, recompute};
use serde::Serialize;

use super::super::proof::entry_bytes;
use crate::config::node::{NodeConfig, NodeFolder};
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{count, utc};

/// Arguments of `cairn node raw`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The hash of a raw input, as it stands in the report (field 12); without it, what is kept is listed
    hash: Option<String>,
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Compare with the report of this entry of the log, asked of the node's gateways
    #[arg(long, value_name = "INDEX", requires = "hash")]
    entry: Option<u64>,
    /// Write the raw input's bytes into this file
    #[arg(long, value_name = "FILE", requires = "hash")]
    to: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Kept {
    hash: String,
    bytes: u64,
    /// When it was kept, ms since 1970 UTC; 0 where the time was not known.
    kept_ms: u64,
}

#[derive(Debug, Serialize)]
struct List {
    folder: PathBuf,
    kept: Vec<Kept>,
}

#[derive(Debug, Serialize)]
struct Value {
    quantity: &'static str,
    value: String,
    unit: &'static str,
}

#[derive(Debug, Serialize)]
struct Sample {
    after_ms: u64,
    source: String,
    values: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct Shown {
    hash: String,
    bytes: u64,
    /// The window's first millisecond, since 1970 UTC or, where the time was not known, since the node began.
    start_ms: u64,
    is_since_boot: bool,
    length_ms: u64,
    samples: Vec<Sample>,
    left_out: u64,
    /// What it reduces to.
    reduced: Vec<Value>,
    /// The entry that reports just this.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// `NODE-RAW` for what is not kept here, or does not give what was reported.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let folder = NodeFolder::named(args.dir.as_deref())?;
    let Some(text) = &args.hash else { return list(&folder, output) };
    let hash = Hash::from_hex(text)
        .ok_or_else(|| Failure::usage("NODE-RAW", format!("`{text}` is no hash: 64 hexadecimal digits")))?;
    let bytes = read(&folder, hash)?;
    let recomputed = recompute(&bytes).map_err(|error| Failure::wrong(error.code(), error))?;
    if let Some(path) = &args.to {
        std::fs::write(path, &bytes).map_err(|error| Failure::io("write", path, &error))?;
    }
    let mut shown = shown(&recomputed);
    if let Some(index) = args.entry {
        let config = NodeConfig::read(&folder)?;
        compare(&config, index, &recomputed)?;
        shown.entry = Some(index);
    }
    output.show(&shown, said)
}

/// Every raw input that is kept, by when. The node may be writing beside us, so nothing is opened but to be read.
fn files(folder: &NodeFolder) -> Result<Vec<(u64, Hash, PathBuf)>, Failure> {
    let root = folder.raw();
    raw_files(&root).map_err(|error| Failure::io("read", &root, &error))
}

fn list(folder: &NodeFolder, output: Output) -> Result<(), Failure> {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let kept = files(folder)?
        .into_iter()
        .map(|(kept_ms, hash, path)| Kept { hash: hash.to_hex(), bytes: size(&path), kept_ms })
        .collect();
    output.show(&List { folder: folder.raw(), kept }, |List { folder, kept }| {
        let mut text = format!("{} in {}\n", count(kept.len() as u64, "raw input", "raw inputs"), folder.display());
        for Kept { hash, bytes, kept_ms } in kept {
            let when = if *kept_ms == 0 { "time not known".to_owned() } else { utc(*kept_ms) };
            text.push_str(&format!("  {hash}  {when}  {bytes} bytes\n"));
        }
        text
    })
}

fn read(folder: &NodeFolder, hash: Hash) -> Result<Vec<u8>, Failure> {
    let gone = || {
        Failure::wrong("NODE-RAW", format!("no raw input {hash} is kept in {}", folder.raw().display()))
            .hint("they are kept as [raw] in node.toml says: 30 days within 256 MiB unless it says otherwise; the oldest go first when the disk is full")
    };
    let (_, _, path) = files(folder)?.into_iter().find(|(_, own, _)| *own == hash).ok_or_else(gone)?;
    let bytes = std::fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
    if bytes.len() > RAW_BYTES_MAX || Hash::of(&bytes) != hash {
        return Err(Failure::wrong("NODE-RAW", format!("{} is not what was kept: it is damaged", path.display()))
            .hint("look for a copy of the file, and see whether the disk is sound"));
    }
    Ok(bytes)
}

/// Holds a raw input to the report of an entry: it must name the input, and say what the input reduces to.
fn compare(config: &NodeConfig, index: u64, recomputed: &Recomputed) -> Result<(), Failure> {
    let client = super::reach(config)?;
    let size = client.network()?.size;
    let bytes = entry_bytes(&client, index, size)?;
    let wrong = |what: String| Failure::wrong("NODE-RAW", format!("entry {index} {what}"));
    let entry = Entry::decode(&bytes).map_err(|error| wrong(format!("is no entry: {error}")))?;
    if entry.kind != EntryKind::Report {
        return Err(wrong("is no report".to_owned()));
    }
    let report = Report::parse(entry.body).map_err(|error| wrong(format!("is no report: {error}")))?;
    if !report.body.blobs.contains(&recomputed.blob) {
        return Err(wrong(format!("does not name {}", recomputed.blob.0)));
    }
    if report.body.body != recomputed.body.encode() {
        return Err(wrong("says something else than its raw input reduces to".to_owned()));
    }
    Ok(())
}

fn values<'a>(values: impl Iterator<Item = (&'a Quantity, &'a i64)>) -> Vec<Value> {
    values
        .map(|(quantity, value)| Value {
            quantity: quantity.key(),
            value: quantity.decimal(*value),
            unit: quantity.unit(),
        })
        .collect()
}

fn shown(recomputed: &Recomputed) -> Shown {
    let Recomputed { raw, body, blob } = recomputed;
    let name = |at: usize| raw.sources.get(at).cloned().unwrap_or_default();
    let sample = |sample: &cairn_edge::reduce::Sample| Sample {
        after_ms: sample.after_ms,
        source: name(sample.source),
        values: values(sample.values.iter()),
    };
    Shown {
        hash: blob.0.to_hex(),
        bytes: blob.1,
        start_ms: raw.span.start_ms,
        is_since_boot: raw.span.is_since_boot,
        length_ms: raw.span.length_ms,
        samples: raw.samples.iter().map(sample).collect(),
        left_out: raw.left_out,
        reduced: body
            .readings()
            .iter()
            .flat_map(|reading| values(reading.values.iter().map(|(quantity, value)| (quantity, value))))
            .collect(),
        entry: None,
    }
}

fn said(shown: &Shown) -> String {
    let one = |Value { quantity, value, unit }: &Value| format!("{quantity} {value} {unit}").trim_end().to_owned();
    let all = |values: &[Value]| values.iter().map(one).collect::<Vec<_>>().join(", ");
    let from = if shown.is_since_boot {
        format!("{} s after the node began", shown.start_ms / 1_000)
    } else {
        utc(shown.start_ms)
    };
    let mut text = format!("{}, {} bytes\n", shown.hash, shown.bytes);
    text.push_str(&format!("  window  {} s from {from}\n", shown.length_ms / 1_000));
    for Sample { after_ms, source, values } in &shown.samples {
        text.push_str(&format!("  +{:>6}.{:03} s  {}  ({source})\n", after_ms / 1_000, after_ms % 1_000, all(values)));
    }
    if shown.left_out > 0 {
        text.push_str(&format!("  {} were left out: the window was full\n", shown.left_out));
    }
    text.push_str(&format!("reduces to {}\n", all(&shown.reduced)));
    if let Some(index) = shown.entry {
        text.push_str(&format!("which is what entry {index} reports\n"));
    }
    text
}
