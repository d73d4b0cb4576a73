//! `cairn chain`, `claim` and `wallet` beside a network on the wall clock, on an embedded chain: from a quorum's signatures
//! to tokens on accounts, and from a deposit to credit in the log.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use cairn_chain::{Chain, Embedded, embedded};
use serde_json::Value;

use crate::town::{Town, deposit, deposits_are_credit, town, wallet_key};
use crate::up::Up;

#[test]
fn what_a_quorum_signed_is_posted_paid_and_claimed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (up, town) = town(folder.path());
    let purse = "--wallet settler.key --embedded chain";
    let deploy = format!("chain deploy net --terms chain.toml {purse}");

    // What is not there cannot be settled on, and a dry run leaves nothing behind.
    assert_eq!(town.refused("chain post --wallet settler.key"), (2, "STL-CHAIN".to_owned()));
    assert_eq!(town.refused(&format!("chain post {purse}")), (1, "STL-NO-CONTRACT".to_owned()));
    // Contracts that believe whom the log does not name would wait for ever.
    let stranger = town.address("settler.key");
    let strange = town.done(&format!("chain terms --treasury {stranger} --auditor {stranger} --rehearsal"));
    std::fs::write(folder.path().join("strange.toml"), strange["document"].as_str().unwrap()).unwrap();
    let strange = format!("chain deploy net --terms strange.toml {purse}");
    assert_eq!(town.refused(&strange), (1, "STL-NO-AUDITORS".to_owned()));
    let shown = town.done(&format!("{deploy} --dry-run"));
    let unsigned: Vec<&Value> = shown["sent"].as_array().unwrap().iter().map(|sent| &sent["unsigned"]).collect();
    assert_eq!(unsigned.len(), 7);
    assert!(unsigned.iter().enumerate().all(|(nonce, one)| one["nonce"] == nonce && one["chain_id"] == 31_337));
    assert!(!folder.path().join("net/chain").exists());

    let deployed = town.done(&deploy);
    assert_eq!((deployed["sent"].as_array().unwrap().len(), &deployed["rehearsal"]), (7, &Value::Bool(true)));
    let first = deployed["first_epoch"].as_u64().unwrap();
    // Deploying again deploys nothing; other terms are refused.
    assert_eq!(town.done(&deploy)["sent"].as_array().unwrap().len(), 0);
    let text = std::fs::read_to_string(folder.path().join("chain.toml")).unwrap();
    std::fs::write(
        folder.path().join("other.toml"),
        text.replace("push_min_tokens = \"1\"", "push_min_tokens = \"2\""),
    )
    .unwrap();
    assert_eq!(town.refused(&format!("chain deploy net --terms other.toml {purse}")), (1, "STL-TERMS".to_owned()));

    // Nobody signed: nothing is posted. Two of three: nothing either.
    town.await_epoch(first + 3);
    assert_eq!(town.done(&format!("chain post {purse}"))["epochs"].as_array().unwrap().len(), 0);
    for auditor in ["a1", "a2"] {
        town.audited_by(auditor);
    }
    let waits = town.done(&format!("chain post {purse}"));
    let expected = format!("2 of 3 auditors have signed epoch {first}");
    assert_eq!(waits["waits_for"].as_str(), Some(expected.as_str()));
    town.audited_by("a3");

    let posted = town.done(&format!("chain post {purse}"));
    let epochs: Vec<u64> = posted["epochs"].as_array().unwrap().iter().map(|epoch| epoch.as_u64().unwrap()).collect();
    assert!(epochs.len() >= 2 && epochs[0] == first, "{posted}");
    let treasury = town.address("net/keys/treasury.key");
    // Only shown, then paid, then nothing is left to pay.
    assert!(town.done(&format!("chain pay {purse} --dry-run"))["sent"][0]["unsigned"].is_object());
    let paid = town.done(&format!("chain pay {purse}"));
    assert_eq!((paid["epoch"].as_u64(), paid["accounts"].as_u64()), (epochs.last().copied(), Some(1)), "{paid}");
    assert_eq!(town.done(&format!("chain pay {purse}"))["accounts"], 0);
    let held = town.done(&format!("wallet balance {treasury} --embedded chain"));
    assert_eq!(held["token"], paid["amount"]);
    let claimed = town.done(&format!("claim {treasury} {purse}"));
    assert_eq!((&claimed["owed"], &claimed["balance"]), (&Value::from("0"), &paid["amount"]));
    let status = town.done("chain status --embedded chain");
    assert_eq!(status["finalized"]["same_as_log"], Value::Bool(true), "{status}");
    assert_eq!(status["minted"], paid["amount"]);
    // What it paid is written down for the gateway's pages, as the chain's word after one block.
    let recorded = town.done("chain record net --embedded chain");
    assert_eq!((&recorded["paid"], recorded["accounts"].as_u64()), (&paid["amount"], Some(1)), "{recorded}");
    assert_eq!((&recorded["opened"], &recorded["block"]), (&paid["epoch"], &status["block"]));
    let written = std::fs::read_to_string(folder.path().join("net/settled/eip155-31337.txt")).unwrap();
    let line = format!("{treasury} {}", paid["amount"].as_str().unwrap());
    assert_eq!(written.lines().nth(1), Some(line.to_lowercase().as_str()));

    // The anchor follows the log; once it is there, nothing is sent.
    let anchor = deployed["contracts"]["LogAnchor"].as_str().unwrap();
    let advanced = town.done(&format!("chain anchor {anchor} {purse}"));
    assert_eq!(advanced["epoch"].as_u64(), epochs.last().copied());
    assert!(town.done(&format!("chain anchor {anchor} {purse}"))["sent"].is_null());

    treasury_deposits(&town, &deployed);
    deposits_are_credit(&town, " --embedded chain");

    // A second deployment would pay everything once more.
    let (record, away) = (folder.path().join("net/chain/deployment-31337.json"), folder.path().join("away.json"));
    std::fs::rename(&record, &away).unwrap();
    assert_eq!(town.refused(&deploy), (1, "STL-DEPLOYED".to_owned()));
    assert_eq!(up.end(), 0);
    assert_eq!(town.run("chain status --embedded chain").code, 3);
}

#[test]
fn a_halt_holds_an_epoch_until_a_quorum_has_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (up, town) = town(folder.path());
    let purse = "--wallet settler.key --embedded chain";
    let terms = std::fs::read_to_string(folder.path().join("chain.toml")).unwrap();
    let terms = terms.replace("bond_wei = \"0\"", "bond_wei = \"1000\"").replace("window = \"0\"", "window = \"1h\"");
    std::fs::write(folder.path().join("chain.toml"), terms).unwrap();
    let deployed = town.done(&format!("chain deploy net --terms chain.toml {purse}"));
    let first = deployed["first_epoch"].as_u64().unwrap();
    // An auditor signs what is logged and under a checkpoint: a while after it is closed.
    town.await_epoch(first + 3);
    for auditor in ["a1", "a2", "a3"] {
        town.audited_by(auditor);
    }
    // All three signed, and none has anything at stake.
    let post = format!("chain post {purse}");
    assert_eq!(town.done(&post)["waits_for"], format!("0 of 3 auditors have signed epoch {first}"));
    // Coin goes nowhere on a gateway's word alone.
    let payout = deployed["contracts"]["Payout"].as_str().unwrap();
    for auditor in ["a1.key", "a2.key", "a3.key"] {
        let bond = format!("chain bond {} --wei 1000 {purse}", town.address(auditor));
        assert_eq!(town.refused(&bond), (2, "STL-PAYOUT".to_owned()));
        let other = deployed["contracts"]["Token"].as_str().unwrap();
        assert_eq!(town.refused(&format!("{bond} --payout {other}")), (1, "STL-OTHER-CONTRACT".to_owned()));
        town.done(&format!("{bond} --payout {payout}"));
    }
    // Seconds of a chain are whole: the epoch may be over a moment later there.
    let mut posted = town.done(&post);
    while posted["epochs"] == serde_json::json!([]) {
        assert_eq!(posted["waits_for"], format!("epoch {first} or the window of the epoch before it is not over"));
        std::thread::sleep(Duration::from_millis(300));
        posted = town.done(&post);
    }
    assert_eq!(posted["epochs"], serde_json::json!([first]), "the next one waits for the window: {posted}");

    let halt = format!("chain halt {purse} --payout {payout}");
    assert_eq!(town.refused(&halt), (1, "STL-NOTHING-WRONG".to_owned()));
    town.done(&format!("{halt} --anyway"));
    assert_eq!(town.refused(&format!("{halt} --anyway")), (1, "STL-REVERTED".to_owned()));
    let status = town.done("chain status --embedded chain");
    assert_eq!(status["halted_by"].as_str(), Some(town.address("settler.key").as_str()));
    assert_eq!(town.done(&post)["epochs"], serde_json::json!([]));

    // The same once more, under a higher revision, dismisses it.
    for auditor in ["a1", "a2", "a3"] {
        let url = &town.url;
        town.done(&format!("auditor sign {url} --key {auditor}.key --dir {auditor} --epoch {first} --revision 1"));
    }
    assert_eq!(town.done(&post)["epochs"], serde_json::json!([first]));
    let status = town.done("chain status --embedded chain");
    assert_eq!((&status["halted_by"], &status["posted"]["revision"]), (&Value::Null, &Value::from(1)));
    assert_eq!(up.end(), 0);
}

/// An embedded chain is one program's at a time: the commands have it again when this returns.
fn treasury_deposits(town: &Town<'_>, deployed: &Value) {
    let clock = Arc::new(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs());
    let chain = Embedded::open(town.folder.join("chain"), embedded::Options::new(clock)).unwrap();
    let cairn_core::Address::Evm(buyer) = wallet_key(&town.folder.join("net/keys/treasury.key")).address() else {
        unreachable!("a wallet of an EVM chain")
    };
    chain.endow(buyer, 1_000_000_000_000_000_000).unwrap();
    deposit(town, deployed, &chain);
}

#[test]
fn a_wallet_is_sealed_and_opens_with_its_password_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let town = Town::at(folder, "http://127.0.0.1:9");
    for (file, text) in [("password", "correct horse\n"), ("other", "battery staple\n"), ("empty", "\n")] {
        std::fs::write(folder.join(file), text).unwrap();
        std::fs::set_permissions(folder.join(file), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let made = town.done("wallet new wallet.json --password-file password --cost 10");
    assert_eq!(town.address("wallet.json"), made["address"].as_str().unwrap());
    assert_eq!(town.refused("wallet new wallet.json --password-file password"), (1, "NET-KEY-EXISTS".to_owned()));
    town.done("keygen plain.key --algorithm secp256k1");
    let sealed = town.done("wallet import plain.key sealed.json --password-file password --cost 10");
    assert_eq!(sealed["address"].as_str(), Some(town.address("plain.key").as_str()));
    let send =
        "wallet send 0x00000000000000000000000000000000000000aa 0.5 --coin --embedded chain --wallet sealed.json";
    let shown = town.done(&format!("{send} --password-file password --dry-run"));
    assert_eq!(shown["unsigned"]["value_wei"], "500000000000000000");
    assert_eq!(shown["unsigned"]["from"], sealed["address"]);
    let sent = town.done(&format!("{send} --password-file password"));
    assert_eq!(sent["gas_used"], 21_000);
    // The same once more is another payment.
    let again = town.done(&format!("{send} --password-file password"));
    assert_ne!(again["transaction"], sent["transaction"]);
    let clock = Arc::new(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs());
    let chain = Embedded::open(folder.join("chain"), embedded::Options::new(clock)).unwrap();
    let mut to = [0; 20];
    to[19] = 0xaa;
    assert_eq!(chain.balance(to).unwrap(), 1_000_000_000_000_000_000);
    drop(chain);
    // What the chain does not take holds the wallet up, until it is cancelled.
    town.done("keygen poor.key --algorithm secp256k1");
    let all = send.replace("0.5", "1000").replace("sealed.json", "poor.key");
    let little = send.replace("sealed.json", "poor.key");
    for command in [&all, &little, &little] {
        assert_eq!(town.refused(command), (1, "STL-REFUSED".to_owned()), "{command}");
    }
    let cancel = "wallet cancel --embedded chain --wallet poor.key";
    assert_eq!(town.done(&format!("{cancel} --dry-run"))["cancelled"], false);
    assert_eq!(town.done(cancel)["cancelled"], true);
    assert!(town.done(cancel)["purpose"].is_null());
    assert_eq!(town.done(&little)["gas_used"], 21_000);
    assert_eq!(town.refused(send), (2, "STL-PASSWORD".to_owned()));
    for (password, code) in [("other", "STL-PASSWORD"), ("empty", "NET-KEY")] {
        assert_eq!(town.refused(&format!("{send} --password-file {password}")), (1, code.to_owned()));
    }
    std::fs::set_permissions(folder.join("password"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(town.refused(&format!("{send} --password-file password")), (1, "NET-KEY".to_owned()));
    let amount =
        "wallet send 0x00000000000000000000000000000000000000aa 1e3 --coin --embedded chain --wallet plain.key";
    assert_eq!(town.refused(amount), (2, "STL-AMOUNT".to_owned()));
}

#[test]
fn a_network_that_rehearses_nothing_settles_on_no_embedded_chain() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let town = Town::at(folder, "");
    town.done("init net");
    town.done("keygen settler.key --algorithm secp256k1");
    let up = Up::start(folder);
    let town = Town::at(folder, &up.url);
    let treasury = town.address("settler.key");
    let terms = town.done(&format!("chain terms --treasury {treasury} --auditor {treasury}"));
    std::fs::write(folder.join("chain.toml"), terms["document"].as_str().unwrap()).unwrap();
    for command in ["chain deploy net --terms chain.toml", "chain post", "chain pay", "claim"] {
        let command = format!("{command} --wallet settler.key --embedded chain");
        assert_eq!(town.refused(&command), (1, "NET-NOT-REHEARSED".to_owned()), "{command}");
    }
    assert_eq!(up.end(), 0);
}
