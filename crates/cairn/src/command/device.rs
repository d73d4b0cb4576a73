//! `cairn device`: what the network knows of a device.

use cairn_api::{DeviceInfo, NetworkInfo};
use cairn_core::DeviceId;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{count, score, tokens};

/// Arguments of `cairn device`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device's id, `dev1…`.
    device: String,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
///
/// # Errors
/// When there is no such device, or the gateway cannot be reached.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let id = DeviceId::parse(&args.device).map_err(|error| Failure::usage("NET-DEVICE", error))?;
    let client = args.connect.client()?;
    let device = client.device(&id)?;
    let network = if output.json { None } else { Some(client.network()?) };
    output.show(&device, |device| text(device, network.as_ref()))
}

fn text(device: &DeviceInfo, network: Option<&NetworkInfo>) -> String {
    let mut text = format!("{}\n", device.id);
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<9} {value}\n"));
    line("key", &device.key);
    line("owner", &device.owner);
    if device.payee != device.owner {
        line("paid to", &device.payee);
    }
    line("role", &device.role);
    line("classes", &device.classes.join(", "));
    if !device.model.is_empty() {
        line("model", &device.model);
    }
    line("cell", &format!("{}{}", device.cell, if device.mobile { ", moves" } else { "" }));
    line("enrolled", &format!("by entry {}", device.enrolled_index));
    for (name, index) in [("retired", device.retired_index), ("denied", device.denied_index)] {
        if let Some(index) = index {
            line(name, &format!("by entry {index}"));
        }
    }
    match device.last_name {
        Some((boot, seq)) => line("last name", &format!("boot {boot}, seq {seq}")),
        None => line("last name", "none: it has not reported yet"),
    }
    line("waiting", &format!("{} for the next verdict", count(device.open_reports, "report", "reports")));
    let asset = network.and_then(|network| network.asset.as_ref());
    for epoch in &device.epochs {
        let paid = asset.map_or_else(|| epoch.paid.clone(), |asset| tokens(&epoch.paid, asset.decimals, &asset.symbol));
        text.push_str(&format!(
            "  epoch {:<6} {}, {}, earned {paid} (statement {})\n",
            epoch.epoch.number,
            count(epoch.verdicts, "verdict", "verdicts"),
            score(epoch.score_ppm),
            epoch.epoch.statement,
        ));
    }
    if let Some(last) = device.epochs.first() {
        text.push_str(&format!("\nWhy: cairn explain {} {}", device.id, last.epoch.number));
    }
    text
}
