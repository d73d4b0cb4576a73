//! One network on two chains: both contracts take the same signatures, and each pays what was granted on it.

use cairn_client::Client;
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::statement::{Body, Draft, PayeeChoice};
use cairn_core::{Account, Hash, NetworkId};
use serde_json::Value;

use crate::anvil::Anvil;
use crate::killed::{creations, endow};
use crate::town::{Town, wallet_key};
use crate::up::Up;

/// 2026-01-01 00:00 UTC, when epoch 0 begins. An epoch is six hours.
const ZERO_MS: u64 = 1_767_225_600_000;
const HOUR_MS: u64 = 3_600_000;
/// The first is known as a development chain, the second is not.
const CHAINS: [u64; 2] = [31_337, 31_338];
/// Owners of a device each: two are paid on the first chain, two on the second.
const OWNERS: [(&str, u64); 4] = [("o1", CHAINS[0]), ("o2", CHAINS[0]), ("o3", CHAINS[1]), ("o4", CHAINS[1])];

fn network(town: &Town<'_>) -> (Client, NetworkId) {
    let client = Client::at(&town.url).unwrap();
    let network = NetworkId(Hash::from_hex(&client.network().unwrap().network_id).unwrap());
    (client, network)
}

/// Lets the recorded clock come to `hours` after the start.
fn clock(town: &Town<'_>, hours: u64) {
    let text = std::fs::read_to_string(town.folder.join("net/keys/clock.key")).unwrap();
    let seed = text.lines().find_map(|line| line.strip_prefix("ed25519 ")).unwrap();
    let key = SecretKey::ed25519(Hash::from_hex(seed).unwrap().0);
    let (client, network) = network(town);
    let body = ObservationBody::clock(ZERO_MS + hours * HOUR_MS);
    let submitted = client.submit_observation(&sign_observation(&key, &network, &body)).unwrap();
    assert_eq!(submitted.response.results[0].code, None, "{:?}", submitted.response);
    // What is not in a checkpoint yet no auditor sees.
    for _ in 0..600 {
        let health = client.health().unwrap();
        if health.checkpoint_size == health.size {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no checkpoint covers the log");
}

/// Readings of every device for every hour from `from` to `to`.
fn report(town: &Town<'_>, from: u64, to: u64) {
    let readings: String =
        (from..to).map(|hour| format!("{},{}.5\n", ZERO_MS + hour * HOUR_MS + 600_000, 5 + hour % 7)).collect();
    for (owner, _) in OWNERS {
        let arguments = ["send", "--key", &format!("{owner}.device.key")];
        let csv = format!("timestamp,temperature\n{readings}");
        let ran = crate::ran::cairn(town.folder, &town.url, &arguments, &csv);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
}

/// An owner is paid elsewhere from now on.
fn pay_to(town: &Town<'_>, owner: &str, chain: u64, payee: &str) {
    let (client, network) = network(town);
    let key = wallet_key(&town.folder.join(format!("{owner}.key")));
    let account = Account::parse(&format!("eip155:{chain}:{}", town.address(&format!("{owner}.key")))).unwrap();
    let now_ms = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let choice = PayeeChoice { owner: account, payee: Account::parse(payee).unwrap() };
    let draft = Draft::of(Some(network), Body::Payee(choice), now_ms, ZERO_MS + 1_000 * HOUR_MS);
    let submitted = client.submit_statement(&draft.signed_by_wallet(&key).finish().encode()).unwrap();
    assert_eq!(submitted.response.results[0].code, None, "{:?}", submitted.response);
}

/// The network on its recorded clock, with owners on both chains, in its first epoch.
fn found(folder: &std::path::Path) -> (Up, Town<'_>) {
    let mut town = Town::at(folder, "");
    town.done(&format!("init net --epoch 6h --grace 1h --recorded-clock-from {ZERO_MS}"));
    let profile = folder.join("net/profiles/sensing-station.toml");
    let hourly = std::fs::read_to_string(&profile).unwrap().replace("every_ms = 600_000", "every_ms = 3_600_000");
    std::fs::write(&profile, hourly).unwrap();
    let up = Up::start(folder);
    town.url.clone_from(&up.url);
    town.auditors(1);
    for (place, (owner, chain)) in OWNERS.into_iter().enumerate() {
        town.wallet(&format!("{owner}.key"));
        town.done(&format!("keygen {owner}.device.key"));
        let device = format!("--key {owner}.device.key --owner {owner}.key --lat 53.5{place} --lon 9.99");
        town.done(&format!("enrol {device} --chain eip155:{chain}"));
    }
    (up, town)
}

fn units(amount: &Value) -> u128 {
    amount.as_str().unwrap_or_else(|| panic!("{amount} is no amount")).parse().unwrap()
}

/// What the epochs paid, all together and by their own balances.
fn paid_by_log(town: &Town<'_>, epochs: u64) -> u128 {
    (0..epochs).map(|epoch| units(&town.done(&format!("epoch show {epoch}"))["balance"]["paid"])).sum()
}

#[test]
fn one_network_is_settled_on_two_chains_which_together_hold_what_the_log_paid() {
    let folder = tempfile::tempdir().unwrap();
    let (up, mut town) = found(folder.path());
    let nodes = CHAINS.map(|chain| Anvil::start("osaka", chain, &["--block-time", "1"]));
    let settler = town.address("settler.key");
    nodes.iter().for_each(|node| endow(node, &settler));
    clock(&town, 7);
    let deployed = nodes.each_ref().map(|node| {
        town.rpc = Some(node.url().to_owned());
        town.done("chain deploy net --terms chain.toml --wallet settler.key")
    });
    assert!(deployed.iter().all(|deployed| deployed["first_epoch"] == 1));
    clock(&town, 12);
    report(&town, 7, 12);
    clock(&town, 13);
    // From the second epoch on the first owner is paid on the other chain.
    let elsewhere = format!("eip155:{}:0x{}", CHAINS[1], "e1".repeat(20));
    pay_to(&town, "o1", CHAINS[0], &elsewhere);
    clock(&town, 18);
    report(&town, 13, 18);
    clock(&town, 19);
    ["a1", "a2", "a3"].iter().for_each(|auditor| town.audited_by(auditor));

    let mut finalized = Vec::new();
    for node in &nodes {
        town.rpc = Some(node.url().to_owned());
        let posted = town.done("chain post --wallet settler.key");
        assert_eq!(posted["epochs"], serde_json::json!([1, 2]), "{posted}");
        town.done("chain pay --wallet settler.key");
        assert_eq!(town.done("chain pay --wallet settler.key")["accounts"], 0);
        assert_eq!(creations(node), 7);
        finalized.push(town.done("chain status")["finalized"].clone());
    }
    assert_eq!(finalized[0]["statement"], finalized[1]["statement"], "one truth");
    held_is_granted(&mut town, &nodes, &elsewhere);
    assert_eq!(up.end(), 0);
}

/// Every account holds on its chain what the log granted it there, and nothing on the other.
fn held_is_granted(town: &mut Town<'_>, nodes: &[Anvil; 2], elsewhere: &str) {
    let treasury = format!("eip155:{}:{}", CHAINS[0], town.address("net/keys/treasury.key"));
    let owners = OWNERS.map(|(owner, chain)| format!("eip155:{chain}:{}", town.address(&format!("{owner}.key"))));
    let accounts: Vec<&str> = owners.iter().map(String::as_str).chain([&*treasury, elsewhere]).collect();
    let mut all = 0;
    for (node, chain) in nodes.iter().zip(CHAINS) {
        town.rpc = Some(node.url().to_owned());
        let mut here = 0;
        for account in &accounts {
            let (domain, address) = account.rsplit_once(':').unwrap();
            let granted = units(&town.done(&format!("account {account}"))["cumulative"]);
            assert!(granted > 0, "{account} earned nothing");
            let held = units(&town.done(&format!("wallet balance {address}"))["token"]);
            let due = if domain == format!("eip155:{chain}") { granted } else { 0 };
            assert_eq!(held, due, "{account} on {chain}");
            here += held;
        }
        let status = town.done("chain status");
        assert_eq!((units(&status["supply"]), units(&status["proven"])), (here, here), "{status}");
        all += here;
    }
    assert_eq!(all, paid_by_log(town, 3), "the sums of all chains together are what the log has paid");
}
