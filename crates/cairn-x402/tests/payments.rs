//! Whole payments: the specification's own example in both versions, every reason to refuse one, and what flipped bits do.

#![allow(clippy::unwrap_used)]

use cairn_core::Address;
use cairn_core::wallet::WalletKey;
use cairn_x402::header::{self, HEADER_BYTES_MAX};
use cairn_x402::{
    Authorization, Demand, Payment, PaymentId, PaymentRequired, Resource, SettlementResponse, TokenDomain, Version,
    X402Error, parse_word, pay, word_of,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const NOW_S: u64 = 1_740_672_100;

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    data_encoding::HEXLOWER_PERMISSIVE.decode(&text.as_bytes()[2..]).unwrap().try_into().unwrap()
}

/// What the specification's example asks for.
fn demand() -> Demand {
    Demand {
        domain: TokenDomain {
            name: "USDC".into(),
            version: "2".into(),
            chain_id: 84_532,
            token: bytes("0x036CbD53842c5426634e7929541eC2318f3dCF7e"),
        },
        pay_to: bytes("0x209693Bc6afc0C5328bA36FaF03C514EF312287C"),
        amount: 10_000,
        amount_max: 10_000,
        timeout_s: 60,
        settle_s: 6,
        watch_s: 3_600,
    }
}

fn payload() -> Value {
    json!({
        "signature": "0x2d6a7588d6acca505cbf0d9a4a227e0c52c6c34008c8e8986a1283259764173608a2ce6496642e377d6da8dbbf5836e9bd15092f9ecab05ded3d6293af148b571c",
        "authorization": {
            "from": "0x857b06519E91e3A54538791bDbb0E22373e36b66",
            "to": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
            "value": "10000",
            "validAfter": "1740672089",
            "validBefore": "1740672154",
            "nonce": "0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"
        }
    })
}

fn second() -> Value {
    json!({
        "x402Version": 2,
        "resource": {"url": "https://api.example.com/premium-data", "mimeType": "application/json"},
        "accepted": {
            "scheme": "exact", "network": "eip155:84532", "amount": "10000",
            "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            "payTo": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
            "maxTimeoutSeconds": 60, "extra": {"name": "USDC", "version": "2"}
        },
        "payload": payload(),
        "extensions": {}
    })
}

fn first() -> Value {
    json!({"x402Version": 1, "scheme": "exact", "network": "base-sepolia", "payload": payload()})
}

/// A document with one field, by its JSON pointer, put in the place of what was there; absent: taken out.
fn with(mut document: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    document
}

#[test]
fn the_specifications_example_is_its_payers_in_both_versions_and_all_carriers() {
    let payer = bytes("0x857b06519E91e3A54538791bDbb0E22373e36b66");
    let mut names = Vec::new();
    for (version, document) in [(Version::First, first()), (Version::Second, second())] {
        let value = header::encode(&document);
        let unpadded = value.trim_end_matches('=').to_owned();
        let read = Payment::from_header(version, &value).unwrap();
        assert_eq!(Payment::from_header(version, &unpadded).as_ref(), Ok(&read));
        assert_eq!(Payment::from_document(document).as_ref(), Ok(&read));
        let (_, again) = read.header();
        assert_eq!(Payment::from_header(version, &again).as_ref(), Ok(&read));
        let paid = demand().check(&read, NOW_S).unwrap();
        assert_eq!((paid.payer, paid.amount), (payer, 10_000));
        names.push(paid.id);
    }
    assert_eq!(names[0], names[1], "a payment has one name, whatever carries it");
}

#[test]
fn a_payment_that_is_not_what_was_asked_for_is_refused_with_the_word_for_it() {
    let cases: Vec<(&str, Option<Value>, &str, &str)> = vec![
        ("/accepted/scheme", Some(json!("upto")), "X402-SCHEME", "unsupported_scheme"),
        ("/accepted/network", Some(json!("eip155:8453")), "X402-NETWORK", "invalid_network"),
        ("/accepted/network", Some(json!("solana:x")), "X402-NETWORK", "invalid_network"),
        (
            "/accepted/asset",
            Some(json!("0x0000000000000000000000000000000000000001")),
            "X402-ACCEPTED",
            "invalid_payment_requirements",
        ),
        ("/accepted/payTo", Some(json!("merchant")), "X402-ACCEPTED", "invalid_payment_requirements"),
        ("/accepted/amount", Some(json!("9999")), "X402-ACCEPTED", "invalid_payment_requirements"),
        ("/accepted/extra", Some(json!({"name": "USD Coin"})), "X402-ACCEPTED", "invalid_payment_requirements"),
        ("/accepted/extra", Some(json!({"version": "1"})), "X402-ACCEPTED", "invalid_payment_requirements"),
        (
            "/payload/authorization/to",
            Some(json!("0x0000000000000000000000000000000000000001")),
            "X402-RECIPIENT",
            "invalid_exact_evm_payload_recipient_mismatch",
        ),
        (
            "/payload/authorization/value",
            Some(json!("9999")),
            "X402-VALUE",
            "invalid_exact_evm_payload_authorization_value",
        ),
        (
            "/payload/authorization/value",
            Some(json!("10001")),
            "X402-VALUE",
            "invalid_exact_evm_payload_authorization_value",
        ),
        ("/payload/authorization/value", Some(json!(format!("0x1{:064x}", 10_000))), "X402-FIELD", "invalid_payload"),
        (
            "/payload/authorization/validAfter",
            Some(json!("1740672100")),
            "X402-NOT-YET",
            "invalid_exact_evm_payload_authorization_valid_after",
        ),
        (
            "/payload/authorization/validBefore",
            Some(json!("1740672106")),
            "X402-EXPIRED",
            "invalid_exact_evm_payload_authorization_valid_before",
        ),
        (
            "/payload/authorization/validBefore",
            Some(json!("1740675701")),
            "X402-LONG-LIVED",
            "invalid_exact_evm_payload_authorization_valid_before",
        ),
        (
            "/payload/authorization/validBefore",
            Some(json!(format!("0x{}", "f".repeat(64)))),
            "X402-LONG-LIVED",
            "invalid_exact_evm_payload_authorization_valid_before",
        ),
        (
            "/payload/authorization/validBefore",
            Some(json!("1740672155")),
            "X402-SIGNATURE",
            "invalid_exact_evm_payload_signature",
        ),
        (
            "/payload/authorization/from",
            Some(json!("0x0000000000000000000000000000000000000001")),
            "X402-SIGNATURE",
            "invalid_exact_evm_payload_signature",
        ),
        (
            "/payload/authorization/from",
            Some(json!("857b06519E91e3A54538791bDbb0E22373e36b66")),
            "X402-FIELD",
            "invalid_payload",
        ),
        ("/payload/authorization/nonce", Some(json!("0x01")), "X402-SIGNATURE", "invalid_exact_evm_payload_signature"),
        ("/payload/authorization/nonce", Some(json!(7)), "X402-JSON", "invalid_payload"),
        ("/payload/authorization/nonce", None, "X402-JSON", "invalid_payload"),
        ("/payload/signature", Some(json!("0x")), "X402-FIELD", "invalid_payload"),
        (
            "/payload/signature",
            Some(json!(format!("0x{}", "00".repeat(65)))),
            "X402-SIGNATURE",
            "invalid_exact_evm_payload_signature",
        ),
        ("/payload", Some(json!({"transaction": "AAAA"})), "X402-JSON", "invalid_payload"),
        ("/accepted", None, "X402-JSON", "invalid_payload"),
        ("/x402Version", Some(json!(3)), "X402-VERSION", "invalid_x402_version"),
        ("/x402Version", Some(json!(1)), "X402-VERSION", "invalid_x402_version"),
        ("/x402Version", Some(json!("2")), "X402-JSON", "invalid_payload"),
        ("/x402Version", None, "X402-JSON", "invalid_payload"),
    ];
    for (pointer, value, code, reason) in cases {
        let document = with(second(), pointer, value.clone());
        let refused = Payment::from_header(Version::Second, &header::encode(&document))
            .and_then(|payment| demand().check(&payment, NOW_S))
            .unwrap_err();
        assert_eq!((refused.code(), refused.reason()), (code, reason), "{pointer} {value:?}: {refused}");
        let malformed = matches!(code, "X402-FIELD" | "X402-JSON" | "X402-VERSION");
        assert_eq!(refused.is_malformed(), malformed, "{code}");
        assert!(!refused.hint().is_empty());
    }
}

#[test]
fn a_header_that_is_too_long_or_no_base64_or_of_the_other_version_is_refused_before_it_is_judged() {
    let long = "A".repeat(HEADER_BYTES_MAX + 1);
    let deep = header::encode(&json!({"x402Version": 2})).replace('=', "");
    for (version, value, code) in [
        (Version::Second, long.as_str(), "X402-LONG"),
        (Version::Second, "{}", "X402-BASE64"),
        (Version::Second, "é", "X402-BASE64"),
        (Version::Second, "", "X402-JSON"),
        (Version::Second, "e30=", "X402-JSON"),
        (Version::Second, deep.as_str(), "X402-JSON"),
        (Version::First, &header::encode(&second()), "X402-VERSION"),
        (Version::Second, &header::encode(&first()), "X402-VERSION"),
    ] {
        assert_eq!(Payment::from_header(version, value).unwrap_err().code(), code, "{value:.40}");
    }
    let nested = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
    let nested = data_encoding::BASE64.encode(nested.as_bytes());
    assert_eq!(Payment::from_header(Version::First, &nested).unwrap_err().code(), "X402-JSON");
}

#[test]
fn a_demand_with_change_takes_any_amount_of_its_range_and_no_other() {
    let key = WalletKey::from_bytes([7; 32]).unwrap();
    let range = Demand { amount: 100, amount_max: 200, ..demand() };
    for (amount, is_taken) in [(99, false), (100, true), (150, true), (200, true), (201, false)] {
        let asked = Demand { amount, amount_max: amount, ..demand() };
        let resource = Resource { url: "/".into(), description: None, mime_type: None };
        let required = asked.required(resource, "pay", Map::new());
        let payment = pay(&required, &key, NOW_S, [9; 32]).unwrap();
        let checked = range.check(&payment, NOW_S);
        assert_eq!(checked.map(|paid| paid.amount).ok(), is_taken.then_some(amount), "{amount}");
    }
}

#[test]
fn a_payer_pays_only_what_it_understands() {
    let key = WalletKey::from_bytes([7; 32]).unwrap();
    let resource = Resource { url: "/".into(), description: None, mime_type: None };
    let required = demand().required(resource, "pay", Map::new());
    let whole = serde_json::to_value(&required).unwrap();
    assert!(pay(&required, &key, NOW_S, [9; 32]).is_ok());
    for (pointer, value, code) in [
        ("/accepts/0/scheme", Some(json!("upto")), "X402-SCHEME"),
        ("/accepts/0/network", Some(json!("solana:x")), "X402-SCHEME"),
        ("/accepts", Some(json!([])), "X402-SCHEME"),
        ("/accepts/0/asset", Some(json!("USD")), "X402-FIELD"),
        ("/accepts/0/payTo", Some(json!("merchant")), "X402-FIELD"),
        ("/accepts/0/amount", Some(json!("1.5")), "X402-FIELD"),
        ("/accepts/0/extra", None, "X402-FIELD"),
        ("/accepts/0/extra", Some(json!({"name": "USDC"})), "X402-FIELD"),
    ] {
        let other: PaymentRequired = serde_json::from_value(with(whole.clone(), pointer, value)).unwrap();
        assert_eq!(pay(&other, &key, NOW_S, [9; 32]).map_err(|error| error.code()), Err(code), "{pointer}");
    }
}

/// The headers of a small dialogue: a line `name value` for each. `CAIRN_BLESS=1` writes them anew.
#[test]
fn the_headers_of_a_dialogue_are_those_that_were_released() {
    let key = WalletKey::from_bytes([7; 32]).unwrap();
    let resource = Resource {
        url: "https://gateway.example/v1/buy/compute".into(),
        description: Some("A verified run of a WebAssembly module.".into()),
        mime_type: Some("application/json".into()),
    };
    let mut extra = Map::new();
    extra.insert("quote".into(), "ab".repeat(32).into());
    let required = demand().required(resource, "payment required", extra);
    let payment = pay(&required, &key, NOW_S, [9; 32]).unwrap();
    let earlier =
        Payment { version: Version::First, accepted: None, network: "base-sepolia".into(), ..payment.clone() };
    let settled = SettlementResponse {
        success: true,
        error_reason: None,
        transaction: format!("0x{}", "cd".repeat(32)),
        network: "eip155:84532".into(),
        payer: Some("0x857b06519e91e3a54538791bdbb0e22373e36b66".into()),
    };
    let failed = SettlementResponse {
        success: false,
        error_reason: Some(X402Error::Funds.reason().into()),
        transaction: String::new(),
        network: "eip155:84532".into(),
        payer: None,
    };
    let mut text = String::new();
    for (name, value) in [
        ("payment-required", header::encode(&required)),
        ("version-1-body", serde_json::to_string(&required.first()).unwrap()),
        payment.header(),
        earlier.header(),
        ("payment-response", header::encode(&settled)),
        ("payment-response", header::encode(&failed)),
        ("payment-id", demand().check(&payment, NOW_S).unwrap().id.to_string()),
    ] {
        text.push_str(&format!("{name} {value}\n"));
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/headers.txt");
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(file).unwrap());
    let again: PaymentRequired = header::decode(&header::encode(&required)).unwrap();
    assert_eq!(again, required);
}

prop_compose! {
    fn paying()(scalar in 1u8..=254, amount in 0u128..=u128::MAX, nonce: [u8; 32], chain_id in 1u64.., timeout_s in 10u64..=3_600)
        -> (Demand, Payment)
    {
        let key = WalletKey::from_bytes([scalar; 32]).unwrap();
        let mut demand = Demand { amount, amount_max: amount, timeout_s, ..demand() };
        demand.domain.chain_id = chain_id;
        let resource = Resource { url: "/".into(), description: None, mime_type: None };
        let payment = pay(&demand.required(resource, "pay", Map::new()), &key, NOW_S, nonce).unwrap();
        (demand, payment)
    }
}

proptest! {
    #[test]
    fn what_is_asked_for_is_what_is_paid((demand, payment) in paying()) {
        let paid = demand.check(&payment, NOW_S).unwrap();
        let (_, value) = payment.header();
        let read = Payment::from_header(Version::Second, &value).unwrap();
        prop_assert_eq!(demand.check(&read, NOW_S), Ok(paid));
        prop_assert_eq!(Address::Evm(paid.payer), Address::Evm(payment.signed.authorization.from));
        // Of the first version, the same payment.
        let network = cairn_x402::first_name(demand.domain.chain_id);
        let earlier = Payment { version: Version::First, accepted: None, network, ..payment };
        let (_, value) = earlier.header();
        prop_assert_eq!(demand.check(&Payment::from_header(Version::First, &value).unwrap(), NOW_S), Ok(paid));
    }

    #[test]
    fn a_flipped_bit_of_a_header_is_refused_or_changes_nothing((demand, payment) in paying(), place: prop::sample::Index, bit in 0u8..7) {
        let paid = demand.check(&payment, NOW_S).unwrap();
        let (_, value) = payment.header();
        let mut turned = value.into_bytes();
        let place = place.index(turned.len());
        turned[place] ^= 1 << bit;
        let turned = String::from_utf8(turned).unwrap();
        if let Ok(read) = Payment::from_header(Version::Second, &turned).and_then(|read| demand.check(&read, NOW_S)) {
            prop_assert_eq!(read, paid);
        }
    }

    #[test]
    fn a_payment_for_one_demand_is_none_for_another((demand, payment) in paying(), other in paying()) {
        let fits = demand.check(&payment, NOW_S).is_ok();
        prop_assert!(fits);
        let (other, _) = other;
        if (&other.domain, other.amount) != (&demand.domain, demand.amount) {
            prop_assert!(other.check(&payment, NOW_S).is_err());
        }
    }

    #[test]
    fn only_chain_token_payer_and_nonce_name_a_payment((demand, payment) in paying(), to: [u8; 20], value: u128) {
        let id = PaymentId::of(&demand.domain, &payment.signed);
        let mut other = payment.signed;
        other.authorization = Authorization { to, value: word_of(value), ..other.authorization };
        prop_assert_eq!(PaymentId::of(&demand.domain, &other), id);
        other.authorization.nonce[0] ^= 1;
        prop_assert_ne!(PaymentId::of(&demand.domain, &other), id);
    }

    #[test]
    fn any_header_is_refused_or_read(value in "[A-Za-z0-9+/=]{0,200}", text in ".{0,80}") {
        let _ = Payment::from_header(Version::Second, &value);
        let _ = Payment::from_header(Version::First, &header::encode(&text));
        let _ = parse_word(&text);
    }
}
