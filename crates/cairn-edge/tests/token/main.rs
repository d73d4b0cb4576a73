//! Keys on a real token: SoftHSM2. Built with the feature `pkcs11`; `cargo xtask test token` gives it a token.
//!
//! SoftHSM reads where its tokens are from the environment when it is loaded, so each test runs in a process of its own.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

use cairn_core::key::Algorithm;
use cairn_core::report::{Report, ReportBody};
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_edge::token::{PinSource, TokenKey, TokenSigner};
use cairn_edge::{Signer, sign_payload};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

fn module() -> PathBuf {
    let given = std::env::var_os("CAIRN_SOFTHSM").map(PathBuf::from);
    let known = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ];
    given.or_else(|| known.iter().map(PathBuf::from).find(|path| path.exists())).expect("SoftHSM2 is installed")
}

/// Runs one of the ignored tests below with a token of its own.
fn with_token(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let config = folder.path().join("softhsm2.conf");
    std::fs::write(
        &config,
        format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display()),
    )
    .unwrap();
    std::fs::write(folder.path().join("pin"), "fedcba\n").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--test-threads", "1"])
        .env("SOFTHSM2_CONF", &config)
        .env("CAIRN_TOKEN_FOLDER", folder.path())
        .env("CAIRN_TOKEN_PIN", "fedcba")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn token() -> TokenKey {
    let context = Pkcs11::new(module()).unwrap();
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = context.get_slots_with_token().unwrap()[0];
    let officer = AuthPin::new("abcdef".into());
    context.init_token(slot, &officer, "garden").unwrap();
    let session = context.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&officer)).unwrap();
    session.init_pin(&AuthPin::new("fedcba".into())).unwrap();
    session.logout().unwrap();
    let pin = PinSource::File(PathBuf::from(std::env::var_os("CAIRN_TOKEN_FOLDER").unwrap()).join("pin"));
    TokenKey { module: module(), token: Some("garden".to_owned()), label: "device".to_owned(), pin }
}

fn signs(signer: &TokenSigner) {
    let device = DeviceId::of_key(&signer.public().multicodec());
    let network = NetworkId(Hash([9; 32]));
    let body = ReportBody::of(1, 2, 1_700_000_000_000, "sensing/1", cairn_core::cbor::Value::map(vec![]));
    let signed = sign_payload(signer, device, &network, &body.encode()).unwrap();
    let report = Report::parse(&signed).unwrap();
    assert_eq!(report.body, body);
    assert!(signer.public().verify(&report.to_be_signed(&network), &report.sign1.signature));
}

#[test]
fn a_key_is_made_on_the_token_and_signs_reports() {
    with_token("inner_made_and_signs");
}

#[test]
#[ignore = "runs in a process of its own"]
fn inner_made_and_signs() {
    let key = token();
    let made = TokenSigner::make(key.clone(), None).unwrap();
    assert_eq!(made.public().algorithm(), Algorithm::Ed25519);
    signs(&made);
    let from_environment =
        TokenKey { pin: PinSource::Environment("CAIRN_TOKEN_PIN".to_owned()), token: None, ..key.clone() };
    let again = TokenSigner::open(from_environment).unwrap();
    assert_eq!(again.public(), made.public());
    signs(&again);
    let twice = TokenSigner::make(key.clone(), None).unwrap_err();
    assert!(twice.to_string().contains("already"), "{twice}");

    let other = TokenSigner::make(TokenKey { label: "p256".to_owned(), ..key }, Some(Algorithm::P256)).unwrap();
    assert_eq!(other.public().algorithm(), Algorithm::P256);
    signs(&other);
}

#[test]
fn a_key_never_leaves_the_token_and_a_wrong_pin_is_tried_once() {
    with_token("inner_stays");
}

#[test]
#[ignore = "runs in a process of its own"]
fn inner_stays() {
    let key = token();
    let missing = TokenSigner::open(key.clone()).unwrap_err();
    assert!(missing.to_string().contains("no key `device`"), "{missing}");
    let made = TokenSigner::make(key.clone(), None).unwrap();
    let context = Pkcs11::new(module()).unwrap();
    let session = context.open_ro_session(context.get_slots_with_initialized_token().unwrap()[0]).unwrap();
    let private = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
    let value = session.get_attributes(private[0], &[AttributeType::Value]);
    assert!(value.is_err() || value.unwrap().is_empty());
    drop((session, made));

    for (change, expected) in [
        (TokenKey { token: Some("attic".to_owned()), ..key.clone() }, "no token `attic`"),
        (TokenKey { module: "/nothing.so".into(), ..key.clone() }, "libloading"),
        (TokenKey { pin: PinSource::Environment("CAIRN_NO_PIN".to_owned()), ..key.clone() }, "CAIRN_NO_PIN"),
    ] {
        let error = TokenSigner::open(change).unwrap_err();
        assert!(error.to_string().contains(expected) && !error.may_pass(), "{error}");
    }
}

#[test]
fn a_wrong_pin_is_refused_with_a_hint() {
    with_token("inner_wrong_pin");
}

#[test]
#[ignore = "runs in a process of its own"]
fn inner_wrong_pin() {
    let key = token();
    let folder = PathBuf::from(std::env::var_os("CAIRN_TOKEN_FOLDER").unwrap());
    std::fs::write(folder.join("wrong"), "123456\n").unwrap();
    let error = TokenSigner::open(TokenKey { pin: PinSource::File(folder.join("wrong")), ..key }).unwrap_err();
    assert!(error.hint().contains("lock themselves") && !error.may_pass(), "{error}");
}
