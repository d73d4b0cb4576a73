//! `cairn policy`: check a policy, compare two, and propose one to the network.

mod diff;

use std::path::{Path, PathBuf};

use cairn_core::statement::{Body, PolicyDocument};
use cairn_reward::Policy;
use clap::Subcommand;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::propose::{Proposal, Proposed};
use crate::rules::{self, Misfit};

/// Arguments of `cairn policy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read a policy and say what an operator should know of it.
    Check(CheckArgs),
    /// Show what differs between two policies, and who would have gained and lost.
    Diff(diff::Args),
    /// Sign a policy as the operator and log it, for epochs that have not begun.
    Propose(ProposeArgs),
}

/// Arguments of `cairn policy check`.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The policy document.
    #[arg(default_value = "policy.toml")]
    file: PathBuf,
}

/// Arguments of `cairn policy propose`.
#[derive(Debug, clap::Args)]
struct ProposeArgs {
    /// The policy document.
    file: PathBuf,
    #[command(flatten)]
    proposal: Proposal,
}

#[derive(Debug, Serialize)]
struct Checked {
    file: PathBuf,
    hash: String,
    symbol: String,
    pools: usize,
    warnings: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When a document is refused, or the gateway refuses the statement.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Check(args) => check(&args.file, output),
        Command::Diff(args) => diff::run(args, output),
        Command::Propose(args) => {
            let (document, policy) = read(&args.file)?;
            let first_epoch = args.proposal.from;
            let body = Body::Policy(PolicyDocument { first_epoch, document });
            let misfits = |network: &_| rules::under_policy(network, policy.classes.iter(), first_epoch);
            let proposed = args.proposal.submit(body, policy.hash(), misfits)?;
            output.show(&proposed, |proposed| Proposed::text(proposed, "the policy"))?;
            proposed.warn(output, Misfit::profile_hint);
            Ok(())
        }
    }
}

/// A policy's bytes and what they say.
fn read(path: &Path) -> Result<(Vec<u8>, Policy), Failure> {
    let document = std::fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    let policy = Policy::parse(&document).map_err(|error| {
        let failure = Failure::from(error);
        Failure { message: format!("{}: {}", path.display(), failure.message), ..failure }
    })?;
    Ok((document, policy))
}

fn check(path: &Path, output: Output) -> Result<(), Failure> {
    let (_, policy) = read(path)?;
    let checked = Checked {
        file: path.to_owned(),
        hash: policy.hash().to_hex(),
        symbol: policy.asset.symbol.clone(),
        pools: policy.pools.len() + 1,
        warnings: policy.check(),
    };
    output.show(&checked, |checked| {
        let mut text = format!("{} is a policy\n  hash {}\n", checked.file.display(), checked.hash);
        for warning in &checked.warnings {
            text.push_str(&format!("warning: {warning}\n"));
        }
        text
    })
}
