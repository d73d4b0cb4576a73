//! `cairn licence`: say what the use of a content costs: a model, a data set, a module.

use std::path::{Path, PathBuf};

use cairn_core::statement::{Body, LICENCE_MODULES_MAX, Licence};
use cairn_core::{Amount, Hash, Ppm};
use clap::Subcommand;
use serde::Serialize;

use crate::config::duration_ms;
use crate::connect::Connect;
use crate::failure::Failure;
use crate::keys::wallet_from;
use crate::output::Output;
use crate::words::utc;
use crate::work::{account, amount, asset, by_wallet};

/// Arguments of `cairn licence`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// License a content: from now on every job that uses it pays its owner.
    ///
    /// Who licenses a content first holds it while the licence is in force, and may replace it. It is the very bytes that are
    /// licensed: whoever changes one has another content.
    Grant(GrantArgs),
    /// End a licence.
    Withdraw(WithdrawArgs),
}

#[derive(Debug, clap::Args)]
struct Own {
    /// The content: a file, or the SHA-256 of its bytes.
    #[arg(long, value_name = "FILE|HASH")]
    content: String,
    /// The owner's wallet: a key file or a keystore.
    #[arg(long, value_name = "FILE")]
    owner: PathBuf,
    /// A file with the keystore's password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The chain that the owner is paid on, CAIP-2 [default: the network's first]
    #[arg(long, value_name = "CAIP-2")]
    chain: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, clap::Args)]
struct GrantArgs {
    #[command(flatten)]
    own: Own,
    /// Tokens for each job that uses it.
    #[arg(long, value_name = "TOKENS")]
    price: String,
    /// And a share of the price of the work, in parts per million.
    #[arg(long, value_name = "PPM", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    share: u32,
    /// A module that may use it, by file or SHA-256; several may be given. Without one any may.
    #[arg(long, value_name = "FILE|HASH")]
    module: Vec<String>,
    /// For how long.
    #[arg(long, value_name = "DURATION", default_value = "52w")]
    lasting: String,
}

#[derive(Debug, clap::Args)]
struct WithdrawArgs {
    #[command(flatten)]
    own: Own,
}

#[derive(Debug, Serialize)]
struct Licensed {
    content: String,
    owner: String,
    price: String,
    share_ppm: u32,
    modules: Vec<String>,
    until_ms: u64,
    index: u64,
    network_id: String,
    rehearsed: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When somebody else holds the content, or the gateway refuses.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Grant(args) => {
            let modules = args.module.iter().map(|module| hash_of(module)).collect::<Result<Vec<_>, _>>()?;
            if modules.len() > LICENCE_MODULES_MAX {
                let what = format!("a licence names at most {LICENCE_MODULES_MAX} modules");
                return Err(Failure::usage("NET-ARGUMENTS", what));
            }
            let lasting_ms = duration_ms(&args.lasting).ok_or_else(|| {
                Failure::usage("NET-DURATION", format!("`{}` is no duration, such as 52w", args.lasting))
            })?;
            let terms = Terms { price: Some(&args.price), share: args.share, modules, lasting_ms };
            say(&args.own, terms, output)
        }
        Command::Withdraw(args) => {
            say(&args.own, Terms { price: None, share: 0, modules: Vec::new(), lasting_ms: 0 }, output)
        }
    }
}

struct Terms<'a> {
    price: Option<&'a String>,
    share: u32,
    modules: Vec<Hash>,
    lasting_ms: u64,
}

fn hash_of(text: &str) -> Result<Hash, Failure> {
    if let Some(hash) = Hash::from_hex(text) {
        return Ok(hash);
    }
    let path = Path::new(text);
    std::fs::read(path).map(|bytes| Hash::of(&bytes)).map_err(|error| Failure::io("read", path, &error))
}

fn say(own: &Own, terms: Terms<'_>, output: Output) -> Result<(), Failure> {
    let wallet = wallet_from(&own.owner, own.password_file.as_deref())?;
    let client = own.connect.client()?;
    let network = client.network()?;
    let Terms { price, share, mut modules, lasting_ms } = terms;
    modules.sort_unstable();
    modules.dedup();
    let until_ms = if lasting_ms == 0 { 0 } else { network.time_ms.saturating_add(lasting_ms) };
    let licence = Licence {
        owner: account(&network, &wallet, own.chain.as_ref())?,
        content: hash_of(&own.content)?,
        price: price.map_or(Ok(Amount::ZERO), |price| amount(price, asset(&network)?))?,
        share: Ppm::of(share).unwrap_or(Ppm::FULL),
        modules,
        until_ms,
    };
    let signed = by_wallet(&client, &network, (&wallet, &own.owner), Body::Licence(licence.clone()))?;
    let licensed = Licensed {
        content: licence.content.to_hex(),
        owner: licence.owner.to_string(),
        price: licence.price.to_string(),
        share_ppm: share,
        modules: licence.modules.iter().map(Hash::to_hex).collect(),
        until_ms,
        index: signed.index,
        network_id: network.network_id,
        rehearsed: network.rehearsed,
    };
    output.show(&licensed, |licensed| {
        let Licensed { content, owner, index, .. } = licensed;
        if lasting_ms == 0 {
            return format!("{content} is free from entry {index} on");
        }
        format!("{content} is licensed by entry {index}\n  owner  {owner}\n  until  {}", utc(until_ms))
    })
}
