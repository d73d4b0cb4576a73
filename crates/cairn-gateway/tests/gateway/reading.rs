//! What is served, held against the log and the statements it comes from.

use cairn_api::{
    AccountInfo, DeviceInfo, EpochInfo, EpochList, Explanation, PayoutList, RulesFrom, SaleList, SubmitResponse,
    VerdictList,
};
use cairn_core::epoch::EpochStatement;
use cairn_core::statement::{Body, PolicyDocument, ProfileDocument};
use cairn_core::{Hash, Payout, Verdict};
use cairn_fold::Snapshot;
use cairn_gateway::{Running, openapi_json};
use cairn_ledger::split_rows;
use cairn_merkle::tile::{decode_bundle, decode_tile, tiles};
use cairn_merkle::tree::{leaf_hash, root};
use cairn_merkle::{NoteVerifier, Receipt, SignedCheckpoint, TileLevel};

use crate::support::{CHAIN, Client, Device, Net, REHEARSED, rows};

/// Reports of each device in epoch 0; with three devices more than one tile.
const REPORTS: u32 = 100;

/// A network whose epoch 0 has closed over the reports of three devices, and whose epoch 1 has one report.
fn closed_epoch() -> (Net, Running, [Device; 3]) {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let devices = [Device::of(1), Device::of(2), Device::of(3)];
    for device in &devices {
        assert_eq!(client.statement(&net.enrol(device)).results.len(), 1);
        let reports: Vec<Vec<u8>> =
            (0..REPORTS).map(|seq| net.report(device, seq, 1_500 + i64::from(seq % 7))).collect();
        let response = client.reports(&reports);
        assert!(rows(&response).iter().all(|row| row.starts_with("accepted")), "{:?}", rows(&response));
    }
    let response: SubmitResponse = client.observation(&net.clock(Net::closing_ms(0)));
    assert!(rows(&response)[0].starts_with("accepted"));
    let late = net.report_at(&devices[0], 999, Net::closing_ms(0), 1_500);
    assert!(rows(&client.report(&late))[0].starts_with("accepted"));
    client.settle();
    (net, running, devices)
}

#[test]
fn the_served_log_hashes_to_its_signed_checkpoint() {
    let (_net, running, _) = closed_epoch();
    let mut client = Client::to(&running);
    let info = client.network();
    let vkey: NoteVerifier = info.log_vkey.parse().unwrap();
    let answer = client.get("/log/checkpoint");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let checkpoint = SignedCheckpoint::open(answer.text(), &vkey, &[]).unwrap().checkpoint;
    assert_eq!((checkpoint.size(), checkpoint.root().to_hex()), (info.size, info.log_root));
    assert!(checkpoint.size() > 256, "more than one tile");

    let (mut entry_leaves, mut tile_leaves) = (Vec::new(), Vec::new());
    for tile in tiles(checkpoint.size()) {
        let answer = client.get(&format!("/log/{tile}"));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")), "{tile}");
        let cache = answer.header("cache-control").unwrap();
        assert_eq!(cache.contains("immutable"), tile.is_full(), "{tile}");
        match tile.level {
            TileLevel::Entries => {
                entry_leaves.extend(decode_bundle(&answer.body, tile.width).unwrap().into_iter().map(leaf_hash));
            }
            TileLevel::Hashes(0) => tile_leaves.extend(decode_tile(tile, &answer.body).unwrap()),
            TileLevel::Hashes(_) => {}
        }
    }
    assert_eq!(root(&entry_leaves), checkpoint.root());
    assert_eq!(tile_leaves, entry_leaves);

    for index in [0, 255, 256, info.size - 1] {
        let answer = client.get(&format!("/v1/proofs/{index}"));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        let receipt: Receipt = answer.text().parse().unwrap();
        assert_eq!(receipt.index, index);
        receipt.verify(entry_leaves[usize::try_from(index).unwrap()], &vkey, &[]).unwrap();
    }
}

#[test]
fn tiles_beyond_the_checkpoint_and_paths_that_are_none_are_not_there() {
    let (_net, running, _) = closed_epoch();
    let mut client = Client::to(&running);
    let partial = client.network().size % 256;
    for (path, status) in [
        ("0/000".to_owned(), 200),
        ("entries/000.p/7".to_owned(), 200),
        ("0/001.p/1".to_owned(), 200),
        (format!("0/001.p/{partial}"), 200),
        (format!("0/001.p/{}", partial + 1), 404),
        ("0/001".to_owned(), 404),
        ("0/002.p/1".to_owned(), 404),
        ("1/000.p/1".to_owned(), 200),
        ("1/000.p/2".to_owned(), 404),
        ("2/000.p/1".to_owned(), 404),
        ("0/0".to_owned(), 404),
        ("0/000.p/256".to_owned(), 404),
        ("0/000.p/0".to_owned(), 404),
        ("0/x000/000".to_owned(), 404),
        ("entries/../../../etc/passwd".to_owned(), 404),
        ("%ff".to_owned(), 400),
        ("".to_owned(), 404),
    ] {
        let answer = client.get(&format!("/log/tile/{path}"));
        assert_eq!(answer.status, status, "{path}");
        if status != 200 {
            answer.problem();
        }
    }
}

#[test]
fn an_epoch_is_the_same_in_every_form_and_its_tables_hash_to_its_roots() {
    let (net, running, devices) = closed_epoch();
    let mut client = Client::to(&running);
    let info: EpochInfo = client.get("/v1/epochs/0").json();
    let answer = client.get_as("/v1/epochs/0", "application/cbor");
    assert_eq!(answer.header("content-type"), Some("application/cbor"));
    assert_eq!(Hash::of(&answer.body).to_hex(), info.statement);
    assert_eq!(answer.header("cairn-epoch-statement"), Some(info.statement.as_str()));
    let statement = EpochStatement::decode(&answer.body).unwrap();
    assert_eq!((statement.network, statement.number, statement.to), (net.network, 0, info.to));
    assert_eq!(info.rehearsed, [REHEARSED]);

    let verdicts = client.get_as("/v1/epochs/0/verdicts", "application/cbor-seq");
    assert_eq!(verdicts.header("cairn-epoch-statement"), Some(info.statement.as_str()));
    let leaves: Vec<Hash> = split_rows(&verdicts.body).unwrap().into_iter().map(leaf_hash).collect();
    assert_eq!(root(&leaves), statement.classes[0].verdict_root);
    let owners = devices.iter().map(Device::owner).collect::<Vec<_>>();
    for row in split_rows(&verdicts.body).unwrap() {
        assert!(owners.contains(&Verdict::decode(row).unwrap().account));
    }

    let payouts = client.get_as("/v1/epochs/0/payouts", "application/cbor-seq");
    let rows = split_rows(&payouts.body).unwrap();
    let leaves: Vec<Hash> = rows.iter().map(|row| leaf_hash(row)).collect();
    assert_eq!(root(&leaves), statement.payout_root);
    let paid: Vec<Payout> = rows.iter().map(|row| Payout::decode(row).unwrap()).collect();

    let csv = client.get_as("/v1/epochs/0/payouts", "text/csv");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let (comments, table): (Vec<&str>, Vec<&str>) = csv.text().lines().partition(|line| line.starts_with('#'));
    assert!(comments.iter().any(|line| line.contains(&format!("epoch 0, statement {}", info.statement))));
    assert!(comments.contains(&format!("# rehearsed: {REHEARSED}").as_str()));
    assert_eq!(table[0], "account,device,pool,weight,amount");
    let as_csv = |payout: &Payout| {
        let device = payout.device.map(|device| device.to_string()).unwrap_or_default();
        format!("{},{device},{},{},{}", payout.account, payout.pool, payout.weight, payout.amount)
    };
    assert_eq!(table[1..], paid.iter().map(as_csv).collect::<Vec<_>>());

    let list: PayoutList = client.get("/v1/epochs/0/payouts").json();
    assert_eq!((list.total, list.epoch.statement.clone()), (paid.len() as u64, info.statement.clone()));
    let total: u128 = list.payouts.iter().map(|payout| payout.amount.parse::<u128>().unwrap()).sum();
    assert_eq!(total.to_string(), info.balance.paid);
    assert!(total > 0);

    let answer = client.get("/v1/snapshots/0");
    assert_eq!(answer.header("content-type"), Some("application/cbor"));
    let snapshot = Snapshot::decode(&answer.body).unwrap();
    assert_eq!(snapshot.statement, statement);
    assert_eq!(cairn_fold::root_of(&snapshot.records).to_hex(), info.state_root);

    let carry = client.get("/v1/epochs/0/carry");
    assert_eq!(carry.header("content-type"), Some("application/cbor-seq"));
    assert_eq!(carry.header("cairn-epoch-statement"), Some(info.statement.as_str()));
    let records = cairn_fold::carry_records(&snapshot.records);
    assert_eq!((records.len(), carry.body), (devices.len(), records.concat()));
    assert_eq!(client.get("/v1/epochs/1/carry").status, 404);
}

#[test]
fn where_no_job_was_settled_there_are_no_sales_and_that_is_no_error() {
    let (_net, running, _) = closed_epoch();
    let mut client = Client::to(&running);
    let info: EpochInfo = client.get("/v1/epochs/0").json();
    assert_eq!(info.sales, None);
    let sales = client.get_as("/v1/epochs/0/sales", "application/cbor-seq");
    assert_eq!((sales.status, sales.header("cairn-epoch-statement")), (200, Some(info.statement.as_str())));
    assert!(sales.body.is_empty());
    let list: SaleList = client.get("/v1/epochs/0/sales?after=0&limit=5").json();
    assert_eq!((list.total, list.sales.len(), list.next, list.epoch.statement), (0, 0, None, info.statement));
    let unknown = format!("/v1/epochs/0/sales/{}", "0".repeat(64));
    for (path, status, code) in [
        (unknown.as_str(), 404, "NET-NO-SALE"),
        ("/v1/epochs/0/sales/x", 400, "NET-NAME"),
        ("/v1/epochs/x/sales", 400, "NET-NUMBER"),
        ("/v1/epochs/0/sales?job=1", 400, "NET-QUERY"),
        ("/v1/epochs/1/sales", 404, "NET-NO-EPOCH"),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.problem().code.as_str()), (status, code), "{path}");
    }
    let part = client.get_as("/v1/epochs/0/sales?limit=1", "application/cbor-seq");
    assert_eq!(part.problem().code, "NET-QUERY", "a part of a table proves nothing");
}

#[test]
fn the_rules_of_the_epochs_to_come_are_listed_and_whether_they_fit() {
    let (net, running, _) = closed_epoch();
    let mut client = Client::to(&running);
    let rules = |client: &mut Client| -> Vec<(u64, u32, Option<u32>, bool)> {
        let row = |row: &RulesFrom| (row.epoch, row.revision, row.read_by, row.fits());
        client.network().rules.iter().map(row).collect()
    };
    assert_eq!(rules(&mut client), [(1, 2, Some(2), true)]);
    let (policy, profile) = (net.policy.clone(), cairn_classes::sensing::revision_1::SENSING_STATION);
    let older = policy.replace("[classes.\"sensing/1\"]\nrevision = 2", "[classes.\"sensing/1\"]\nrevision = 1");
    let document = |text: &str| text.as_bytes().to_vec();
    let bodies = [
        Body::Policy(PolicyDocument { first_epoch: 5, document: document(&older) }),
        Body::Profile(ProfileDocument { first_epoch: 7, class: "sensing/1".into(), document: document(profile) }),
        Body::Policy(PolicyDocument {
            first_epoch: 9,
            document: document(&older.replace("decimals = 18", "decimals = 17")),
        }),
    ];
    for (nonce, body) in (100..).zip(bodies) {
        let answer = client.statement(&net.by_operator(body, nonce).encode());
        assert!(rows(&answer)[0].starts_with("accepted"), "{:?}", rows(&answer));
    }
    assert_eq!(rules(&mut client), [(1, 2, Some(2), true), (5, 1, Some(2), false), (7, 1, Some(1), true)]);
}

#[test]
fn an_epoch_is_seen_closed_only_with_everything_that_is_served_of_it() {
    let (net, running, devices) = closed_epoch();
    let watch = |path: String| {
        let mut client = Client::to(&running);
        move || {
            let open = client.network().epoch;
            let answer = client.get(&path.replace("{n}", &open.saturating_sub(1).to_string()));
            (answer.status, open)
        }
    };
    std::thread::scope(|scope| {
        for path in ["/v1/epochs/{n}".to_owned(), "/v1/epochs".to_owned(), format!("/v1/devices/{}", devices[0].id())] {
            let mut look = watch(path.clone());
            scope.spawn(move || {
                loop {
                    let (status, open) = look();
                    assert_eq!(status, 200, "{path} while epoch {open} was open");
                    if open == 40 {
                        break;
                    }
                }
            });
        }
        let mut client = Client::to(&running);
        for epoch in 1..40 {
            client.observation(&net.clock(Net::closing_ms(epoch)));
        }
    });
}

#[test]
fn pages_follow_each_other_without_gaps_and_filters_hold() {
    let (net, running, devices) = closed_epoch();
    let mut client = Client::to(&running);
    for epoch in 1..5 {
        client.observation(&net.clock(Net::closing_ms(epoch)));
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/epochs?limit=2".to_owned());
    loop {
        let page: EpochList = client.get(&path).json();
        assert_eq!(page.open, 5);
        seen.extend(page.epochs.iter().map(|epoch| epoch.number));
        let Some(next) = page.next else { break };
        path = format!("/v1/epochs?limit=2&before={next}");
    }
    assert_eq!(seen, [4, 3, 2, 1, 0]);

    let all: VerdictList = client.get("/v1/epochs/0/verdicts").json();
    assert_eq!((all.verdicts.len() as u64, all.next), (all.total, None));
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page: VerdictList = client.get(&format!("/v1/epochs/0/verdicts?limit=1&after={after}")).json();
        seen.extend(page.verdicts);
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(seen, all.verdicts);
    let id = devices[1].id().to_string();
    let of_one: VerdictList = client.get(&format!("/v1/epochs/0/verdicts?device={id}")).json();
    assert!(!of_one.verdicts.is_empty() && of_one.verdicts.iter().all(|verdict| verdict.device == id));

    let payouts: PayoutList = client.get("/v1/epochs/0/payouts").json();
    let page: PayoutList = client.get("/v1/epochs/0/payouts?after=1&limit=2").json();
    assert_eq!((page.payouts.as_slice(), page.next), (&payouts.payouts[1..3], Some(3)));
}

#[test]
fn devices_and_accounts_are_shown_with_what_they_earned_and_why() {
    let (_net, running, devices) = closed_epoch();
    let mut client = Client::to(&running);
    let device = &devices[0];
    let info: DeviceInfo = client.get(&format!("/v1/devices/{}", device.id())).json();
    assert_eq!((info.owner.clone(), info.open_reports), (device.owner().to_string(), 1));
    assert_eq!((info.epochs.len(), info.epochs[0].epoch.number), (1, 0));

    let why: Explanation = client.get(&format!("/v1/devices/{}/epochs/0", device.id())).json();
    assert_eq!((why.paid.clone(), why.epoch.clone()), (info.epochs[0].paid.clone(), info.epochs[0].epoch.clone()));
    assert!(!why.slots.is_empty() && !why.pools.is_empty());

    let account: AccountInfo = client.get(&format!("/v1/accounts/{}", device.owner())).json();
    assert_eq!((account.cumulative.clone(), account.devices.clone()), (info.epochs[0].paid.clone(), vec![info.id]));
    let claim = account.claim.unwrap();
    let epoch: EpochInfo = client.get("/v1/epochs/0").json();
    assert_eq!((claim.root, claim.domain.as_str()), (epoch.domains[0].claim_root.clone(), CHAIN));
    assert_eq!(Some(claim.epoch), client.network().last_closed);
}

#[test]
fn the_network_names_its_policy_and_what_is_rehearsed() {
    let (net, running, _) = closed_epoch();
    let mut client = Client::to(&running);
    let info = client.network();
    assert_eq!((info.network_id, info.epoch, info.devices), (net.network.0.to_hex(), 1, 3));
    assert_eq!((info.rehearsed.clone(), info.domains), (vec![REHEARSED.to_owned()], vec![CHAIN.to_owned()]));
    let hash = info.policy_hash.unwrap();
    for path in ["/v1/policy".to_owned(), format!("/v1/policies/{hash}")] {
        let answer = client.get(&path);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!((answer.text(), Hash::of(&answer.body).to_hex()), (net.policy.as_str(), hash.clone()), "{path}");
    }
    let profile = client.get(&format!("/v1/profiles/{}", info.classes[0].profile_hash.as_ref().unwrap()));
    assert_eq!((profile.status, profile.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert_eq!(Some(Hash::of(&profile.body).to_hex()), info.classes[0].profile_hash);
    let index = client.get("/");
    assert!(index.text().starts_with("walk\n") && index.text().contains(REHEARSED), "{}", index.text());
}

#[test]
fn what_is_not_there_or_not_asked_rightly_is_a_problem_document() {
    let (_net, running, devices) = closed_epoch();
    let mut client = Client::to(&running);
    let stranger = Device::of(9).id();
    let id = devices[0].id();
    for (path, accept, status, code) in [
        ("/nowhere".to_owned(), "*/*", 404, "NET-ROUTE"),
        ("/v1/reports".to_owned(), "*/*", 405, "NET-METHOD"),
        ("/v1/epochs/1".to_owned(), "*/*", 404, "NET-NO-EPOCH"),
        ("/v1/epochs/1/payouts".to_owned(), "text/csv", 404, "NET-NO-EPOCH"),
        ("/v1/epochs/1/verdicts".to_owned(), "*/*", 404, "NET-NO-EPOCH"),
        ("/v1/epochs/x".to_owned(), "*/*", 400, "NET-NUMBER"),
        ("/v1/epochs/0".to_owned(), "text/html", 406, "NET-ACCEPT"),
        ("/v1/epochs?limit=x".to_owned(), "*/*", 400, "NET-QUERY"),
        ("/v1/epochs?befor=1".to_owned(), "*/*", 400, "NET-QUERY"),
        ("/v1/epochs/0/verdicts?device=x".to_owned(), "*/*", 400, "NET-NAME"),
        ("/v1/epochs/0/verdicts?limit=1".to_owned(), "application/cbor-seq", 400, "NET-QUERY"),
        ("/v1/epochs/0/payouts?after=1".to_owned(), "text/csv", 400, "NET-QUERY"),
        ("/v1/snapshots/7".to_owned(), "*/*", 404, "NET-NO-EPOCH"),
        ("/v1/devices/x".to_owned(), "*/*", 400, "NET-NAME"),
        (format!("/v1/devices/{stranger}"), "*/*", 404, "NET-NO-DEVICE"),
        (format!("/v1/devices/{id}/epochs/1"), "*/*", 404, "NET-NO-EPOCH"),
        (format!("/v1/devices/{stranger}/epochs/0"), "*/*", 404, "NET-NO-DEVICE"),
        ("/v1/accounts/nobody".to_owned(), "*/*", 400, "NET-NAME"),
        ("/v1/proofs/100000".to_owned(), "*/*", 404, "LOG-NOT-COVERED"),
        ("/v1/policies/00".to_owned(), "*/*", 400, "NET-NAME"),
        (format!("/v1/policies/{}", "0".repeat(64)), "*/*", 404, "NET-NO-POLICY"),
        ("/v1/profiles/00".to_owned(), "*/*", 400, "NET-NAME"),
        (format!("/v1/profiles/{}", "0".repeat(64)), "*/*", 404, "NET-NO-PROFILE"),
    ] {
        let answer = client.get_as(&path, accept);
        assert_eq!((answer.status, answer.problem().code.as_str()), (status, code), "{path}");
    }
    assert_eq!(client.get("/v1/reports").header("allow"), Some("POST"));
    let nobody: AccountInfo = client.get(&format!("/v1/accounts/{CHAIN}:0x{}", "1".repeat(40))).json();
    assert_eq!((nobody.cumulative.as_str(), nobody.claim), ("0", None));
}

#[test]
fn a_query_that_cannot_be_read_is_refused_by_its_parameter() {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    for (path, detail) in [
        ("/v1/epochs?limit=x", "the query parameter `limit` is a whole number below 2^64, not `x`"),
        ("/v1/epochs?before=-1", "the query parameter `before` is a whole number below 2^64, not `-1`"),
        ("/v1/epochs?befor=1", "there is no query parameter `befor` here; there are: before, limit"),
        ("/v1/epochs?limit=1&limit=2", "the query parameter `limit` is given twice"),
        (
            "/v1/epochs/0/verdicts?before=1",
            "there is no query parameter `before` here; there are: device, after, limit",
        ),
        ("/v1/epochs/0/payouts?after=", "the query parameter `after` is a whole number below 2^64, not ``"),
        ("/v1/epochs/0/payouts?device=x", "there is no query parameter `device` here; there are: after, limit"),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.problem().code.as_str()), (400, "NET-QUERY"), "{path}");
        assert_eq!(answer.problem().detail, detail, "{path}");
    }
}

#[test]
fn the_committed_openapi_document_is_the_one_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference")).unwrap();
        std::fs::write(path, openapi_json()).unwrap();
    }
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let served = client.get("/openapi.json");
    let _: serde_json::Value = served.json();
    assert_eq!(served.text(), openapi_json());
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(committed == served.text(), "docs/reference/openapi.json is stale: run the tests with CAIRN_BLESS=1");
}

#[test]
fn every_documented_route_is_served_and_every_index_line_is_documented() {
    let (_net, running, devices) = closed_epoch();
    let mut client = Client::to(&running);
    let document: serde_json::Value = serde_json::from_str(&openapi_json()).unwrap();
    let index = client.get("/").text().to_owned();
    let paths = document["paths"].as_object().unwrap();
    let info = client.network();
    let (policy, profile) = (info.policy_hash.unwrap(), info.classes[0].profile_hash.clone().unwrap());
    for (path, item) in paths {
        let real = path
            .replace(
                "{id}",
                &if path.contains("accounts") { devices[0].owner().to_string() } else { devices[0].id().to_string() },
            )
            .replace("{hash}", if path.contains("policies") { &policy } else { &profile })
            .replace("{buyer}", &devices[0].owner().to_string())
            .replace("{path}", "0/000")
            .replace("{n}", "0")
            .replace("{index}", "0");
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let line = format!("{method:<4}  {path}");
            assert!(index.lines().any(|found| found.starts_with(&line)), "{line} in\n{index}");
            if path == "/events" {
                // It has no end; its own tests listen to it.
                continue;
            }
            if path == "/v1/jobs/{job}" {
                assert_eq!(client.get(&format!("/v1/jobs/{}", "0".repeat(64))).problem().code, "NET-NO-JOB");
                continue;
            }
            if path.starts_with("/v1/blobs/") {
                // Their own tests ask for them; here, nothing is kept.
                let http = if method == "GET" { client.get(&real) } else { continue };
                assert_eq!((http.status, http.problem().code.as_str()), (404, "NET-BLOB-NOT-KEPT"));
                continue;
            }
            if path.contains("{job}") {
                // Nothing was ever ordered here.
                let http = client.get(&real.replace("{job}", &"0".repeat(64)));
                assert_eq!(http.status, 404, "{path}");
                continue;
            }
            if path.starts_with("/v1/buy/") {
                // Their own tests ask for them; here, nothing is sold.
                let http = if method == "GET" { client.get(&real) } else { client.post(&real, "x/y", b"") };
                assert_eq!((http.status, http.problem().code.as_str()), (404, "NET-NO-TILL"));
                continue;
            }
            let status = if method == "GET" { client.get(&real).status } else { client.post(&real, "x/y", b"").status };
            assert_eq!(status, if method == "GET" { 200 } else { 415 }, "{method} {real}");
        }
    }
}
