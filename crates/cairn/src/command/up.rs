//! `cairn up`: run a network until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use cairn_gateway::{Gateway, GatewayOptions, Running, Till, WitnessingOptions, sync_times_us};
use cairn_ledger::Ledger;
use serde::Serialize;

use crate::announce::{Listening, announce};
use crate::config::{ClockKind, Config, Folder};
use crate::failure::Failure;
use crate::open::open_network;
use crate::output::Output;

/// Arguments of `cairn up`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Address and port to listen on, instead of the one in `network.toml`.
    #[arg(long)]
    listen: Option<String>,
    /// Announce the gateway on the local network, so that nodes there find it: as `announce` in `network.toml`.
    #[arg(long)]
    announce: bool,
    /// Write a portable proof into this folder when a witness holds a checkpoint that the log's key signed and this log is
    /// not: a copy of it went on elsewhere, or somebody else has the key.
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Started {
    name: String,
    network_id: String,
    url: String,
    admin_url: Option<String>,
    size: u64,
    epoch: u64,
    rehearsed: Vec<String>,
    /// Whether nodes on the local network find it by themselves.
    announced: bool,
}

/// Starts what `cairn up` runs.
///
/// # Errors
/// When the network cannot be opened or the address not be bound.
pub fn start(folder: &Folder, listen: Option<&str>, output: Output) -> Result<Running, Failure> {
    begin(folder, &Config::read(folder)?, listen, None, output).map(|(running, _)| running)
}

/// As [`start`], with the ledger that is served.
fn begin(
    folder: &Folder,
    config: &Config,
    listen: Option<&str>,
    evidence: Option<&Path>,
    output: Output,
) -> Result<(Running, Arc<RwLock<Ledger>>), Failure> {
    let syncs_us = sync_times_us();
    let sequencer = open_network(folder, config, &syncs_us, output)?;
    let till = config.till.as_ref().map(|till| till.open(folder, &sequencer.ledger())).transpose()?;
    let is_recorded = config.network.clock == ClockKind::Recorded;
    // What was cosigned earlier is served on, also when nobody is asked any more.
    let is_witnessed = !config.witness.is_empty() || folder.witnessed().is_dir();
    let witnessing = is_witnessed.then(|| config.witnessing.options(&config.witness, folder.witnessed()));
    let options = GatewayOptions {
        syncs_us: Some(syncs_us),
        witnessing: witnessing
            .transpose()?
            .map(|options| WitnessingOptions { evidence: evidence.map(Path::to_owned), ..options }),
        signatures: Some(folder.signatures()),
        settled: Some(folder.settled()),
        basemap: config.console.open_basemap(folder.root())?,
        blobs: Some(config.blobs.options(folder.blobs())?),
        broker: config.mqtt.as_ref().map(|mqtt| mqtt.options(folder.root())).transpose()?,
        till: till.map(|till| -> Arc<dyn Till> { Arc::new(till) }),
        ..config.gateway.options(listen, is_recorded, folder.root())?
    };
    let ledger = sequencer.ledger();
    Ok((Gateway::start(sequencer, config.clock(), options)?, ledger))
}

/// Runs the command.
///
/// # Errors
/// When the network cannot be started, or stops by itself.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let folder = Folder::at(&args.dir);
    let config = Config::read(&folder)?;
    let (running, ledger) = begin(&folder, &config, args.listen.as_deref(), args.evidence.as_deref(), output)?;
    let mut started = started(&running, &ledger)?;
    let announcer = (args.announce || config.gateway.announce).then(|| {
        let listening = Listening {
            name: started.name.clone(),
            network_id: started.network_id.clone(),
            address: running.address(),
            speaks_tls: running.speaks_tls(),
        };
        announce(listening, &config.gateway)
    });
    let announcer = announcer.transpose()?;
    started.announced = announcer.is_some();
    output.show(&started, |started| {
        let mut text = format!("{} is up at {}\n  network   {}\n", started.name, started.url, started.network_id);
        text.push_str(&format!("  entries   {}\n  epoch     {} is open\n", started.size, started.epoch));
        if let Some(admin) = &started.admin_url {
            text.push_str(&format!("  operator  {admin}/metrics\n"));
        }
        if started.announced {
            text.push_str("  announced on the local network\n");
        }
        for what in &started.rehearsed {
            text.push_str(&format!("  rehearsed {what}\n"));
        }
        text + "\nStop it with Ctrl-C."
    })?;
    running.wait_for_signal()?;
    drop(announcer);
    output.say("stopped; the log is closed and its checkpoint published");
    Ok(())
}

/// What is told of a network that is up; asked of its ledger, since its certificate may not be for this machine's name.
fn started(running: &Running, ledger: &RwLock<Ledger>) -> Result<Started, Failure> {
    let missing = || Failure::wrong("NET-GENESIS", "the log has no genesis statement");
    let ledger = ledger.read().map_err(|_| Failure::wrong("NET-STOPPED", "the writer failed as it began"))?;
    let state = ledger.state();
    let network = state.network.as_ref().ok_or_else(missing)?;
    let scheme = if running.speaks_tls() { "https" } else { "http" };
    Ok(Started {
        name: network.genesis.name.clone(),
        network_id: network.id.0.to_string(),
        url: format!("{scheme}://{}", running.address()),
        admin_url: running.admin_address().map(|address| format!("http://{address}")),
        size: ledger.reader().size(),
        epoch: state.epoch.number,
        rehearsed: network.genesis.rehearsed.clone(),
        announced: false,
    })
}
