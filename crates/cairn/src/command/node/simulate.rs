//! `cairn node simulate`: a whole node whose readings are made up, in a network that rehearses them.
//!
//! It is set up and run as any other, so that keys, queue, promises and payment are the real ones; only what it measures is not.
//! Promised: in a network that does not declare simulated devices nothing is made and nothing is said, and a folder that
//! measures anything real is left alone.

use std::path::PathBuf;

use cairn_edge::Stop;
use cairn_edge::source::SourceConfig;

use super::run::{sense, signals};
use super::setup;
use crate::config::node::{NodeConfig, NodeFolder};
use crate::failure::Failure;
use crate::output::Output;

/// Arguments of `cairn node simulate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of a gateway of a network that rehearses simulated devices
    url: String,
    /// The node's folder [default: simulated, beside the folder that a real node has]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What is made up, such as temperature,pm10
    #[arg(long, value_name = "NAMES", default_value = "temperature,humidity,pm10")]
    quantity: String,
    /// Seconds between two reports
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    every: u64,
    #[command(flatten)]
    owner: setup::OwnerArgs,
    #[command(flatten)]
    place: setup::PlaceArgs,
}

/// Runs the command.
///
/// # Errors
/// `EDGE-SIMULATED` where nothing may be made up, `NODE-SIMULATE` where the folder measures; else those of `setup` and `run`.
pub fn run(args: Args, output: Output) -> Result<(), Failure> {
    let folder = match &args.dir {
        Some(dir) => NodeFolder::named(Some(dir))?,
        None => NodeFolder::named(Some(&NodeFolder::named(None)?.root().with_file_name("simulated")))?,
    };
    if folder.config().exists() && !is_simulated(&NodeConfig::read(&folder)?) {
        let what = format!("{} is of a node that measures", folder.root().display());
        return Err(Failure::usage("NODE-SIMULATE", what).hint("take another folder: --dir DIR"));
    }
    let setup = setup::Args::simulated(args.url, folder.root(), args.owner, args.place, (args.quantity, args.every));
    let stop = Stop::default();
    signals::hear(&stop)?;
    output.say(setup::simulated(&setup, output)?);
    sense::run(&folder, sense::What { sensing: true, working: false }, &stop, output)
}

fn is_simulated(config: &NodeConfig) -> bool {
    config.source.iter().all(|source| matches!(source, SourceConfig::Simulated(_)))
}
