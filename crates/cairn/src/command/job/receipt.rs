//! `cairn job receipt`: what was ordered, what became of the money, and the proof of both, in one portable document.
//!
//! A receipt is checked from itself and the log's key: the order's entry and the epoch statement's are under checkpoints that
//! the log signed; the order is signed for the network; the sale is a leaf of the statement's sales, and balances.

use std::path::{Path, PathBuf};

use cairn_api::ProofInfo;
use cairn_client::Client;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::EpochStatement;
use cairn_core::sale::Sale;
use cairn_core::statement::{Body, Statement};
use cairn_core::{Hash, JobId};
use cairn_ledger::{order_info, sale_info};
use cairn_merkle::proof::{inclusion_proof, verify_inclusion};
use cairn_merkle::tile::TiledHashes;
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{NoteVerifier, Receipt as LogReceipt};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::command::proof::entry_bytes;
use crate::connect::{Connect, checkpoint};
use crate::failure::Failure;
use crate::output::Output;
use crate::work::{job_info, job_named, write_file};

/// The most bytes of a receipt that are read.
const RECEIPT_BYTES_MAX: u64 = 32 << 20;
/// The statement of an epoch stands so soon after the entry that closed it.
const SOON: u64 = 4_096;

/// Arguments of `cairn job receipt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job, once it is settled.
    #[arg(required_unless_present = "check")]
    job: Option<String>,
    /// The epoch that settled it [default: the one that the gateway names]
    #[arg(long, value_name = "EPOCH")]
    epoch: Option<u64>,
    /// Write the receipt into this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Check the receipt in this file, without the network.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["job", "out", "epoch", "url"])]
    check: Option<PathBuf>,
    /// The log's verifier key [default: the one that the gateway, or the receipt, names]
    #[arg(long, value_name = "VKEY")]
    vkey: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

/// An entry, and that the log has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Logged {
    /// The entry's bytes, hexadecimal.
    entry: String,
    /// A C2SP `tlog-proof`.
    proof: String,
}

/// A receipt.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Receipt {
    /// `cairn/receipt/1`.
    format: String,
    network_id: String,
    /// The log's verifier key. Whoever checks should know it from elsewhere.
    log_vkey: String,
    job: String,
    /// The order.
    order: Logged,
    /// The epoch statement.
    statement: Logged,
    /// The sale: a leaf of the statement's sales.
    sale: ProofInfo,
    rehearsed: Vec<String>,
}

const FORMAT: &str = "cairn/receipt/1";

/// What a receipt shows.
#[derive(Debug, Serialize)]
struct Shown {
    verified: bool,
    network_id: String,
    job: String,
    ordered_by_entry: u64,
    epoch: u64,
    statement: String,
    stated_by_entry: u64,
    order: cairn_api::OrderInfo,
    sale: cairn_api::SaleInfo,
    rehearsed: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// `CMP-RECEIPT` for what does not hold; when the job is not settled, or the gateway cannot be asked.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    if let Some(file) = &args.check {
        return check_file(file, args.vkey.as_deref(), output);
    }
    let job = job_named(args.job.as_deref().unwrap_or_default())?;
    let client = args.connect.client()?;
    let receipt = made(&client, &job, args)?;
    let shown = check(&receipt, &receipt.log_vkey.parse()?)?;
    let document = serde_json::to_string_pretty(&receipt).expect("a receipt is strings and numbers");
    match &args.out {
        Some(file) => {
            write_file(file, document.as_bytes())?;
            output.show(&shown, |shown| format!("{}written to {}", text(shown), file.display()))
        }
        None => {
            output.say(text(&shown));
            output.print(&document)
        }
    }
}

fn made(client: &Client, job: &JobId, args: &Args) -> Result<Receipt, Failure> {
    let network = client.network()?;
    let log: NoteVerifier = args.vkey.as_deref().unwrap_or(&network.log_vkey).parse()?;
    let epoch = match args.epoch {
        Some(epoch) => epoch,
        None => job_info(client, job)?.settled.map(|settled| settled.epoch.number).ok_or_else(|| {
            Failure::wrong("CMP-UNSETTLED", format!("job {job} is not settled: there is no sale of it yet"))
                .hint("jobs are settled when an epoch closes; `cairn job show` says where it stands")
        })?,
    };
    let sale = client.sale(epoch, job)?;
    let bytes = client.epoch_bytes(epoch)?;
    let statement = EpochStatement::decode(&bytes).map_err(refuse)?;
    let (note, signed) = checkpoint(client, &log)?;
    let logged = |index| logged(client, index, &note, signed.checkpoint.size());
    let stated = (statement.to..statement.to.saturating_add(SOON)).map(&logged).find(|found| match found {
        Ok(logged) => HEXLOWER.decode(logged.entry.as_bytes()).is_ok_and(|entry| holds(&entry, &bytes)),
        Err(_) => true,
    });
    let unstated = || {
        Failure::wrong("CMP-RECEIPT", format!("the log has no statement of epoch {epoch} where it should stand"))
            .hint("wait for the next checkpoint; else run `cairn audit`")
    };
    Ok(Receipt {
        format: FORMAT.to_owned(),
        network_id: network.network_id,
        log_vkey: log.to_string(),
        job: job.to_string(),
        order: logged(sale.sale.order)?,
        statement: stated.ok_or_else(unstated)?.map_err(|_| unstated())?,
        sale: sale.proof,
        rehearsed: network.rehearsed,
    })
}

fn holds(entry: &[u8], statement: &[u8]) -> bool {
    Entry::decode(entry).is_ok_and(|entry| entry.kind == EntryKind::Epoch && entry.body == statement)
}

fn logged(client: &Client, index: u64, note: &str, size: u64) -> Result<Logged, Failure> {
    let entry = entry_bytes(client, index, size)?;
    let proof = inclusion_proof(&TiledHashes::new(client, size), index, size)?;
    let receipt = LogReceipt { extra: None, index, proof, checkpoint: note.to_owned() };
    Ok(Logged { entry: HEXLOWER.encode(&entry), proof: receipt.to_string() })
}

fn check_file(file: &Path, vkey: Option<&str>, output: Output) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io("read", file, &error);
    let bytes = std::fs::metadata(file).map_err(failed)?.len();
    if bytes > RECEIPT_BYTES_MAX {
        return Err(refuse(format!("{} has {bytes} bytes, more than any receipt", file.display())));
    }
    let text_of = std::fs::read_to_string(file).map_err(failed)?;
    let receipt: Receipt =
        serde_json::from_str(&text_of).map_err(|error| refuse(format!("{} is no receipt: {error}", file.display())))?;
    if vkey.is_none() {
        output.say("warning: the receipt is held to the log key that it names itself\nhint: give the one that you know: --vkey");
    }
    let shown = check(&receipt, &vkey.unwrap_or(&receipt.log_vkey).parse()?)?;
    output.show(&shown, text)
}

fn refuse(what: impl core::fmt::Display) -> Failure {
    Failure::wrong("CMP-RECEIPT", what)
        .hint("this is no receipt that the log stands for: keep it, and run `cairn audit`")
}

/// An entry that the log has, with its index.
fn entry_of(logged: &Logged, log: &NoteVerifier, what: &str) -> Result<(u64, Vec<u8>), Failure> {
    let entry =
        HEXLOWER.decode(logged.entry.as_bytes()).map_err(|_| refuse(format!("the {what} is no hexadecimal")))?;
    let proof: LogReceipt =
        logged.proof.parse().map_err(|error| refuse(format!("the proof of the {what}: {error}")))?;
    proof.verify(leaf_hash(&entry), log, &[]).map_err(|error| refuse(format!("the {what} is not proven: {error}")))?;
    Ok((proof.index, entry))
}

/// Everything that a receipt shows, if all of it holds under the log's key.
fn check(receipt: &Receipt, log: &NoteVerifier) -> Result<Shown, Failure> {
    if receipt.format != FORMAT {
        return Err(refuse(format!("its format is `{}`, not {FORMAT}", receipt.format)));
    }
    let job = JobId::parse(&receipt.job).map_err(refuse)?;
    let (ordered_by, order) = entry_of(&receipt.order, log, "order")?;
    let (stated_by, stated) = entry_of(&receipt.statement, log, "epoch statement")?;
    let stated = Entry::decode(&stated).map_err(refuse)?;
    if stated.kind != EntryKind::Epoch {
        return Err(refuse("the epoch statement's entry is something else"));
    }
    let statement = EpochStatement::decode(stated.body).map_err(refuse)?;
    if statement.network.to_string() != receipt.network_id {
        return Err(refuse("the epoch statement is of another network"));
    }
    let order = Entry::decode(&order).map_err(refuse)?;
    if order.kind != EntryKind::Statement {
        return Err(refuse("the order's entry is something else"));
    }
    let signed = Statement::parse(order.body).map_err(refuse)?;
    if signed.payload_hash() != job.0 || !signed.signatures_hold(Some(&statement.network)) {
        return Err(refuse("the order is not the job's, or nobody has signed it for this network"));
    }
    let Body::Order(order) = &signed.body else { return Err(refuse("the job was ordered by something else")) };
    let sale = sale_of(&receipt.sale, &statement)?;
    if (sale.job, sale.order, &sale.buyer) != (job, ordered_by, &order.buyer) {
        return Err(refuse("the sale is of another order"));
    }
    if ordered_by >= statement.to || stated_by < statement.to {
        return Err(refuse("the order, the sale and the statement do not follow each other"));
    }
    Ok(Shown {
        verified: true,
        network_id: receipt.network_id.clone(),
        job: receipt.job.clone(),
        ordered_by_entry: ordered_by,
        epoch: statement.number,
        statement: Hash::of(stated.body).to_hex(),
        stated_by_entry: stated_by,
        order: order_info(order),
        sale: sale_info(&sale),
        rehearsed: statement.rehearsed.clone(),
    })
}

/// The sale in a leaf of the statement's sales.
fn sale_of(proof: &ProofInfo, statement: &EpochStatement) -> Result<Sale, Failure> {
    let sales = statement.sales.as_ref().ok_or_else(|| refuse("the epoch settled no job"))?;
    let leaf = HEXLOWER.decode(proof.leaf.as_bytes()).map_err(|_| refuse("the sale is no hexadecimal"))?;
    let hashes: Option<Vec<Hash>> = proof.proof.iter().map(|hash| Hash::from_hex(hash)).collect();
    let hashes = hashes.ok_or_else(|| refuse("the proof of the sale is no hexadecimal"))?;
    if proof.size != sales.count {
        return Err(refuse(format!("the sale's proof is of a table of {} rows, not {}", proof.size, sales.count)));
    }
    verify_inclusion(leaf_hash(&leaf), proof.index, proof.size, sales.root, &hashes)
        .map_err(|error| refuse(format!("the sale is not under the statement's root: {error}")))?;
    Sale::decode(&leaf).map_err(refuse)
}

fn text(shown: &Shown) -> String {
    let Shown { job, epoch, ordered_by_entry, stated_by_entry, sale, .. } = shown;
    let mut text = format!(
        "receipt of job {job}, verified\n  ordered   by {}, entry {ordered_by_entry}\n  settled   in epoch {epoch}, entry \
         {stated_by_entry}\n  locked    {} base units\n",
        sale.buyer, sale.locked
    );
    for work in &sale.work {
        text.push_str(&format!(
            "  work      {} to {} for gas {}, of which {} were burned\n",
            work.work, work.account, work.gas, work.burned
        ));
    }
    for licence in &sale.licences {
        text.push_str(&format!("  licence   {} to {} for {}\n", licence.amount, licence.account, licence.content));
    }
    text.push_str(&format!("  returned  {}\n", sale.returned));
    if let Some(refund) = &sale.refund {
        text.push_str(&format!("  refunded  {} to {}\n", refund.amount, refund.account));
    }
    text
}
