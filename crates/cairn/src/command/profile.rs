//! `cairn profile`: check the thresholds of a class, fit them to a network's own history, and propose them to the network.

mod edit;
mod fit;
mod history;
mod touched;

use std::path::{Path, PathBuf};

use cairn_classes::sensing::{Document, SCHEMA};
use cairn_core::Hash;
use cairn_core::statement::{Body, ProfileDocument};
use clap::Subcommand;
use serde::Serialize;

use super::judge::recording;
use crate::failure::Failure;
use crate::output::Output;
use crate::propose::{Proposal, Proposed};
use crate::rules::{self, Misfit};

/// Arguments of `cairn profile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read a profile as its class does, and say what it would do to a recording.
    Check(CheckDataArgs),
    /// Propose thresholds from a recording of the network's own, as a diff of a profile.
    ///
    /// Nine stations in ten decide, so that a few bad ones do not stretch what is allowed. Nothing is written without
    /// --write: read the diff first.
    Fit(FitArgs),
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

/// Arguments of `cairn profile check`, with a recording.
#[derive(Debug, clap::Args)]
struct CheckDataArgs {
    #[command(flatten)]
    profile: CheckArgs,
    /// Judge this recording under it, and print which share of readings and slots each check would touch.
    #[arg(long, value_name = "CSV")]
    data: Option<PathBuf>,
    /// Where the stations are, when the recording does not say: CSV of station, lat, lon.
    #[arg(long, value_name = "CSV", requires = "data")]
    stations: Option<PathBuf>,
}

/// Arguments of `cairn profile fit`.
#[derive(Debug, clap::Args)]
struct FitArgs {
    /// The history: a recording as `cairn judge sensing` reads it.
    #[arg(long, value_name = "CSV")]
    data: PathBuf,
    /// Where the stations are, when the recording does not say: CSV of station, lat, lon.
    #[arg(long, value_name = "CSV")]
    stations: Option<PathBuf>,
    /// The profile to change: a file, or the name of one that comes with Cairn [default: the one that fits the data]
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
    /// How many of a million values of good stations may be suspect beside their neighbours.
    #[arg(long, value_name = "PPM", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    honest_ppm: u32,
    /// Write the changes into the profile's file.
    #[arg(long, requires = "profile")]
    write: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    touched: Option<Vec<touched::Touched>>,
}

#[derive(Debug, Serialize)]
struct FitProposal {
    profile: String,
    changes: Vec<fit::Change>,
    diff: String,
    written: bool,
}

/// Runs the command.
///
/// # Errors
/// When the document is refused, or the gateway refuses the statement.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Check(args) => check(args, output),
        Command::Fit(args) => run_fit(args, output),
        Command::Propose(args) => {
            let CheckArgs { file, class } = &args.profile;
            let document = read(file, class)?;
            let read_by = cairn_classes::read_by(class, &document)?;
            let first_epoch = args.proposal.from;
            let (hash, document) = (Hash::of(document.as_bytes()), document.into_bytes());
            let body = ProfileDocument { first_epoch, class: class.clone(), document };
            let misfits =
                |network: &_| rules::under_profile(network, class, read_by, first_epoch).into_iter().collect();
            let proposed = args.proposal.submit(Body::Profile(body), hash, misfits)?;
            output.show(&proposed, |proposed| Proposed::text(proposed, &format!("the profile of {class}")))?;
            proposed.warn(output, Misfit::policy_hint);
            Ok(())
        }
    }
}

fn check(args: &CheckDataArgs, output: Output) -> Result<(), Failure> {
    let CheckArgs { file, class } = &args.profile;
    let document = read(file, class)?;
    let touched = match &args.data {
        None => None,
        Some(_) if class != SCHEMA => {
            return Err(Failure::usage("NET-PROFILE-DATA", format!("recordings are of {SCHEMA}, not of {class}")));
        }
        Some(data) => {
            let dataset = recording::open(data, args.stations.as_deref())?;
            let bar = output.progress("judging", dataset.readings.len() as u64);
            let touched = touched::by(&dataset, &Document::parse(&document)?, |rows| bar.inc(rows as u64))?;
            bar.finish_and_clear();
            Some(touched)
        }
    };
    let hash = Hash::of(document.as_bytes()).to_hex();
    let checked = Checked { file: file.clone(), class: class.clone(), hash, touched };
    output.show(&checked, |checked| {
        let Checked { file, class, hash, touched } = checked;
        let touched = touched.as_ref().map(|touched| format!("\n{}", touched::table(touched))).unwrap_or_default();
        format!("{} is a profile of {class}\n  hash {hash}{touched}", file.display())
    })
}

fn run_fit(args: &FitArgs, output: Output) -> Result<(), Failure> {
    let dataset = recording::open(&args.data, args.stations.as_deref())?;
    let (profile, document) = recording::profile(args.profile.as_deref(), None, &dataset)?;
    if args.write && !Path::new(&profile).is_file() {
        let refused = format!("{profile} comes with Cairn and has no file to write to");
        return Err(
            Failure::usage("NET-PROFILE-WRITE", refused).hint("copy it to a file, and name that with --profile")
        );
    }
    let bar = output.progress("fitting", dataset.readings.len() as u64);
    let fitted = fit::fit(&dataset, &document, args.honest_ppm, |rows| bar.inc(rows as u64))?;
    bar.finish_and_clear();
    let diff = edit::diff(&profile, &document, &fitted.document);
    let written = args.write && !diff.is_empty();
    if written {
        let path = Path::new(&profile);
        std::fs::write(path, &fitted.document).map_err(|error| Failure::io("write", path, &error))?;
    }
    for change in &fitted.changes {
        output.say(format!("{}: {} instead of {}: {}", change.key, change.to, change.from, change.why));
    }
    if diff.is_empty() {
        output
            .say(format!("nothing is proposed for {profile}: this history keeps within it, or is too little to tell"));
    }
    let proposal = FitProposal { profile, changes: fitted.changes, diff, written };
    if proposal.diff.is_empty() && !output.json {
        return Ok(());
    }
    output.show(&proposal, |proposal| proposal.diff.clone())
}

fn read(path: &Path, class: &str) -> Result<String, Failure> {
    let document = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    cairn_classes::check_profile(class, &document).map_err(|error| {
        let failure = Failure::from(error);
        Failure { message: format!("{}: {}", path.display(), failure.message), ..failure }
    })?;
    Ok(document)
}
