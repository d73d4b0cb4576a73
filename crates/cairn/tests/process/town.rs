//! A network with auditors, and whoever settles it by commands on some chain.

use std::path::Path;
use std::time::Duration;

use cairn_chain::{Call, Chain, Outbox, outbox};
use cairn_core::wallet::WalletKey;
use cairn_settle::abi::{Arguments, address_word};
use serde_json::Value;

use crate::ran::{Ran, cairn_in};
use crate::up::Up;

/// Who runs commands: in which folder, at which gateway, and at which node where the environment names one.
pub struct Town<'a> {
    pub folder: &'a Path,
    pub url: String,
    /// `CAIRN_RPC`. What is behind its question mark is a secret, which no command may say.
    pub rpc: Option<String>,
}

impl<'a> Town<'a> {
    /// Nobody at home yet.
    pub fn at(folder: &'a Path, url: &str) -> Self {
        Self { folder, url: url.to_owned(), rpc: None }
    }

    /// What the environment holds.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        let rpc = self.rpc.as_deref().map(|rpc| ("CAIRN_RPC", rpc));
        [("CAIRN_URL", self.url.as_str())].into_iter().chain(rpc).collect()
    }

    pub fn run(&self, arguments: &str) -> Ran {
        let ran = cairn_in(self.folder, &self.variables(), &arguments.split(' ').collect::<Vec<_>>(), "");
        if let Some((_, secret)) = self.rpc.as_deref().and_then(|rpc| rpc.split_once('?')) {
            assert!(
                ![&ran.stdout, &ran.stderr].iter().any(|said| said.contains(secret)),
                "cairn {arguments}: a secret"
            );
        }
        ran
    }

    /// The document of a command that does what it is to do.
    pub fn done(&self, arguments: &str) -> Value {
        let ran = self.run(&format!("{arguments} --json"));
        assert_eq!(ran.code, 0, "cairn {arguments}: {}{}", ran.stdout, ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// The exit code and the stable code of a command that is refused.
    pub fn refused(&self, arguments: &str) -> (i32, String) {
        let ran = self.run(&format!("{arguments} --json"));
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        (ran.code, document["error"]["code"].as_str().unwrap_or_else(|| panic!("{}", ran.stdout)).to_owned())
    }

    pub fn epoch(&self) -> u64 {
        self.done("status")["network"]["epoch"].as_u64().unwrap()
    }

    pub fn await_epoch(&self, epoch: u64) {
        while self.epoch() < epoch {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn address(&self, key: &str) -> String {
        self.done(&format!("wallet show {key}"))["address"].as_str().unwrap().to_owned()
    }

    /// A wallet's key file.
    pub fn wallet(&self, key: &str) {
        self.done(&format!("keygen {key} --algorithm secp256k1"));
    }

    /// Has three auditors named from an epoch on; `chain.toml` has them, and the settler's account as the treasury.
    pub fn auditors(&self, from: u64) {
        for key in ["settler", "a1", "a2", "a3"] {
            self.wallet(&format!("{key}.key"));
        }
        let [a1, a2, a3] = ["a1.key", "a2.key", "a3.key"].map(|key| self.address(key));
        self.done(&format!("auditor propose {a1} {a2} {a3} --quorum 3 --from {from} --dir net"));
        let treasury = self.address("settler.key");
        let terms = self.done(&format!(
            "chain terms --treasury {treasury} --auditor {a1} --auditor {a2} --auditor {a3} --rehearsal"
        ));
        std::fs::write(self.folder.join("chain.toml"), terms["document"].as_str().unwrap()).unwrap();
    }

    /// An auditor recomputes everything and signs it, once.
    pub fn audited_by(&self, auditor: &str) {
        let ran = self.run(&format!("auditor run {} --key {auditor}.key --dir {auditor} --once --json", self.url));
        assert_eq!(ran.code, 0, "{auditor}: {}{}", ran.stdout, ran.stderr);
    }
}

/// A network of short epochs that three auditors sign for from its third epoch on, whose policy takes deposits.
pub fn town(folder: &Path) -> (Up, Town<'_>) {
    let mut town = Town::at(folder, "");
    town.done("init net --epoch 1s --grace 100ms --rehearsed embedded-chain");
    town.done("keygen observer.key");
    let observer = std::fs::read_to_string(folder.join("observer.key")).unwrap();
    let observer = observer.lines().find_map(|line| line.strip_prefix("# did:key:")).unwrap().to_owned();
    let policy = folder.join("net/policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let credit = format!(
        "{text}\n[[observers]]\nsource = \"deposits/eip155:31337\"\nkey = \"did:key:{observer}\"\ntrust = \"operator\"\n\
         \n[credit]\nchains = [\"eip155:31337\"]\n"
    );
    std::fs::write(&policy, credit).unwrap();
    let up = Up::start(folder);
    town.url.clone_from(&up.url);
    let from = town.epoch() + 3;
    town.auditors(from);
    town.await_epoch(from + 1);
    (up, town)
}

/// The wallet of a key file.
pub fn wallet_key(path: &Path) -> WalletKey {
    let text = std::fs::read_to_string(path).unwrap();
    let secret = text.lines().find_map(|line| line.strip_prefix("secp256k1 ")).unwrap();
    let secret = data_encoding::HEXLOWER.decode(secret.as_bytes()).unwrap();
    WalletKey::from_bytes(secret.try_into().unwrap()).unwrap()
}

/// The treasury burns 7,000 base units for credit on a chain where it has coin.
pub fn deposit(town: &Town<'_>, deployed: &Value, chain: &dyn Chain) {
    let address = |name: &str| {
        let text = deployed["contracts"][name].as_str().unwrap();
        cairn_settle::told::parse_address(text).unwrap()
    };
    let key = wallet_key(&town.folder.join("net/keys/treasury.key"));
    let options = outbox::Options { confirmations: 0, ..outbox::Options::default() };
    let sent = Outbox::open(&town.folder.join("buyer"), chain, key, options).unwrap();
    let allow = Arguments::new().address(address("Deposits")).uint(7_000u32).call("approve(address,uint256)");
    sent.execute("approve", &Call::to(address("Token"), allow)).unwrap();
    let deposit = Arguments::new().word(address_word(sent.account())).word([7; 32]).uint(7_000u32);
    let deposit = deposit.call("deposit((bytes32,bytes32),uint256)");
    sent.execute("deposit", &Call::to(address("Deposits"), deposit)).unwrap();
}

/// The observer says what was deposited; saying it again changes nothing, and a stranger's word is none.
pub fn deposits_are_credit(town: &Town<'_>, place: &str) {
    let observe = format!("chain observe --key observer.key{place}");
    assert_eq!(town.done(&observe)["logged"], 1);
    let again = town.done(&observe);
    assert_eq!((&again["logged"], &again["deposits"]), (&Value::from(0), &Value::from(1)));
    let credit = town.done(&format!("credit show {}", town.address("net/keys/treasury.key")));
    assert_eq!(credit["credits"][0]["amount"], "7000", "{credit}");
    town.done("keygen stranger.key");
    let stranger = town.run(&format!("chain observe --key stranger.key{place} --json"));
    assert_eq!(stranger.code, 0, "there is nothing to say any more");
}
