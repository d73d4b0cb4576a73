//! Who takes part: a device and an owner for every station of the data, and a few labelled attackers.

use cairn_classes::sensing::{Body, Quantity};
use cairn_core::cbor::Value;
use cairn_core::geo::{Cell, Position};
use cairn_core::key::SecretKey;
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::statement::{Body as StatementBody, Draft, Enrol, Mobility, Role};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, DeviceId, Domain, NetworkId};

use crate::dataset::Dataset;
use crate::failure::Failure;
use crate::keys::{Algorithm, Key};

/// The schema that all devices report in.
pub const CLASS: &str = cairn_classes::sensing::SCHEMA;

/// A device with its keys, as its owner has it.
#[derive(Debug, Clone)]
pub struct Device {
    /// What it is called in the summary.
    pub name: String,
    /// Its id.
    pub id: DeviceId,
    /// The account that is paid.
    pub account: Account,
    key: SecretKey,
    owner: WalletKey,
    position: Position,
    altitude_cm: Option<i32>,
    seq: u32,
}

impl Device {
    /// A device with fresh keys.
    fn made(name: String, position: Position, altitude_cm: Option<i32>, chain: &Domain) -> Result<Self, Failure> {
        let key = Key::generate(Algorithm::Ed25519)?.signing()?;
        let owner = Key::generate(Algorithm::Secp256k1)?.wallet()?;
        let id = DeviceId::of_key(&key.public().multicodec());
        let account =
            Account::at(chain.clone(), owner.address()).map_err(|error| Failure::usage("NET-CONFIG", error))?;
        Ok(Self { name, id, account, key, owner, position, altitude_cm, seq: 0 })
    }

    /// Its owner's wallet.
    #[must_use]
    pub const fn wallet(&self) -> &WalletKey {
        &self.owner
    }

    /// The cell that it is in, at a resolution of 0 to 15.
    #[must_use]
    pub fn cell(&self, resolution: u8) -> Cell {
        Cell::containing(self.position, resolution).expect("a position on earth is in a cell")
    }

    /// The statement by which it joins, signed by its key and its owner.
    #[must_use]
    pub fn enrolment(&self, network: NetworkId, resolution: u8, now_ms: u64) -> Vec<u8> {
        let enrol = Enrol {
            key: self.key.public(),
            owner: self.account.clone(),
            role: Role::Device,
            classes: vec![CLASS.to_owned()],
            model: self.name.clone(),
            mobility: Mobility::Fixed,
            cell: self.cell(resolution).index(),
            // The stations' places are published with their data.
            exact: Some((self.position.lat_e7, self.position.lon_e7)),
            altitude_cm: self.altitude_cm,
        };
        let expiry_ms = now_ms.saturating_add(86_400_000);
        Draft::of(Some(network), StatementBody::Enrol(enrol), now_ms.max(1), expiry_ms)
            .signed_by(&self.key)
            .signed_by_wallet(&self.owner)
            .finish()
            .encode()
    }

    /// The next report: values at times, ascending.
    #[must_use]
    pub fn report(&mut self, network: &NetworkId, readings: &[Reading]) -> Vec<u8> {
        let (time_ms, body) = sensing_body(readings);
        let body = ReportBody::of(0, self.seq, time_ms, CLASS, body);
        self.seq += 1;
        sign_report(&self.key, self.id, network, &body)
    }
}

/// Values measured together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When, ms since 1970 UTC.
    pub time_ms: u64,
    /// What.
    pub values: Vec<(Quantity, i64)>,
}

/// A report's time, and its body of one or many readings.
fn sensing_body(readings: &[Reading]) -> (u64, Value) {
    let time_ms = readings.first().expect("a report has a reading").time_ms;
    let many = readings.iter().map(|reading| (reading.time_ms - time_ms, reading.values.iter().copied()));
    let body = Body::many(many).expect("the data's readings ascend within one upload");
    (time_ms, body.encode())
}

/// Everybody who takes part.
#[derive(Debug)]
pub struct Cast {
    /// The stations, in the order of the data set.
    pub stations: Vec<Device>,
    /// Who copies.
    pub copier: Option<Attacker>,
    /// Who inflates.
    pub inflator: Option<Attacker>,
    /// Whose reports are sent again, and whose name is forged: an index into the stations.
    pub victim: Option<usize>,
    forger: SecretKey,
    forged: u32,
}

/// An attacker that is a device of its own and lives on another's readings.
#[derive(Debug)]
pub struct Attacker {
    /// Its device.
    pub device: Device,
    /// The station it takes from: an index into the stations.
    pub source: usize,
}

impl Cast {
    /// The cast for a data set, with attackers if wanted. Stations without readings stay at home.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn of(dataset: &Dataset, readings: &[usize], chain: &Domain, attackers: bool) -> Result<Self, Failure> {
        let stations = dataset
            .stations
            .iter()
            .map(|station| Device::made(station.name.clone(), station.position, station.altitude_cm, chain))
            .collect::<Result<Vec<_>, _>>()?;
        let mut busiest: Vec<usize> = (0..stations.len()).collect();
        busiest.sort_by_key(|&station| (core::cmp::Reverse(readings[station]), station));
        let source = |rank: usize| busiest.get(rank).or(busiest.first()).copied().filter(|_| attackers);
        let attacker = |name: &str, source: usize| {
            let place = nearby(dataset.stations[source].position);
            Device::made(name.to_owned(), place, None, chain).map(|device| Attacker { device, source })
        };
        Ok(Self {
            copier: source(0).map(|source| attacker("copier", source)).transpose()?,
            inflator: source(1).map(|source| attacker("inflator", source)).transpose()?,
            victim: source(2),
            forger: Key::generate(Algorithm::Ed25519)?.signing()?,
            forged: 0,
            stations,
        })
    }

    /// Everybody who enrols: stations first, so that they are senior to those who copy them.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        let attackers = [&self.copier, &self.inflator].into_iter().flatten();
        self.stations.iter().chain(attackers.map(|attacker| &attacker.device))
    }

    /// A report in the victim's name, signed by a key that is not its own.
    pub fn forge(&mut self, network: &NetworkId, readings: &[Reading]) -> Option<Vec<u8>> {
        let victim = &self.stations[self.victim?];
        let (time_ms, body) = sensing_body(readings);
        // Names far above those that the victim uses, so that only the signature can give it away.
        let body = ReportBody::of(1, self.forged, time_ms, CLASS, body);
        self.forged += 1;
        Some(sign_report(&self.forger, victim.id, network, &body))
    }
}

/// A place some kilometres away: an attacker claims a site of its own.
fn nearby(position: Position) -> Position {
    Position::of(position.lat_e7 + 300_000, position.lon_e7 + 300_000).unwrap_or(position)
}

/// Three times the values, and a little more.
#[must_use]
pub fn inflated(readings: &[Reading]) -> Vec<Reading> {
    let inflate = |(quantity, value): &(Quantity, i64)| (*quantity, value * 3 + 800);
    readings
        .iter()
        .map(|reading| Reading { time_ms: reading.time_ms, values: reading.values.iter().map(inflate).collect() })
        .collect()
}
