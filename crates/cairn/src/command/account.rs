//! `cairn account`: what an account was given, and its claim.

use cairn_api::{AccountInfo, NetworkInfo};
use cairn_core::Account;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::tokens;

/// Arguments of `cairn account`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The account, CAIP-10, such as `eip155:31337:0x…`.
    account: String,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
///
/// # Errors
/// When the text is no account, or the gateway cannot be reached.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let account = Account::parse(&args.account).map_err(|error| Failure::usage("NET-ACCOUNT", error))?;
    let client = args.connect.client()?;
    let info = client.account(&account)?;
    let network = if output.json { None } else { Some(client.network()?) };
    output.show(&info, |info| text(info, network.as_ref()))
}

fn text(info: &AccountInfo, network: Option<&NetworkInfo>) -> String {
    let asset = network.and_then(|network| network.asset.as_ref());
    let amount =
        |units: &String| asset.map_or_else(|| units.clone(), |asset| tokens(units, asset.decimals, &asset.symbol));
    let mut text = format!("{}\n  given in all {}\n", info.account, amount(&info.cumulative));
    if info.payee != info.account {
        text.push_str(&format!("  its devices' pay goes to {}\n", info.payee));
    }
    for device in &info.devices {
        text.push_str(&format!("  owns {device}\n"));
    }
    for epoch in &info.epochs {
        let paid = amount(&epoch.paid);
        text.push_str(&format!("  epoch {:<6} {paid} (statement {})\n", epoch.epoch.number, epoch.epoch.statement));
    }
    if let Some(claim) = &info.claim {
        text.push_str(&format!(
            "  may claim {} on {} under root {} (epoch {}, statement {})\n",
            amount(&claim.cumulative),
            claim.domain,
            claim.root,
            claim.epoch.number,
            claim.epoch.statement
        ));
    }
    text
}
