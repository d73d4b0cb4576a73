//! The network under test: its folder, its limits, the operator's key, and the facts that everybody knows.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use cairn_core::key::SecretKey;
use cairn_core::{Hash, NetworkId};
use cairn_merkle::NoteVerifier;

use crate::plan::Plan;
use crate::server::cairn;

/// The limits of the gateway: small, so that strangers meet them, and patient enough for a slow machine.
const LIMITS: &str = r#"
unlimited = ["127.0.0.1"]

[gateway.limits]
body_bytes = 1048576
bytes_in_flight = 67108864
bytes_per_address = 4194304
items_per_request = 1000
connections = 256
connections_per_address = 32
address_requests_per_s = 100
address_requests_burst = 400
address_items_per_s = 1500
address_items_burst = 3000
device_reports_per_s = 10
device_reports_burst = 200
header_timeout = "3s"
body_timeout = "2s"
write_timeout = "3s"
request_timeout = "20s"
"#;

/// Requests of one address at once, and a second: those of [`LIMITS`].
pub const REQUESTS_BURST: u64 = 400;
pub const REQUESTS_PER_S: u64 = 100;
/// Epochs that a report may come late: that of the starting policy.
pub const LATE_EPOCHS: u64 = 4;

/// What everybody knows of the network.
pub struct Facts {
    pub id: NetworkId,
    pub promise_key: NoteVerifier,
    pub zero_ms: u64,
    pub epoch_ms: u64,
    pub operator: SecretKey,
    nonce: AtomicU64,
}

/// The machine's clock, ms since 1970 UTC.
pub fn wall_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Writes the network's folder `net` in `folder`.
pub fn make(folder: &Path, plan: &Plan) {
    let (epoch, grace) = (format!("{}s", plan.epoch_s), format!("{}s", plan.grace_s));
    let treasury = "eip155:31337:0x00000000000000000000000000000000000000aa";
    let init = ["init", "net", "--name", "soak", "--epoch", &epoch, "--grace", &grace, "--treasury", treasury];
    let made = cairn(folder, &[init.as_slice(), &["--rehearsed", "simulated devices"]].concat());
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let change = |name: &str, from: &str, to: &str| {
        let path = folder.join("net").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} has no `{from}`");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    change("network.toml", "checkpoint_ms = 1000\n", &format!("checkpoint_ms = 500{LIMITS}"));
    // A retired device keeps its place among its owner's, and many are retired.
    change("policy.toml", "devices_per_owner = 50", "devices_per_owner = 5000");
    // What judges remember is full after some minutes, so that the memory of the process can be compared from then on.
    change("profiles/sensing-station.toml", "slots = 336\nleast_slots = 72", "slots = 24\nleast_slots = 12");
}

impl Facts {
    /// Asks a network that is up.
    pub fn of(folder: &Path, url: &str) -> Self {
        let network = cairn_client::Client::at(url).unwrap().network().unwrap();
        let text = std::fs::read_to_string(folder.join("net/keys/operator.key")).unwrap();
        let seed = text.lines().find_map(|line| line.strip_prefix("ed25519 ")).unwrap();
        Self {
            id: NetworkId(Hash::from_hex(&network.network_id).unwrap()),
            promise_key: network.promise_vkey.parse().unwrap(),
            zero_ms: network.epoch_zero_ms,
            epoch_ms: network.epoch_ms,
            operator: SecretKey::ed25519(Hash::from_hex(seed).unwrap().0),
            nonce: AtomicU64::new(wall_ms()),
        }
    }

    /// A nonce above all before it.
    pub fn nonce(&self) -> u64 {
        self.nonce.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The epoch of a time.
    pub const fn epoch_at(&self, time_ms: u64) -> u64 {
        time_ms.saturating_sub(self.zero_ms) / self.epoch_ms
    }

    /// Whether a report measured then may be too late by now: the open epoch is never past the machine's clock.
    pub fn may_be_too_late(&self, time_ms: u64) -> bool {
        self.epoch_at(wall_ms()) > self.epoch_at(time_ms) + LATE_EPOCHS
    }
}
