//! `cairn explain`: why a device got what it got in an epoch, from check to leaf to payment.
//!
//! The story is the console's (`cairn_console::why`): read from the leaves themselves, after each was proved to stand under
//! the epoch statement; the gateway's words are not repeated.

use cairn_api::Explanation;
use cairn_console::why::{self, Asked, Case, NotProved};
use cairn_core::DeviceId;
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
    #[serde(skip_serializing_if = "is_none")]
    sales: usize,
    payouts: usize,
    claims: usize,
}

/// Where there are no sales nothing is said of them.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_none(count: &usize) -> bool {
    *count == 0
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
    let statement = why::statement(&network_id(&network)?, args.epoch, &bytes, &explanation)?;
    // The client holds the document to the hash.
    let policy = Policy::parse(client.policy(Some(&statement.policy_hash))?.as_bytes())?;
    let start_ms = network.epoch_zero_ms.saturating_add(network.epoch_ms.saturating_mul(args.epoch));
    let asked = Asked {
        network_name: &network.name,
        device: id,
        statement: &statement,
        policy: &policy,
        start_ms,
        epoch_ms: network.epoch_ms,
    };
    let case = Case::prove(&asked, &explanation)?;
    let shown = Shown {
        verified: Verified {
            statement: true,
            verdicts: case.verdicts(),
            sales: case.sales(),
            payouts: case.payouts(),
            claims: case.claims(),
        },
        explanation: &explanation,
    };
    output.show(&shown, |_| case.told(args.all).text())
}

impl From<NotProved> for Failure {
    fn from(error: NotProved) -> Self {
        Self::wrong(NotProved::CODE, error).hint(NotProved::HINT)
    }
}
