//! `cairn enrol`: a device joins an owner. Its key signs every field, the owner's wallet countersigns.

use std::path::PathBuf;

use cairn_api::NetworkInfo;
use cairn_core::geo::{Cell, Position};
use cairn_core::statement::{Body, Draft, Enrol, Mobility, Role};
use cairn_core::{Account, DeviceId};
use cairn_ledger::wall_ms;
use serde::Serialize;

use crate::connect::{Connect, network_id};
use crate::dataset::{parse_decimal, parse_position};
use crate::failure::Failure;
use crate::keys::Key;
use crate::output::Output;
use crate::promises::PromiseFile;
use crate::submission::accepted_index;
use crate::work::chain_of;

/// How long the statement stays valid: a day, by the network's time.
const EXPIRY_MS: u64 = 86_400_000;

/// Arguments of `cairn enrol`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The owner's wallet key file.
    #[arg(long, value_name = "FILE")]
    owner: PathBuf,
    #[command(flatten)]
    connect: Connect,
    /// Latitude in decimal degrees. Only the cell around it is sent, unless --exact is given.
    #[arg(
        long,
        value_name = "DEGREES",
        allow_hyphen_values = true,
        requires = "lon",
        required_unless_present = "cell"
    )]
    lat: Option<String>,
    /// Longitude in decimal degrees.
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true, requires = "lat")]
    lon: Option<String>,
    /// The H3 cell, instead of latitude and longitude: 15 hexadecimal digits.
    #[arg(long, conflicts_with_all = ["lat", "lon", "exact"])]
    cell: Option<String>,
    /// Publish the exact place too. The log is public and keeps it for ever.
    #[arg(long)]
    exact: bool,
    /// Height above sea level in metres.
    #[arg(long, value_name = "METRES", allow_hyphen_values = true)]
    altitude_m: Option<String>,
    /// The model, in your words.
    #[arg(long, default_value = "")]
    model: String,
    /// What the device does.
    #[arg(long, value_enum, default_value = "device")]
    role: RoleArg,
    /// A class that the device reports for; may be given more than once. [default: compute/1 of a worker, else sensing/1]
    #[arg(long)]
    class: Vec<String>,
    /// The device moves.
    #[arg(long)]
    mobile: bool,
    /// The chain that the owner is paid on, CAIP-2 [default: the network's first]
    #[arg(long, value_name = "CAIP-2")]
    chain: Option<String>,
    /// Where the gateway's promise is kept [default: the device's key file with .promises]
    #[arg(long, value_name = "FILE")]
    promises: Option<PathBuf>,
}

/// What a device does, in the words of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RoleArg {
    /// Reports what it measures.
    Device,
    /// Runs jobs for buyers.
    Worker,
    /// Speaks for its owner's other devices.
    Bridge,
}

impl RoleArg {
    const fn role(self) -> Role {
        match self {
            Self::Device => Role::Device,
            Self::Worker => Role::Worker,
            Self::Bridge => Role::Bridge,
        }
    }
}

#[derive(Debug, Serialize)]
struct Enrolled {
    device: String,
    owner: String,
    cell: String,
    exact: bool,
    index: u64,
    network_id: String,
    rehearsed: Vec<String>,
    promises: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When a key or place is not one, or the gateway refuses the statement.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    output.show(&enrolled(args)?, |enrolled| {
        let Enrolled { device, owner, cell, index, .. } = enrolled;
        let place = if enrolled.exact { "and its exact place are public" } else { "is public, its place is not" };
        format!("{device} is enrolled by entry {index}\n  owner   {owner}\n  cell    {cell} {place}")
    })
}

/// Enrols a device and says nothing; the entry.
///
/// # Errors
/// As [`run`].
pub fn enrol(args: &Args) -> Result<u64, Failure> {
    enrolled(args).map(|enrolled| enrolled.index)
}

fn enrolled(args: &Args) -> Result<Enrolled, Failure> {
    let key = Key::read(&args.key)?.signing()?;
    let wallet = Key::read(&args.owner)?.wallet()?;
    let client = args.connect.client()?;
    let network = client.network()?;
    let (cell, exact) = args.place(network.h3_resolution)?;
    let owner = args.account(&network, &wallet)?;
    let enrol = Enrol {
        key: key.public(),
        owner: owner.clone(),
        role: args.role.role(),
        classes: args.classes(),
        model: args.model.clone(),
        mobility: if args.mobile { Mobility::Mobile } else { Mobility::Fixed },
        cell: cell.index(),
        exact: exact.map(|position| (position.lat_e7, position.lon_e7)),
        altitude_cm: altitude_cm(args.altitude_m.as_deref())?,
    };
    let expiry_ms = network.time_ms.max(wall_ms()).saturating_add(EXPIRY_MS);
    let draft = Draft::of(Some(network_id(&network)?), Body::Enrol(enrol), wall_ms(), expiry_ms);
    let statement = draft.signed_by(&key).signed_by_wallet(&wallet).finish();
    let mut promises = PromiseFile::beside(&args.key, args.promises.as_deref())?;
    let submitted = client.submit_statement(&statement.encode())?;
    promises.keep(&submitted.response.promise)?;
    Ok(Enrolled {
        device: DeviceId::of_key(&key.public().multicodec()).to_string(),
        owner: owner.to_string(),
        cell: cell.to_string(),
        exact: exact.is_some(),
        index: accepted_index(&submitted)?,
        network_id: network.network_id,
        rehearsed: network.rehearsed,
        promises: promises.path().to_owned(),
    })
}

/// A height in centimetres, of one in metres as people write it.
///
/// # Errors
/// `NET-PLACE`.
pub fn altitude_cm(metres: Option<&str>) -> Result<Option<i32>, Failure> {
    let Some(text) = metres else { return Ok(None) };
    let cm = parse_decimal(text.trim(), 2).and_then(|cm| i32::try_from(cm).ok());
    cm.map(Some).ok_or_else(|| Failure::usage("NET-PLACE", format!("`{text}` is not a number of metres")))
}

impl Args {
    /// Those for a device that a bridge speaks for: files of key and owner; latitude, longitude and height; whether the exact place is
    /// published, and the chain.
    #[must_use]
    pub fn of_subject(
        (key, owner): (PathBuf, PathBuf),
        connect: Connect,
        (lat, lon, altitude_m): (String, String, Option<String>),
        model: String,
        (exact, chain): (bool, Option<String>),
    ) -> Self {
        Self {
            key,
            owner,
            connect,
            lat: Some(lat),
            lon: Some(lon),
            cell: None,
            exact,
            altitude_m,
            model,
            role: RoleArg::Device,
            class: Vec::new(),
            mobile: false,
            chain,
            promises: None,
        }
    }

    fn place(&self, resolution: u8) -> Result<(Cell, Option<Position>), Failure> {
        let (lat, lon) = (self.lat.as_deref().unwrap_or_default(), self.lon.as_deref().unwrap_or_default());
        place(resolution, self.cell.as_deref(), (lat, lon), self.exact)
    }

    fn classes(&self) -> Vec<String> {
        match (self.class.as_slice(), self.role) {
            ([], RoleArg::Device | RoleArg::Bridge) => vec![cairn_classes::sensing::SCHEMA.to_owned()],
            ([], RoleArg::Worker) => vec![cairn_classes::compute::SCHEMA.to_owned()],
            (given, _) => given.to_vec(),
        }
    }

    fn account(&self, network: &NetworkInfo, wallet: &cairn_core::wallet::WalletKey) -> Result<Account, Failure> {
        let chain = chain_of(network, self.chain.as_ref(), "the owner's")?;
        Account::at(chain, wallet.address()).map_err(|error| Failure::usage("NET-CHAIN", error))
    }
}

/// The cell named, or the one around latitude and longitude; and the exact place when the owner opts in.
///
/// # Errors
/// `NET-PLACE`.
pub fn place(
    resolution: u8,
    cell: Option<&str>,
    (lat, lon): (&str, &str),
    exact: bool,
) -> Result<(Cell, Option<Position>), Failure> {
    let bad = |error: String| Failure::usage("NET-PLACE", error);
    if let Some(text) = cell {
        let cell = Cell::parse(text).map_err(|error| bad(error.to_string()))?;
        if let Some(coarser) = cell.parent(resolution).filter(|coarser| *coarser != cell) {
            let what = format!("cell {cell} has resolution {}; the network takes {resolution}", cell.resolution());
            return Err(bad(what).hint(format!("give the cell around it: --cell {coarser}")));
        }
        return Ok((cell, None));
    }
    let position = parse_position(lat.trim(), lon.trim()).map_err(bad)?;
    let cell = Cell::containing(position, resolution)
        .ok_or_else(|| Failure::failed("NET-ANSWER", format!("the network's H3 resolution is {resolution}")))?;
    Ok((cell, exact.then_some(position)))
}
