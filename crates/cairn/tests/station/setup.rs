//! Setting a machine up, also when it is interrupted, and when the owner is elsewhere.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cairn_edge::source::SIMULATED;

use crate::life::{Running, until};
use crate::{done, network, network_that, refused, run};

const HERE: &str = "--lat 53.5242 --lon 9.6850";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_machine_that_is_set_up_again_keeps_its_key_and_is_enrolled_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let up = network(folder);
    let url = &up.url;
    assert_eq!(refused(folder, &format!("node setup {url} --dir node")), (2, "NODE-ASK".to_owned()));
    let setup = format!(
        "node setup {url} --dir node --yes --no-ntp --source file --from air.txt --quantity temperature {HERE}"
    );
    let made = done(folder, &setup);
    let device = made["device"].as_str().unwrap();
    assert_eq!((made["was_enrolled"].as_bool(), made["service"]["started"].as_bool()), (Some(false), Some(false)));
    let key = std::fs::read(folder.join("node/device.key")).unwrap();
    for (file, expected) in [("node", 0o700), ("node/device.key", 0o600), ("node/owner.key", 0o600)] {
        assert_eq!(mode(&folder.join(file)), expected, "{file}");
    }
    let known = done(folder, &format!("device {device} --url {url}"));
    assert_eq!(
        (known["owner"].as_str(), known["enrolled_index"].as_u64()),
        (made["owner"].as_str(), made["enrolled_index"].as_u64())
    );

    // The same again, and after a crash between any two steps: what is there is kept, what is missing is made.
    for gone in [None, Some("node.toml"), Some("owner.key")] {
        if let Some(gone) = gone {
            std::fs::remove_file(folder.join("node").join(gone)).unwrap();
        }
        let again = done(folder, &setup);
        assert_eq!((again["device"].as_str(), again["was_enrolled"].as_bool()), (Some(device), Some(true)), "{gone:?}");
        assert_eq!(again["enrolled_index"], made["enrolled_index"]);
        assert_eq!(std::fs::read(folder.join("node/device.key")).unwrap(), key);
        assert!(folder.join("node/node.toml").exists());
    }
    // Once it is set up nothing more needs to be said.
    assert_eq!(done(folder, &format!("node setup {url} --dir node"))["device"].as_str(), Some(device));
}

#[test]
fn an_owner_elsewhere_lets_a_device_join_and_nobody_else_can() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let up = network(folder);
    let url = &up.url;
    let wallet = |name: &str| {
        let made = done(folder, &format!("keygen {name} --algorithm secp256k1"));
        made["public"].as_str().unwrap().to_owned()
    };
    let (address, _) = (wallet("owner.key"), wallet("other.key"));
    let made =
        done(folder, &format!("node setup {url} --dir node --yes --no-ntp --owner {address} --source none {HERE}"));
    let device = made["device"].as_str().unwrap();
    assert!(made["enrolled_index"].is_null() && made["wallet"].is_null());
    assert_eq!(refused(folder, &format!("device {device} --url {url}")).0, 1);
    let file = made["awaiting"].as_str().unwrap();
    let other = refused(folder, &format!("node approve {file} --owner other.key --url {url}"));
    assert_eq!(other, (1, "NET-KEY".to_owned()));
    assert_eq!(
        refused(folder, &format!("node approve node/device.key --owner owner.key --url {url}")),
        (1, "NODE-JOIN".to_owned())
    );
    let approved = done(folder, &format!("node approve {file} --owner owner.key --url {url}"));
    assert_eq!(approved["device"].as_str(), Some(device));
    assert_eq!(done(folder, &format!("node setup {url} --dir node --yes"))["was_enrolled"].as_bool(), Some(true));
}

#[test]
fn a_key_of_openssl_is_taken_and_a_service_written_where_it_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let up = network(folder);
    let url = &up.url;
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n-----END PRIVATE KEY-----\n";
    std::fs::write(folder.join("own.pem"), pem).unwrap();
    let setup =
        format!("node setup {url} --dir node --yes --no-ntp --key-pem own.pem --source none --service user {HERE}");
    std::fs::set_permissions(folder.join("own.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(refused(folder, &setup), (1, "NET-KEY".to_owned()));
    std::fs::set_permissions(folder.join("own.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let made = done(folder, &setup);
    // The device of the Ed25519 key of 32 bytes 1.
    assert_eq!(made["device"].as_str(), Some("dev1gjpj3kvlbwc2763in7o6rzf4ki"));
    assert!(!folder.join("node/device.key").exists());
    let unit = std::fs::read_to_string(folder.join(".config/systemd/user/cairn-node.service")).unwrap();
    assert!(unit.contains(&format!("node run --dir {}\n", folder.join("node").display())), "{unit}");
    assert_eq!(made["service"]["started"].as_bool(), Some(false));
    let talk = run(folder, &format!("node setup {url} --dir node --no-service --yes"));
    assert!(talk.stdout.contains("measure and send: cairn node run --dir"), "{}{}", talk.stdout, talk.stderr);
}

#[test]
fn a_copy_of_the_key_is_the_key_and_another_key_is_the_same_device() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let up = network(folder);
    let url = &up.url;
    let made = done(folder, &format!("node setup {url} --dir node --yes --no-ntp --source none {HERE}"));
    let device = made["device"].as_str().unwrap();
    std::fs::write(folder.join("word"), "correct horse\n").unwrap();
    std::fs::set_permissions(folder.join("word"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(run(folder, "node key backup copy --dir node").code, 2);
    done(folder, "node key backup copy --dir node --password-file word --cost 10");
    assert_eq!(mode(&folder.join("copy")), 0o600);
    let restored = done(folder, "node key restore copy --dir other --password-file word");
    assert_eq!(restored["device"].as_str(), Some(device));
    let key = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    assert_eq!(key("other/device.key"), key("node/device.key"));

    let before = key("node/device.key");
    let rotated = done(folder, "node key rotate --dir node");
    let known = done(folder, &format!("device {device} --url {url}"));
    assert_eq!((known["key"].as_str(), rotated["device"].as_str()), (rotated["public"].as_str(), Some(device)));
    assert_ne!(key("node/device.key"), before);
    assert_eq!(
        std::fs::read_to_string(rotated["former"].as_str().map(|path| folder.join(path)).unwrap()).unwrap(),
        before
    );
    // The copy of the former key is no key of the device any more.
    assert_eq!(
        refused(folder, &format!("node setup {url} --dir other --yes --no-ntp --source none {HERE}")),
        (1, "NET-KEY".to_owned())
    );
    // A crash behind the network's word: the next key is there, and the former one still in its place.
    std::fs::rename(folder.join("node/device.key"), folder.join("node/device.key.next")).unwrap();
    std::fs::write(folder.join("node/device.key"), &before).unwrap();
    std::fs::set_permissions(folder.join("node/device.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let again = done(folder, "node key rotate --dir node");
    assert_eq!((again["public"].as_str(), again["index"].as_u64()), (rotated["public"].as_str(), None));
}

#[test]
fn a_node_is_simulated_where_that_is_rehearsed_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let up = network(folder);
    let refusal = refused(folder, &format!("node simulate {} --dir made-up {HERE}", up.url));
    assert_eq!((refusal, folder.join("made-up").exists()), ((1, "EDGE-SIMULATED".to_owned()), false));
    drop(up);

    let rehearsal = folder.join("rehearsal");
    std::fs::create_dir(&rehearsal).unwrap();
    let up = network_that(&rehearsal, &["--rehearsed", SIMULATED]);
    let url = &up.url;
    done(&rehearsal, &format!("node setup {url} --dir real --yes --no-ntp --source stdin --quantity co2 {HERE}"));
    let refusal = refused(&rehearsal, &format!("node simulate {url} --dir real {HERE}"));
    assert_eq!(refusal, (2, "NODE-SIMULATE".to_owned()));

    // Stopped and begun again it is the same device, and goes on.
    let simulate = format!("node simulate {url} --dir made-up --every 1 --quantity co2,pm10 {HERE} --json");
    let arguments: Vec<&str> = simulate.split(' ').collect();
    let promised = || {
        let status = run(&rehearsal, "node status --dir made-up --json").stdout;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap_or_default();
        status["node"]["queue"]["promised"].as_u64().unwrap_or(0)
    };
    let mut before = 0;
    for _ in 0..2 {
        let node = Running::start_with(&rehearsal, &arguments);
        until(&rehearsal, "made-up readings are promised", || promised() >= before + 3);
        assert_eq!(node.end(), 0);
        before = promised();
    }
    let devices = done(&rehearsal, &format!("status --url {url}"));
    assert_eq!(devices["network"]["devices"].as_u64(), Some(2), "{devices}");
}
