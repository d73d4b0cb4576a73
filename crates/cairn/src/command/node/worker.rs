//! A worker: offers this machine, runs what is assigned, and is paid for it, until it is asked to stop.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cairn_client::{Client, Retries};
use cairn_core::key::PublicKey;
use cairn_core::statement::RECORDED_CLOCK;
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_edge::Stop;
use cairn_ledger::wall_ms;
use cairn_log::StdDisk;
use cairn_node::{Cache, Clock, Event, Gateway, Identity, Limits, Network, NodeError, Pool, Records, Terms, Worker};

use crate::config::duration_ms;
use crate::config::node::WorkerConfig;
use crate::connect::{device_of_key, network_id};
use crate::failure::Failure;
use crate::keys::{Key, random};
use crate::output::Output;
use crate::promises::PromiseFile;
use crate::work::{amount, asset, outcome_text};

/// What a worker does, and where.
#[derive(Debug)]
pub struct Job {
    /// Its terms; the key file is where it stands.
    pub terms: WorkerConfig,
    /// The device's id, where its key is not its first one.
    pub device: Option<String>,
    /// The gateway's address.
    pub url: String,
    /// The network that it must be, if it is named.
    pub network: Option<String>,
    /// The worker's folder.
    pub folder: PathBuf,
    /// Bytes of blobs that are kept.
    pub cache_bytes: u64,
    /// Between two looks.
    pub poll: Duration,
    /// Where promises are kept, unless beside the key.
    pub promises: Option<PathBuf>,
}

/// A folder on this machine's disk.
///
/// # Errors
/// `NET-IO`.
pub fn disk(folder: &std::path::Path) -> Result<Arc<StdDisk>, Failure> {
    StdDisk::create(folder).map(Arc::new).map_err(|error| Failure::io("make", folder, &error))
}

/// Works until it is asked to stop; a job that runs then is found again at the next start.
///
/// # Errors
/// What keeps the worker from starting, or its folder's trouble.
pub fn work(job: &Job, stop: &Stop, output: Output) -> Result<(), Failure> {
    let terms = &job.terms;
    let key = Key::read(&terms.key)?.signing()?;
    let device = match &job.device {
        Some(text) => DeviceId::parse(text).map_err(|error| Failure::usage("NET-DEVICE", error))?,
        None => DeviceId::of_key(&key.public().multicodec()),
    };
    let client = Client::patient(&job.url, Retries { attempts: 2, ..Retries::default() })?;
    let info = client.network()?;
    let network = named_network(job.network.as_deref(), network_id(&info)?)?;
    let told_boot = known(&client, &device, &key.public())?;
    let lease_ms = duration_ms(&terms.lease)
        .ok_or_else(|| Failure::usage("NET-DURATION", format!("`{}` is no duration, such as 1h", terms.lease)))?;
    let limits =
        Limits { capacity: terms.capacity, gas: terms.gas, pages: terms.pages, profiles: terms.profiles.bits() };
    let price = amount(&terms.price, asset(&info)?)?;
    let records = Records::open(disk(&job.folder)?, network, device, told_boot)?;
    for file in records.damaged() {
        let path = job.folder.join(file);
        output.say(format!("warning: {} is not what was written into it, and is passed over", path.display()));
    }
    for mended in records.mended() {
        let what = super::said(&job.folder.join(mended.file), mended);
        output.say(format!("warning[EDGE-MENDED]: {what}"));
    }
    let cache = Arc::new(Cache::open(disk(&job.folder.join("blobs"))?, job.cache_bytes)?);
    let gateway: Arc<dyn Network> = Arc::new(Gateway::of(client));
    let pool = Pool::of(gateway.clone(), cache.clone(), usize::try_from(terms.capacity).unwrap_or(1));
    let is_recorded = info.rehearsed.iter().any(|what| what == RECORDED_CLOCK);
    let clock = if is_recorded { Clock::Recorded } else { Clock::Wall };
    let identity = Identity { key, device, network };
    let terms = Terms { price, limits, lease_ms };
    let mut worker = Worker::new(identity, terms, clock, gateway, cache, records, pool);
    let mut promises = PromiseFile::beside(&job.terms.key, job.promises.as_deref())?;
    output.say(format!("worker {device} of {}, folder {}", info.name, job.folder.display()));
    loop {
        step(&mut worker, &mut promises, output)?;
        if stop.wait(job.poll) {
            return Ok(());
        }
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
fn known(client: &Client, device: &DeviceId, key: &PublicKey) -> Result<Option<u32>, Failure> {
    let known = device_of_key(client, device, key, "enrol it first: `cairn enrol --role worker`")?;
    if known.role != "worker" {
        return Err(Failure::wrong("NODE-ROLE", format!("{device} is enrolled as a {}, not as a worker", known.role))
            .hint("make another key and enrol it: `cairn enrol --role worker`"));
    }
    Ok(known.last_name.map(|(boot, _)| boot))
}
