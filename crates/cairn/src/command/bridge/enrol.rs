//! `cairn bridge enrol`: from a table of what devices are called elsewhere and where they stand, to devices of the network.
//!
//! Each device gets a key of its own, which is kept and not used for reporting: with it the device can be taken from the bridge
//! later. A row whose key is there already goes on where the last run ended, so it may be run again at any time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cairn_bridge::{Adapter, BridgeConfig, DeviceRow};
use cairn_core::DeviceId;
use cairn_log::{StdDisk, replace_whole};
use serde::{Deserialize, Serialize};

use crate::command::enrol;
use crate::connect::Connect;
use crate::failure::Failure;
use crate::keys::{Algorithm, Key};
use crate::output::Output;

/// Rows of one table.
const ROWS_MAX: usize = 10_000;

/// Arguments of `cairn bridge enrol`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// CSV with a header: `external,lat,lon,altitude_m,model`. `external` is where a device comes from and what it is called there,
    /// such as chirpstack:24e124136b502217, sensor-community:esp8266-1234567 or senml:urn:dev:mac:0024befffe804ff1.
    table: PathBuf,
    /// The bridge's configuration.
    #[arg(long, value_name = "FILE", default_value = "bridge.toml")]
    config: PathBuf,
    /// The wallet key file of the owner: of the bridge and of every device.
    #[arg(long, value_name = "FILE")]
    owner: PathBuf,
    /// Publish the exact places too. The log is public and keeps them for ever.
    #[arg(long)]
    exact: bool,
    /// The chain that the owner is paid on, CAIP-2 [default: the network's first]
    #[arg(long, value_name = "CAIP-2")]
    chain: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    external: String,
    lat: String,
    lon: String,
    #[serde(default)]
    altitude_m: Option<String>,
    #[serde(default)]
    model: String,
}

#[derive(Debug, Default, Serialize)]
struct Enrolled {
    enrolled: u64,
    known: u64,
    devices: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When a row cannot be read or a device cannot be enrolled; those before it are, and are in the table.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let config = BridgeConfig::read(&args.config)?;
    let rows = rows(&args.table)?;
    let mut known: BTreeSet<(Adapter, String)> =
        if config.devices.exists() { config.table()?.into_keys().collect() } else { BTreeSet::new() };
    let keys = config.devices.with_extension("keys");
    std::fs::create_dir_all(&keys).map_err(|error| Failure::io("make", &keys, &error))?;
    let connect = Connect::to(config.gateways.first().cloned());
    let mut done = Enrolled { devices: config.devices.clone(), ..Enrolled::default() };
    for (line, row) in rows {
        let bad = |what: &str| Failure::wrong("BRG-TABLE", format!("line {line}: `{}` {what}", row.external));
        let (adapter, name) = row.external.split_once(':').unwrap_or_default();
        let adapter = Adapter::named(adapter).ok_or_else(|| bad("begins with no adapter, such as `chirpstack:`"))?;
        let is_name = |text: &str| {
            (1..=128).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:._/".contains(&byte))
        };
        if !is_name(name) {
            return Err(bad("has a name that is empty, too long, or not of letters, digits and `-:._/`"));
        }
        let name = if adapter == Adapter::Senml { name.to_owned() } else { name.to_ascii_lowercase() };
        if known.contains(&(adapter, name.clone())) {
            done.known += 1;
            continue;
        }
        let device = one(args, &connect, &keys.join(file_name(adapter, &name)), &row, output)?;
        append(
            &config.devices,
            &DeviceRow { external: format!("{}:{name}", adapter.name()), device: device.to_string() },
        )?;
        known.insert((adapter, name));
        done.enrolled += 1;
    }
    output.show(&done, |done| {
        format!("{} enrolled, {} were known\n  devices  {}", done.enrolled, done.known, done.devices.display())
    })
}

/// A key file's name: no two devices have one, and no name leads elsewhere.
fn file_name(adapter: Adapter, name: &str) -> String {
    let hash = cairn_core::Hash::of_parts(&[adapter.name().as_bytes(), b":", name.as_bytes()]);
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(48).collect();
    format!("{}-{plain}-{}.key", adapter.name(), &hash.to_hex()[..8])
}

fn rows(path: &Path) -> Result<Vec<(u64, Row)>, Failure> {
    let bad = |error: &csv::Error| {
        Failure::wrong("BRG-TABLE", format!("{}: {error}", path.display()))
            .hint("the header is `external,lat,lon,altitude_m,model`; the last two may be left out")
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|error| bad(&error))?;
    let mut rows = Vec::new();
    for (at, row) in (2..).zip(reader.deserialize()) {
        if rows.len() == ROWS_MAX {
            return Err(Failure::wrong("BRG-TABLE", format!("more than {ROWS_MAX} rows")));
        }
        rows.push((at, row.map_err(|error| bad(&error))?));
    }
    Ok(rows)
}

/// Enrols one device, unless a run before did.
fn one(args: &Args, connect: &Connect, file: &Path, row: &Row, output: Output) -> Result<DeviceId, Failure> {
    if !file.exists() {
        Key::generate(Algorithm::Ed25519)?.write(file, "a device that a bridge speaks for")?;
    }
    let device = DeviceId::of_key(&Key::read(file)?.signing()?.public().multicodec());
    match connect.client()?.device(&device) {
        Ok(_) => return Ok(device),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    let asked = enrol::Args::of_subject(
        (file.to_owned(), args.owner.clone()),
        connect.clone(),
        (row.lat.clone(), row.lon.clone(), row.altitude_m.clone().filter(|metres| !metres.is_empty())),
        row.model.clone(),
        (args.exact, args.chain.clone()),
    );
    let index = enrol::enrol(&asked)?;
    output.say(format!("{} is {device}, entry {index}", row.external));
    Ok(device)
}

/// Adds a row to the table, whole or not at all.
fn append(path: &Path, row: &DeviceRow) -> Result<(), Failure> {
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "# What the bridge's devices are called elsewhere, and in the network. Written by `cairn bridge enrol`.\n"
                .to_owned()
        }
        Err(error) => return Err(Failure::io("read", path, &error)),
    };
    // Neither holds anything that TOML would read otherwise: names were checked.
    let text = format!("{before}\n[[device]]\nexternal = \"{}\"\ndevice = \"{}\"\n", row.external, row.device);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default();
    let write = || Ok(replace_whole(&StdDisk::create(folder)?, &name.to_string_lossy(), text.as_bytes())?);
    write().map_err(|error: std::io::Error| Failure::io("write", path, &error))
}
