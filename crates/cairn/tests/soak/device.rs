//! Simulated devices and their owners.

use cairn_classes::sensing::{Body, Quantity, SCHEMA};
use cairn_core::geo::{Cell, Position};
use cairn_core::key::{Algorithm, SecretKey};
use cairn_core::report::{ClockSource, ReportBody, flag, sign_report};
use cairn_core::statement::{Enrol, Mobility, Role};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, DeviceId, Domain, Hash, NetworkId};

use crate::network::wall_ms;
use crate::plan::Random;
use crate::stage::Card;

/// The finest cell that the starting policy takes.
const RESOLUTION: u8 = 8;

/// An owner's wallet.
pub struct Owner {
    pub wallet: WalletKey,
    pub account: Account,
}

impl Owner {
    pub fn of(random: &mut Random) -> Self {
        let wallet = WalletKey::from_bytes(random.seed_32()).expect("a scalar past the order is not met by chance");
        let chain = Domain::parse("eip155:31337").unwrap();
        Self { account: Account::at(chain, wallet.address()).unwrap(), wallet }
    }
}

/// A key of an algorithm.
pub fn key(algorithm: Algorithm, random: &mut Random) -> SecretKey {
    match algorithm {
        Algorithm::Ed25519 => SecretKey::ed25519(random.seed_32()),
        Algorithm::P256 => SecretKey::p256(random.seed_32()).expect("a scalar past the order is not met by chance"),
    }
}

/// A device.
pub struct Device {
    pub id: DeviceId,
    pub key: SecretKey,
    former: Option<SecretKey>,
    /// Which of its sender's owners has it.
    pub owner: usize,
    made_ms: u64,
    /// When its enrolment was answered; before that it says nothing.
    pub enrolled_ms: Option<u64>,
    boot: u32,
    seq: u32,
    offset: i64,
    position: Position,
}

/// What a report is known by in the books: its device, which stands in the header, and its payload.
pub fn identity(device: DeviceId, payload: &[u8]) -> Hash {
    Hash::of_parts(&[&device.0, payload])
}

/// A report as it was signed.
#[derive(Clone)]
pub struct Made {
    pub bytes: Vec<u8>,
    /// See [`identity`].
    pub identity: Hash,
    pub payload: Vec<u8>,
    pub time_ms: u64,
    pub device: DeviceId,
}

impl Device {
    /// A device somewhere in a town of ten kilometres; every third has a P-256 key.
    pub fn of(owner: usize, random: &mut Random) -> Self {
        let algorithm = if random.below(3) == 0 { Algorithm::P256 } else { Algorithm::Ed25519 };
        let key = key(algorithm, random);
        let place = |around: i32, random: &mut Random| around + i32::try_from(random.below(1_000_000)).unwrap();
        let position = Position::of(place(535_000_000, random), place(99_000_000, random)).unwrap();
        Self {
            id: DeviceId::of_key(&key.public().multicodec()),
            key,
            former: None,
            owner,
            made_ms: wall_ms(),
            enrolled_ms: None,
            boot: 1,
            seq: 0,
            offset: i64::try_from(random.below(60)).unwrap(),
            position,
        }
    }

    /// What its enrolment says.
    pub fn enrol(&self, owner: &Account, random: &mut Random) -> Enrol {
        let exact = random.below(2) == 0;
        Enrol {
            key: self.key.public(),
            owner: owner.clone(),
            role: Role::Device,
            classes: vec![SCHEMA.to_owned()],
            model: "simulated".to_owned(),
            mobility: Mobility::Fixed,
            cell: Cell::containing(self.position, RESOLUTION).unwrap().index(),
            exact: exact.then_some((self.position.lat_e7, self.position.lon_e7)),
            altitude_cm: None,
        }
    }

    /// The key from now on.
    pub fn rotate(&mut self, next: SecretKey) {
        self.former = Some(core::mem::replace(&mut self.key, next));
    }

    /// What attackers know of it.
    pub fn card(&self) -> Card {
        Card { id: self.id, key: self.key.clone(), former: self.former.clone(), made_ms: self.made_ms }
    }

    /// A report of a time under the next name. Now and then the device starts anew, or says that it has no clock.
    pub fn report(&mut self, network: &NetworkId, time_ms: u64, is_late: bool, random: &mut Random) -> Made {
        if random.below(200) == 0 {
            (self.boot, self.seq) = (self.boot + 1, 0);
        }
        self.seq += 1;
        self.signed(network, time_ms, is_late, random)
    }

    /// Another payload under the last name.
    pub fn contradict(&self, network: &NetworkId, first: &Made, random: &mut Random) -> Made {
        loop {
            let made = self.signed(network, first.time_ms, false, random);
            if made.identity != first.identity {
                return made;
            }
        }
    }

    fn signed(&self, network: &NetworkId, time_ms: u64, is_late: bool, random: &mut Random) -> Made {
        let noise = i64::try_from(random.below(40)).unwrap();
        // A day of ten minutes between 10 and 20 degrees.
        let of_day = i64::try_from(time_ms % 600_000).unwrap();
        let day = (of_day - 300_000).abs() / 300;
        let temperature = 1_000 + day + self.offset + noise;
        let values = [(Quantity::AirTemperature, temperature), (Quantity::RelativeHumidity, 9_000 - temperature)];
        let mut body = ReportBody::of(self.boot, self.seq, time_ms, SCHEMA, Body::one(values).unwrap().encode());
        if is_late {
            body.flags = flag::BACKFILLED;
        } else if random.below(20) == 0 {
            body.clock = Some((ClockSource::Ntp, 20));
        }
        let bytes = sign_report(&self.key, self.id, network, &body);
        let payload = body.encode();
        Made { identity: identity(self.id, &payload), payload, bytes, time_ms, device: self.id }
    }
}
