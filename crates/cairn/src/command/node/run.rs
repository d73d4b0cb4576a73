//! `cairn node run`: what the node does, until it is asked to stop.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use cairn_core::statement::CAPACITY_MAX;
use cairn_edge::Stop;
use clap::ValueEnum;

use super::worker::{self, Job};
use crate::config::node::{NodeFolder, Profiles, WorkerConfig};
use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;

mod board;
mod disks;
mod household;
mod sending;
pub(super) mod sense;
pub(super) mod signals;
mod watch;

pub use board::Board;
pub use sending::tell;
pub use signals::hear;

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Measures, signs and sends.
    Sensor,
    /// Runs jobs for buyers.
    Worker,
}

/// Arguments of `cairn node run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the node does [default: all that its node.toml says]
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// The node's folder, or a worker's [default: ~/.cairn/node, of root /var/lib/cairn-node; with --key the key file with
    /// .worker]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten, next_help_heading = "A worker without node.toml")]
    worker: WorkerArgs,
}

/// A worker that is said on the command line.
#[derive(Debug, clap::Args)]
struct WorkerArgs {
    /// The worker's key file, enrolled with `cairn enrol --role worker`
    #[arg(long, value_name = "FILE", requires = "price")]
    key: Option<PathBuf>,
    /// The device's id, when its key is not its first one [default: the key's]
    #[arg(long, value_name = "ID", requires = "key")]
    device: Option<String>,
    #[command(flatten)]
    connect: Connect,
    /// The network's id: which network it must be. Without it the first one met is believed, and held to ever after
    #[arg(long, value_name = "ID", requires = "key")]
    network: Option<String>,
    /// The price of 10^9 gas, in tokens
    #[arg(long, value_name = "TOKENS", requires = "key")]
    price: Option<String>,
    /// Jobs at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(CAPACITY_MAX)))]
    capacity: u32,
    /// The most gas of one job
    #[arg(long, value_name = "GAS", default_value = "100000000000")]
    gas: NonZeroU64,
    /// The most memory of one job, in pages of 64 KiB
    #[arg(long, value_name = "PAGES", default_value_t = 4_096)]
    pages: u32,
    /// Which arithmetic it runs
    #[arg(long, value_enum, default_value = "both")]
    profiles: Profiles,
    /// For how long an offer is made; it is renewed when half of it is over
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    lease: String,
    /// Bytes of blobs that are kept in the folder
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    cache_bytes: u64,
    /// How long to wait between two looks, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    poll_ms: u64,
    /// Where the gateway's promises are kept [default: the key file with .promises]
    #[arg(long, value_name = "FILE")]
    promises: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What keeps the node from starting, or its folder's trouble.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let stop = Stop::default();
    hear(&stop)?;
    if let (Some(key), Some(price)) = (&args.worker.key, &args.worker.price) {
        if args.role == Some(Role::Sensor) {
            return Err(Failure::usage(
                "NET-ARGUMENTS",
                "--key and --price are a worker's; a sensor's stand in node.toml",
            ));
        }
        return worker::work(&args.worker.job(key, price, args.dir.clone()), &stop, output);
    }
    let folder = NodeFolder::named(args.dir.as_deref())?;
    let (sensing, working) = (args.role != Some(Role::Worker), args.role != Some(Role::Sensor));
    sense::run(&folder, sense::What { sensing, working }, &stop, output)
}

impl WorkerArgs {
    fn job(&self, key: &std::path::Path, price: &str, dir: Option<PathBuf>) -> Job {
        let terms = WorkerConfig {
            key: key.to_owned(),
            price: price.to_owned(),
            capacity: self.capacity,
            gas: self.gas.get(),
            pages: self.pages,
            profiles: self.profiles,
            lease: self.lease.clone(),
            cache_mib: self.cache_bytes >> 20,
        };
        Job {
            terms,
            device: self.device.clone(),
            url: self.connect.address(),
            network: self.network.clone(),
            folder: dir.unwrap_or_else(|| key.with_extension("worker")),
            cache_bytes: self.cache_bytes,
            poll: Duration::from_millis(self.poll_ms),
            promises: self.promises.clone(),
        }
    }
}
