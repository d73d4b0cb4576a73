//! `cairn node receipts`: what the network signed for, listed, checked without asking anybody, and taken elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_core::Hash;
use cairn_edge::send::keep::{Broken, KeptPromise, KeptReceipt, Promised, broken, promises, receipts};
use cairn_log::Disk;
use cairn_merkle::{NoteVerifier, Promise};
use clap::Subcommand;
use serde::Serialize;

use crate::config::node::{NodeConfig, NodeFolder};
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{count, utc};

/// Arguments of `cairn node receipts`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List receipts, and promises that have none yet.
    List(Place),
    /// Check every receipt and promise with the network's keys, without asking anybody.
    Verify(VerifyArgs),
    /// Write receipts as files that `cairn proof verify` checks anywhere, and evidence of broken promises.
    Export(ExportArgs),
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// The log's verifier key [default: node.toml's, else the one that a gateway names]
    #[arg(long, value_name = "VKEY")]
    vkey: Option<String>,
    /// The verifier key of promises [default: likewise]
    #[arg(long, value_name = "VKEY")]
    promise_vkey: Option<String>,
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    #[command(flatten)]
    place: Place,
    /// The folder that the files go into
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Everything that is kept.
struct Kept {
    receipts: Vec<KeptReceipt>,
    promises: Vec<KeptPromise>,
    broken: Vec<Broken>,
}

#[derive(Debug, Serialize)]
struct ReceiptRow {
    boot: u32,
    seq: u32,
    index: u64,
    entry_hash: String,
}

#[derive(Debug, Serialize)]
struct PromiseRow {
    boot: u32,
    seq: u32,
    index: u64,
    /// When it was given, ms since 1970 UTC, if that is known.
    at_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct List {
    receipts: Vec<ReceiptRow>,
    promised: Vec<PromiseRow>,
    broken: Vec<PromiseRow>,
}

#[derive(Debug, Serialize)]
struct Verified {
    receipts: u64,
    promised: u64,
    broken: u64,
    /// The largest checkpoint that a receipt leads to: entries under it.
    size: u64,
    wrong: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Exported {
    folder: PathBuf,
    receipts: u64,
    broken: u64,
}

/// Runs the command.
///
/// # Errors
/// `NODE-RECEIPT` for one that does not hold, `LOG-PROMISE-BROKEN`, and those of the disk.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::List(place) => list(&kept(&NodeFolder::named(place.dir.as_deref())?)?, output),
        Command::Verify(args) => verify(args, output),
        Command::Export(args) => export(args, output),
    }
}

fn kept(folder: &NodeFolder) -> Result<Kept, Failure> {
    let path = folder.receipts();
    if !path.is_dir() {
        return Ok(Kept { receipts: Vec::new(), promises: Vec::new(), broken: Vec::new() });
    }
    let disk: Arc<dyn Disk> = super::disk(&path)?;
    let mut receipts = receipts(&*disk)?;
    receipts.sort_by_key(|receipt| receipt.index);
    Ok(Kept { receipts, promises: promises(&*disk)?, broken: broken(&*disk)? })
}

fn list(kept: &Kept, output: Output) -> Result<(), Failure> {
    let receipt = |kept: &KeptReceipt| ReceiptRow {
        boot: kept.boot,
        seq: kept.seq,
        index: kept.index,
        entry_hash: Hash::of(&kept.entry).to_hex(),
    };
    let promised = |promise: &KeptPromise| {
        let at_ms = promise.at_ms;
        let row = move |own: &Promised| PromiseRow { boot: own.boot, seq: own.seq, index: own.index, at_ms };
        promise.reports.iter().map(row).collect::<Vec<_>>()
    };
    let broken = |kept: &Broken| PromiseRow {
        boot: kept.report.boot,
        seq: kept.report.seq,
        index: kept.report.index,
        at_ms: None,
    };
    let list = List {
        receipts: kept.receipts.iter().map(receipt).collect(),
        promised: kept.promises.iter().flat_map(promised).collect(),
        broken: kept.broken.iter().map(broken).collect(),
    };
    output.show(&list, |List { receipts, promised, broken }| {
        let mut text = format!(
            "{}, {} without one yet\n",
            count(receipts.len() as u64, "receipt", "receipts"),
            count(promised.len() as u64, "promise", "promises")
        );
        for ReceiptRow { boot, seq, index, .. } in receipts {
            text.push_str(&format!("  receipt  boot {boot}, seq {seq}: entry {index}\n"));
        }
        for PromiseRow { boot, seq, index, at_ms } in promised {
            let at = at_ms.map(|ms| format!(", {}", utc(ms))).unwrap_or_default();
            text.push_str(&format!("  promise  boot {boot}, seq {seq}: entry {index}{at}\n"));
        }
        for PromiseRow { boot, seq, index, .. } in broken {
            text.push_str(&format!("  BROKEN   boot {boot}, seq {seq}: entry {index} was promised and is not there\n"));
        }
        text
    })
}

fn verify(args: &VerifyArgs, output: Output) -> Result<(), Failure> {
    let folder = NodeFolder::named(args.place.dir.as_deref())?;
    let config = NodeConfig::read(&folder)?;
    let (log, promise_key) = keys(args, &config)?;
    let kept = kept(&folder)?;
    let (mut wrong, mut size) = (Vec::new(), 0);
    for receipt in &kept.receipts {
        match receipt.verify(&log) {
            Ok(signed) => size = size.max(signed.checkpoint.size()),
            Err(error) => wrong.push(format!("the receipt of entry {}: {error}", receipt.index)),
        }
    }
    for promise in &kept.promises {
        wrong.extend(promise_wrong(promise, &promise_key, &config));
    }
    wrong.extend(kept.broken.iter().map(|broken| {
        format!(
            "entry {} was promised, and is not what the log has: cairn node receipts export writes the evidence",
            broken.report.index
        )
    }));
    let verified = Verified {
        receipts: kept.receipts.len() as u64,
        promised: kept.promises.iter().map(|promise| promise.reports.len() as u64).sum(),
        broken: kept.broken.len() as u64,
        size,
        wrong,
    };
    let text = |Verified { receipts, promised, broken, size, wrong }: &Verified| {
        let mut text = format!(
            "{} checked, the last under a checkpoint of {size} entries\n{} without a receipt yet, {broken} broken\n",
            count(*receipts, "receipt", "receipts"),
            count(*promised, "promise", "promises")
        );
        wrong.iter().for_each(|what| text.push_str(&format!("  wrong    {what}\n")));
        text
    };
    if verified.wrong.is_empty() {
        return output.show(&verified, text);
    }
    let code = if verified.broken > 0 { "LOG-PROMISE-BROKEN" } else { "NODE-RECEIPT" };
    let what = format!("{} wrong", count(verified.wrong.len() as u64, "thing is", "things are"));
    output.show_wrong(&verified, text, Failure::wrong(code, what))
}

/// What is wrong with a promise, if something is.
fn promise_wrong(promise: &KeptPromise, key: &NoteVerifier, config: &NodeConfig) -> Option<String> {
    let first = promise.reports.first().map_or(0, |report| report.index);
    let opened = match Promise::open(&promise.note, key) {
        Ok(opened) => opened,
        Err(error) => return Some(format!("the promise of entry {first}: {error}")),
    };
    if opened.network != config.network().0 {
        return Some(format!("the promise of entry {first} is of another network"));
    }
    let missing = promise.reports.iter().find(|own| opened.entries.iter().all(|(index, _)| *index != own.index));
    missing.map(|own| format!("entry {} is not named by its promise", own.index))
}

/// The network's keys: those given, those that were the network's when the node was set up, or those that a gateway names.
fn keys(args: &VerifyArgs, config: &NodeConfig) -> Result<(NoteVerifier, NoteVerifier), Failure> {
    let (log, promise) = config.vkeys();
    let (log, promise) = (args.vkey.as_deref().or(log), args.promise_vkey.as_deref().or(promise));
    if let (Some(log), Some(promise)) = (log, promise) {
        return Ok((log.parse()?, promise.parse()?));
    }
    let asked = super::reach(config).and_then(|client| Ok(client.network()?));
    let info = asked.map_err(|failure| failure.hint("name the keys to ask nobody: --vkey and --promise-vkey"))?;
    Ok((log.unwrap_or(&info.log_vkey).parse()?, promise.unwrap_or(&info.promise_vkey).parse()?))
}

fn export(args: &ExportArgs, output: Output) -> Result<(), Failure> {
    let kept = kept(&NodeFolder::named(args.place.dir.as_deref())?)?;
    std::fs::create_dir_all(&args.to).map_err(|error| Failure::io("make", &args.to, &error))?;
    let write = |name: String, bytes: &[u8]| {
        let path: PathBuf = Path::new(&args.to).join(name);
        std::fs::write(&path, bytes).map_err(|error| Failure::io("write", &path, &error))
    };
    for receipt in &kept.receipts {
        write(format!("{}.tlog-proof", receipt.index), receipt.proof.as_bytes())?;
        write(format!("{}.entry", receipt.index), &receipt.entry)?;
    }
    for broken in &kept.broken {
        let index = broken.report.index;
        write(format!("broken-{index}.promise"), broken.note.as_bytes())?;
        write(format!("broken-{index}.tlog-proof"), broken.proof.as_bytes())?;
        write(format!("broken-{index}.entry"), &broken.entry)?;
        write(format!("broken-{index}.report"), &broken.report.report)?;
    }
    let exported =
        Exported { folder: args.to.clone(), receipts: kept.receipts.len() as u64, broken: kept.broken.len() as u64 };
    output.show(&exported, |Exported { folder, receipts, broken }| {
        let receipts = count(*receipts, "receipt", "receipts");
        let broken = if *broken > 0 { format!(", evidence of {broken} broken promises") } else { String::new() };
        format!("{receipts}{broken} in {0}\n  check one anywhere: cairn proof verify {0}/INDEX.tlog-proof --entry {0}/INDEX.entry --vkey VKEY", folder.display())
    })
}
