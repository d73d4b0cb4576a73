//! `cairn explain`: why a device got what it got in an epoch, from check to leaf to payment.
//!
//! What is said here is read from the leaves themselves, after each was proved to stand under the epoch statement; the
//! gateway's words are not repeated. That the statement follows from the log is the business of `cairn audit`.

mod check;
mod tell;

use cairn_api::Explanation;
use cairn_core::epoch::EpochStatement;
use cairn_core::{Amount, DeviceId, Hash, Payout, Verdict};
use cairn_reward::Policy;
use serde::Serialize;

use crate::connect::{Connect, network_id};
use crate::failure::Failure;
use crate::output::Output;

/// Arguments of `cairn explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device's id, `dev1…`.
    device: String,
    /// The epoch's number.
    epoch: u64,
    /// List every slot, those without a remark too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    connect: Connect,
}

/// A verdict that is under the statement's verdict root.
struct Slot {
    verdict: Verdict,
    late: bool,
    /// After the late factor.
    weight: u64,
}

/// A payout row that is under the statement's payout root.
struct Share {
    payout: Payout,
    rule: &'static str,
    /// How its amount comes about, in base units.
    calculation: String,
}

/// A claim that is under the statement's claim root.
struct Claim {
    domain: String,
    root: String,
    cumulative: Amount,
    proof_hashes: usize,
}

/// Everything that was said and verified.
struct Case {
    network_name: String,
    device: DeviceId,
    statement: EpochStatement,
    hash: String,
    start_ms: u64,
    end_ms: u64,
    decimals: u8,
    slots: Vec<Slot>,
    shares: Vec<Share>,
    claim: Option<Claim>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    verified: Verified,
}

/// What was verified here, and not only read.
#[derive(Debug, Clone, Copy, Serialize)]
struct Verified {
    statement: bool,
    verdicts: usize,
    payouts: usize,
    claims: usize,
}

/// Runs the command.
///
/// # Errors
/// When there is no such device or epoch, or something served does not verify.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let id = DeviceId::parse(&args.device).map_err(|error| Failure::usage("NET-DEVICE", error))?;
    let client = args.connect.client()?;
    let network = client.network()?;
    let explanation = client.explain(&id, args.epoch)?;
    let bytes = client.epoch_bytes(args.epoch)?;
    let statement = check::statement(&network_id(&network)?, args.epoch, &bytes, &explanation)?;
    // The client holds the document to the hash.
    let policy = Policy::parse(client.policy(Some(&statement.policy_hash))?.as_bytes())?;
    let start_ms = network.epoch_zero_ms.saturating_add(network.epoch_ms.saturating_mul(args.epoch));
    let asked = check::Asked { device: id, statement: &statement, policy: &policy, start_ms };
    let (slots, shares, claim) = check::explanation(&asked, &explanation)?;
    let case = Case {
        network_name: network.name,
        device: id,
        hash: Hash::of(&bytes).to_hex(),
        start_ms,
        end_ms: start_ms.saturating_add(network.epoch_ms),
        decimals: policy.asset.decimals,
        statement,
        slots,
        shares,
        claim,
    };
    let shown = Shown {
        verified: Verified {
            statement: true,
            verdicts: case.slots.len(),
            payouts: case.shares.len(),
            claims: case.claim.iter().count(),
        },
        explanation: &explanation,
    };
    output.show(&shown, |_| tell::text(&case, args.all))
}
