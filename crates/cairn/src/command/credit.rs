//! `cairn credit`: what buyers paid in on chains and have not spent.

use cairn_api::CreditList;
use cairn_core::deposit::parse_buyer;
use clap::Subcommand;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::tokens;

/// Arguments of `cairn credit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a buyer holds of each asset.
    Show(ShowArgs),
}

/// Arguments of `cairn credit show`.
#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The buyer: an account (CAIP-10), an EVM address, or the 32 bytes that the deposit named, in hexadecimal.
    buyer: String,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
///
/// # Errors
/// When the text names no buyer, or the gateway cannot be reached.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let Command::Show(args) = &args.command;
    let buyer = parse_buyer(&args.buyer).map_err(|error| Failure::usage("NET-BUYER", error))?;
    let list = args.connect.client()?.credits(&buyer)?;
    output.show(&list, text)
}

fn text(list: &CreditList) -> String {
    let mut text = format!("{}\n", list.buyer);
    for credit in &list.credits {
        let amount = match (&credit.symbol, credit.decimals) {
            (Some(symbol), Some(decimals)) => {
                let chain = credit.asset.split('/').next().unwrap_or_default();
                format!("{}, paid in on {chain}", tokens(&credit.amount, decimals, symbol))
            }
            _ => format!("{} base units of {}", credit.amount, credit.asset),
        };
        text.push_str(&format!("  holds {amount}\n"));
    }
    if list.credits.is_empty() {
        text.push_str("  holds no credit\n");
    }
    match &list.last_closed {
        Some(epoch) => {
            text.push_str(&format!("  as of now; epoch {} closed with statement {}\n", epoch.number, epoch.statement));
        }
        None => text.push_str("  as of now; no epoch has closed\n"),
    }
    text
}
