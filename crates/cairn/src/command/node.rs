//! `cairn node`: be a worker: offer this machine, run what is assigned, and be paid for it.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cairn_client::{Client, Retries};
use cairn_core::statement::{CAPACITY_MAX, RECORDED_CLOCK, RunProfile};
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_ledger::wall_ms;
use cairn_log::StdDisk;
use cairn_node::{Cache, Clock, Event, Gateway, Identity, Limits, Network, NodeError, Pool, Records, Terms, Worker};
use clap::{Subcommand, ValueEnum};

use crate::config::duration_ms;
use crate::connect::{Connect, network_id};
use crate::failure::Failure;
use crate::keys::{Key, random};
use crate::output::Output;
use crate::promises::PromiseFile;
use crate::work::{amount, asset, outcome_text};

/// Arguments of `cairn node`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(flatten)]
    run: Option<RunArgs>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Offer this machine, run what is assigned, and be paid for it.
    ///
    /// Every result is on this machine's disk before it is sealed, so a node that is killed goes on where it was. With --json
    /// every event is a JSON document on a line of its own. It runs until it is stopped; its offer ends by itself.
    Run(RunArgs),
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Runs jobs for buyers.
    Worker,
}

/// Which arithmetic of WebAssembly a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profiles {
    /// Integers alone.
    DetInt,
    /// Floats alone.
    DetFloat,
    /// Both.
    Both,
}

/// Arguments of `cairn node run`.
#[derive(Debug, clap::Args)]
struct RunArgs {
    /// What the node does.
    #[arg(long, value_enum, default_value = "worker")]
    role: Role,
    /// The worker's key file, enrolled with `cairn enrol --role worker`.
    #[arg(long, value_name = "FILE", required = true)]
    key: Option<PathBuf>,
    /// The device's id, when its key is not its first one [default: the key's]
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    #[command(flatten)]
    connect: Connect,
    /// The network's id: which network it must be. Without it the first one met is believed, and held to ever after.
    #[arg(long, value_name = "ID")]
    network: Option<String>,
    /// The price of 10^9 gas, in tokens.
    #[arg(long, value_name = "TOKENS", required = true)]
    price: Option<String>,
    /// Jobs at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(CAPACITY_MAX)))]
    capacity: u32,
    /// The most gas of one job.
    #[arg(long, value_name = "GAS", default_value = "100000000000")]
    gas: NonZeroU64,
    /// The most memory of one job, in pages of 64 KiB.
    #[arg(long, value_name = "PAGES", default_value_t = 4_096)]
    pages: u32,
    /// Which arithmetic it runs.
    #[arg(long, value_enum, default_value = "both")]
    profiles: Profiles,
    /// For how long an offer is made; it is renewed when half of it is over.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    lease: String,
    /// The worker's folder: what it found and signed, and how often it started. It must not be lost while jobs are open.
    /// [default: the key file with .worker]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Bytes of blobs that are kept in the folder.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    cache_bytes: u64,
    /// How long to wait between two looks, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    poll_ms: u64,
    /// Where the gateway's promises are kept [default: the key file with .promises]
    #[arg(long, value_name = "FILE")]
    promises: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What keeps the worker from starting, or its folder's trouble.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match (&args.command, &args.run) {
        (Some(Command::Run(args)), _) | (None, Some(args)) => work(args, output),
        (None, None) => Err(Failure::usage("NET-ARGUMENTS", "a node needs a key and a price")),
    }
}

/// A folder on this machine's disk.
///
/// # Errors
/// `NET-IO`.
pub fn disk(folder: &std::path::Path) -> Result<Arc<StdDisk>, Failure> {
    StdDisk::create(folder).map(Arc::new).map_err(|error| Failure::io("make", folder, &error))
}

fn work(args: &RunArgs, output: Output) -> Result<(), Failure> {
    let Role::Worker = args.role;
    let (Some(key_file), Some(price)) = (&args.key, &args.price) else {
        return Err(Failure::usage("NET-ARGUMENTS", "a node needs a key and a price"));
    };
    let key = Key::read(key_file)?.signing()?;
    let device = match &args.device {
        Some(text) => DeviceId::parse(text).map_err(|error| Failure::usage("NET-DEVICE", error))?,
        None => DeviceId::of_key(&key.public().multicodec()),
    };
    let client = Client::patient(&args.connect.address(), Retries { attempts: 2, ..Retries::default() })?;
    let info = client.network()?;
    let network = named_network(args.network.as_deref(), network_id(&info)?)?;
    let told_boot = known(&client, &device, &key.public().did())?;
    let lease_ms = duration_ms(&args.lease)
        .ok_or_else(|| Failure::usage("NET-DURATION", format!("`{}` is no duration, such as 1h", args.lease)))?;
    let profiles = match args.profiles {
        Profiles::DetInt => RunProfile::DetInt.bit(),
        Profiles::DetFloat => RunProfile::DetFloat.bit(),
        Profiles::Both => RunProfile::DetInt.bit() | RunProfile::DetFloat.bit(),
    };
    let limits = Limits { capacity: args.capacity, gas: args.gas.get(), pages: args.pages, profiles };
    let terms = Terms { price: amount(price, asset(&info)?)?, limits, lease_ms };
    let folder = args.dir.clone().unwrap_or_else(|| key_file.with_extension("worker"));
    let records = Records::open(disk(&folder)?, network, device, told_boot)?;
    for file in records.damaged() {
        output.say(format!(
            "warning: {} is not what was written into it, and is passed over",
            folder.join(file).display()
        ));
    }
    let cache = Arc::new(Cache::open(disk(&folder.join("blobs"))?, args.cache_bytes)?);
    let gateway: Arc<dyn Network> = Arc::new(Gateway::of(client));
    let pool = Pool::of(gateway.clone(), cache.clone(), usize::try_from(args.capacity).unwrap_or(1));
    let is_recorded = info.rehearsed.iter().any(|what| what == RECORDED_CLOCK);
    let clock = if is_recorded { Clock::Recorded } else { Clock::Wall };
    let identity = Identity { key, device, network };
    let mut worker = Worker::new(identity, terms, clock, gateway, cache, records, pool);
    let mut promises = PromiseFile::beside(key_file, args.promises.as_deref())?;
    output.say(format!("worker {device} of {}, folder {}", info.name, folder.display()));
    loop {
        step(&mut worker, &mut promises, output)?;
        std::thread::sleep(Duration::from_millis(args.poll_ms));
    }
}

fn step(worker: &mut Worker<Pool>, promises: &mut PromiseFile, output: Output) -> Result<(), Failure> {
    let mut said = Ok(());
    let mut fresh = || random::<16>().map_err(|_| NodeError::System("randomness"));
    let stepped = worker.step(wall_ms(), &mut fresh, &mut |event| {
        let told = tell(&event, promises, output);
        said = core::mem::replace(&mut said, Ok(())).and(told);
    });
    said?;
    match stepped {
        Ok(()) => Ok(()),
        Err(error) if error.is_fatal() => Err(error.into()),
        Err(error) => {
            let (code, detail) = (error.code().to_owned(), error.to_string());
            output.line(&Event::Trouble { job: None, code, detail }, text)
        }
    }
}

fn tell(event: &Event, promises: &mut PromiseFile, output: Output) -> Result<(), Failure> {
    if let Event::Said { promise, .. } | Event::Offered { promise, .. } = event {
        promises.keep(promise)?;
    }
    output.line(event, text)
}

fn text(event: &Event) -> String {
    match event {
        Event::Offered { until_ms, index, .. } => {
            format!("offered  until {} by entry {index}", crate::words::utc(*until_ms))
        }
        Event::Began { job } => format!("began    {job}"),
        Event::Ran { job, outcome, gas, output_bytes } => {
            format!("ran      {job}: {}, gas {gas}, {output_bytes} bytes of output", outcome_text(*outcome))
        }
        Event::Said { job, what, index, .. } => format!("said     {job}: {what} by entry {index}"),
        Event::Refused { job, what, code, detail } => {
            format!(
                "refused  {}{what}, {code}: {detail}",
                job.as_ref().map(|job| format!("{job}: ")).unwrap_or_default()
            )
        }
        Event::Left { job, why } => format!("left     {job}: {why}"),
        Event::Trouble { job, code, detail } => {
            format!("trouble  {}{code}: {detail}", job.as_ref().map(|job| format!("{job}: ")).unwrap_or_default())
        }
    }
}

/// The network that is worked for: the one that was named must be the one that is met.
fn named_network(named: Option<&str>, met: NetworkId) -> Result<NetworkId, Failure> {
    let Some(text) = named else { return Ok(met) };
    let own = Hash::from_hex(text).map(NetworkId);
    let own = own.ok_or_else(|| Failure::usage("NET-ID", format!("`{text}` is not a network id: 64 hex digits")))?;
    if own == met { Ok(own) } else { Err(NodeError::OtherNetwork { own, told: met }.into()) }
}

/// The highest boot counter that the network has heard of a device, which must be a worker with this key.
fn known(client: &Client, device: &DeviceId, key: &str) -> Result<Option<u32>, Failure> {
    let known = client.device(device).map_err(|error| {
        let hint = error.is_not_found().then_some("enrol it first: `cairn enrol --role worker`");
        Failure::from(error).maybe_hint(hint)
    })?;
    if known.key != key {
        return Err(Failure::wrong("NET-KEY", format!("{device} signs with {} now", known.key))
            .hint("use the key file of the device's current key"));
    }
    if known.role != "worker" {
        return Err(Failure::wrong("NODE-ROLE", format!("{device} is enrolled as a {}, not as a worker", known.role))
            .hint("make another key and enrol it: `cairn enrol --role worker`"));
    }
    Ok(known.last_name.map(|(boot, _)| boot))
}
