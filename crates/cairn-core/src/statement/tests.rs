use std::collections::BTreeSet;

use super::*;
use crate::id::{Account, DeviceId, Domain};
use crate::key::SecretKey;
use crate::wallet::WalletKey;
use crate::{Amount, JobId, Ppm};

fn account() -> Account {
    Account::parse("eip155:31337:0x00000000000000000000000000000000000000ab").unwrap()
}

fn every_body() -> Vec<Body> {
    let key = SecretKey::ed25519([1; 32]).public();
    let device = DeviceId([7; 16]);
    let enrol = Enrol {
        key,
        owner: account(),
        role: Role::Anchor,
        classes: vec!["sensing/1".into()],
        model: "station".into(),
        mobility: Mobility::Mobile,
        cell: 0x0881_f1d4_89ff_ffff,
        exact: Some((536_705_710, -95_859_110)),
        altitude_cm: Some(-100),
    };
    let genesis = Genesis {
        random: [1; 16],
        name: "a network".into(),
        origin: "example.com/a".into(),
        operator: key,
        log_key: [2; 32],
        promise_key: [3; 32],
        epoch_zero_ms: 4,
        epoch_ms: 604_800_000,
        grace_ms: 86_400_000,
        policy_hash: Hash::of(b"policy"),
        rehearsed: vec!["recorded clock".into()],
    };
    vec![
        Body::Genesis(genesis),
        Body::Enrol(Enrol { exact: None, altitude_cm: None, ..enrol.clone() }),
        Body::Enrol(enrol),
        Body::Transfer(Transfer { device, owner: account() }),
        Body::Retire(device),
        Body::Rotate(Rotate { device, key: SecretKey::p256([1; 32]).unwrap().public() }),
        Body::Payee(PayeeChoice { owner: account(), payee: account() }),
        Body::Policy(PolicyDocument { first_epoch: 3, document: b"text".to_vec() }),
        Body::Profile(ProfileDocument { first_epoch: 3, class: "sensing/1".into(), document: b"text".to_vec() }),
        Body::Conflict(Conflict { first: vec![1], second: vec![2] }),
        Body::Deny(Deny { device, reason: "SEN-COPY".into(), evidence: vec![1, 2], until_ms: 5 }),
        Body::Appeal(Appeal { deny: 9, text: "it is mine".into(), evidence: vec![] }),
        Body::Domain(DomainTerms {
            domain: Domain::parse("eip155:31337").unwrap(),
            distributor: [0; 32],
            token: String::new(),
            finality_blocks: 12,
        }),
        Body::AuditorSet(AuditorSet { first_epoch: 1, quorum: 2, auditors: vec![[1; 20], [2; 20]] }),
        Body::Successor(Successor { origin: "example.com/b".into(), log_key: [9; 32] }),
        Body::Offer(offer()),
        Body::Licence(licence()),
        Body::Order(Order { refund: None, inputs: vec![], ..order() }),
        Body::Order(order()),
        Body::Cancel(JobId(Hash([3; 32]))),
        Body::Replay(Replay { job: JobId(Hash([3; 32])), digest: Hash([4; 32]) }),
    ]
}

fn offer() -> Offer {
    let device = DeviceId([7; 16]);
    Offer { device, price: Amount(5), capacity: 1, gas_max: 9, pages_max: 2, profiles: 1, until_ms: 0 }
}

fn licence() -> Licence {
    let modules = vec![Hash([1; 32]), Hash([2; 32])];
    Licence { owner: account(), content: Hash([5; 32]), price: Amount::ZERO, share: Ppm::FULL, modules, until_ms: 7 }
}

fn order() -> Order {
    Order {
        buyer: account(),
        module: Blob { hash: Hash([1; 32]), bytes: 1 },
        inputs: vec![Blob { hash: Hash([2; 32]), bytes: 0 }; ORDER_INPUTS_MAX],
        arguments: vec![0; ORDER_ARGUMENTS_MAX],
        gas_table: 1,
        profile: RunProfile::DetFloat,
        gas: ORDER_GAS_MAX,
        pages: u32::MAX,
        output_bytes: 0,
        price: Amount(u128::MAX),
        replicas: REPLICAS_MAX,
        sample: Ppm::ZERO,
        commit_ms: 1,
        most: Amount::ZERO,
        refund: Some(account()),
    }
}

#[test]
fn a_licence_allows_its_modules_itself_and_where_it_names_none_all() {
    let (named, other) = (Hash([2; 32]), Hash([3; 32]));
    let licence = licence();
    assert!(licence.allows(&named) && licence.allows(&licence.content) && !licence.allows(&other));
    assert!(Licence { modules: vec![], ..licence }.allows(&other));
}

#[test]
fn every_schema_round_trips_signed() {
    let key = SecretKey::ed25519([1; 32]);
    let network = NetworkId(Hash::of(b"network"));
    let bodies = every_body();
    for schema in Schema::ALL {
        assert_eq!(Schema::parse(schema.as_str()), Some(*schema));
        assert!(bodies.iter().any(|body| body.schema() == *schema), "{schema:?} has a case");
    }
    for body in bodies {
        let made = Draft::of(Some(network), body.clone(), 11, 22).signed_by(&key).finish();
        let read = Statement::parse(&made.encode()).unwrap();
        assert_eq!((read.body.clone(), read.nonce, read.expiry_ms), (body, 11, 22));
        assert_eq!(read.encode(), made.encode());
        assert!(read.signatures_hold(Some(&network)));
        assert!(!read.signatures_hold(Some(&NetworkId(Hash::of(b"other")))));
    }
}

#[test]
fn all_three_schemes_sign_and_one_bad_signature_spoils_the_statement() {
    let network = NetworkId(Hash::of(b"network"));
    let wallet = WalletKey::from_bytes([5; 32]).unwrap();
    let solana = crate::ed25519::SigningKey::from_seed([6; 32]);
    let body = Body::Retire(DeviceId([7; 16]));
    let mut statement = Draft::of(Some(network), body, 1, 2)
        .signed_by(&SecretKey::p256([4; 32]).unwrap())
        .signed_by_wallet(&wallet)
        .finish();
    let line = crate::wallet::statement_line(&network, &statement.payload);
    statement.signed.push(Signed {
        signer: Signer::Solana(solana.public_bytes()),
        signature: solana.sign(line.as_bytes()).to_vec(),
    });
    let read = Statement::parse(&statement.encode()).unwrap();
    assert!(read.signatures_hold(Some(&network)));
    assert!(read.is_signed_by(&Signer::of_address(&wallet.address())));
    for at in 0..3 {
        let mut spoiled = read.clone();
        spoiled.signed[at].signature[10] ^= 1;
        assert!(!spoiled.signatures_hold(Some(&network)), "signature {at}");
    }
}

#[test]
fn malformed_statements_are_refused_with_their_code() {
    let key = SecretKey::ed25519([1; 32]);
    let network = NetworkId(Hash::ZERO);
    let good = Draft::of(Some(network), Body::Retire(DeviceId([0; 16])), 1, 2).signed_by(&key).finish();
    let unsigned = Statement { signed: vec![], ..good.clone() };
    let twice = Statement { signed: [good.signed.clone(), good.signed.clone()].concat(), ..good.clone() };
    let mut other_schema = Encoder::empty();
    other_schema.map(4).int(1).text("unheard-of").int(2).map(0).int(3).uint(1).int(4).uint(2);
    let unknown = Statement { payload: other_schema.into_bytes(), ..good.clone() };
    let cases = [
        (vec![0; STATEMENT_BYTES_MAX + 1], "STM-TOO-LARGE"),
        (vec![], "STM-CBOR"),
        (good.encode()[..40].to_vec(), "STM-CBOR"),
        (unsigned.encode(), "STM-SIGNERS"),
        (twice.encode(), "STM-SIGNERS"),
        (unknown.encode(), "STM-SCHEMA"),
    ];
    for (bytes, code) in cases {
        assert_eq!(Statement::parse(&bytes).map(|_| ()).map_err(|error| error.code()), Err(code));
    }
}

#[test]
fn impossible_bodies_are_refused() {
    let Body::Genesis(genesis) = every_body().remove(0) else { panic!("genesis comes first") };
    let bad = [
        Body::Genesis(Genesis { grace_ms: genesis.epoch_ms, ..genesis.clone() }),
        Body::Genesis(Genesis { epoch_ms: 999, ..genesis.clone() }),
        Body::Genesis(Genesis { name: String::new(), ..genesis.clone() }),
        Body::Genesis(Genesis { origin: "has space".into(), ..genesis.clone() }),
        Body::Genesis(Genesis { name: "line\nbreak".into(), ..genesis }),
        Body::AuditorSet(AuditorSet { first_epoch: 0, quorum: 0, auditors: vec![[1; 20]] }),
        Body::AuditorSet(AuditorSet { first_epoch: 0, quorum: 2, auditors: vec![[1; 20]] }),
        Body::AuditorSet(AuditorSet { first_epoch: 0, quorum: 1, auditors: vec![[2; 20], [1; 20]] }),
        Body::Offer(Offer { capacity: 0, ..offer() }),
        Body::Offer(Offer { capacity: CAPACITY_MAX + 1, ..offer() }),
        Body::Offer(Offer { profiles: 0, ..offer() }),
        Body::Offer(Offer { profiles: 4, ..offer() }),
        Body::Offer(Offer { gas_max: ORDER_GAS_MAX + 1, ..offer() }),
        Body::Licence(Licence { modules: vec![Hash([2; 32]), Hash([1; 32])], ..licence() }),
        Body::Licence(Licence { modules: vec![Hash([1; 32]); 2], ..licence() }),
        Body::Licence(Licence {
            modules: (0..=LICENCE_MODULES_MAX)
                .map(|n| Hash::of(&n.to_be_bytes()))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            ..licence()
        }),
        Body::Order(Order { replicas: 0, ..order() }),
        Body::Order(Order { replicas: REPLICAS_MAX + 1, ..order() }),
        Body::Order(Order { gas: ORDER_GAS_MAX + 1, ..order() }),
        Body::Order(Order { module: Blob { hash: Hash([1; 32]), bytes: 1 << 63 }, ..order() }),
        Body::Order(Order { arguments: vec![0; ORDER_ARGUMENTS_MAX + 1], ..order() }),
        Body::Order(Order { inputs: vec![Blob { hash: Hash([1; 32]), bytes: 1 }; ORDER_INPUTS_MAX + 1], ..order() }),
    ];
    for body in bad {
        assert!(Body::decode(body.schema(), &body.encode()).is_err(), "{body:?}");
    }
}
