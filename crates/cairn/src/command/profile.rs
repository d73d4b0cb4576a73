//! `cairn profile`: check the thresholds of a class, and propose them to the network.

use std::path::{Path, PathBuf};

use cairn_core::Hash;
use cairn_core::statement::{Body, ProfileDocument};
use clap::Subcommand;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::propose::{Proposal, Proposed};

/// Arguments of `cairn profile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read a profile as its class does.
    Check(CheckArgs),
    /// Sign a profile as the operator and log it, for epochs that have not begun.
    Propose(ProposeArgs),
}

/// Arguments of `cairn profile check`.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The profile document.
    file: PathBuf,
    /// The class that is judged by it.
    #[arg(long, default_value = "sensing/1")]
    class: String,
}

/// Arguments of `cairn profile propose`.
#[derive(Debug, clap::Args)]
struct ProposeArgs {
    #[command(flatten)]
    profile: CheckArgs,
    #[command(flatten)]
    proposal: Proposal,
}

#[derive(Debug, Serialize)]
struct Checked {
    file: PathBuf,
    class: String,
    hash: String,
}

/// Runs the command.
///
/// # Errors
/// When the document is refused, or the gateway refuses the statement.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Check(args) => {
            let hash = Hash::of(read(&args.file, &args.class)?.as_bytes()).to_hex();
            let checked = Checked { file: args.file.clone(), class: args.class.clone(), hash };
            output.show(&checked, |checked| {
                let Checked { file, class, hash } = checked;
                format!("{} is a profile of {class}\n  hash {hash}", file.display())
            })
        }
        Command::Propose(args) => {
            let CheckArgs { file, class } = &args.profile;
            let document = read(file, class)?.into_bytes();
            let hash = Hash::of(&document);
            let body = ProfileDocument { first_epoch: args.proposal.from, class: class.clone(), document };
            let proposed = args.proposal.submit(Body::Profile(body), hash)?;
            output.show(&proposed, |proposed| Proposed::text(proposed, &format!("the profile of {class}")))
        }
    }
}

fn read(path: &Path, class: &str) -> Result<String, Failure> {
    let document = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    cairn_classes::check_profile(class, &document).map_err(|error| {
        let failure = Failure::from(error);
        Failure { message: format!("{}: {}", path.display(), failure.message), ..failure }
    })?;
    Ok(document)
}
