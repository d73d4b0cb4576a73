//! `cairn claim`: what the log granted an account and nobody pushed to it.

use cairn_chain::paying;
use cairn_core::Amount;
use cairn_settle::told::address_text;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::settle::address;
use crate::settle::network::Network;
use crate::settle::place::Site;
use crate::settle::steps::Sent;

/// Arguments of `cairn claim`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whom to pay: `0x` and 40 hexadecimal digits [default: the wallet's own account]
    account: Option<String>,
    #[command(flatten)]
    site: Site,
}

#[derive(Debug, Serialize)]
struct Claimed {
    account: String,
    /// The epoch by which it is paid; absent while none is open on the chain.
    epoch: Option<u64>,
    /// Base units that were owed before.
    owed: String,
    /// Tokens of the account now, base units.
    balance: String,
    symbol: String,
    #[serde(skip)]
    decimals: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
    rehearsal: bool,
}

/// Runs the command.
///
/// # Errors
/// When gateway or chain cannot be asked, or the contract refuses.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let named = args.account.as_deref().map(address).transpose()?;
    let chain = args.site.place.open()?;
    let network = Network::of(&args.site.connect, chain.as_ref())?;
    let contracts = args.site.place.contracts(&network, chain.as_ref())?;
    let mut sender = args.site.purse.at(chain.as_ref())?;
    let account = named.unwrap_or(sender.account);
    let reader = contracts.reader(chain.as_ref());
    let opened = reader.opened()?;
    let (mut owed, mut sent) = (0, None);
    if let Some(opened) = opened {
        let claims = network.claims(&network.statement(opened.epoch)?)?;
        if let Some((call, due)) = paying::claim(&reader, &contracts, opened.epoch, &claims, account)? {
            owed = due;
            let purpose = format!("claim {due} base units for {} by epoch {}", address_text(&account), opened.epoch);
            sent = Some(sender.send(&purpose, &call)?);
        }
    }
    let asset = network.info.asset.clone();
    let claimed = Claimed {
        account: address_text(&account),
        epoch: opened.map(|opened| opened.epoch),
        owed: owed.to_string(),
        balance: reader.balance(account)?.to_string(),
        symbol: asset.as_ref().map_or_else(String::new, |asset| asset.symbol.clone()),
        decimals: asset.map_or(0, |asset| asset.decimals),
        sent,
        rehearsal: chain.rehearsed() || reader.is_rehearsal()?,
    };
    output.show(&claimed, text)
}

fn text(claimed: &Claimed) -> String {
    let tokens = |units: &str| {
        format!("{} {}", Amount::parse(units).unwrap_or_default().display(claimed.decimals), claimed.symbol)
    };
    let balance = tokens(&claimed.balance);
    match (&claimed.sent, claimed.epoch) {
        (_, None) => "no epoch is open on this chain yet: `cairn chain pay` opens the last final one".to_owned(),
        (None, Some(epoch)) => {
            format!("{} is owed nothing by epoch {epoch}; it holds {balance}", claimed.account)
        }
        (Some(sent), Some(_)) => {
            format!("{}\n{} was owed {}; it holds {balance}", sent.text(), claimed.account, tokens(&claimed.owed))
        }
    }
}
