//! A gateway that announces itself, and a machine that finds it: multicast DNS on the loopback interface, at its own port.
//!
//! Others may announce there at the same time; each test looks for its own.

use std::path::Path;

use serde_json::Value;

use crate::liar::{Lie, liar};
use crate::life::until;
use crate::up::Up;
use crate::{done, network, refused, run};

const REST: &str = "--dir node --yes --no-ntp --source none --lat 53.5242 --lon 9.6850";

/// A network whose gateway announces itself to this machine alone.
fn announced(folder: &Path) -> Up {
    drop(network(folder));
    let file = folder.join("net/network.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("[gateway]\n", "[gateway]\nannounce_on = [\"127.0.0.1\"]\n")).unwrap();
    Up::start_with(folder, &["up", "net", "--listen", "127.0.0.1:0", "--announce", "--json"])
}

/// What is said of the gateway at `url` by who looks for gateways here.
fn found(folder: &Path, url: &str) -> Option<Value> {
    let ran = run(folder, "node find --on 127.0.0.1 --seconds 1 --json");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let gateways = document["gateways"].as_array().unwrap_or_else(|| panic!("{}{}", ran.stdout, ran.stderr)).clone();
    assert_eq!(
        (ran.code, document["error"]["code"].as_str()),
        match gateways.as_slice() {
            [] => (1, Some("NODE-GATEWAY")),
            _ => (0, None),
        }
    );
    gateways.into_iter().find(|gateway| gateway["url"].as_str() == Some(url))
}

#[test]
fn a_gateway_that_announces_itself_is_found_and_held_to_its_networks_id() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let up = announced(folder);
    let (url, id) = (up.url.clone(), up.document["network_id"].as_str().unwrap().to_owned());
    assert_eq!(up.document["announced"].as_bool(), Some(true));
    let mut gateway = Value::Null;
    until(folder, "the gateway is found", || found(folder, &url).map(|found| gateway = found).is_some());
    assert_eq!((gateway["name"].as_str(), gateway["network_id"].as_str()), (Some("garden"), Some(id.as_str())));
    assert_eq!(gateway["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));

    // Nobody chooses by himself, not even among one: what is there is listed, and nothing is made.
    let setup = format!("node setup --on 127.0.0.1 --seconds 1 --network {id} {REST} --json");
    until(folder, "the gateways are listed", || {
        let ran = run(folder, &setup);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(document["error"]["code"].as_str(), Some("NODE-GATEWAY"), "{}{}", ran.stdout, ran.stderr);
        let listed = document["gateways"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(listed.iter().all(|gateway| gateway["url"].as_str() == Some(&url)), "{listed:?}");
        ran.code == 2 && listed.len() == 1
    });
    let unknown = "ab".repeat(32);
    let other = format!("node setup --on 127.0.0.1 --seconds 1 --network {unknown} {REST}");
    assert_eq!(refused(folder, &other), (1, "NODE-GATEWAY".to_owned()));

    // An address that is chosen is held to the id, and its keys to that.
    assert_eq!(
        refused(folder, &format!("node setup {url} --network {unknown} {REST}")),
        (1, "NODE-NETWORK".to_owned())
    );
    let lie = Lie { path: "/v1/network", from: "\"promise_vkey\":\"", to: "\"promise_vkey\":\"not-" };
    let impostor = liar(&url, lie);
    assert_eq!(
        refused(folder, &format!("node setup {impostor} --network {id} {REST}")),
        (1, "NODE-NETWORK".to_owned())
    );
    assert!(!folder.join("node").exists(), "nothing is made before the network is known");
    let made = done(folder, &format!("node setup {url} --network {id} {REST}"));
    assert_eq!(made["network_id"].as_str(), Some(id.as_str()));

    assert_eq!(up.end(), 0);
    assert!(found(folder, &url).is_none(), "it is gone");
}

#[test]
fn a_gateway_that_nobody_else_can_reach_is_not_announced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    drop(network(folder));
    assert_eq!(refused(folder, "up net --listen 127.0.0.1:0 --announce"), (1, "NET-ANNOUNCE".to_owned()));
    let up = Up::start(folder);
    assert_eq!(up.document["announced"].as_bool(), Some(false), "it is off unless it is asked for");
}
