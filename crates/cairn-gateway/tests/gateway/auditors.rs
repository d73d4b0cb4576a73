//! Signatures of auditors: who may leave one, over what, how many, and what becomes of everything else.

use cairn_api::{EpochMessageInfo, EpochSignatures, SignatureKept, SignaturePost};
use cairn_core::epoch::EpochStatement;
use cairn_core::statement::{AuditorSet, Body};
use cairn_core::wallet::WalletKey;
use cairn_core::{Address, Hash, NetworkId};
use cairn_gateway::{GatewayOptions, Running};
use cairn_settle::EpochMessage;
use cairn_settle::message::sign;
use cairn_settle::told::{address_text, message_info, signature_text};

use crate::support::{Client, Http, Net, options, rows};

/// The last closed epoch.
const EPOCH: u64 = 1;
const PATH: &str = "/v1/epochs/1/signatures";

fn key(number: u8) -> WalletKey {
    WalletKey::from_bytes([number; 32]).unwrap()
}

fn address(key: &WalletKey) -> [u8; 20] {
    let Address::Evm(address) = key.address() else { unreachable!("wallet keys are EVM accounts") };
    address
}

fn in_folder(net: &Net) -> GatewayOptions {
    GatewayOptions { signatures: Some(net.folder.path().join("signatures")), ..options() }
}

/// A network with epochs 0 and 1 closed, and auditors 1 to 3, two of whom must sign, from epoch 1 on.
fn audited() -> (Net, Running) {
    let net = Net::found();
    let running = net.start_with(in_folder(&net));
    let mut client = Client::to(&running);
    let mut auditors: Vec<[u8; 20]> = (1..=3).map(|number| address(&key(number))).collect();
    auditors.sort_unstable();
    let set = AuditorSet { first_epoch: 1, quorum: 2, auditors };
    let response = client.statement(&net.by_operator(Body::AuditorSet(set), 9).encode());
    assert!(rows(&response)[0].starts_with("accepted"), "{:?}", rows(&response));
    for epoch in 0..=EPOCH {
        let response = client.observation(&net.clock(Net::closing_ms(epoch)));
        assert!(rows(&response)[0].starts_with("accepted"), "{:?}", rows(&response));
    }
    client.settle();
    (net, running)
}

fn message(client: &mut Client, revision: u32) -> EpochMessage {
    let bytes = client.get_as("/v1/epochs/1", "application/cbor").body;
    EpochMessage::of(&EpochStatement::decode(&bytes).unwrap(), revision).unwrap()
}

fn signed(net: NetworkId, key: &WalletKey, message: &EpochMessage) -> SignaturePost {
    let signature = signature_text(&sign(key, &message.digest(&net)));
    SignaturePost { revision: message.revision, signature, message: None }
}

fn post(client: &mut Client, body: &SignaturePost) -> Http {
    client.post(PATH, "application/json", &serde_json::to_vec(body).unwrap())
}

fn signatures(client: &mut Client) -> EpochSignatures {
    client.get(PATH).json()
}

#[test]
fn auditors_of_the_set_in_force_leave_their_signatures_once_and_anybody_finds_them() {
    let (net, running) = audited();
    let mut client = Client::to(&running);
    let message = message(&mut client, 0);
    let before = signatures(&mut client);
    assert_eq!((before.message, before.digest), (message_info(&message), Hash(message.digest(&net.network)).to_hex()));
    assert_eq!((before.network_id, before.quorum, before.signatures.len()), (net.network.to_string(), 2, 0));
    let mut named: Vec<String> = (1..=3).map(|number| address_text(&address(&key(number)))).collect();
    named.sort();
    assert_eq!(before.auditors, named);

    for (round, known) in [(0, false), (1, true)] {
        for number in 1..=2 {
            let kept: SignatureKept = post(&mut client, &signed(net.network, &key(number), &message)).json();
            let expected = if round == 0 { u64::from(number) } else { 2 };
            assert_eq!((kept.known, kept.signed, kept.quorum), (known, expected, 2), "{number}");
            assert_eq!(kept.auditor, address_text(&address(&key(number))));
        }
    }
    let kept: SignatureKept =
        post(&mut client, &signed(net.network, &key(1), &EpochMessage { revision: 1, ..message })).json();
    assert_eq!((kept.revision, kept.known, kept.signed), (1, false, 1));
    let after = signatures(&mut client);
    assert_eq!(after.signatures.iter().map(|one| one.revision).collect::<Vec<_>>(), [0, 0, 1]);
    let shown: EpochSignatures = client.get("/v1/epochs/1/signatures?revision=1").json();
    assert_eq!((shown.message.revision, shown.revision), (1, 1));
    assert_ne!(shown.digest, after.digest);
    assert_eq!(client.metric("cairn_auditor_signatures_total{result=\"kept\"}"), 3);
    assert_eq!(client.metric("cairn_auditor_signatures_total{result=\"known\"}"), 2);

    // They are durable, and nothing in the log.
    let size = client.network().size;
    running.shutdown().unwrap();
    let running = net.start_with(in_folder(&net));
    let mut client = Client::to(&running);
    assert_eq!((signatures(&mut client), client.network().size), (after, size));
}

#[test]
fn whoever_is_no_auditor_of_this_epoch_of_this_network_leaves_nothing() {
    let (net, running) = audited();
    let mut client = Client::to(&running);
    let message = message(&mut client, 0);
    let honest = signed(net.network, &key(1), &message);
    let with = |signature: &str| SignaturePost { signature: signature.to_owned(), ..honest.clone() };
    let mut high = sign(&key(1), &message.digest(&net.network));
    mirror_s(&mut high);
    let other = |message: &EpochMessage| SignaturePost { message: Some(message_info(message)), ..honest.clone() };
    let elsewhere = NetworkId(Hash([7; 32]));
    let cases = [
        ("a stranger", signed(net.network, &key(9), &message), 403, "STL-NOT-AN-AUDITOR"),
        ("of another network", signed(elsewhere, &key(1), &message), 403, "STL-NOT-AN-AUDITOR"),
        ("another revision", SignaturePost { revision: 1, ..honest.clone() }, 403, "STL-NOT-AN-AUDITOR"),
        ("a high s", with(&signature_text(&high)), 400, "STL-SIGNATURE"),
        ("cut short", with(&honest.signature[..honest.signature.len() - 2]), 400, "STL-SIGNATURE"),
        ("too long", with(&format!("{}00", honest.signature)), 400, "STL-SIGNATURE"),
        ("nothing", with(""), 400, "STL-SIGNATURE"),
        ("zeros", with(&"00".repeat(65)), 400, "STL-SIGNATURE"),
        ("a revision too high", SignaturePost { revision: 16, ..honest.clone() }, 400, "STL-REVISION"),
        ("a message of another epoch", other(&EpochMessage { epoch: 0, ..message.clone() }), 400, "STL-MESSAGE"),
        ("a message of another revision", other(&EpochMessage { revision: 3, ..message.clone() }), 400, "STL-MESSAGE"),
        (
            "a message that he did not sign",
            other(&EpochMessage { log_size: 9, ..message.clone() }),
            403,
            "STL-NOT-AN-AUDITOR",
        ),
    ];
    for (what, body, status, code) in cases {
        let problem = post(&mut client, &body).problem();
        assert_eq!((problem.status, problem.code.as_str()), (status, code), "{what}: {}", problem.detail);
    }
    let body = serde_json::to_vec(&honest).unwrap();
    for (path, kind, body, status, code) in [
        ("/v1/epochs/2/signatures", "application/json", &body[..], 404, "NET-NO-EPOCH"),
        ("/v1/epochs/0/signatures", "application/json", &body[..], 409, "STL-NO-AUDITORS"),
        ("/v1/epochs/x/signatures", "application/json", &body[..], 400, "NET-NUMBER"),
        (PATH, "text/plain", &body[..], 415, "NET-MEDIA-TYPE"),
        (PATH, "application/json", &body[..body.len() - 1], 400, "NET-JSON"),
        (PATH, "application/json", b"", 400, "NET-JSON"),
        (PATH, "application/json", &[b'['; 4_096], 400, "NET-JSON"),
    ] {
        let problem = client.post(path, kind, body).problem();
        assert_eq!((problem.status, problem.code.as_str()), (status, code), "{path} {kind}");
    }
    // More than a signature needs is not even read.
    let mut flood = Client::to(&running);
    let problem = flood.post(PATH, "application/json", &vec![b' '; 1 << 20]).problem();
    assert_eq!((problem.status, problem.code.as_str()), (413, "NET-TOO-LARGE"));
    assert_eq!(client.get("/v1/epochs/1/signatures?revision=4294967296").problem().code, "NET-QUERY");
    assert!(signatures(&mut client).signatures.is_empty());
    assert!(!net.folder.path().join("signatures").exists(), "strangers make no file");
}

/// The other signature over the same digest, which EIP-2 forbids: `s` becomes the order less `s`, and `v` the other.
fn mirror_s(signature: &mut [u8; 65]) {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae,
        0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];
    let mut borrow = false;
    for at in (0..32).rev() {
        let (less, first) = ORDER[at].overflowing_sub(signature[32 + at]);
        let (less, second) = less.overflowing_sub(u8::from(borrow));
        (signature[32 + at], borrow) = (less, first || second);
    }
    signature[64] = if signature[64] == 27 { 28 } else { 27 };
}

#[test]
fn an_auditor_who_signs_another_truth_is_recorded_once_and_refused() {
    let (net, running) = audited();
    let mut client = Client::to(&running);
    let message = message(&mut client, 0);
    assert_eq!(post(&mut client, &signed(net.network, &key(1), &message)).status, 200);
    let folder = net.folder.path().join("signatures/contradictions");
    for (round, byte) in [(0, 8), (1, 9)] {
        let other = EpochMessage { state_root: Hash([byte; 32]), ..message.clone() };
        let body = SignaturePost { message: Some(message_info(&other)), ..signed(net.network, &key(1), &other) };
        let problem = post(&mut client, &body).problem();
        assert_eq!((problem.status, problem.code.as_str()), (409, "STL-CONTRADICTION"), "{round}");
        // A stranger's other truths are worth nothing.
        let body = SignaturePost { message: body.message, ..signed(net.network, &key(9), &other) };
        assert_eq!(post(&mut client, &body).problem().code, "STL-NOT-AN-AUDITOR");
    }
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    let told: EpochMessageInfo = serde_json::from_value(document["message"].clone()).unwrap();
    assert_eq!(told.state_root, Hash([8; 32]).to_hex(), "the first one");
    assert_eq!(document["implied_signature"], signed(net.network, &key(1), &message).signature);
    assert_eq!(client.metric("cairn_auditor_signatures_total{result=\"contradiction\"}"), 1);
    assert_eq!(signatures(&mut client).signatures.len(), 1);
}

#[test]
fn torn_or_altered_files_stop_nothing_and_lose_only_what_is_damaged() {
    let (net, running) = audited();
    let mut client = Client::to(&running);
    let message = message(&mut client, 0);
    for number in 1..=3 {
        assert_eq!(post(&mut client, &signed(net.network, &key(number), &message)).status, 200);
    }
    let all = signatures(&mut client);
    running.shutdown().unwrap();
    let file = net.folder.path().join("signatures/1");
    let whole = std::fs::read(&file).unwrap();
    let line = whole.len() / 3;
    let mut altered = whole.clone();
    altered[10] ^= 1;
    let damaged: [(&str, Vec<u8>, usize); 6] = [
        ("whole", whole.clone(), 3),
        ("cut", whole[..2 * line + 7].to_vec(), 2),
        ("a digit of the first line", altered, 2),
        ("zeros", vec![0; 200], 0),
        ("twice", [whole.clone(), whole.clone()].concat(), 3),
        ("too long", vec![b'x'; 2 << 20], 0),
    ];
    for (what, content, left) in damaged {
        std::fs::write(&file, content).unwrap();
        let running = net.start_with(in_folder(&net));
        let mut client = Client::to(&running);
        let found = signatures(&mut client);
        assert_eq!(found.signatures.len(), left, "{what}");
        assert!(found.signatures.iter().all(|one| all.signatures.contains(one)), "{what}");
        for number in 1..=3 {
            assert_eq!(post(&mut client, &signed(net.network, &key(number), &message)).status, 200);
        }
        assert_eq!(signatures(&mut client), all, "{what}: auditors leave them again");
        running.shutdown().unwrap();
    }
}

#[test]
fn a_gateway_without_a_folder_shows_what_to_sign_and_takes_nothing() {
    let (net, running) = audited();
    running.shutdown().unwrap();
    let running = net.start();
    let mut client = Client::to(&running);
    let message = message(&mut client, 0);
    assert_eq!(post(&mut client, &signed(net.network, &key(1), &message)).problem().code, "STL-NOT-KEPT");
    assert_eq!(signatures(&mut client).message, message_info(&message));
}
