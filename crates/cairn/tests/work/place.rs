//! A network that sells work, in processes of its own: an operator, a buyer with credit, owners with workers, an auditor.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use cairn_client::Client;
use cairn_core::deposit::{Deposit, Place as Seat, source_of};
use cairn_core::key::SecretKey;
use cairn_core::observation::sign_observation;
use cairn_core::{Amount, Domain, Hash, NetworkId};
use serde_json::Value;

use crate::ran::{Ran, cairn};
use crate::up::{Up, spawn};

const CHAIN: &str = "eip155:31337";
const TOKEN: [u8; 20] = [0xab; 20];
/// One token.
pub const UNIT: u128 = 1_000_000_000_000_000_000;

/// A module that writes `seven`: `(module (import "cairn" "output_write" (func (param i32 i32))) (memory (export "memory") 1)
/// (data (i32.const 0) "seven") (func (export "run") i32.const 0 i32.const 5 call 0))`
pub const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x09\x02\x60\x02\x7f\x7f\0\x60\0\0\
    \x02\x16\x01\x05cairn\x0coutput_write\0\0\
    \x03\x02\x01\x01\
    \x05\x03\x01\0\x01\
    \x07\x10\x02\x06memory\x02\0\x03run\0\x01\
    \x0a\x0a\x01\x08\0\x41\0\x41\x05\x10\0\x0b\
    \x0b\x0b\x01\0\x41\0\x0b\x05seven";

/// What is not as in the default profile: times for people who wait, small jobs that count, everything run again.
const THRESHOLDS: [(&str, &str); 8] = [
    ("commit_ms_min", "1_000"),
    ("cancel_ms", "600_000"),
    ("reveal_ms", "600_000"),
    ("replay_ms", "600_000"),
    ("keep_epochs", "1_000"),
    ("sample_min_ppm", "1_000_000"),
    ("score_gas_min", "1"),
    ("lock_min", "1"),
];

fn profile() -> String {
    let line = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        match THRESHOLDS.iter().find(|(name, _)| *name == key) {
            Some((name, value)) => format!("{name} = {value}\n"),
            None => format!("{line}\n"),
        }
    };
    cairn_classes::compute::COMPUTE.lines().map(line).collect()
}

/// A process that is killed when it is dropped.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The place, with its gateway.
pub struct Place<'a> {
    pub folder: &'a Path,
    pub up: Up,
}

fn observer() -> SecretKey {
    SecretKey::ed25519([201; 32])
}

impl<'a> Place<'a> {
    /// Founds a network that judges compute, with an auditor who is in force, and a buyer who paid in a thousand tokens.
    pub fn found(folder: &'a Path) -> Self {
        let done = |arguments: &str| {
            let ran = run(folder, "", arguments);
            assert_eq!(ran.code, 0, "cairn {arguments}: {}{}", ran.stdout, ran.stderr);
        };
        done("init net --epoch 3s --grace 300ms");
        rules(folder);
        for wallet in ["buyer", "auditor", "o1", "o2", "o3"] {
            done(&format!("keygen {wallet}.key --algorithm secp256k1"));
        }
        let place = Self { folder, up: Up::start(folder) };
        let from = place.epoch() + 3;
        let auditor = place.address("auditor");
        let url = place.up.url.clone();
        done(&format!("auditor propose {auditor} --quorum 1 --from {from} --dir net --url {url}"));
        place.pay_in();
        place.await_epoch(from);
        place
    }

    /// What a command prints with `--json`, and its exit code.
    pub fn ran(&self, arguments: &str) -> (i32, Value) {
        let ran = run(self.folder, &self.up.url, &format!("{arguments} --json"));
        let document = serde_json::from_str(&ran.stdout);
        (ran.code, document.unwrap_or_else(|_| panic!("cairn {arguments}: {}{}", ran.stdout, ran.stderr)))
    }

    /// What a command prints that does what it should.
    pub fn done(&self, arguments: &str) -> Value {
        let (code, document) = self.ran(arguments);
        assert_eq!(code, 0, "cairn {arguments}: {document:#}");
        document
    }

    /// The code that a command is refused with, and its exit code.
    pub fn refused(&self, arguments: &str) -> (i32, String) {
        let (code, document) = self.ran(arguments);
        (code, document["error"]["code"].as_str().unwrap_or_else(|| panic!("{arguments}: {document:#}")).to_owned())
    }

    pub fn address(&self, wallet: &str) -> String {
        let text = std::fs::read_to_string(self.folder.join(format!("{wallet}.key"))).unwrap();
        text.lines().find_map(|line| line.strip_prefix("# 0x")).map(|digits| format!("0x{digits}")).unwrap()
    }

    pub fn epoch(&self) -> u64 {
        self.done("status")["network"]["epoch"].as_u64().unwrap()
    }

    pub fn await_epoch(&self, epoch: u64) {
        while self.epoch() < epoch {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Enrols a worker of an owner; the worker's key.
    pub fn enrol(&self, worker: &str, owner: &str) {
        self.done(&format!("keygen {worker}.key"));
        self.done(&format!("enrol --role worker --key {worker}.key --owner {owner}.key --lat 52.5 --lon 13.4"));
    }

    /// Starts a worker at a price in tokens.
    pub fn work(&self, worker: &str, price: &str) -> Killed {
        let key = format!("{worker}.key");
        let url = self.up.url.as_str();
        let arguments = [
            "node",
            "run",
            "--role",
            "worker",
            "--key",
            &key,
            "--price",
            price,
            "--url",
            url,
            "--poll-ms",
            "100",
            "--json",
        ];
        Killed(spawn(self.folder, &arguments))
    }

    /// Starts the auditor.
    pub fn audit(&self) -> Killed {
        let arguments = ["auditor", "run", &self.up.url, "--key", "auditor.key", "--poll", "1", "--json"];
        Killed(spawn(self.folder, &arguments))
    }

    /// Waits until a job is as asked for.
    pub fn await_job(&self, job: &str, what: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..1_500 {
            last = self.done(&format!("job show {job}"));
            if is_there(&last) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("never {what}: {last:#}");
    }

    /// Waits until there are so many offers.
    pub fn await_offers(&self, count: usize) {
        let client = Client::at(&self.up.url).unwrap();
        while client.offers(None, None).unwrap().offers.len() < count {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The observer of the chain says that the buyer has paid in.
    fn pay_in(&self) {
        let client = Client::at(&self.up.url).unwrap();
        let network = NetworkId(Hash::from_hex(&client.network().unwrap().network_id).unwrap());
        let mut buyer = [0; 32];
        buyer[12..].copy_from_slice(&data_encoding::HEXLOWER.decode(&self.address("buyer").as_bytes()[2..]).unwrap());
        let place = Seat { block: 7, block_hash: [1; 32], transaction: [2; 32], log_index: 0 };
        let amount = Amount(1_000 * UNIT);
        let deposit = Deposit { place, buyer, asset: TOKEN, amount, payer: [4; 20], memo: [0; 32] };
        let observed = deposit.observed(&Domain::parse(CHAIN).unwrap(), 0);
        let said = client.submit_observation(&sign_observation(&observer(), &network, &observed)).unwrap();
        assert!(said.response.results[0].index.is_some(), "{:?}", said.response);
    }
}

fn run(folder: &Path, url: &str, arguments: &str) -> Ran {
    cairn(folder, url, &arguments.split(' ').collect::<Vec<_>>(), "")
}

/// Has the network judge compute and take deposits, from its first epoch on.
fn rules(folder: &Path) {
    let net = folder.join("net");
    let edit = |file: &str, change: &dyn Fn(String) -> String| {
        let path = net.join(file);
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
    };
    std::fs::write(net.join("profiles/compute.toml"), profile()).unwrap();
    let token: String = TOKEN.iter().map(|byte| format!("{byte:02x}")).collect();
    edit("network.toml", &|text| {
        let profiles = "[profiles]\n\"compute/1\" = \"profiles/compute.toml\"\n";
        let chain = format!("chain = \"{CHAIN}\"\ntoken = \"{CHAIN}/erc20:0x{token}\"\n");
        let text = if text.contains("\"compute/1\"") { text } else { text.replace("[profiles]\n", profiles) };
        text.replace(&format!("chain = \"{CHAIN}\"\n"), &chain) + "\n[blobs]\nfree_bytes = 0\n"
    });
    edit("policy.toml", &|text| {
        let own = observer().public().did();
        let source = source_of(&Domain::parse(CHAIN).unwrap());
        format!(
            "{text}\n[classes.\"compute/1\"]\nrevision = 1\nfee_ppm = 50000\n\n[credit]\nchains = [\"{CHAIN}\"]\n\n\
             [[observers]]\nsource = \"{source}\"\nkey = \"{own}\"\ntrust = \"operator\"\n"
        )
    });
}
