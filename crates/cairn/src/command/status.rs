//! `cairn status`: what a network is and how it is.

use cairn_api::{Health, NetworkInfo};
use serde::Serialize;

use crate::connect::Connect;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::words::{count, duration, rehearsed_lines, utc};

/// Arguments of `cairn status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Serialize)]
struct Status {
    url: String,
    network: NetworkInfo,
    /// Absent when the gateway is not well.
    health: Option<Health>,
}

/// Runs the command.
///
/// # Errors
/// When the gateway cannot be reached, or is not well.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let client = args.connect.client()?;
    let network = client.network()?;
    let (health, unwell) = match client.health() {
        Ok(health) => (Some(health), None),
        Err(error) => (None, Some(Failure { exit: Exit::Wrong, ..Failure::from(error) })),
    };
    let status = Status { url: client.url().to_owned(), network, health };
    match unwell {
        None => output.show(&status, text),
        Some(failure) => output.show_wrong(&status, text, failure),
    }
}

fn text(status: &Status) -> String {
    let Status { url, network, health } = status;
    let starts_ms = network.epoch_zero_ms.saturating_add(network.epoch_ms.saturating_mul(network.epoch));
    let ends_ms = starts_ms.saturating_add(network.epoch_ms);
    let state = health.as_ref().map_or("not well", |health| health.status.as_str());
    let mut text = format!("{} at {url}: {state}\n", network.name);
    text.push_str(&rehearsed_lines("  ", &network.rehearsed));
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<11}{value}\n"));
    line("network", network.network_id.clone());
    line("origin", network.origin.clone());
    line("operator", network.operator.clone());
    line("time", utc(network.time_ms));
    line("entries", network.size.to_string());
    if let Some(health) = health {
        let age = duration(health.checkpoint_age_ms);
        line("checkpoint", format!("over {}, brought up to date {age} ago", health.checkpoint_size));
    }
    line("epoch", format!("{} is open, {} to {}", network.epoch, utc(starts_ms), utc(ends_ms)));
    line("closes", format!("{} after its end", duration(network.grace_ms)));
    match &network.last_closed {
        Some(last) => line("closed", format!("epoch {}, statement {}", last.number, last.statement)),
        None => line("closed", "none yet".to_owned()),
    }
    if let Some(asset) = &network.asset {
        line("token", format!("{}, {}", asset.symbol, count(asset.decimals.into(), "decimal", "decimals")));
    }
    if !network.domains.is_empty() {
        line("settles on", network.domains.join(", "));
    }
    for class in &network.classes {
        let profile =
            class.profile_hash.as_deref().map_or("no profile yet".to_owned(), |hash| format!("profile {hash}"));
        line("judges", format!("{} with revision {}, {profile}", class.class, class.revision));
    }
    line("devices", network.devices.to_string());
    text
}
