//! Simulated devices: keys, enrolments, and reports signed ahead of time.
//!
//! The devices are made up and so is what they say; a network that takes them is a rehearsal. Every device has a key of
//! its own; owners are Ed25519 wallets, since their signatures are the quickest to make and to check.

use std::ops::Range;

use cairn_classes::sensing::{Body as Sensed, Quantity, SCHEMA};
use cairn_core::ed25519::SigningKey;
use cairn_core::geo::{Cell, Position};
use cairn_core::key::{PublicKey, SecretKey};
use cairn_core::report::{ClockSource, ReportBody, sign_report};
use cairn_core::statement::{Body, Draft, Enrol, Mobility, Role, Signed, Signer};
use cairn_core::{Account, Address, DeviceId, Domain, Hash, NetworkId, wallet};
use cairn_ledger::wall_ms;

use crate::failure::Failure;
use crate::keys::random;

/// The chain that the owners' accounts are named on: Solana's development network.
const OWNERS_CHAIN: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";
/// Devices of one owner, at most what the default policy allows.
const DEVICES_PER_OWNER: usize = 50;
/// How long an enrolment stays valid: a day.
const EXPIRY_MS: u64 = 86_400_000;

/// A device that signs.
pub struct Device {
    key: SecretKey,
    /// Its id.
    pub id: DeviceId,
}

/// All devices of a run.
pub struct Fleet {
    network: NetworkId,
    seed: [u8; 32],
    /// In the order in which they are enrolled.
    pub devices: Vec<Device>,
}

impl Fleet {
    /// Makes fresh keys; of every hundred devices `p256_share` sign with P-256.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn make(network: NetworkId, devices: usize, p256_share: u8) -> Result<Self, Failure> {
        let seed = random()?;
        let make = |at: usize| {
            let secret = Hash::of_parts(&[&seed, b"device", &(at as u64).to_be_bytes()]).0;
            let is_p256 = at % 100 < usize::from(p256_share);
            let p256 = if is_p256 { SecretKey::p256(secret) } else { None };
            let key = p256.unwrap_or_else(|| SecretKey::ed25519(secret));
            let id = DeviceId::of_key(&key.public().multicodec());
            Device { key, id }
        };
        let devices = spread(0..devices, |range| range.map(make).collect::<Vec<_>>()).into_iter().flatten().collect();
        Ok(Self { network, seed, devices })
    }

    /// The enrolments of some devices, signed by device and owner.
    ///
    /// # Errors
    /// When a name that is written here is none.
    pub fn enrolments(&self, range: Range<usize>) -> Result<Vec<Vec<u8>>, Failure> {
        let bad = |error| Failure::failed("NET-BENCH", error);
        let chain = Domain::parse(OWNERS_CHAIN).map_err(bad)?;
        let expiry_ms = wall_ms().saturating_add(EXPIRY_MS);
        let made = spread(range, |range| {
            range.map(|at| self.enrolment(at, &chain, expiry_ms)).collect::<Result<Vec<_>, Failure>>()
        });
        made.into_iter().collect::<Result<Vec<_>, _>>().map(|parts| parts.into_iter().flatten().collect())
    }

    fn enrolment(&self, at: usize, chain: &Domain, expiry_ms: u64) -> Result<Vec<u8>, Failure> {
        let owner_number = (at / DEVICES_PER_OWNER) as u64;
        let owner = SigningKey::from_seed(Hash::of_parts(&[&self.seed, b"owner", &owner_number.to_be_bytes()]).0);
        let address = owner.public_bytes();
        let account = Account::at(chain.clone(), Address::Solana(address))
            .map_err(|error| Failure::failed("NET-BENCH", error))?;
        let device = &self.devices[at];
        let enrol = Enrol {
            key: device.key.public(),
            owner: account,
            role: Role::Device,
            classes: vec![SCHEMA.to_owned()],
            model: "simulated".to_owned(),
            mobility: Mobility::Fixed,
            cell: cell_of(at)?.index(),
            exact: None,
            altitude_cm: None,
        };
        // An owner's nonces rise with his devices, which are enrolled in this order.
        let draft = Draft::of(Some(self.network), Body::Enrol(enrol), at as u64 + 1, expiry_ms);
        let mut statement = draft.signed_by(&device.key).finish();
        let line = wallet::statement_line(&self.network, &statement.payload);
        let signature = owner.sign(line.as_bytes()).to_vec();
        statement.signed.push(Signed { signer: Signer::Solana(address), signature });
        Ok(statement.encode())
    }

    /// The public key of a device.
    pub fn public(&self, device: usize) -> PublicKey {
        self.devices[device].key.public()
    }

    /// A report of a device, five quantities measured at `time_ms`.
    ///
    /// # Errors
    /// When what is written here is no body of the class.
    pub fn report(&self, device: usize, seq: u32, time_ms: u64) -> Result<Vec<u8>, Failure> {
        let value = |least: i64, spread: i64| {
            let at = i64::try_from(device).unwrap_or(0).wrapping_mul(7_919).wrapping_add(i64::from(seq));
            least + at.rem_euclid(spread)
        };
        let sensed = Sensed::one([
            (Quantity::AirTemperature, value(500, 2_000)),
            (Quantity::RelativeHumidity, value(3_000, 5_000)),
            (Quantity::Pressure, value(99_000, 3_000)),
            (Quantity::Pm10, value(50, 400)),
            (Quantity::Pm25, value(20, 200)),
        ])?;
        let body = ReportBody {
            clock: Some((ClockSource::Ntp, 50)),
            ..ReportBody::of(1, seq, time_ms, SCHEMA, sensed.encode())
        };
        let device = &self.devices[device];
        Ok(sign_report(&device.key, device.id, &self.network, &body))
    }
}

/// Devices stand in a grid of a few thousand cells.
fn cell_of(at: usize) -> Result<Cell, Failure> {
    let at = i32::try_from(at % 4_096).unwrap_or(0);
    let position = Position::of(500_000_000 + at / 64 * 100_000, 80_000_000 + at % 64 * 150_000);
    let cell = position.and_then(|position| Cell::containing(position, 8));
    cell.ok_or_else(|| Failure::failed("NET-BENCH", "the devices stand nowhere"))
}

/// Does the parts of a range on all cores, and hands back what they made in order.
pub fn spread<T: Send>(range: Range<usize>, work: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
    let part = range.len().div_ceil(threads()).max(1);
    let parts: Vec<Range<usize>> =
        range.clone().step_by(part).map(|start| start..(start + part).min(range.end)).collect();
    std::thread::scope(|scope| {
        let working: Vec<_> = parts.into_iter().map(|part| scope.spawn(|| work(part))).collect();
        let done = |thread: std::thread::ScopedJoinHandle<'_, T>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        working.into_iter().map(done).collect()
    })
}

/// Cores that this process may use.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_spread_whole_and_in_order() {
        for range in [0..0, 3..4, 5..100] {
            let parts = spread(range.clone(), |part| part.collect::<Vec<_>>());
            assert_eq!(parts.concat(), range.collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_share_of_p256_is_that_of_every_hundred_devices() {
        for (share, count) in [(0, 0), (10, 20), (100, 200)] {
            let fleet = Fleet::make(NetworkId(Hash::ZERO), 200, share).unwrap();
            let is_p256 = |device: &&Device| matches!(device.key, SecretKey::P256(_));
            assert_eq!(fleet.devices.iter().filter(is_p256).count(), count);
        }
    }
}
