//! Documents that differ from the default one in one place, and what becomes of them.

use super::*;
use crate::{DEFAULT_POLICY, RewardError};

/// The default document with its first `from` replaced.
fn edited(from: &str, to: &str) -> String {
    assert!(DEFAULT_POLICY.contains(from), "{from}");
    DEFAULT_POLICY.replacen(from, to, 1)
}

fn parse(text: &str) -> Result<Policy, RewardError> {
    Policy::parse(text.as_bytes())
}

/// The line of the default document that begins with `start`, counted from 1.
fn line(start: &str) -> usize {
    1 + DEFAULT_POLICY.lines().position(|line| line.starts_with(start)).unwrap()
}

#[test]
fn the_default_document_says_what_its_comments_say() {
    let policy = parse(DEFAULT_POLICY).unwrap();
    assert_eq!(policy.hash(), Hash::of(DEFAULT_POLICY.as_bytes()));
    assert_eq!(policy.asset, Asset { symbol: "TOKEN".to_owned(), decimals: 18, caip19: None });
    assert_eq!(policy.epochs, Epochs { late_epochs: 4, late: Ppm::of(500_000).unwrap(), future_ms: 300_000 });
    assert_eq!((policy.h3_resolution, policy.devices_per_owner), (8, Some(50)));
    assert_eq!(policy.emission.at(103), Amount(100_000 * 10u128.pow(18)));
    assert_eq!(policy.emission.supply(), Ok(Some(Amount(27_300_000 * 10u128.pow(18)))));
    assert_eq!(policy.classes, BTreeMap::from([("sensing/1".to_owned(), 2)]));
    let rules: Vec<_> = policy.pools.iter().map(|pool| (&*pool.name, pool.rule, pool.share.get())).collect();
    let flat = Rule::Flat { min_score: Ppm::of(500_000).unwrap() };
    assert_eq!(rules, [("readings", Rule::ProRata, 800_000), ("presence", flat, 100_000)]);
    assert_eq!(policy.pools[0].cap_per_device, Some(Amount(5_000 * 10u128.pow(18))));
    assert_eq!(policy.residual.name, "treasury");
    assert_eq!((&*policy.observers[0].source, policy.observers[0].trust), ("clock", Trust::Operator));
}

#[test]
fn every_refusal_has_a_code_and_names_the_key_the_value_and_the_rule() {
    let cases = [
        ("revision = 1", "revision = 2", "RWD-REVISION", "engine.revision = 2; this build runs revision 1"),
        ("symbol = \"TOKEN\"", "symbol = \"token\"", "RWD-VALUE", "`asset.symbol` = `token` is not 1 to 11 capital"),
        ("symbol = \"TOKEN\"", "symbol = 5", "RWD-TYPE", "`asset.symbol` is an integer, not text"),
        ("decimals = 18", "decimals = 19", "RWD-VALUE", "`asset.decimals` = `19` is not an integer from 0 to 18"),
        ("decimals = 18", "decimals = -1", "RWD-VALUE", "`asset.decimals` = `-1` is not an integer from 0 to 18"),
        ("decimals = 18", "decimals = 18.0", "RWD-FLOAT", "`asset.decimals` = 18.0 is a float"),
        ("late_ppm = 500_000", "late_ppm = 5e5", "RWD-FLOAT", "`epochs.late_ppm` = 5e5 is a float"),
        ("late_ppm = 500_000", "late_ppm = 1_000_001", "RWD-VALUE", "`epochs.late_ppm` = `1000001` is not an integer"),
        ("late_epochs = 4", "late_epochs = \"4\"", "RWD-TYPE", "`epochs.late_epochs` is text, not an integer"),
        ("late_epochs = 4", "late_epoch = 4", "RWD-KEY", "unknown key `epochs.late_epoch`"),
        ("future_ms = 300_000", "future_ms = 86_400_001", "RWD-VALUE", "`epochs.future_ms` = `86400001`"),
        ("future_ms = 300_000", "future_ms = 2026-01-01", "RWD-TYPE", "`epochs.future_ms` is a date or time"),
        ("h3_resolution = 8", "h3_resolution = 16", "RWD-VALUE", "`positions.h3_resolution` = `16`"),
        ("devices_per_owner = 50", "devices_per_owner = true", "RWD-TYPE", "`limits.devices_per_owner` is a boolean"),
        ("  { from_epoch = 104,", "  { from_epoch = 0,", "RWD-EMISSION", "row 1 must begin after epoch 0, not at 0"),
        ("  { from_epoch = 104,", "  { from_epoch = 1.5,", "RWD-FLOAT", "`emission.table[1].from_epoch` = 1.5"),
        ("  { from_epoch = 104,", "  { epoch = 104,", "RWD-KEY", "unknown key `emission.table[1].epoch`"),
        (
            "  { from_epoch = 104,",
            "  { from_epoch = 104,\n",
            "RWD-TOML",
            "`emission.table[1]`: an inline table stands on",
        ),
        ("revision = 2\n\n# Pools", "revision = 0\n\n# Pools", "RWD-VALUE", "`classes.\"sensing/1\".revision` = `0`"),
        ("[classes.\"sensing/1\"]", "[classes.\"sensing/01\"]", "RWD-VALUE", "`sensing/01` is not a class schema"),
        ("[classes.\"sensing/1\"]", "[classes.sensing]", "RWD-VALUE", "`sensing` is not a class schema"),
        ("class = \"sensing/1\"", "class = \"energy/1\"", "RWD-CLASS", "pool `readings` pays class `energy/1`"),
        ("name = \"readings\"", "name = \"Readings\"", "RWD-VALUE", "`pools[0].name` = `Readings` is not 1 to 32"),
        ("name = \"presence\"", "name = \"readings\"", "RWD-REPEATED", "`pools[1].name` repeats `readings`"),
        ("rule = \"pro-rata\"", "rule = \"equal\"", "RWD-VALUE", "`pools[0].rule` = `equal` is not a rule"),
        ("rule = \"pro-rata\"", "rule = \"residual\"", "RWD-KEY", "unknown key `pools[0].cap_per_device_tokens`"),
        ("rule = \"flat\"", "rule = \"pro-rata\"", "RWD-KEY", "unknown key `pools[1].min_score_ppm`"),
        ("share_ppm = 100_000", "share_ppm = 200_001", "RWD-SHARES", "add up to 1000001, more than 1000000"),
        ("min_score_ppm = 500_000\n", "", "RWD-MISSING", "`pools[1].min_score_ppm` is missing"),
        ("to = \"eip155:31337:", "to = \"eip155:31337:00", "RWD-VALUE", "is not a CAIP-10 account, burn or next-epoch"),
        ("source = \"clock\"", "source = \"The News\"", "RWD-VALUE", "`observers[0].source` = `The News`"),
        ("key = \"did:key:z6Mk", "key = \"did:key:z6Mj", "RWD-VALUE", "is not the did:key of"),
        ("trust = \"operator\"", "trust = \"me\"", "RWD-VALUE", "`observers[0].trust` = `me` is not proof, median"),
        ("# caip19 = \"eip155:1/erc20:0x0", "caip19 = \"eip155:1:erc20:0x0", "RWD-VALUE", "is not a CAIP-19 asset"),
        ("[limits]", "[limit]", "RWD-KEY", "unknown key `limit`"),
        ("[limits]", "[limits", "RWD-TOML", "not TOML: "),
        ("# The policy", "# Die Politik f\u{fc}r alle", "RWD-ASCII", "line 1: byte 0xc3 may not stand in a policy"),
        ("\"TOKEN\"", "\"T\\x4f\"", "RWD-ASCII", "byte 0x5c may not stand in a policy"),
    ];
    for (from, to, code, message) in cases {
        let text = edited(from, to);
        let refused = parse(&text).expect_err(to);
        assert_eq!(refused.code(), code, "{to}: {refused}");
        assert!(refused.to_string().contains(message), "{to}: {refused}");
    }
}

#[test]
fn lines_are_counted_from_one_and_exactly() {
    let cases = [
        ("late_ppm = 500_000", "late_ppm = 0.5"),
        ("  { from_epoch = 104", "  { from_epoch = 1e2"),
        ("rule = \"flat\"", "rule = \"even\""),
        ("trust = \"operator\"", "trust = 1"),
        ("symbol = \"TOKEN\"", "symbols = \"TOKEN\""),
    ];
    for (from, to) in cases {
        let refused = parse(&edited(from, to)).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("line {}:", line(from))), "{refused}");
    }
    let missing = parse(&edited("min_score_ppm = 500_000\n", "")).unwrap_err();
    let RewardError::MissingKey { line: at, .. } = missing else { panic!("{missing}") };
    assert_eq!(DEFAULT_POLICY.lines().nth(at - 1), Some("[[pools]]"));
}

#[test]
fn a_document_too_long_or_without_its_sections_is_refused() {
    let comment = format!("# {}\n{DEFAULT_POLICY}", "x".repeat(POLICY_BYTES_MAX - DEFAULT_POLICY.len() - 3));
    assert_eq!(comment.len(), POLICY_BYTES_MAX);
    assert!(parse(&comment).is_ok());
    assert_eq!(parse(&format!("{comment} ")).unwrap_err().code(), "RWD-SIZE");
    assert_eq!(parse("").unwrap_err().to_string(), "line 1: `engine` is missing");
    for (start, end, code) in
        [("[[pools]]\nname = \"treasury\"", "# Whose", "RWD-RESIDUAL"), ("[asset]", "[epochs]", "RWD-MISSING")]
    {
        let (start, end) = (DEFAULT_POLICY.find(start).unwrap(), DEFAULT_POLICY.find(end).unwrap());
        let without = format!("{}{}", &DEFAULT_POLICY[..start], &DEFAULT_POLICY[end..]);
        assert_eq!(parse(&without).unwrap_err().code(), code);
    }
    let twice = format!("{DEFAULT_POLICY}\n[[pools]]\nname = \"other\"\nrule = \"residual\"\nto = \"burn\"\n");
    assert_eq!(parse(&twice).unwrap_err(), RewardError::Residual { count: 2 });
    let silent = &DEFAULT_POLICY[..DEFAULT_POLICY.find("[[observers]]").unwrap()];
    assert_eq!(parse(silent).unwrap().observers, []);
}

#[test]
fn tokens_become_base_units_exactly_or_not_at_all() {
    let cap = |decimals: u8, text: &str| {
        let document = edited("decimals = 18", &format!("decimals = {decimals}"));
        let document =
            document.replace("cap_per_device_tokens = \"5000\"", &format!("cap_per_device_tokens = \"{text}\""));
        parse(&document).map(|policy| policy.pools[0].cap_per_device.unwrap().0)
    };
    let exact = [
        (0, "7", 7),
        (6, "0.25", 250_000),
        (6, "0.000001", 1),
        (6, "1.500000", 1_500_000),
        (18, "1000000000000", 10u128.pow(30)),
        (18, "340282366920938463463.374607431768211455", u128::MAX),
        (2, "0", 0),
    ];
    for (decimals, text, units) in exact {
        assert_eq!(cap(decimals, text), Ok(units), "{text}");
    }
    let refused = [
        (6, "0.0000001"),
        (0, "1.0"),
        (6, "1."),
        (6, ".5"),
        (6, "01"),
        (6, "00"),
        (6, "-1"),
        (6, "+1"),
        (6, "1e3"),
        (6, "1_000"),
        (6, "1.2.3"),
        (6, " 1"),
        (6, ""),
        (18, "340282366920938463463.374607431768211456"),
    ];
    for (decimals, text) in refused {
        assert_eq!(cap(decimals, text).map_err(|error| error.code()), Err("RWD-VALUE"), "{text}");
    }
}

#[test]
fn observers_of_one_source_agree_on_why_they_are_believed_and_differ_in_key() {
    let other = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";
    let first = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
    let with = |source: &str, key: &str, trust: &str| {
        parse(&format!(
            "{DEFAULT_POLICY}\n[[observers]]\nsource = \"{source}\"\nkey = \"{key}\"\ntrust = \"{trust}\"\n"
        ))
        .map(|policy| policy.observers.len())
        .map_err(|error| error.code())
    };
    assert_eq!(with("clock", other, "operator"), Ok(2));
    assert_eq!(with("price", first, "proof"), Ok(2));
    assert_eq!(with("clock", first, "operator"), Err("RWD-REPEATED"));
    assert_eq!(with("clock", other, "median"), Err("RWD-VALUE"));
}

/// The default document with a section of credit, and an observer of `source`.
fn with_credit(chains: &str, source: &str, trust: &str) -> String {
    let key = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";
    let observer = format!("[[observers]]\nsource = \"{source}\"\nkey = \"{key}\"\ntrust = \"{trust}\"\n");
    format!("{DEFAULT_POLICY}\n{observer}\n[credit]\nchains = {chains}\n")
}

#[test]
fn deposits_are_taken_from_evm_chains_that_are_listed_once_on_one_observers_word() {
    let many = |count: usize| {
        let chains: Vec<String> = (1..=count).map(|chain| format!("\"eip155:{chain}\"")).collect();
        format!("[{}]", chains.join(", "))
    };
    let (most, too_many) = (many(CREDIT_CHAINS_MAX), many(CREDIT_CHAINS_MAX + 1));
    let one = "deposits/eip155:1";
    let cases = [
        ("[\"eip155:1\"]", one, "operator", "valid"),
        ("[\"eip155:10\", \"eip155:1\"]", one, "operator", "valid"),
        (most.as_str(), one, "operator", "valid"),
        ("[\"eip155:1\"]", "price", "median", "valid"),
        (too_many.as_str(), one, "operator", "RWD-VALUE"),
        ("[]", "price", "operator", "RWD-VALUE"),
        ("[\"eip155:1\", \"eip155:1\"]", one, "operator", "RWD-REPEATED"),
        ("[\"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp\"]", "price", "operator", "RWD-VALUE"),
        ("[\"eip155:01\"]", "price", "operator", "RWD-VALUE"),
        ("[1]", "price", "operator", "RWD-TYPE"),
        ("\"eip155:1\"", one, "operator", "RWD-TYPE"),
        ("[\"eip155:1\"]\nmore = 1", one, "operator", "RWD-KEY"),
        ("[\"eip155:10\"]", one, "operator", "RWD-VALUE"),
        ("[\"eip155:1\"]", "deposits/", "operator", "RWD-VALUE"),
        ("[\"eip155:1\"]", "deposits/solana:abc", "operator", "RWD-VALUE"),
        ("[\"eip155:1\"]", one, "median", "RWD-VALUE"),
        ("[\"eip155:1\"]", one, "proof", "RWD-VALUE"),
    ];
    for (chains, source, trust, code) in cases {
        let read = parse(&with_credit(chains, source, trust));
        assert_eq!(
            read.as_ref().map_or_else(RewardError::code, |_| "valid"),
            code,
            "{chains} {source} {trust}: {read:?}"
        );
    }
    let empty = with_credit("1", "price", "operator").replace("chains = 1", "");
    assert_eq!(parse(&empty).unwrap_err().code(), "RWD-MISSING");
    // Without the section, a source of deposits is a source like any other.
    let with = with_credit("1", "deposits/x", "median");
    let without = &with[..with.find("\n[credit]").unwrap()];
    assert_eq!(parse(without).unwrap().credit, None);
}

#[test]
fn credit_is_warned_of_where_nobody_observes_it_and_shows_in_a_difference() {
    let observed = parse(&with_credit("[\"eip155:1\"]", "deposits/eip155:1", "operator")).unwrap();
    let word = "source deposits/eip155:1: believed on the operator's word alone";
    assert!(observed.check().iter().any(|text| text == word), "{:?}", observed.check());
    let unobserved = parse(&with_credit("[\"eip155:1\", \"eip155:10\"]", "deposits/eip155:1", "operator")).unwrap();
    let fresh: Vec<_> = unobserved.check().into_iter().filter(|text| !observed.check().contains(text)).collect();
    assert!(matches!(&fresh[..], [text] if text.contains("nobody observes deposits/eip155:10")), "{fresh:?}");
    let changes = crate::changes(&observed, &unobserved);
    let change = |old: &str, new: &str| crate::Change {
        key: "credit.chains".to_owned(),
        old: Some(old.to_owned()),
        new: Some(new.to_owned()),
    };
    assert_eq!(changes, [change("eip155:1", "eip155:1, eip155:10")]);
}

#[test]
fn operators_are_warned_of_what_is_valid_but_risky() {
    let base = parse(DEFAULT_POLICY).unwrap().check();
    let cases = [
        ("late_epochs = 4", "late_epochs = 0", "late_epochs is 0"),
        ("late_ppm = 500_000", "late_ppm = 0", "late_ppm is 0"),
        ("future_ms = 300_000", "future_ms = 7_200_000", "future_ms is over an hour"),
        ("h3_resolution = 8", "h3_resolution = 10", "finer than 8"),
        ("devices_per_owner = 50", "devices_per_owner = 0", "any number of devices"),
        ("{ from_epoch = 0,", "{ from_epoch = 10,", "begins at epoch 10"),
        ("max_supply_tokens = \"30000000\"", "max_supply_tokens = \"10450000\"", "reached in epoch 105"),
        (
            "cap_per_device_tokens = \"5000\"",
            "cap_per_device_tokens = \"0\"",
            "pool readings: cap_per_device_tokens is 0",
        ),
        ("cap_per_device_tokens = \"5000\"", "", "a lone device takes the whole pool"),
        ("min_score_ppm = 500_000", "min_score_ppm = 0", "pool presence: min_score_ppm is 0"),
        ("share_ppm = 100_000", "share_ppm = 0", "pool presence: share_ppm is 0"),
        ("share_ppm = 800_000", "share_ppm = 300_000", "shares add up to 400000 ppm"),
        ("trust = \"operator\"", "trust = \"median\"", "the median of 1"),
        (
            "[classes.\"sensing/1\"]",
            "[classes.\"energy/1\"]\nrevision = 1\n[classes.\"sensing/1\"]",
            "energy/1 is judged",
        ),
        ("to = \"eip155:31337:0x000000000000000000000000000000000000dead\"", "to = \"next-epoch\"", "jackpot"),
    ];
    for (from, to, warning) in cases {
        let warnings = parse(&edited(from, to)).unwrap().check();
        let fresh: Vec<_> = warnings.iter().filter(|text| !base.contains(text)).collect();
        assert!(matches!(&fresh[..], [text] if text.contains(warning)), "{to}: {fresh:?}");
    }
    let unlimited = edited("max_supply_tokens", "# ").replace("{ from_epoch = 1040, amount_tokens = \"0\" },", "");
    assert!(parse(&unlimited).unwrap().check().iter().any(|text| text.contains("unlimited")));
}

#[test]
fn bridges_are_let_in_by_class_and_never_where_work_is_sold() {
    let with = |class: &str, line: &str| {
        parse(&edited(
            "[classes.\"sensing/1\"]",
            &format!("[classes.\"{class}\"]\nrevision = 1\n{line}\n[classes.\"sensing/1\"]"),
        ))
    };
    let warns =
        |policy: &Policy| policy.check().iter().any(|warning| warning.contains("\"energy/1\".bridges: one key"));
    for (line, allowed) in [("", false), ("bridges = false", false), ("bridges = true", true)] {
        let policy = with("energy/1", line).unwrap();
        assert_eq!(policy.allows_bridges("energy/1"), allowed, "{line}");
        assert_eq!(warns(&policy), allowed, "{line}");
        assert!(!policy.allows_bridges("sensing/1") && !policy.allows_bridges("compute/1"));
    }
    for (class, line, expected) in [
        ("energy/1", "bridges = 1", "`classes.\"energy/1\".bridges` is an integer, not a boolean"),
        ("energy/1", "bridge = true", "unknown key `classes.\"energy/1\".bridge`"),
        ("compute/1", "bridges = true", "unknown key `classes.\"compute/1\".bridges`"),
        ("compute/1", "bridges = false", "unknown key `classes.\"compute/1\".bridges`"),
    ] {
        let found = with(class, line).unwrap_err().to_string();
        assert!(found.contains(expected), "{class} {line}: {found}");
    }
    let (without, off) = (with("energy/1", "").unwrap(), with("energy/1", "bridges = false").unwrap());
    assert_eq!(crate::changes(&without, &off), []);
    let changed = crate::changes(&without, &with("energy/1", "bridges = true").unwrap());
    let key = "classes.\"energy/1\".bridges".to_owned();
    assert_eq!(changed, [crate::Change { key, old: None, new: Some("true".to_owned()) }]);
}

#[test]
fn only_a_class_with_a_market_has_a_fee() {
    let with = |class: &str, fee: &str| {
        parse(&edited(
            "[classes.\"sensing/1\"]",
            &format!("[classes.\"{class}\"]\nrevision = 1\n{fee}\n[classes.\"sensing/1\"]"),
        ))
    };
    for (fee, ppm) in [("", 0), ("fee_ppm = 0", 0), ("fee_ppm = 50_000", 50_000), ("fee_ppm = 1_000_000", 1_000_000)] {
        let policy = with("compute/1", fee).unwrap();
        assert_eq!((policy.fee("compute/1").get(), policy.fees.len()), (ppm, 1), "{fee}");
        assert_eq!(policy.fee("sensing/1"), Ppm::ZERO);
        let warned = policy.check().iter().any(|warning| warning.contains("fee_ppm is the whole price"));
        assert_eq!(warned, ppm == 1_000_000, "{fee}");
        assert!(!policy.check().iter().any(|warning| warning.contains("compute/1 is judged, but no pool")));
    }
    let refused = |class: &str, fee: &str| with(class, fee).unwrap_err().to_string();
    for (class, fee, expected) in [
        ("compute/1", "fee_ppm = 1_000_001", "`classes.\"compute/1\".fee_ppm` = `1000001` is not an integer from 0 to"),
        ("compute/1", "fee_ppm = \"5\"", "`classes.\"compute/1\".fee_ppm` is text, not an integer"),
        ("compute/1", "fee = 5", "unknown key `classes.\"compute/1\".fee`"),
        ("compute/2", "fee_ppm = 5", "unknown key `classes.\"compute/2\".fee_ppm`"),
        ("energy/1", "fee_ppm = 0", "unknown key `classes.\"energy/1\".fee_ppm`"),
    ] {
        let found = refused(class, fee);
        assert!(found.contains(expected), "{class} {fee}: {found}");
    }
    let (without, zero) = (with("compute/1", "").unwrap(), with("compute/1", "fee_ppm = 0").unwrap());
    assert_eq!(crate::changes(&without, &zero), []);
    let changed = crate::changes(&without, &with("compute/1", "fee_ppm = 7").unwrap());
    let expected = crate::Change {
        key: "classes.\"compute/1\".fee_ppm".to_owned(),
        old: Some("0".to_owned()),
        new: Some("7".to_owned()),
    };
    assert_eq!(changed, [expected]);
}
