//! Devices that send, an hourly clock, and everything that they were promised.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cairn_api::ResultStatus;
use cairn_classes::sensing::{Body, Quantity, SCHEMA};
use cairn_client::{Client, ClientError, Retries, Submitted};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::{DeviceId, Hash, NetworkId};

use crate::process::{Up, cairn};

/// 2026-01-01 00:00 UTC, when epoch 0 begins.
const ZERO_MS: u64 = 1_767_225_600_000;
const HOUR_MS: u64 = 3_600_000;
const DEVICES: u8 = 4;
/// Reports of each device in an hour.
const REPORTS: u64 = 6;

/// The senders, and what outlives every crash because they were told.
pub struct Load {
    network: NetworkId,
    clock: SecretKey,
    devices: Vec<(SecretKey, DeviceId)>,
    hour: u64,
    seq: u32,
    /// Sent and not answered yet: sent again to whoever comes up next.
    unanswered: Vec<Vec<u8>>,
    promised: BTreeMap<u64, Hash>,
}

fn write_key(path: &Path, algorithm: &str, byte: u8) {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    writeln!(file, "{algorithm} {}", format!("{byte:02x}").repeat(32)).unwrap();
}

impl Load {
    /// Makes a network with its devices in `folder`, and stops it again.
    pub fn found(folder: &Path) -> Self {
        let treasury = "eip155:31337:0x00000000000000000000000000000000000000aa";
        let zero = ZERO_MS.to_string();
        let init = ["init", "net", "--epoch", "6h", "--grace", "1h", "--treasury", treasury];
        let made = cairn(folder, &[init.as_slice(), &["--recorded-clock-from", &zero]].concat());
        assert_eq!(made.code, 0, "{}", made.stderr);
        let config = folder.join("net/network.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("checkpoint_ms = 1000", "checkpoint_ms = 20")).unwrap();
        let up = Up::start(folder);
        let mut devices = Vec::new();
        for device in 1..=DEVICES {
            let (key, owner) = (format!("d{device}.key"), format!("o{device}.key"));
            write_key(&folder.join(&key), "ed25519", device);
            write_key(&folder.join(&owner), "secp256k1", device);
            let lat = format!("53.5{device}");
            let enrol = ["enrol", "--key", &key, "--owner", &owner, "--lat", &lat, "--lon", "9.99", "--url", &up.url];
            let ran = cairn(folder, &enrol);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            let key = SecretKey::ed25519([device; 32]);
            let id = DeviceId::of_key(&key.public().multicodec());
            devices.push((key, id));
        }
        let text = std::fs::read_to_string(folder.join("net/keys/clock.key")).unwrap();
        let seed = text.lines().find_map(|line| line.strip_prefix("ed25519 ")).unwrap();
        let clock = SecretKey::ed25519(Hash::from_hex(seed).unwrap().0);
        let network = Client::at(&up.url).unwrap().network().unwrap().network_id;
        let network = NetworkId(Hash::from_hex(&network).unwrap());
        let (unanswered, promised) = (Vec::new(), BTreeMap::new());
        Self { network, clock, devices, hour: 0, seq: 0, unanswered, promised }
    }

    /// Index and leaf hash of everything that was promised.
    pub const fn promised(&self) -> &BTreeMap<u64, Hash> {
        &self.promised
    }

    /// Sends until told to stop, or nobody answers any more.
    pub fn until(&mut self, url: &str, stop: &AtomicBool) {
        let client = Client::patient(url, Retries { attempts: 1, first_wait: Duration::ZERO }).unwrap();
        while !stop.load(Ordering::Relaxed) {
            if self.unanswered.is_empty() {
                self.hour += 1;
                let time_ms = ZERO_MS + self.hour * HOUR_MS;
                let body = sign_observation(&self.clock, &self.network, &ObservationBody::clock(time_ms));
                match client.submit_observation(&body) {
                    Ok(submitted) => self.keep(&submitted),
                    Err(error) => return assert_gone(&error),
                }
                self.unanswered = self.reports();
            }
            match client.submit_reports(&self.unanswered) {
                Ok(submitted) => {
                    // A report whose answer was lost is answered again, unless its epoch has closed meanwhile.
                    let codes = submitted.response.results.iter().filter(|row| row.status == ResultStatus::Rejected);
                    let codes: Vec<_> = codes.map(|row| row.code.clone().unwrap_or_default()).collect();
                    assert!(codes.is_empty(), "an honest report is refused: {codes:?}");
                    self.keep(&submitted);
                    self.unanswered.clear();
                }
                Err(error) => return assert_gone(&error),
            }
        }
    }

    fn reports(&mut self) -> Vec<Vec<u8>> {
        let mut reports = Vec::new();
        for report in 0..REPORTS {
            let time_ms = ZERO_MS + (self.hour - 1) * HOUR_MS + report * HOUR_MS / REPORTS;
            let seq = self.seq;
            self.seq += 1;
            let value = 500 + i64::try_from(self.hour % 10).unwrap();
            for (key, device) in &self.devices {
                let body = Body::one([(Quantity::AirTemperature, value)]).unwrap();
                let body = ReportBody::of(1, seq, time_ms, SCHEMA, body.encode());
                reports.push(sign_report(key, *device, &self.network, &body));
            }
        }
        reports
    }

    fn keep(&mut self, submitted: &Submitted) {
        for (index, leaf) in submitted.promise.iter().flat_map(|promise| &promise.entries) {
            let before = self.promised.insert(*index, *leaf);
            assert!(before.is_none_or(|before| before == *leaf), "entry {index} was promised twice, differently");
        }
    }
}

/// A process that was killed does not answer; one that lives does not refuse.
fn assert_gone(error: &ClientError) {
    let gone = ["NET-CONNECTION", "NET-ANSWER", "NET-STOPPED"];
    assert!(gone.contains(&error.code()), "{}: {error}", error.code());
}
