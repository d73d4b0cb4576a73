//! `cairn auditor`: recompute epochs and sign what is right; answer a halt; name the auditors of a network.

mod publish;
mod replays;
mod run;

pub use self::publish::post_of;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_auditor::{Auditor, Signed};
use cairn_core::Hash;
use cairn_core::statement::{AuditorSet, Body};
use cairn_core::wallet::WalletKey;
use cairn_log::StdDisk;
use cairn_settle::EvmAddress;
use cairn_settle::told::{address_text, parse_address, signature_text};
use clap::Subcommand;
use serde::Serialize;

use crate::failure::Failure;
use crate::keys::wallet_from;
use crate::output::Output;
use crate::propose::{Proposal, Proposed};

/// The most auditors of a set: an auditor set lists no more.
const AUDITORS_MAX: usize = 64;

/// Arguments of `cairn auditor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Recompute every epoch of a network, sign what is right, publish it, and go on watching.
    ///
    /// Every epoch is recomputed on this machine from the log, as `cairn audit` does; the next look goes on from the state
    /// computed here. What is signed is in the folder's record before anybody sees it: never two truths for one epoch and
    /// revision. From a difference on nothing is signed. Jobs that were drawn are run again, and what came out is said. With --json every epoch, publication and alarm is a JSON document
    /// on a line of its own.
    Run(run::Args),
    /// Say again what was signed of an epoch, under a higher revision: the answer to a halt on a settlement chain.
    Sign(SignArgs),
    /// Sign a set of auditors as the operator and log it, for epochs that have not begun.
    Propose(ProposeArgs),
}

/// Whose key and folder.
#[derive(Debug, clap::Args)]
struct Own {
    /// The auditor's key, of `cairn keygen --algorithm secp256k1`, or a keystore.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A file with the keystore's password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The auditor's folder: the record of what was signed. It must not be lost, and no key may have two.
    #[arg(long, value_name = "DIR", default_value = "auditor")]
    dir: PathBuf,
}

impl Own {
    fn wallet(&self) -> Result<WalletKey, Failure> {
        wallet_from(&self.key, self.password_file.as_deref())
    }

    fn open(&self) -> Result<Auditor, Failure> {
        open(&self.dir, self.wallet()?)
    }

    fn documents(&self) -> PathBuf {
        documents(&self.dir)
    }
}

/// An auditor's folder, opened.
///
/// # Errors
/// When it cannot be made, is another key's, damaged, or open elsewhere.
pub fn open(folder: &Path, key: WalletKey) -> Result<Auditor, Failure> {
    Ok(Auditor::open(disk(folder)?, disk(&documents(folder))?, key)?)
}

/// Where an auditor's folder has its signatures, one document for each epoch.
fn documents(folder: &Path) -> PathBuf {
    folder.join("signatures")
}

fn disk(folder: &Path) -> Result<Arc<StdDisk>, Failure> {
    StdDisk::create(folder).map(Arc::new).map_err(|error| Failure::io("make", folder, &error))
}

/// Arguments of `cairn auditor sign`.
#[derive(Debug, clap::Args)]
struct SignArgs {
    /// Address of a gateway to publish to; several may be given.
    #[arg(value_name = "URL")]
    publish: Vec<String>,
    #[command(flatten)]
    own: Own,
    /// The epoch, which `cairn auditor run` has signed.
    #[arg(long, value_name = "EPOCH")]
    epoch: u64,
    /// The revision, above the one that was halted.
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(u32).range(1..))]
    revision: u32,
}

/// Arguments of `cairn auditor propose`.
#[derive(Debug, clap::Args)]
struct ProposeArgs {
    /// The auditors' addresses, 0x and 40 digits.
    #[arg(value_name = "ADDRESS", required = true)]
    auditors: Vec<String>,
    /// How many of them must sign an epoch.
    #[arg(long, value_name = "K")]
    quorum: u64,
    #[command(flatten)]
    proposal: Proposal,
}

/// A signature, in words and as a document.
#[derive(Debug, Serialize)]
struct Shown {
    epoch: u64,
    revision: u32,
    statement: String,
    auditor: String,
    signature: String,
    /// Whether it was signed before.
    known: bool,
    /// The document that holds it.
    document: PathBuf,
}

impl Shown {
    fn of(own: &Own, auditor: EvmAddress, signed: &Signed, known: bool) -> Self {
        let message = &signed.message;
        Self {
            epoch: message.epoch,
            revision: message.revision,
            statement: message.statement_hash.to_hex(),
            auditor: address_text(&auditor),
            signature: signature_text(&signed.signature),
            known,
            document: own.documents().join(format!("{}.json", message.epoch)),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// What an audit finds, a record that forbids to sign, or that something cannot be read, written or reached.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Run(args) => run::run(args, output),
        Command::Sign(args) => sign(args, output),
        Command::Propose(args) => propose(args, output),
    }
}

fn sign(args: &SignArgs, output: Output) -> Result<(), Failure> {
    let targets = publish::targets(&args.publish)?;
    let mut auditor = args.own.open()?;
    let (signed, known) = auditor.answer(args.epoch, args.revision)?;
    let shown = Shown::of(&args.own, auditor.address(), &signed, known);
    output.show(&shown, |shown| {
        let again = if shown.known { ", as before" } else { "" };
        format!(
            "epoch {} is signed under revision {}{again}: statement {}\n  signature  {}\n  document   {}",
            shown.epoch,
            shown.revision,
            shown.statement,
            shown.signature,
            shown.document.display()
        )
    })?;
    for target in &targets {
        target.tell(&signed)?;
        output.say(format!("published to {}", target.url()));
    }
    Ok(())
}

fn propose(args: &ProposeArgs, output: Output) -> Result<(), Failure> {
    let read = |text: &String| {
        parse_address(text).ok_or_else(|| {
            Failure::usage("NET-ADDRESS", format!("`{text}` is not an auditor's address: 0x and 40 hexadecimal digits"))
        })
    };
    let mut auditors = args.auditors.iter().map(read).collect::<Result<Vec<EvmAddress>, _>>()?;
    auditors.sort_unstable();
    if let Some(twice) = auditors.windows(2).find(|two| two[0] == two[1]) {
        return Err(Failure::usage("NET-ADDRESS", format!("{} is named twice", address_text(&twice[0]))));
    }
    if auditors.len() > AUDITORS_MAX {
        return Err(Failure::usage("NET-QUORUM", format!("a set has at most {AUDITORS_MAX} auditors")));
    }
    if args.quorum == 0 || args.quorum > auditors.len() as u64 {
        let what = format!("a quorum of {} among {} auditors", args.quorum, auditors.len());
        return Err(Failure::usage("NET-QUORUM", what).hint("a quorum is one to all of them"));
    }
    let body = Body::AuditorSet(AuditorSet { first_epoch: args.proposal.from, quorum: args.quorum, auditors });
    let hash = Hash::of(&body.encode());
    let proposed = args.proposal.submit(body, hash, |_| Vec::new())?;
    output.show(&proposed, |proposed| Proposed::text(proposed, "the auditor set"))
}
