//! `cairn up`: run a network until it is told to stop.

use std::path::PathBuf;
use std::time::Duration;

use cairn_gateway::{Gateway, GatewayOptions, Running};
use serde::Serialize;

use crate::config::{Config, Folder};
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
}

#[derive(Debug, Serialize)]
struct Started {
    name: String,
    network_id: String,
    url: String,
    size: u64,
    epoch: u64,
    rehearsed: Vec<String>,
}

/// Starts what `cairn up` runs.
///
/// # Errors
/// When the network cannot be opened or the address not be bound.
pub fn start(folder: &Folder, listen: Option<&str>, output: Output) -> Result<Running, Failure> {
    let config = Config::read(folder)?;
    let sequencer = open_network(folder, &config, output)?;
    let options = GatewayOptions {
        listen: listen.unwrap_or(&config.gateway.listen).to_owned(),
        checkpoint: Duration::from_millis(config.gateway.checkpoint_ms),
        ..GatewayOptions::default()
    };
    Ok(Gateway::start(sequencer, config.clock(), options)?)
}

/// Runs the command.
///
/// # Errors
/// When the network cannot be started, or stops by itself.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let folder = Folder::at(&args.dir);
    let running = start(&folder, args.listen.as_deref(), output)?;
    let url = format!("http://{}", running.address());
    let info = cairn_client::Client::at(&url)?.network()?;
    let started = Started {
        name: info.name,
        network_id: info.network_id,
        url,
        size: info.size,
        epoch: info.epoch,
        rehearsed: info.rehearsed,
    };
    output.show(&started, |started| {
        let mut text = format!("{} is up at {}\n  network   {}\n", started.name, started.url, started.network_id);
        text.push_str(&format!("  entries   {}\n  epoch     {} is open\n", started.size, started.epoch));
        for what in &started.rehearsed {
            text.push_str(&format!("  rehearsed {what}\n"));
        }
        text + "\nStop it with Ctrl-C."
    })?;
    running.wait_for_signal()?;
    output.say("stopped; the log is closed and its checkpoint published");
    Ok(())
}
