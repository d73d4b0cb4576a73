//! One network on one chain, from the first contract to credit for a deposit, by commands that are killed on the way.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::anvil::Anvil;
use crate::random::Random;
use crate::town::{Town, deposit, deposits_are_credit, town};
use crate::up::command;

/// A hundred coins, wei.
const COINS: &str = "0x56bc75e2d63100000";
const DEPLOY: &str = "chain deploy net --terms chain.toml --wallet settler.key";
/// How often a deployment is killed at any moment, beside once at each of its transactions.
const KILLS_ANYWHERE: u64 = 8;

pub fn endow(node: &Anvil, account: &str) {
    node.ask("anvil_setBalance", json!([account, COINS]));
}

/// How many transactions of an account are in blocks, or in blocks and waiting.
fn nonce(node: &Anvil, account: &str, at: &str) -> u64 {
    let text = node.ask("eth_getTransactionCount", json!([account, at]));
    u64::from_str_radix(text.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

/// Every contract that somebody deployed on the chain.
pub fn creations(node: &Anvil) -> usize {
    let head = node.rpc();
    let head = cairn_chain::Chain::head(&head).unwrap().number;
    let created = |number: u64| {
        let block = node.ask("eth_getBlockByNumber", json!([format!("{number:#x}"), true]));
        let all = block["transactions"].as_array().unwrap().clone();
        all.iter().filter(|transaction| transaction["to"].is_null()).count()
    };
    (0..=head).map(created).sum()
}

fn spawn(town: &Town<'_>, arguments: &str) -> Child {
    let mut command = command(town.folder, &arguments.split(' ').collect::<Vec<_>>());
    command.envs(town.variables()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Kills the deployment once at each of its transactions, before it is mined or after, then anywhere; says how often.
fn deploy_and_die(town: &Town<'_>, node: &Anvil, account: &str, random: &mut Random) -> u64 {
    node.ask("evm_setAutomine", json!([false]));
    let mut kills = 0;
    for transaction in 1..=7 {
        let mut child = spawn(town, DEPLOY);
        // It waits to be mined, and so does the one before it.
        for look in 1u64.. {
            assert!(child.try_wait().unwrap().is_none() || transaction == 7, "the deployment ended before its end");
            if nonce(node, account, "pending") >= transaction {
                break;
            }
            if look % 10 == 0 {
                node.ask("evm_mine", json!([]));
            }
            assert!(look < 6_000, "transaction {transaction} is never sent");
            pause(10);
        }
        if random.below(2) == 0 {
            node.ask("evm_mine", json!([]));
        }
        pause(random.below(200));
        kills += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    node.ask("evm_setAutomine", json!([true]));
    node.ask("evm_mine", json!([]));
    for _ in 0..KILLS_ANYWHERE {
        let mut child = spawn(town, DEPLOY);
        pause(random.below(40));
        kills += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    kills
}

/// The settler's key under a password.
fn seal(town: &Town<'_>) -> &'static str {
    use std::os::unix::fs::PermissionsExt;
    let password = town.folder.join("password");
    std::fs::write(&password, "correct horse\n").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    town.wallet("plain.key");
    town.done("wallet import plain.key sealed.json --password-file password --cost 10");
    "--wallet sealed.json --password-file password"
}

/// Two relayers do the same at once, so that what both send is in one block: who is outdone goes on all the same.
fn race(town: &Town<'_>, node: &Anvil, what: &str, purses: [&str; 2]) -> [Value; 2] {
    node.ask("evm_setAutomine", json!([false]));
    let children = purses.map(|purse| {
        let arguments = format!("{what} {purse} --json");
        let mut command = command(town.folder, &arguments.split(' ').collect::<Vec<_>>());
        command.envs(town.variables()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let both_wait = (0..1_000).any(|_| {
        pause(10);
        node.ask("txpool_status", json!([]))["pending"] == "0x2"
    });
    assert!(both_wait, "{what}: both send");
    node.ask("evm_setAutomine", json!([true]));
    node.ask("evm_mine", json!([]));
    children.map(|child| {
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{what}: {said}");
        serde_json::from_str(&said).unwrap()
    })
}

/// Posted, opened and claimed by a relayer whose wallet has a password; what is only shown changes nothing.
fn settle(town: &Town<'_>, node: &Anvil, deployed: &Value) {
    let purse = seal(town);
    let relayer = town.address("sealed.json");
    endow(node, &relayer);
    let shown_only = |arguments: &str| {
        let before = nonce(node, &relayer, "pending");
        let shown = town.done(&format!("{arguments} {purse} --dry-run"));
        assert_eq!(nonce(node, &relayer, "pending"), before, "{arguments}");
        shown
    };
    let first = deployed["first_epoch"].as_u64().unwrap();
    town.await_epoch(town.epoch() + 2);
    ["a1", "a2"].iter().for_each(|auditor| town.audited_by(auditor));
    let waits = town.done(&format!("chain post {purse}"));
    assert_eq!(waits["waits_for"], format!("2 of 3 auditors have signed epoch {first}"));
    town.audited_by("a3");
    assert!(shown_only("chain post")["sent"][0]["unsigned"]["gas_limit"].is_u64());
    let posted = race(town, node, "chain post", [purse, "--wallet settler.key"]);
    let mut epochs: Vec<u64> = posted
        .iter()
        .flat_map(|posted| posted["epochs"].as_array().unwrap())
        .map(|epoch| epoch.as_u64().unwrap())
        .collect();
    epochs.sort_unstable();
    assert!(epochs.len() >= 2 && epochs.iter().copied().eq(first..first + epochs.len() as u64), "{posted:?}");

    // All that is owed is below the threshold of pushing: it is claimed.
    assert!(shown_only("chain pay")["sent"][0]["unsigned"].is_object());
    let [paid, other] = race(town, node, "chain pay", [purse, "--wallet settler.key"]);
    assert_eq!(paid["sent"].as_array().unwrap().len() + other["sent"].as_array().unwrap().len(), 1, "opened once");
    assert_eq!(paid["left"], other["left"]);
    assert_eq!(
        (&paid["epoch"], &paid["accounts"], &paid["below"]),
        (&json!(epochs.last()), &json!(0), &json!(1)),
        "{paid}"
    );
    let treasury = town.address("net/keys/treasury.key");
    assert_eq!(shown_only(&format!("claim {treasury}"))["owed"], paid["left"]);
    let claimed = town.done(&format!("claim {treasury} {purse}"));
    assert_eq!((&claimed["owed"], &claimed["balance"]), (&paid["left"], &paid["left"]), "{claimed}");
    let again = town.done(&format!("claim {treasury} {purse}"));
    assert_eq!((&again["owed"], &again["balance"]), (&json!("0"), &paid["left"]));
    let status = town.done("chain status");
    assert_eq!((&status["finalized"]["same_as_log"], &status["minted"]), (&json!(true), &paid["left"]), "{status}");
    let anchor = deployed["contracts"]["LogAnchor"].as_str().unwrap();
    assert_eq!(town.done(&format!("chain anchor {anchor} {purse}"))["epoch"], json!(epochs.last()));

    endow(node, &treasury);
    deposit(town, deployed, &node.rpc());
    deposits_are_credit(town, "");
}

#[test]
fn what_is_killed_on_the_way_is_deployed_once_and_pays_what_a_quorum_signed() {
    let seed =
        std::env::var("CAIRN_SEED").ok().map_or_else(|| u64::from(std::process::id()), |text| text.parse().unwrap());
    eprintln!("the instants of killing replay with CAIRN_SEED={seed}");
    let (mut random, folder) = (Random(seed * 2 + 1), tempfile::tempdir().unwrap());
    let node = Anvil::start("osaka", 31_337, &[]);
    let (up, mut town) = town(folder.path());
    assert_eq!(town.refused("chain status"), (2, "STL-CHAIN".to_owned()));
    town.rpc = Some(format!("{}/?key=of-a-provider", node.url()));
    let settler = town.address("settler.key");
    let terms = std::fs::read_to_string(folder.path().join("chain.toml")).unwrap();
    let terms = terms.replace("push_min_tokens = \"1\"", "push_min_tokens = \"100000000\"");
    std::fs::write(folder.path().join("chain.toml"), terms).unwrap();
    // Coin comes out of nothing on no node: who has none is told.
    assert_eq!(town.refused(DEPLOY).0, 1);
    endow(&node, &settler);

    let shown = town.done(&format!("{DEPLOY} --dry-run"));
    assert_eq!(shown["sent"].as_array().unwrap().len(), 7);
    assert!(shown["sent"][0]["unsigned"]["gas_limit"].as_u64() > Some(21_000), "{shown}");
    assert_eq!(nonce(&node, &settler, "pending"), 0);

    let kills = deploy_and_die(&town, &node, &settler, &mut random);
    let deployed = town.done(DEPLOY);
    eprintln!("{kills} deployments were killed");
    assert!(kills >= 6, "killed {kills} times");
    assert_eq!((creations(&node), nonce(&node, &settler, "pending")), (7, 7), "nothing is deployed twice");
    let again = town.done(DEPLOY);
    assert_eq!((again["sent"].as_array().unwrap().len(), &again["contracts"]), (0, &deployed["contracts"]));

    settle(&town, &node, &deployed);
    assert_eq!(up.end(), 0);
    drop(node);
    assert_eq!(town.run("chain status").code, 3, "nobody is there");
}
