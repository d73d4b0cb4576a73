//! Work bought, done, checked and paid over a real network: every party is a process of its own, but a worker that lies, which
//! there is no command for.

#![allow(clippy::unwrap_used)]

mod liar;
mod place;
#[path = "../process/ran.rs"]
mod ran;
#[path = "../process/up.rs"]
mod up;

use std::path::Path;
use std::time::Duration;

use cairn_core::key::SecretKey;
use cairn_core::{Amount, Hash};
use serde_json::Value;

use crate::liar::Liar;
use crate::place::{MODULE, Place, UNIT};

fn word(worker: &Value) -> &str {
    worker["word"]["said"].as_str().unwrap()
}

fn secret(folder: &Path, key: &str) -> SecretKey {
    let text = std::fs::read_to_string(folder.join(format!("{key}.key"))).unwrap();
    let seed = text.lines().find_map(|line| line.strip_prefix("ed25519 ")).unwrap();
    SecretKey::ed25519(Hash::from_hex(seed).unwrap().0)
}

/// Whether a worker's folder has a record of a job.
fn has_record(folder: &Path, worker: &str, job: &str) -> bool {
    folder.join(format!("{worker}.worker/{job}.job")).exists()
}

#[test]
fn work_is_bought_done_checked_and_paid_and_who_lies_or_is_killed_changes_nothing_for_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let place = Place::found(folder);
    std::fs::write(folder.join("seven.wasm"), MODULE).unwrap();
    std::fs::write(folder.join("input"), b"an input").unwrap();
    let order = "buy compute --module seven.wasm --input input --wallet buyer.key --gas 1000000 --within 10m";

    // Nobody offers anything yet.
    assert_eq!(place.refused(&format!("{order} --dry-run")), (1, "CMP-NO-WORKER".to_owned()));
    for (worker, owner) in [("w1", "o1"), ("w2", "o2"), ("w3", "o3")] {
        place.enrol(worker, owner);
    }
    let first = place.work("w1", "1");
    let second = place.work("w2", "2");
    let _auditor = place.audit();
    place.await_offers(2);

    // What it costs is told before anything is signed, and too much is refused.
    let quoted = place.done(&format!("{order} --dry-run"));
    let gas = 1_000_000;
    assert_eq!(quoted["quote"]["locked"], (3 * UNIT * gas / 1_000_000_000).to_string(), "{quoted:#}");
    assert_eq!(quoted["quote"]["credit"], (1_000 * UNIT).to_string());
    assert_eq!(quoted["job"], Value::Null);
    assert_eq!(place.refused(&format!("{order} --most 0.001")), (1, "CMP-MOST".to_owned()));
    assert_eq!(place.refused(&format!("{order} --replicas 3")), (1, "CMP-NO-WORKER".to_owned()));
    let penniless = order.replace("buyer.key", "auditor.key");
    assert_eq!(place.refused(&penniless), (1, "CMP-CREDIT".to_owned()));

    // A job of two honest workers: bought, waited for, run again, proven.
    let bought = place.done(&format!("{order} --output out"));
    assert_eq!(std::fs::read(folder.join("out")).unwrap(), b"seven");
    let honest = bought["job"].as_str().unwrap();
    assert_eq!(bought["outcome"]["outcome"], 0);
    let replayed = place.done(&format!("replay {honest} --output again"));
    assert_eq!(std::fs::read(folder.join("again")).unwrap(), b"seven");
    assert!(replayed["workers"].as_array().unwrap().iter().all(|worker| worker["same"] == true), "{replayed:#}");
    assert_eq!(place.refused(&format!("job receipt {honest}")), (1, "CMP-UNSETTLED".to_owned()));

    // A job that is taken back before anybody sealed anything. Nobody else can take one back, and nobody can twice.
    drop((first, second));
    let taken_back = place.done(order);
    let job = taken_back["job"].as_str().unwrap();
    assert_eq!(place.refused(&format!("job cancel {job} --wallet o1.key")), (1, "STM-RIGHTS".to_owned()));
    place.done(&format!("job cancel {job} --wallet buyer.key"));
    assert_eq!(place.refused(&format!("job show {job}")), (1, "NET-NO-JOB".to_owned()));
    assert_eq!(place.refused(&format!("job cancel {job} --wallet buyer.key")).0, 1);

    // The input is licensed from here on.
    place.done("licence grant --content input --owner o3.key --price 2 --share 100000 --module seven.wasm");
    assert_eq!(place.refused("licence grant --content input --owner o2.key --price 1"), (1, "CMP-HELD".to_owned()));
    let _second = place.work("w2", "2");
    let _liar = Liar::start(folder, &place.up.url, secret(folder, "w3"), Amount(UNIT));
    place.await_offers(3);
    let third = place.done(&format!("{order} --replicas 3"));
    let job = third["job"].as_str().unwrap();
    killed_between_its_steps(&place, job);

    // The liar is found out by the auditor, and the honest ones are paid.
    let settled = place.await_job(job, "settled", |job| job["settled"].is_object());
    assert_eq!(settled["draw"], Value::Null);
    assert!(settled["truth"].is_string(), "{settled:#}");
    let sale = &settled["settled"]["sale"];
    let paid: Vec<&str> =
        sale["work"].as_array().unwrap().iter().map(|work| work["device"].as_str().unwrap()).collect();
    let assigned = settled["assigned"].as_array().unwrap();
    let right: Vec<&str> = assigned
        .iter()
        .filter(|worker| worker["word"]["result"]["digest"] == settled["truth"])
        .map(|worker| worker["device"].as_str().unwrap())
        .collect();
    assert_eq!((assigned.len(), right.len()), (3, 2), "{settled:#}");
    assert_eq!(paid, right, "{settled:#}");
    // The owner of the input has its price and its tenth of the first right worker's.
    let gas_paid = sale["work"][0]["work"].as_str().unwrap().parse::<u128>().unwrap();
    assert_eq!(sale["licences"][0]["amount"], (2 * UNIT + gas_paid / 10).to_string(), "{sale:#}");
    let (code, compared) = place.ran(&format!("replay {job}"));
    assert_eq!((code, compared["error"]["code"].as_str()), (1, Some("CMP-DIFFERS")), "{compared:#}");
    let differs = compared["workers"].as_array().unwrap().iter().find(|worker| worker["same"] == false).unwrap();
    assert_eq!(differs["first_byte"], 5, "{compared:#}");
    let result = place.done(&format!("job result {job} --output third"));
    assert_eq!(
        (result["ground"].as_str(), std::fs::read(folder.join("third")).unwrap()),
        (Some("replayed"), b"seven".to_vec())
    );

    receipts(&place, honest, job);

    // The books are right, whoever looks.
    let audited = place.done(&format!("audit {}", place.up.url));
    assert_eq!(audited["difference"], Value::Null, "{audited:#}");
    assert_eq!(place.up.end(), 0);
}

/// Kills a worker whenever its files say that it has come a step further, and starts it again.
fn killed_between_its_steps(place: &Place<'_>, job: &str) {
    let mut kills = 0;
    for _ in 0..200 {
        let had_record = has_record(place.folder, "w1", job);
        let word_before = word_of(place, "w1", job);
        let worker = place.work("w1", "1");
        // Something has happened: a file, or a word in the log.
        for _ in 0..600 {
            let now = (has_record(place.folder, "w1", job), word_of(place, "w1", job));
            if now != (had_record, word_before.clone()) || now.1 == "revealed" {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(worker);
        kills += 1;
        if word_of(place, "w1", job) == "revealed" {
            break;
        }
    }
    assert_eq!(word_of(place, "w1", job), "revealed", "after {kills} kills");
    assert!(kills >= 2, "it was never killed on its way");
}

fn word_of(place: &Place<'_>, worker: &str, job: &str) -> String {
    let text = std::fs::read_to_string(place.folder.join(format!("{worker}.worker/identity"))).unwrap_or_default();
    let device = text.lines().nth(1).unwrap_or_default().to_owned();
    let shown = place.done(&format!("job show {job}"));
    let assigned = shown["assigned"].as_array().unwrap();
    let own = assigned.iter().find(|one| one["device"] == device.as_str());
    own.map_or_else(|| panic!("{worker} is not assigned: {shown:#}"), |one| word(one).to_owned())
}

/// Receipts prove what was paid without the network, and no altered one does.
fn receipts(place: &Place<'_>, honest: &str, other: &str) {
    place.await_job(honest, "settled", |job| job["settled"].is_object());
    let written = place.done(&format!("job receipt {honest} --out receipt.json"));
    assert_eq!((written["verified"].as_bool(), written["job"].as_str()), (Some(true), Some(honest)));
    place.done(&format!("job receipt {other} --out other.json"));
    let vkey = place.done("status")["network"]["log_vkey"].as_str().unwrap().to_owned();
    let check = format!("job receipt --check receipt.json --vkey {vkey}");
    assert_eq!(place.done(&check)["sale"], written["sale"]);
    let path = place.folder.join("receipt.json");
    let read =
        |file: &str| -> Value { serde_json::from_slice(&std::fs::read(place.folder.join(file)).unwrap()).unwrap() };
    let (receipt, another) = (read("receipt.json"), read("other.json"));
    for part in ["order", "statement", "sale", "job", "network_id"] {
        let mut altered = receipt.clone();
        altered[part] = another[part].clone();
        if altered == receipt {
            continue;
        }
        std::fs::write(&path, altered.to_string()).unwrap();
        assert_eq!(place.refused(&check), (1, "CMP-RECEIPT".to_owned()), "{part} of another");
    }
    let mut torn = receipt.clone();
    let leaf = torn["sale"]["leaf"].as_str().unwrap().replace("00", "01");
    torn["sale"]["leaf"] = Value::from(leaf);
    std::fs::write(&path, torn.to_string()).unwrap();
    assert_eq!(place.refused(&check), (1, "CMP-RECEIPT".to_owned()));
    std::fs::write(&path, receipt.to_string()).unwrap();
    let stranger = place.refused("job receipt --check receipt.json --vkey log.example+00000000+AAAA");
    assert_eq!(stranger.0, 1);
}
