//! What commands about work share: amounts of the network's asset, which result of a job stands, and a job in words.

use std::path::Path;

use cairn_api::{AssetInfo, JobInfo, NetworkInfo, ResultInfo, WordInfo};
use cairn_client::{Client, ClientError};
use cairn_core::statement::{Blob, Body, Draft, Order, Signer, Statement};
use cairn_core::wallet::{WalletKey, statement_digest};
use cairn_core::{Account, Amount, Domain, Hash, JobId, NetworkId};
use cairn_ledger::wall_ms;
use cairn_node::{CONTENT_BYTES_MAX, Contents, Found, Missed, NodeError, read_order, run_order};
use cairn_wasm::Outcome;
use serde::Serialize;

use crate::connect::network_id;
use crate::failure::Failure;
use crate::promises::PromiseFile;
use crate::submission::accepted_index;
use crate::words::{tokens, utc};

/// How long a statement stays valid: a day, by the network's time.
const EXPIRY_MS: u64 = 86_400_000;

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let made = match error {
            NodeError::Client(error) => return error.into(),
            NodeError::NotTheJob { .. }
            | NodeError::OtherNetwork { .. }
            | NodeError::OtherDevice { .. }
            | NodeError::Names { .. }
            | NodeError::Locked
            | NodeError::Damaged { .. } => Self::wrong(error.code(), &error),
            NodeError::File(_) | NodeError::Io(_) | NodeError::System(_) => Self::failed(error.code(), &error),
        };
        made.maybe_hint(error.hint())
    }
}

/// The network's asset.
///
/// # Errors
/// `NET-NO-POLICY` while there is none.
pub fn asset(network: &NetworkInfo) -> Result<&AssetInfo, Failure> {
    let none = || Failure::wrong("NET-NO-POLICY", "no policy is in force yet, so there is nothing to pay with");
    network.asset.as_ref().ok_or_else(none)
}

/// An amount of tokens, exactly.
///
/// # Errors
/// `NET-AMOUNT`.
pub fn amount(text: &str, asset: &AssetInfo) -> Result<Amount, Failure> {
    Amount::parse_tokens(text, asset.decimals).ok_or_else(|| {
        let what = format!(
            "`{text}` is no amount of {}: a decimal number with at most {} decimals",
            asset.symbol, asset.decimals
        );
        Failure::usage("NET-AMOUNT", what)
    })
}

/// The name of a job.
///
/// # Errors
/// `NET-NAME`.
pub fn job_named(text: &str) -> Result<JobId, Failure> {
    JobId::parse(text).map_err(|error| Failure::usage("NET-NAME", error))
}

/// A wallet's account on a chain; the network's first, unless one is named.
///
/// # Errors
/// `NET-CHAIN`.
pub fn account(network: &NetworkInfo, wallet: &WalletKey, chain: Option<&String>) -> Result<Account, Failure> {
    let chain = chain_of(network, chain, "yours")?;
    Account::at(chain, wallet.address()).map_err(|error| Failure::usage("NET-CHAIN", error))
}

/// The chain that somebody is paid on: the network's first, unless one is named. `whose` is said where there is none.
///
/// # Errors
/// `NET-CHAIN`.
pub fn chain_of(network: &NetworkInfo, chain: Option<&String>, whose: &str) -> Result<Domain, Failure> {
    let chain = chain.or_else(|| network.domains.first()).ok_or_else(|| {
        Failure::usage("NET-CHAIN", format!("the network has no settlement chain, so {whose} must be named"))
            .hint("name it with --chain, such as --chain eip155:1")
    })?;
    Domain::parse(chain).map_err(|error| Failure::usage("NET-CHAIN", error))
}

/// Adds a wallet's signature to a statement.
pub fn countersign(statement: &mut Statement, network: &NetworkId, wallet: &WalletKey) {
    let digest = statement_digest(network, statement.body.schema().as_str(), &statement.payload);
    let signature = wallet.sign_digest(&digest).to_vec();
    statement.signed.push(cairn_core::statement::Signed { signer: Signer::of_address(&wallet.address()), signature });
}

/// A job as the gateway tells of it.
///
/// # Errors
/// `NET-NO-JOB`, with the way to its sale.
pub fn job_info(client: &Client, job: &JobId) -> Result<JobInfo, Failure> {
    client.job(job).map_err(|error: ClientError| {
        let hint = error.is_not_found().then_some(
            "a cancelled job is gone; a settled one is kept for the time of dispute, and its sale for ever: cairn job receipt",
        );
        Failure::from(error).maybe_hint(hint)
    })
}

/// The order of a job as its buyer signed it for this network.
///
/// # Errors
/// `NODE-JOB`.
pub fn order_of(network: &NetworkInfo, job: &JobId, info: &JobInfo) -> Result<Order, Failure> {
    Ok(read_order(job, info, &network_id(network)?)?)
}

/// A statement of a wallet's that was logged.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The hash of its payload.
    pub payload: Hash,
    /// Its entry.
    pub index: u64,
}

/// Signs a statement with a wallet, has it logged, and keeps the gateway's promise beside the wallet's file.
///
/// # Errors
/// When the gateway refuses, or the promise cannot be kept.
pub fn by_wallet(
    client: &Client,
    network: &NetworkInfo,
    (wallet, file): (&WalletKey, &Path),
    body: Body,
) -> Result<Signed, Failure> {
    let now_ms = wall_ms();
    let expiry_ms = network.time_ms.max(now_ms).saturating_add(EXPIRY_MS);
    let statement = Draft::of(Some(network_id(network)?), body, now_ms, expiry_ms).signed_by_wallet(wallet).finish();
    let mut promises = PromiseFile::beside(file, None)?;
    let submitted = client.submit_statement(&statement.encode())?;
    let index = accepted_index(&submitted)?;
    promises.keep(&submitted.response.promise)?;
    Ok(Signed { payload: statement.payload_hash(), index })
}

/// Why a result stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ground {
    /// A quorum of auditors ran the job again.
    Replayed,
    /// All workers who said something agree.
    Agreed,
    /// One worker said it.
    Single,
}

impl Ground {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Replayed => "a quorum of auditors found the same",
            Self::Agreed => "all workers agree",
            Self::Single => "by one worker's word",
        }
    }
}

/// The result of a job that stands as things are, and why.
///
/// # Errors
/// `CMP-NO-RESULT` while or because there is none, `CMP-DISSENT` where workers differ and no auditors have spoken.
pub fn standing(info: &JobInfo) -> Result<(ResultInfo, Ground), Failure> {
    let results: Vec<&ResultInfo> = info
        .assigned
        .iter()
        .filter_map(|worker| match &worker.word {
            WordInfo::Revealed { result, .. } => Some(result),
            _ => None,
        })
        .collect();
    if let Some(truth) = &info.truth {
        let right = results.iter().find(|result| result.digest == *truth);
        return right.map(|right| ((*right).clone(), Ground::Replayed)).ok_or_else(|| {
            Failure::wrong("CMP-NO-RESULT", "auditors found what no worker has said")
                .hint("run it yourself: cairn replay JOB --output FILE")
        });
    }
    let Some(first) = results.first() else {
        let failure =
            Failure::wrong("CMP-NO-RESULT", format!("no worker has said a result; the job is {}", info.phase));
        let is_open = matches!(info.phase.as_str(), "committing" | "revealing");
        return Err(if is_open { failure.hint("wait for it: cairn job result JOB --wait") } else { failure });
    };
    if results.iter().any(|result| result.digest != first.digest) {
        return Err(Failure::wrong(
            "CMP-DISSENT",
            "the workers' results differ, and no quorum of auditors has spoken yet",
        )
        .hint("wait for the auditors, or run it yourself: cairn replay JOB"));
    }
    Ok(((*first).clone(), if results.len() > 1 { Ground::Agreed } else { Ground::Single }))
}

/// An outcome's number in words.
#[must_use]
pub fn outcome_text(number: u32) -> String {
    let known = u16::try_from(number).ok().and_then(Outcome::from_number);
    known.map_or_else(|| format!("outcome {number}"), |outcome| outcome.to_string())
}

/// The contents of an order, fetched and checked by their hashes.
///
/// # Errors
/// When one is not to be had, or they are too large.
pub fn contents(client: &Client, order: &Order) -> Result<Contents, Failure> {
    let total = order.blobs().fold(0_u64, |sum, blob| sum.saturating_add(blob.bytes));
    if total > CONTENT_BYTES_MAX {
        let what = format!("module and inputs are {total} bytes; at most {CONTENT_BYTES_MAX} are fetched");
        return Err(Failure::wrong("NET-TOO-LARGE", what));
    }
    let one = |blob: &Blob| client.get_blob(blob).map_err(Failure::from);
    let module = one(&order.module)?;
    Ok(Contents { module, inputs: order.inputs.iter().map(one).collect::<Result<_, _>>()? })
}

/// Runs an order on this machine.
///
/// # Errors
/// `NODE-HOST` where this machine cannot.
pub fn run_here(job: &JobId, order: &Order, contents: &Contents) -> Result<Found, Failure> {
    run_order(job, order, contents, &mut || false).map_err(|missed| {
        let (Missed::Blobs(detail) | Missed::Host(detail)) = missed;
        Failure::failed("NODE-HOST", detail)
    })
}

/// Writes bytes to a file.
///
/// # Errors
/// `NET-IO`.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::io("write", path, &error))
}

/// A job in words.
#[must_use]
pub fn job_text(info: &JobInfo, asset: Option<&AssetInfo>) -> String {
    let money = |units: &str| match asset {
        Some(asset) => tokens(units, asset.decimals, &asset.symbol),
        None => format!("{units} base units"),
    };
    let order = &info.order;
    let mut text = format!("job {}\n  ordered   entry {}, {}\n", info.job, info.index, utc(info.received_ms));
    text.push_str(&format!("  buyer     {}\n  module    {}, {}\n", order.buyer, order.module.hash, order.profile));
    for input in &order.inputs {
        text.push_str(&format!("  input     {}, {} bytes\n", input.hash, input.bytes));
    }
    text.push_str(&format!("  locks     {}\n  phase     {}", money(&info.locked), info.phase));
    text.push_str(&match info.phase.as_str() {
        "committing" => format!(", until {} at the latest\n", utc(info.commit_until_ms)),
        "revealing" => format!(", until {} at the latest\n", utc(info.reveal_until_ms)),
        _ => "\n".to_owned(),
    });
    for worker in &info.assigned {
        let said = match &worker.word {
            WordInfo::Silent => "has said nothing yet".to_owned(),
            WordInfo::Committed { index, .. } => format!("has sealed a result by entry {index}"),
            WordInfo::Declined { index, reason } => format!("has declined by entry {index}, reason {reason}"),
            WordInfo::Revealed { index, result, .. } => format!(
                "says by entry {index}: {}, gas {}, output {} of {} bytes",
                outcome_text(result.outcome),
                result.gas,
                result.output.hash,
                result.output.bytes
            ),
        };
        let (price, score) = (money(&worker.price), worker.score);
        text.push_str(&format!(
            "  worker    {} at {price} for 10^9 gas, score {score}\n            {said}\n",
            worker.device
        ));
    }
    for licence in &info.licences {
        let (price, share) = (money(&licence.price), licence.share_ppm);
        text.push_str(&format!("  licence   {} of {}: {price} and {share} ppm\n", licence.content, licence.owner));
    }
    if let Some(draw) = &info.draw {
        text.push_str(&format!("  drawn     by {}, auditors have until {}\n", draw.cause, utc(draw.due_ms)));
    }
    for replay in &info.replays {
        text.push_str(&format!(
            "  replayed  by {}: digest {}, entry {}\n",
            replay.auditor, replay.digest, replay.index
        ));
    }
    if let Some(settled) = &info.settled {
        text.push_str(&format!(
            "  settled   in epoch {}, statement {}\n",
            settled.epoch.number, settled.epoch.statement
        ));
    }
    text
}
