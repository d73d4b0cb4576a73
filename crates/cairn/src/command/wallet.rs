//! `cairn wallet`: the key of an account under a password, what it holds, and sending it.
//!
//! No key and no password is ever an argument or printed: both are in files that their owner alone can read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cairn_chain::keystore::Cost;
use cairn_chain::{Call, Keystore};
use cairn_core::Amount;
use cairn_core::wallet::WalletKey;
use cairn_settle::calls;
use cairn_settle::told::{address_text, hex_text};
use clap::Subcommand;
use serde::Serialize;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::keys::{Algorithm, Key, password, random};
use crate::output::Output;
use crate::settle::address;
use crate::settle::network::Network;
use crate::settle::place::{Place, Purse, Site, address_of};
use crate::settle::steps::Sent;

/// Decimals of an EVM chain's coin.
const COIN_DECIMALS: u8 = 18;

/// Arguments of `cairn wallet`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account, its key sealed under a password (a keystore, as other wallets read it).
    New(SealArgs),
    /// Seal the key of a key file under a password.
    Import(ImportArgs),
    /// Show the account of a keystore or key file.
    Show(ShowArgs),
    /// Show what an account holds on a chain.
    Balance(BalanceArgs),
    /// Send tokens of the network, or the chain's coin.
    Send(SendArgs),
    /// Have a transaction that an earlier command left under way not happen: the way out where the chain does not take it.
    Cancel(CancelArgs),
}

#[derive(Debug, clap::Args)]
struct SealArgs {
    /// Where the keystore goes; it must not exist
    file: PathBuf,
    /// A file with the password, which its owner alone can read
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
    /// Memory that opening it takes: 2 to this power, in KiB
    #[arg(long, value_name = "N", default_value_t = 18, value_parser = clap::value_parser!(u8).range(10..=19))]
    cost: u8,
}

#[derive(Debug, clap::Args)]
struct ImportArgs {
    /// A key file of `cairn keygen --algorithm secp256k1`
    key: PathBuf,
    #[command(flatten)]
    seal: SealArgs,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// A keystore or key file
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct BalanceArgs {
    /// The account: `0x` and 40 hexadecimal digits
    account: String,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct SendArgs {
    /// To whom: `0x` and 40 hexadecimal digits
    to: String,
    /// How much, in whole tokens or coins, such as 12.5
    amount: String,
    /// Send the chain's coin instead of the network's token
    #[arg(long)]
    coin: bool,
    #[command(flatten)]
    site: Site,
}

#[derive(Debug, clap::Args)]
struct CancelArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    purse: Purse,
}

#[derive(Debug, Serialize)]
struct Cancelled {
    /// What was under way; absent where nothing was.
    purpose: Option<String>,
    /// Whether it will not happen any more.
    cancelled: bool,
    /// The transaction by which it happened all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    file: PathBuf,
    address: String,
}

#[derive(Debug, Serialize)]
struct Held {
    account: String,
    chain: String,
    coin_wei: String,
    token: String,
    symbol: String,
    #[serde(skip)]
    decimals: u8,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or written, or the chain cannot be asked or refuses.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::New(args) => seal(&Key::generate(Algorithm::Secp256k1)?.wallet()?, args, output),
        Command::Import(args) => seal(&Key::read(&args.key)?.wallet()?, &args.seal, output),
        Command::Show(args) => show(&args.file, output),
        Command::Balance(args) => balance(args, output),
        Command::Send(args) => send(args, output),
        Command::Cancel(args) => cancel(args, output),
    }
}

fn seal(key: &WalletKey, args: &SealArgs, output: Output) -> Result<(), Failure> {
    let sealed = Keystore::seal(key, &password(&args.password_file)?, Cost { log_n: args.cost }, &random()?)?;
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file);
    let mut file = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::wrong("NET-KEY-EXISTS", format!("{} exists; keys are never overwritten", args.file.display()))
                .hint("choose another file, or move the old key away")
        }
        _ => Failure::io("write", &args.file, &error),
    })?;
    let written = file.write_all(sealed.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| Failure::io("write", &args.file, &error))?;
    let shown = Shown { file: args.file.clone(), address: address_text(&address_of(key)) };
    output.show(&shown, |shown| {
        format!(
            "{} holds the key of {}; keep it and its password apart, and a copy of both",
            shown.file.display(),
            shown.address
        )
    })
}

fn show(path: &Path, output: Output) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    let address = if text.trim_start().starts_with('{') {
        Keystore::address(&text)?.ok_or_else(|| {
            Failure::wrong("STL-KEYSTORE", format!("{} does not say its address", path.display()))
                .hint("`cairn wallet send --dry-run` opens it with its password")
        })?
    } else {
        address_of(&Key::read(path)?.wallet()?)
    };
    let shown = Shown { file: path.to_owned(), address: address_text(&address) };
    output.show(&shown, |shown| shown.address.clone())
}

fn balance(args: &BalanceArgs, output: Output) -> Result<(), Failure> {
    let account = address(&args.account)?;
    let chain = args.place.open()?;
    let network = Network::of(&args.connect, chain.as_ref())?;
    let contracts = args.place.contracts(&network, chain.as_ref())?;
    let asset = network.info.asset.clone();
    let held = Held {
        account: address_text(&account),
        chain: network.domain.to_string(),
        coin_wei: chain.balance(account)?.to_string(),
        token: contracts.reader(chain.as_ref()).balance(account)?.to_string(),
        symbol: asset.as_ref().map_or_else(String::new, |asset| asset.symbol.clone()),
        decimals: asset.map_or(0, |asset| asset.decimals),
    };
    output.show(&held, |held| {
        let units = |text: &str, decimals| Amount::parse(text).unwrap_or_default().display(decimals);
        format!(
            "{} on {}\n  {} {}\n  {} of the chain's coin",
            held.account,
            held.chain,
            units(&held.token, held.decimals),
            held.symbol,
            units(&held.coin_wei, COIN_DECIMALS)
        )
    })
}

fn send(args: &SendArgs, output: Output) -> Result<(), Failure> {
    let to = address(&args.to)?;
    let chain = args.site.place.open()?;
    let mut sender = args.site.purse.at(chain.as_ref())?;
    let amount = |decimals| {
        Amount::parse_tokens(&args.amount, decimals).filter(|amount| *amount > Amount::ZERO).ok_or_else(|| {
            Failure::usage("STL-AMOUNT", format!("`{}` is no amount", args.amount))
                .hint(format!("write a number above zero with at most {decimals} places"))
        })
    };
    let (call, what) = if args.coin {
        let call = Call { to: Some(to), value: amount(COIN_DECIMALS)?.0, data: Vec::new() };
        (call, "coin".to_owned())
    } else {
        let network = Network::of(&args.site.connect, chain.as_ref())?;
        let contracts = args.site.place.contracts(&network, chain.as_ref())?;
        let asset = network.info.asset.clone();
        let units = amount(asset.as_ref().map_or(0, |asset| asset.decimals))?;
        let symbol = asset.map_or_else(String::new, |asset| asset.symbol);
        (Call::to(contracts.token, calls::transfer(to, units.0)), symbol)
    };
    let sent = sender.send(&format!("send {} {what} to {}", args.amount, address_text(&to)), &call)?;
    output.show(&sent, Sent::text)
}

fn cancel(args: &CancelArgs, output: Output) -> Result<(), Failure> {
    let chain = args.place.open()?;
    let (purpose, happened) =
        args.purse.cancel(chain.as_ref())?.map_or((None, None), |(name, done)| (Some(name), done));
    let cancelled = Cancelled {
        cancelled: purpose.is_some() && happened.is_none() && args.purse.sends(),
        purpose,
        transaction: happened.map(|receipt| hex_text(&receipt.transaction)),
    };
    output.show(&cancelled, |shown| match (&shown.purpose, &shown.transaction) {
        (None, _) => "nothing is under way".to_owned(),
        (Some(purpose), Some(transaction)) => format!("{purpose}: it was quicker, and happened in {transaction}"),
        (Some(purpose), None) if shown.cancelled => format!("{purpose}: cancelled, and will not happen"),
        (Some(purpose), None) => format!("{purpose}: under way, and not cancelled on a dry run"),
    })
}
