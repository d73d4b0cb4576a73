//! Attacks on reports, statements and observations: forged, replayed, foreign, mistimed, non-canonical, cut, mutated.

use cairn_classes::sensing::{Body, Quantity, SCHEMA};
use cairn_core::cbor::{Encoder, Value};
use cairn_core::cose::{Purpose, Sign1, sig_structure, sign1};
use cairn_core::key::{Algorithm, SecretKey};
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::statement::{Body as Said, Draft};
use cairn_core::{DeviceId, Hash, NetworkId};

use super::{Attack, Attacker};
use crate::device::{Owner, key};
use crate::network::wall_ms;
use crate::stage::{Card, Stage};

const REPORTS: &str = "/v1/reports";
const STATEMENTS: &str = "/v1/statements";

/// A known report may have become too old, or its device have gone.
const REPEATED: &[&str] = &["duplicate", "RPT-TOO-LATE", "RPT-RETIRED"];
/// The device may be sending too fast just now, or have gone.
const FORGED: &[&str] = &["RPT-SIGNATURE", "RPT-RATE", "RPT-RETIRED"];

/// n of P-256 (SEC 2, section 2.4.2), for the second signature that every signature of ECDSA has: (r, n - s).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

impl Attacker {
    /// A report body of a time under a name that no device will ever use.
    fn body(&mut self, time_ms: u64) -> ReportBody {
        let seq = u32::try_from(self.random.below(1 << 32)).unwrap();
        let value = i64::try_from(self.random.below(2_000)).unwrap();
        let body = Body::one([(Quantity::AirTemperature, value)]).unwrap();
        ReportBody::of(4_000_000_000 + u32::from(self.number), seq, time_ms, SCHEMA, body.encode())
    }

    /// One of the attacks; reading, as long as nothing is known yet.
    pub(super) fn report_or_statement(&mut self, stage: &Stage) -> Attack {
        let Some(card) = stage.gossip.a_device(&mut self.random) else { return self.http(stage) };
        match self.random.below(16) {
            0..3 => self.forged(stage, &card),
            3 => self.foreign(&card),
            4..6 => self.replayed(stage).unwrap_or_else(|| self.forged(stage, &card)),
            6 => self.signed_again(stage).unwrap_or_else(|| self.forged(stage, &card)),
            7 => self.mistimed(stage, &card),
            8..10 => self.not_canonical(stage).unwrap_or_else(|| self.forged(stage, &card)),
            10..13 => self.mutated(stage).unwrap_or_else(|| self.forged(stage, &card)),
            13 => self.cut(stage).unwrap_or_else(|| self.forged(stage, &card)),
            14 => self.statement(stage, &card),
            _ => self.statement_again(stage).unwrap_or_else(|| self.statement(stage, &card)),
        }
    }

    /// The right device id and the wrong key: another one, the one before, or a signature with a turned bit.
    fn forged(&mut self, stage: &Stage, card: &Card) -> Attack {
        let body = self.body(wall_ms());
        let network = &stage.facts.id;
        let another = key(card.key.public().algorithm(), &mut self.random);
        let report = match (self.random.below(3), &card.former) {
            (0, Some(former)) => sign_report(former, card.id, network, &body),
            (1, _) => {
                let mut report = sign_report(&card.key, card.id, network, &body);
                let turned = report.len() - 1 - self.random.at(64);
                report[turned] ^= 1 << self.random.below(8);
                report
            }
            _ => sign_report(&another, card.id, network, &body),
        };
        Attack::items("forged", REPORTS, &[report], FORGED)
    }

    /// Signed by the device itself, for another network or another purpose; or of a device that nobody enrolled.
    fn foreign(&mut self, card: &Card) -> Attack {
        let body = self.body(wall_ms());
        let elsewhere = NetworkId(Hash(self.random.seed_32()));
        if self.random.below(3) == 0 {
            let stranger = DeviceId::of_key(&self.random.bytes(34));
            let report = sign_report(&card.key, stranger, &elsewhere, &body);
            return Attack::items("a stranger's report", REPORTS, &[report], &["RPT-UNKNOWN-DEVICE"]);
        }
        let report = match self.random.below(2) {
            0 => sign_report(&card.key, card.id, &elsewhere, &body),
            _ => sign1(&card.key, &card.id.0, Purpose::Statement, &elsewhere, &body.encode()),
        };
        Attack::items("a report of another network", REPORTS, &[report], FORGED)
    }

    fn replayed(&mut self, stage: &Stage) -> Option<Attack> {
        let known = stage.gossip.a_report(&mut self.random)?;
        let times = 1 + self.random.at(5);
        Some(Attack::items("replayed", REPORTS, &vec![known.bytes; times], REPEATED))
    }

    /// The same payload under another signature that verifies: it is the same report.
    fn signed_again(&mut self, stage: &Stage) -> Option<Attack> {
        let known = stage.gossip.a_report(&mut self.random)?;
        let sign = Sign1::parse(&known.bytes).ok()?;
        let bytes = match known.key.public().algorithm() {
            Algorithm::P256 if self.random.below(2) == 0 => {
                let mut bytes = known.bytes.clone();
                let at = bytes.len() - 32;
                let other = other_s(bytes[at..].try_into().ok()?);
                bytes[at..].copy_from_slice(&other);
                bytes
            }
            algorithm => {
                let older = if algorithm == Algorithm::P256 { -7 } else { -8 };
                under_header(&known.key, older, known.device, &stage.facts.id, sign.payload)
            }
        };
        Some(Attack::items("replayed under another signature", REPORTS, &[bytes], REPEATED))
    }

    /// Signed by the device, but of a time that cannot be.
    fn mistimed(&mut self, stage: &Stage, card: &Card) -> Attack {
        let (now_ms, epoch_ms) = (wall_ms(), stage.facts.epoch_ms);
        let signed = |body: &ReportBody| sign_report(&card.key, card.id, &stage.facts.id, body);
        // The device may have got another key meanwhile; the time is looked at before the signature.
        match self.random.below(4) {
            0 => {
                let time_ms = now_ms + 10 * epoch_ms + self.random.below(1 << 40);
                Attack::items(
                    "from the future",
                    REPORTS,
                    &[signed(&self.body(time_ms))],
                    &["RPT-FUTURE", "RPT-RETIRED"],
                )
            }
            1 => {
                let time_ms = [u64::MAX, u64::MAX - 1, i64::MAX as u64, 1 << 63][self.random.at(4)];
                let rows = &["RPT-FUTURE", "RPT-RETIRED", "RPT-PAYLOAD", "CLS-*", "SEN-*"];
                Attack::items("from the end of time", REPORTS, &[signed(&self.body(time_ms))], rows)
            }
            2 => {
                let time_ms = card.made_ms - 1 - self.random.below(epoch_ms);
                let rows = &["RPT-BEFORE-ENROLMENT", "RPT-TOO-LATE", "RPT-BEFORE-START", "RPT-RETIRED"];
                Attack::items("from before the enrolment", REPORTS, &[signed(&self.body(time_ms))], rows)
            }
            _ => {
                let time_ms = self.random.below(stage.facts.zero_ms);
                let rows = &["RPT-BEFORE-START", "RPT-RETIRED"];
                Attack::items("from before the network", REPORTS, &[signed(&self.body(time_ms))], rows)
            }
        }
    }

    /// A valid report written in another way, with signatures that hold where they can.
    fn not_canonical(&mut self, stage: &Stage) -> Option<Attack> {
        let known = stage.gossip.a_report(&mut self.random)?;
        let sign = Sign1::parse(&known.bytes).ok()?;
        let bytes = &known.bytes;
        let resigned = |payload: &[u8]| sign1(&known.key, &known.device.0, Purpose::Report, &stage.facts.id, payload);
        let bytes = match self.random.below(9) {
            // Without the tag, and with another one.
            0 => bytes[1..].to_vec(),
            1 => [&[0xd1], &bytes[1..]].concat(),
            // An array of indefinite length, and one whose length takes a byte more.
            2 => [&[0xd2, 0x9f], &bytes[2..], &[0xff]].concat(),
            3 => [&[0xd2, 0x98, 0x04], &bytes[2..]].concat(),
            // A header that is not protected.
            4 => {
                let mut out = Encoder::empty();
                out.tag(18).array(4).bytes(sign.protected).map(1).int(99).int(1);
                out.bytes(sign.payload).bytes(&sign.signature).take()
            }
            // Payloads signed as they are: with a byte more, with a first key in two bytes, in another order.
            5 => resigned(&[sign.payload, &[0]].concat()),
            6 => resigned(&[&sign.payload[..1], &[0x18, 0x01], &sign.payload[2..]].concat()),
            7 => resigned(&Value::map(vec![(2, Value::Int(1)), (1, Value::Int(1))]).encode()),
            _ => [bytes.as_slice(), &[0xf6]].concat(),
        };
        Some(Attack::items("not canonical", REPORTS, &[bytes], &["RPT-COSE", "RPT-PAYLOAD"]))
    }

    /// A valid report with bytes changed, cut out or put in. Its name is used, so it may be a repeat; never is it new.
    fn mutated(&mut self, stage: &Stage) -> Option<Attack> {
        let mut bytes = stage.gossip.a_report(&mut self.random)?.bytes;
        for _ in 0..=self.random.below(4) {
            let at = self.random.at(bytes.len());
            match self.random.below(5) {
                0..3 => bytes[at] ^= 1 << self.random.below(8),
                3 => drop(bytes.remove(at)),
                _ => bytes.insert(at, self.random.next().to_le_bytes()[0]),
            }
        }
        Some(Attack::items("mutated report", REPORTS, &[bytes], &["RPT-*", "CLS-*", "SEN-*", "duplicate"]))
    }

    /// A sequence of known reports whose last is cut off.
    fn cut(&mut self, stage: &Stage) -> Option<Attack> {
        let (first, last) = (stage.gossip.a_report(&mut self.random)?, stage.gossip.a_report(&mut self.random)?);
        let length = 1 + self.random.at(last.bytes.len() - 1);
        let rows = &["duplicate", "RPT-TOO-LATE", "RPT-RETIRED", "RPT-SEQUENCE"];
        Some(Attack::items("cut sequence", REPORTS, &[first.bytes, last.bytes[..length].to_vec()], rows))
    }

    /// Statements and observations that somebody has no right to.
    fn statement(&mut self, stage: &Stage, card: &Card) -> Attack {
        let facts = stage.facts;
        let nobody = Owner::of(&mut self.random);
        let draft = |network, expiry_ms| Draft::of(Some(network), Said::Retire(card.id), facts.nonce(), expiry_ms);
        let soon = wall_ms() + 600_000;
        match self.random.below(5) {
            0 => {
                let retire = draft(facts.id, soon).signed_by_wallet(&nobody.wallet).finish();
                Attack::items("another's device retired", STATEMENTS, &[retire.encode()], &["STM-RIGHTS", "STM-DEVICE"])
            }
            1 => {
                let elsewhere = NetworkId(Hash(self.random.seed_32()));
                let retire = draft(elsewhere, soon).signed_by_wallet(&nobody.wallet).finish();
                // A wallet is recovered from its signature, so one for another network is simply somebody else's.
                let rows = &["STM-SIGNATURE", "STM-RIGHTS"];
                Attack::items("a statement of another network", STATEMENTS, &[retire.encode()], rows)
            }
            2 => {
                let retire = draft(facts.id, wall_ms() - 1).signed_by_wallet(&nobody.wallet).finish();
                Attack::items("an expired statement", STATEMENTS, &[retire.encode()], &["STM-EXPIRED"])
            }
            3 => {
                let mut retire = draft(facts.id, soon).signed_by(&card.key).finish();
                retire.payload = draft(facts.id, soon).finish().payload;
                Attack::items(
                    "a statement under another's signature",
                    STATEMENTS,
                    &[retire.encode()],
                    &["STM-SIGNATURE"],
                )
            }
            _ => {
                let clock = ObservationBody::clock(wall_ms() + self.random.below(1 << 40));
                let observation = sign_observation(&key(Algorithm::Ed25519, &mut self.random), &facts.id, &clock);
                Attack::items("a stranger's observation", "/v1/observations", &[observation], &["OBS-OBSERVER"])
            }
        }
    }

    /// A logged statement again, or mutated.
    fn statement_again(&mut self, stage: &Stage) -> Option<Attack> {
        let mut bytes = stage.gossip.a_statement(&mut self.random)?;
        if self.random.below(2) == 0 {
            let rows = &["STM-NONCE", "STM-EXPIRED"];
            return Some(Attack::items("replayed statement", STATEMENTS, &[bytes], rows));
        }
        let at = self.random.at(bytes.len());
        bytes[at] ^= 1 << self.random.below(8);
        Some(Attack::items("mutated statement", STATEMENTS, &[bytes], &["STM-*"]))
    }
}

/// n - s, big endian.
fn other_s(s: [u8; 32]) -> [u8; 32] {
    let mut other = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(P256_ORDER[at]) - i16::from(s[at]) - borrow;
        borrow = i16::from(difference < 0);
        other[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    other
}

/// Signs a payload under the older number of its algorithm.
fn under_header(key: &SecretKey, algorithm: i64, device: DeviceId, network: &NetworkId, payload: &[u8]) -> Vec<u8> {
    let protected = Encoder::empty().map(2).int(1).int(algorithm).int(4).bytes(&device.0).take();
    let signature = key.sign(&sig_structure(&protected, Purpose::Report, Some(network), payload));
    Encoder::empty().tag(18).array(4).bytes(&protected).map(0).bytes(payload).bytes(&signature).take()
}
