//! `cairn chain bond`: coin at stake for an auditor.

use cairn_chain::Call;
use cairn_settle::calls;

use crate::failure::Failure;
use crate::output::Output;
use crate::settle::address;
use crate::settle::network::Network;
use crate::settle::place::Site;
use crate::settle::steps::Sent;

/// Arguments of `cairn chain bond`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The auditor: `0x` and 40 hexadecimal digits
    auditor: String,
    /// How much, in wei of the chain's coin
    #[arg(long, value_name = "WEI")]
    wei: u128,
    #[command(flatten)]
    site: Site,
}

/// Runs the command.
///
/// # Errors
/// When gateway or chain cannot be asked, or the contract refuses.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let auditor = address(&args.auditor)?;
    let chain = args.site.place.open()?;
    let network = Network::of(&args.site.connect, chain.as_ref())?;
    let contracts = args.site.place.known_contracts(&network, chain.as_ref())?;
    let call = Call { to: Some(contracts.auditors), value: args.wei, data: calls::bond(auditor) };
    let purpose = format!("bond {} wei for {}", args.wei, args.auditor);
    let sent = args.site.purse.at(chain.as_ref())?.send(&purpose, &call)?;
    output.show(&sent, Sent::text)
}
