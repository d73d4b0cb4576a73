//! What stands beside the statements: who signed them, whom the operator denied, and what policies changed.

use cairn_api::{EpochMessageInfo, EpochSignatures, SignatureInfo};
use cairn_console::word::{Figure, Unit, Witness, Word};
use cairn_core::Hash;
use cairn_core::statement::{Appeal, Body, Deny, PolicyDocument};
use cairn_testkit::fair::Fair;
use cairn_testkit::network::{DAY_MS, MemoryNetwork, Terms};

use crate::support::{Site, parse};

/// A gateway that keeps signatures of the first auditors of a set: of epoch `n`, of `n % 4` of them.
struct Keeps(Vec<String>);

impl Word for Keeps {
    fn signatures(&self, epoch: u64) -> Option<EpochSignatures> {
        let signature =
            |auditor: &String| SignatureInfo { auditor: auditor.clone(), revision: 0, signature: String::new() };
        let zero = || Hash::ZERO.to_hex();
        let message = EpochMessageInfo {
            epoch,
            revision: 0,
            statement_hash: zero(),
            previous_hash: zero(),
            log_size: 0,
            log_root: zero(),
            state_root: zero(),
            settlements_root: zero(),
        };
        Some(EpochSignatures {
            network_id: zero(),
            epoch,
            revision: 0,
            message,
            digest: zero(),
            auditors: self.0.clone(),
            quorum: 2,
            // A later revision of one is no signature over the statement.
            signatures: self
                .0
                .iter()
                .take(usize::try_from(epoch % 4).unwrap())
                .map(signature)
                .chain([SignatureInfo { auditor: self.0[2].clone(), revision: 1, signature: String::new() }])
                .collect(),
            rehearsed: Vec::new(),
        })
    }

    fn witnesses(&self) -> Vec<Witness> {
        vec![Witness { name: "witness.invalid/<b>".to_owned(), age_ms: Some(61_000), entries: 7 }]
    }

    fn cosigned(&self, _most: usize) -> Vec<String> {
        vec!["no note".to_owned()]
    }

    fn figures(&self) -> Vec<Figure> {
        vec![Figure { metric: "cairn_bytes_held", name: "Memory", value: 1_536, unit: Unit::Bytes }]
    }
}

fn text(site: &Site, address: &str, word: &dyn Word) -> String {
    let answer = site.get_from(address, word);
    assert_eq!(answer.status, 200, "{address}");
    String::from_utf8(answer.body).unwrap()
}

/// A network with three auditors from epoch 1 on, of whom two must sign, over a week of days.
fn audited() -> (Site, Vec<String>) {
    let terms = Terms { epoch_ms: DAY_MS, grace_ms: DAY_MS / 24, ..Terms::default() };
    let mut fair = Fair::open(terms, 50_000, 3, 2);
    fair.network.pass_to(terms.zero_ms + 8 * DAY_MS);
    let set = fair.network.fold.state().auditors.values().next().unwrap().clone();
    let auditors = set.auditors.iter().map(|address| format!("0x{}", data_encoding::HEXLOWER.encode(address)));
    let auditors = auditors.collect();
    (Site::of(&fair.network, Vec::new()), auditors)
}

#[test]
fn signatures_are_the_gateways_word_beside_what_statement_and_log_say() {
    let (site, auditors) = audited();
    let keeps = Keeps(auditors.clone());
    let json: serde_json::Value = serde_json::from_str(&text(&site, "/auditors.json", &keeps)).unwrap();
    assert_eq!(json["set"]["auditors"], serde_json::json!(auditors));
    let epochs = json["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), site.closed.len());
    for row in epochs {
        let number = row["epoch"].as_u64().unwrap();
        let statement = &site.closed[usize::try_from(number).unwrap()];
        assert_eq!(row["statement"].as_str(), Some(&*statement.hash().to_hex()));
        assert_eq!(row["verdicts"], statement.classes.iter().map(|class| class.subjects).sum::<u64>());
        let named = if number == 0 { 0 } else { 3 };
        assert_eq!(
            (&row["auditors"], row["signed"].as_array().unwrap().len() as u64),
            (&named.into(), number % 4),
            "{number}"
        );
    }
    let html = text(&site, "/auditors", &keeps);
    let (_, said) = parse(&html);
    for words in
        ["2 of 3, 2 are needed", "1 of 3, 2 are needed", "no auditors were named", "witness.invalid/<b>", "1 min ago"]
    {
        assert!(said.contains(words), "{words}");
    }
    assert!(text(&site, "/network", &keeps).contains("2 are needed"));
    assert!(text(&site, "/status", &keeps).contains("1.5 KiB"));
    // The page of an epoch says the same of its own as the list of all.
    for row in epochs {
        let number = row["epoch"].as_u64().unwrap();
        let path = format!("/epochs/{number}");
        let own: serde_json::Value = serde_json::from_str(&text(&site, &format!("{path}.json"), &keeps)).unwrap();
        assert_eq!(&own["signed"], row, "epoch {number}");
        let html = text(&site, &path, &keeps);
        let named = auditors.iter().filter(|auditor| html.contains(&format!("/auditors/{auditor}\""))).count();
        assert_eq!(named as u64, number % 4, "{html}");
        assert!(site.page(&path).contains("not kept here"), "epoch {number}");
    }
    // Without signatures nothing is made up.
    let silent = site.json("/auditors.json");
    assert!(silent["epochs"].as_array().unwrap().iter().all(|row| row["signed"].is_null()));
    assert!(site.page("/auditors").contains("not kept here"));
    assert!(site.page("/status").contains("shows these figures to nobody else"));

    let first: serde_json::Value =
        serde_json::from_str(&text(&site, &format!("/auditors/{}.json", auditors[0]), &keeps)).unwrap();
    assert_eq!((first["in_force"].as_bool(), &first["sets"]), (Some(true), &serde_json::json!([1])));
    for row in first["epochs"].as_array().unwrap() {
        let number = row["epoch"].as_u64().unwrap();
        assert_eq!(row["by_it"].as_bool(), Some(number % 4 > 0), "{number}");
        assert!(number > 0, "it was no auditor of epoch 0");
    }
    parse(&text(&site, &format!("/auditors/{}", auditors[0].to_uppercase().replace("0X", "0x")), &keeps));
    let stranger = format!("0x{}", "1".repeat(40));
    assert_eq!(site.get(&format!("/auditors/{stranger}")).code, Some("NET-NO-AUDITOR"));
    assert_eq!(site.get("/auditors/nobody").code, Some("NET-NAME"));
    let found = site.json(&format!("/search.json?q={}", auditors[1]));
    assert!(
        found["found"].as_array().unwrap().iter().any(|found| found["path"] == format!("/auditors/{}", auditors[1]))
    );
}

#[test]
fn denials_are_shown_with_reason_evidence_end_and_what_the_owner_answered() {
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    let devices = network.enrol_grid(5);
    let deny = |device: usize, reason: &str, days: u64| Deny {
        device: devices[device].id,
        reason: reason.into(),
        evidence: vec![2, 3],
        until_ms: terms.zero_ms + days * DAY_MS,
    };
    network.now_ms += 1_000;
    let (first, refused) = network.operate(Body::Deny(deny(0, "SPOOF", 3)));
    assert_eq!(refused, None);
    let appeal = Appeal { deny: first, text: "it <i>was</i> the wind".into(), evidence: vec![4] };
    assert_eq!(network.own(&devices[0].wallet, Body::Appeal(appeal)).1, None);
    assert_eq!(network.operate(Body::Deny(deny(1, "FLOOD", 300))).1, None);
    network.pass_to(terms.zero_ms + 20 * DAY_MS);
    let site = Site::of(&network, devices.clone());
    let json = site.json("/denials.json");
    let rows = json["denials"].as_array().unwrap();
    assert_eq!((rows.len(), &json["total"]), (2, &2.into()));
    let told: Vec<_> =
        rows.iter().map(|row| (row["reason"].as_str().unwrap(), row["holds"].as_bool().unwrap())).collect();
    assert_eq!(told, [("FLOOD", true), ("SPOOF", false)], "newest first");
    assert_eq!((&rows[1]["evidence"], rows[1]["index"].as_u64()), (&serde_json::json!([2, 3]), Some(first)));
    assert_eq!((&rows[1]["appeal"]["evidence"], rows[0]["appeal"].is_null()), (&serde_json::json!([4]), true));
    let html = site.page("/denials");
    assert!(html.contains(&format!("/entries/{first}")) && html.contains("&lt;i&gt;was&lt;/i&gt;"));
    parse(&html);
    let earlier = site.json(&format!("/denials.json?before={}", rows[0]["index"]));
    assert_eq!(earlier["denials"], serde_json::json!([rows[1]]));
}

#[test]
fn every_policy_is_shown_with_who_signed_it_and_what_it_changed() {
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    network.now_ms += 1_000;
    let before = cairn_testkit::network::policy(2);
    let after = before.replacen("share_ppm = 800_000", "share_ppm = 700_000", 1);
    assert_ne!(before, after);
    let reworded = format!("# nothing else\n{after}");
    for (first_epoch, document) in [(2, &after), (3, &reworded)] {
        let policy = PolicyDocument { first_epoch, document: document.clone().into_bytes() };
        assert_eq!(network.operate(Body::Policy(policy)).1, None);
    }
    network.pass_to(terms.zero_ms + 30 * DAY_MS);
    let site = Site::of(&network, Vec::new());
    let json = site.json("/policies.json");
    let rows = json["policies"].as_array().unwrap();
    let firsts: Vec<u64> = rows.iter().map(|row| row["first_epoch"].as_u64().unwrap()).collect();
    assert_eq!(firsts, [3, 2, 0]);
    for (row, document) in rows.iter().zip([&reworded, &after, &before]) {
        assert_eq!(row["hash"].as_str(), Some(&*Hash::of(document.as_bytes()).to_hex()));
        assert_eq!(row["signers"], serde_json::json!([[network.operator.public().did(), true]]));
        let index = usize::try_from(row["index"].as_u64().unwrap()).unwrap();
        let entry = core::str::from_utf8(&network.entries[index]).is_err();
        assert!(entry && network.entries[index].windows(20).any(|bytes| bytes == &document.as_bytes()[..20]));
    }
    assert!(rows[2]["changes"].is_null() && rows[0]["changes"].as_array().unwrap().is_empty());
    let changed = rows[1]["changes"].as_array().unwrap();
    assert_eq!((changed.len(), changed[0]["key"].as_str()), (1, Some("pools.readings.share_ppm")));
    let html = site.page("/policies");
    let (_, said) = parse(&html);
    assert!(said.contains("pool readings, its part of what is minted: was 80 %, is 70 %"), "{said}");
    assert!(said.contains("From epoch 3 on (in force)") && said.contains("only its wording differs"));
    assert!(site.page("/epochs/1").contains("/policies"));
    let earlier = site.json("/policies.json?before=2");
    assert_eq!(earlier["policies"], serde_json::json!([rows[2]]));
}
