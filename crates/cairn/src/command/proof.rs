//! `cairn proof`: a C2SP `tlog-proof`, which shows offline that an entry stands in the log; and checks of proofs and
//! promises.
//!
//! Nothing served is believed: the checkpoint must be signed by the log's key, and the proof must lead to it.

use std::path::{Path, PathBuf};

use cairn_audit::HttpSource;
use cairn_client::{Client, Kept};
use cairn_core::Hash;
use cairn_core::entry::Entry;
use cairn_merkle::proof::inclusion_proof;
use cairn_merkle::tile::{TILE_WIDTH, TiledHashes, decode_bundle};
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{MerkleError, NoteVerifier, Receipt, TileLevel, TilePath};
use clap::Subcommand;
use serde::Serialize;

use crate::connect::{Connect, checkpoint};
use crate::failure::Failure;
use crate::held::broken;
use crate::output::Output;
use crate::promises::{no_promise_of_network, open_promises, read_promises};
use crate::served::Served;
use crate::words::{count, utc};

/// Arguments of `cairn proof`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// The entry's index.
    #[arg(required = true)]
    index: Option<u64>,
    /// Write the proof into this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the entry's bytes into this file: whoever checks the proof needs them.
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
    /// The log's verifier key [default: the one that the gateway names]
    #[arg(long, value_name = "VKEY")]
    vkey: Option<String>,
    #[command(flatten)]
    connect: Connect,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a proof, without the network.
    Verify(VerifyArgs),
    /// Hold kept promises against the log.
    Promises(PromisesArgs),
}

/// Arguments of `cairn proof verify`.
#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// The proof.
    file: PathBuf,
    /// The log's verifier key.
    #[arg(long)]
    vkey: String,
    /// The entry's bytes.
    #[arg(long, value_name = "FILE", required_unless_present = "leaf")]
    entry: Option<PathBuf>,
    /// The entry's leaf hash, instead of its bytes.
    #[arg(long, value_name = "HEX", conflicts_with = "entry")]
    leaf: Option<String>,
}

/// Arguments of `cairn proof promises`.
#[derive(Debug, clap::Args)]
struct PromisesArgs {
    /// The file that `cairn send` or `cairn enrol` has kept promises in.
    file: PathBuf,
    /// The log's verifier key [default: the one that the gateway names]
    #[arg(long, value_name = "VKEY")]
    vkey: Option<String>,
    /// Write a portable proof into this folder when a promise was broken.
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Serialize)]
struct Proved {
    index: u64,
    origin: String,
    size: u64,
    root: String,
    leaf: String,
    kind: String,
    received_ms: u64,
    proof: String,
}

/// Runs the command.
///
/// # Errors
/// When there is no such entry yet, or something does not verify.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Some(Command::Verify(args)) => verify(args, output),
        Some(Command::Promises(args)) => promises(args, output),
        None => prove(args, output),
    }
}

fn log_key(client: &Client, named: Option<&str>) -> Result<NoteVerifier, Failure> {
    let vkey = match named {
        Some(vkey) => vkey.to_owned(),
        None => client.network()?.log_vkey,
    };
    Ok(vkey.parse()?)
}

fn prove(args: &Args, output: Output) -> Result<(), Failure> {
    let index = args.index.expect("the parser asks for an index where there is no subcommand");
    let client = args.connect.client()?;
    let log = log_key(&client, args.vkey.as_deref())?;
    let (note, signed) = checkpoint(&client, &log)?;
    let size = signed.checkpoint.size();
    let bytes = entry_bytes(&client, index, size)?;
    let leaf = leaf_hash(&bytes);
    let proof = inclusion_proof(&TiledHashes::new(&client, size), index, size)?;
    let receipt = Receipt { extra: None, index, proof, checkpoint: note };
    receipt.verify(leaf, &log, &[])?;
    let entry = Entry::decode(&bytes)
        .map_err(|error| Failure::wrong("LOG-ENTRY", format!("entry {index} is in the log, and no entry: {error}")))?;
    let proved = Proved {
        index,
        origin: signed.checkpoint.origin().to_owned(),
        size,
        root: signed.checkpoint.root().to_hex(),
        leaf: leaf.to_hex(),
        kind: entry.kind.word().to_owned(),
        received_ms: entry.received_ms,
        proof: receipt.to_string(),
    };
    if let Some(path) = &args.entry {
        write(path, &bytes)?;
    }
    if let Some(path) = &args.out {
        write(path, proved.proof.as_bytes())?;
        return output.show(&proved, |proved| format!("{}\nwritten to {}", said(proved), path.display()));
    }
    output.say(said(&proved));
    output.show(&proved, |proved| proved.proof.clone())
}

fn said(proved: &Proved) -> String {
    let Proved { index, origin, size, leaf, kind, received_ms, .. } = proved;
    let received = utc(*received_ms);
    format!(
        "entry {index} of {origin} is in the log of {size} entries: a {kind}, received {received}\nleaf hash {leaf}"
    )
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::io("write", path, &error))
}

/// The bytes of an entry, of a log of `size` entries. Nothing about them is verified.
///
/// # Errors
/// When there is no such entry, or it cannot be had.
pub fn entry_bytes(client: &Client, index: u64, size: u64) -> Result<Vec<u8>, Failure> {
    let width = u64::from(TILE_WIDTH);
    let outside = || Failure::from(MerkleError::Index { index, size });
    if index >= size {
        return Err(outside());
    }
    let path = TilePath::in_log(TileLevel::Entries, index / width, size).ok_or_else(outside)?;
    let bundle = client.tile_bytes(path)?;
    let entries = decode_bundle(&bundle, path.width)?;
    let at = usize::try_from(index % width).expect("a place in a bundle is below 256");
    entries.get(at).map(|entry| entry.to_vec()).ok_or_else(outside)
}

fn verify(args: &VerifyArgs, output: Output) -> Result<(), Failure> {
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| Failure::io("read", path, &error));
    let log: NoteVerifier = args.vkey.parse()?;
    let text = String::from_utf8(read(&args.file)?)
        .map_err(|_| Failure::wrong("LOG-RECEIPT", format!("{} is not text", args.file.display())))?;
    let receipt: Receipt = text.parse()?;
    let leaf = match (&args.leaf, &args.entry) {
        (Some(hex), _) => {
            Hash::from_hex(hex).ok_or_else(|| Failure::usage("LOG-LEAF", format!("`{hex}` is not 64 hex digits")))?
        }
        (None, Some(path)) => leaf_hash(&read(path)?),
        (None, None) => unreachable!("the parser asks for one of the two"),
    };
    let signed = receipt.verify(leaf, &log, &[])?;
    let document = serde_json::json!({
        "verified": true,
        "index": receipt.index,
        "leaf": leaf.to_hex(),
        "origin": signed.checkpoint.origin(),
        "size": signed.checkpoint.size(),
        "root": signed.checkpoint.root().to_hex(),
    });
    output.show(&document, |_| {
        let (origin, size) = (signed.checkpoint.origin(), signed.checkpoint.size());
        format!("verified: entry {} of {origin}, in the log of {size} entries", receipt.index)
    })
}

#[derive(Debug, Serialize)]
struct Promised {
    promises: u64,
    entries: u64,
    kept: u64,
    not_yet: u64,
    size: u64,
}

fn promises(args: &PromisesArgs, output: Output) -> Result<(), Failure> {
    let client = args.connect.client()?;
    let network = client.network()?;
    let log = log_key(&client, args.vkey.as_deref())?;
    let key: NoteVerifier = network.promise_vkey.parse()?;
    let notes = read_promises(&args.file)?;
    let mut promised = Promised { promises: notes.len() as u64, entries: 0, kept: 0, not_yet: 0, size: network.size };
    let (opened, refused) = open_promises(notes, &key);
    for (note, promise) in &opened {
        promised.entries += promise.entries.len() as u64;
        match client.kept(promise, &log)? {
            Kept::Kept { .. } => promised.kept += promise.entries.len() as u64,
            Kept::NotYet { size, .. } => {
                let reached = promise.entries.iter().filter(|(index, _)| *index < size).count() as u64;
                promised.kept += reached;
                promised.not_yet += promise.entries.len() as u64 - reached;
            }
            Kept::Broken { index, promised, checkpoint } => {
                let source = HttpSource::of(client.clone());
                let served = Served::under(&source, checkpoint)?;
                return Err(broken(&served, index, promised, note, args.evidence.as_deref()));
            }
        }
    }
    if let Some(error) = refused {
        return Err(no_promise_of_network(&args.file, &error));
    }
    output.show(&promised, |promised| {
        let Promised { kept, not_yet, .. } = promised;
        let promises = count(promised.promises, "promise", "promises");
        let entries = count(promised.entries, "entry", "entries");
        format!("{promises} over {entries}: {kept} kept, {not_yet} not under a checkpoint yet, none broken")
    })
}
