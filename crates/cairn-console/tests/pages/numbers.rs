//! Every number is the statement's, in every form; and every page is small, cached right and bound to its own site.

use std::collections::BTreeSet;

use cairn_console::settled::{Asked, write};
use cairn_core::epoch::EpochStatement;

use crate::support::{PLAIN, Site, parse, small};

/// The base units of every amount on a page, in its order.
fn amounts(html: &str) -> Vec<String> {
    let (tags, _) = parse(html);
    let money = tags.iter().filter(|tag| tag.name == "data" && tag.attribute("class") == Some("money"));
    money.map(|tag| tag.attribute("value").unwrap().to_owned()).collect()
}

fn balance(statement: &EpochStatement) -> Vec<String> {
    let held = &statement.asset.1;
    let parts = [
        held.opening,
        held.minted,
        held.deposited,
        held.paid,
        held.refunded,
        held.burned,
        held.escrow,
        held.vesting,
        held.unallocated,
    ];
    parts.iter().map(ToString::to_string).collect()
}

fn rows(csv: &str) -> Vec<Vec<String>> {
    let lines = csv.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn sum<'a>(units: impl IntoIterator<Item = &'a String>) -> String {
    units.into_iter().map(|units| units.parse::<u128>().unwrap()).sum::<u128>().to_string()
}

#[test]
fn every_page_cites_the_statement_that_its_numbers_come_from() {
    let site = small(&PLAIN);
    let last = site.closed.last().unwrap();
    let cites = |address: &str, statement: &EpochStatement| {
        let hash = statement.hash().to_hex();
        assert!(site.page(address).contains(&hash), "{address}");
        let source = &site.json(&format!("{address}.json"))["source"]["as_of"];
        assert_eq!((source["number"].as_u64(), source["statement"].as_str()), (Some(statement.number), Some(&*hash)));
        let csv = site.page(&format!("{address}.csv"));
        assert!(csv.contains(&format!("# as of epoch {}, statement {hash}\n", statement.number)), "{address}: {csv}");
    };
    cites("/network", last);
    cites("/epochs", last);
    cites("/map", last);
    for statement in &site.closed {
        cites(&format!("/epochs/{}", statement.number), statement);
        cites(&format!("/epochs/{}/payouts", statement.number), statement);
        cites(&format!("/why/{}/{}", site.devices[0].id, statement.number), statement);
    }
    cites(&format!("/accounts/{}", site.devices[0].account), last);
}

#[test]
fn network_epoch_and_payouts_say_what_the_statement_says() {
    let site = small(&PLAIN);
    let last = site.closed.last().unwrap();
    assert_eq!(amounts(&site.page("/network"))[..9], balance(last));
    for statement in &site.closed {
        let path = format!("/epochs/{}", statement.number);
        let html = site.page(&path);
        let shown = amounts(&html);
        assert_eq!(shown[..9], balance(statement), "{path}");
        let pools: Vec<String> =
            statement.pools.iter().flat_map(|pool| [pool.size.to_string(), pool.paid.to_string()]).collect();
        assert_eq!(shown[9..9 + pools.len()], pools, "{path}");
        let held = &statement.asset.1;
        let paid = &held.paid.checked_add(held.refunded).unwrap().to_string();
        let payouts = amounts(&site.page(&format!("{path}/payouts")));
        assert_eq!(&sum(&payouts), paid, "{path}/payouts");
        let in_csv: Vec<String> =
            rows(&site.page(&format!("{path}/payouts.csv"))).into_iter().map(|row| row[4].clone()).collect();
        assert_eq!(in_csv, payouts);
        let json = site.json(&format!("{path}/payouts.json"));
        let in_json: Vec<String> =
            json["payouts"].as_array().unwrap().iter().map(|row| row["amount"].as_str().unwrap().to_owned()).collect();
        assert_eq!(in_json, payouts);
        let json = site.json(&format!("{path}.json"));
        assert_eq!(json["epoch"]["balance"]["paid"].as_str(), Some(held.paid.to_string().as_str()));
        assert_eq!(json["epoch"]["state_root"].as_str(), Some(&*statement.state_root.to_hex()));
        let earned: Vec<String> = rows(&site.page(&format!("{path}/payouts.csv")))
            .into_iter()
            .filter(|row| !row[1].is_empty())
            .map(|row| row[4].clone())
            .collect();
        assert_eq!(json["distribution"]["total"].as_str(), Some(sum(&earned).as_str()), "{path}");
    }
    let listed: Vec<String> = rows(&site.page("/epochs.csv")).into_iter().rev().map(|row| row[7].clone()).collect();
    assert_eq!(listed, site.closed.iter().map(|statement| statement.asset.1.paid.to_string()).collect::<Vec<_>>());
    let drawn: Vec<String> = rows(&site.page("/network.csv")).into_iter().map(|row| row[2].clone()).collect();
    assert_eq!(drawn, listed);
}

#[test]
fn accounts_and_devices_add_up_to_what_the_epochs_paid() {
    let site = small(&PLAIN);
    let mut by_epoch = vec![0u128; site.closed.len()];
    let payouts: Vec<Vec<Vec<String>>> =
        (0..site.closed.len()).map(|epoch| rows(&site.page(&format!("/epochs/{epoch}/payouts.csv")))).collect();
    let accounts: BTreeSet<String> = payouts.iter().flatten().map(|row| row[0].clone()).collect();
    for account in &accounts {
        let path = format!("/accounts/{account}");
        let json = site.json(&format!("{path}.json"));
        let csv = rows(&site.page(&format!("{path}.csv")));
        let given: Vec<String> = csv.iter().map(|row| row[2].clone()).collect();
        assert_eq!(json["cumulative"].as_str(), Some(sum(&given).as_str()), "{account}");
        let shown = amounts(&site.page(&path));
        assert_eq!(shown[0], sum(&given), "{account}");
        assert!(shown.windows(given.len()).any(|rows| rows == given), "{account}: {shown:?}");
        for row in &csv {
            by_epoch[row[0].parse::<usize>().unwrap()] += row[2].parse::<u128>().unwrap();
        }
    }
    let paid: Vec<u128> = site.closed.iter().map(|statement| statement.asset.1.paid.0).collect();
    assert_eq!(by_epoch, paid, "what accounts were given is what epochs paid");
    for device in &site.devices {
        let id = device.id.to_string();
        for row in rows(&site.page(&format!("/devices/{id}.csv"))) {
            let of_it = payouts[row[0].parse::<usize>().unwrap()].iter().filter(|payout| payout[1] == id);
            assert_eq!(row[4], sum(of_it.map(|payout| &payout[4])), "{id} in epoch {}", row[0]);
            let why = site.json(&format!("/why/{id}/{}.json", row[0]));
            assert_eq!(why["paid"].as_str(), Some(row[4].as_str()));
        }
    }
}

#[test]
fn a_tax_file_adds_up_to_what_was_given_and_names_where_it_is_said() {
    let site = small(&PLAIN);
    let account = site.devices[0].account.to_string();
    let path = format!("/accounts/{account}");
    let cumulative = site.json(&format!("{path}.json"))["cumulative"].as_str().unwrap().to_owned();
    let mut of_all_years = Vec::new();
    for year in site.json(&format!("{path}/tax.json"))["years"].as_array().unwrap() {
        let tax = rows(&site.page(&format!("{path}/tax.csv?year={year}")));
        assert!(!tax.is_empty(), "{year}");
        for row in &tax {
            let epoch: usize = row[0].parse().unwrap();
            assert_eq!(row[8], site.closed[epoch].hash().to_hex());
            let entry = site.json(&format!("/entries/{}.json", row[9]));
            assert!(entry.to_string().contains(&row[8]), "entry {} holds the statement: {entry}", row[9]);
            let decimals = cairn_core::Amount::parse(&row[5]).unwrap().display(18);
            assert_eq!((row[3].as_str(), &row[6]), ("presence", &decimals));
            assert!(row[1].ends_with('Z') && row[1] < row[2], "{row:?}");
        }
        let json = site.json(&format!("{path}/tax.json?year={year}"));
        let in_json = json["rows"].as_array().unwrap().iter().map(|row| row["units"].as_str().unwrap().to_owned());
        let in_csv: Vec<String> = tax.into_iter().map(|row| row[5].clone()).collect();
        assert_eq!(in_json.collect::<Vec<_>>(), in_csv);
        assert_eq!(amounts(&site.page(&format!("{path}/tax?year={year}"))), in_csv);
        of_all_years.extend(in_csv);
    }
    assert_eq!(sum(&of_all_years), cumulative);
    assert!(rows(&site.page(&format!("{path}/tax.csv?year=1999"))).is_empty());
    let mut pieces = site.get(&format!("{path}/tax.csv?after=1"));
    assert!(pieces.more.is_none());
    let rest = rows(&String::from_utf8(core::mem::take(&mut pieces.body)).unwrap());
    assert!(rest.iter().all(|row| row[0].parse::<usize>().unwrap() > 1));
}

#[test]
fn what_a_chain_paid_is_told_as_its_word_and_with_what_may_be_claimed_is_what_was_granted() {
    let site = small(&PLAIN);
    let device = &site.devices[0];
    let path = format!("/accounts/{}", device.account);
    let on_chain = |query: &str| site.json(&format!("{path}.json{query}"))["on_chain"].clone();
    let csv = rows(&site.page(&format!("{path}.csv")));
    let granted = on_chain("")["granted"].as_str().unwrap().to_owned();
    assert!(on_chain("")["said"].is_null(), "nobody asked the chain");
    let cairn_core::Address::Evm(address) = *device.account.address() else { panic!("an EVM account") };
    let asked = |opened| Asked {
        network_id: site.closed[0].network.0.to_hex(),
        chain: "eip155:31337".into(),
        place: "a folder".into(),
        rehearsed: true,
        contract: format!("0x{}", "0".repeat(40)),
        block: 17,
        block_time_s: 1_700_000_000,
        read_ms: 1_700_000_001_000,
        posted: Some(3),
        opened,
        accounts: 1,
        paid: "5".into(),
    };
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<u128>().unwrap();
    for (opened, paid) in [(Some(3), 5), (Some(1), 7), (None, 0)] {
        write(&site.settled, &asked(opened), &[(address, paid), ([9; 20], 1)]).unwrap();
        let told = on_chain("");
        let said = &told["said"];
        assert_eq!(number(&said["account_paid"]), paid);
        let sum = paid + number(&said["claimable"]) + number(&said["waits"]);
        assert_eq!(sum.to_string(), granted, "{opened:?}: {told}");
        let later = csv.iter().filter(|row| opened.is_none_or(|opened| row[0].parse::<u64>().unwrap() > opened));
        assert_eq!(said["waits"].as_str(), Some(self::sum(later.map(|row| &row[2])).as_str()), "{opened:?}");
        let html = site.page(&path);
        assert!(html.contains("stood at block 17") && html.contains("2023-11-14 22:13:20Z"), "{html}");
    }
    // More than was granted is no amount, another contract's or network's record is none, and a page as of an epoch has none.
    write(&site.settled, &asked(Some(3)), &[(address, u128::MAX)]).unwrap();
    assert!(on_chain("")["said"]["claimable"].is_null());
    assert!(on_chain("?as_of=3").is_null());
    for asked in [
        Asked { contract: format!("0x{}", "1".repeat(40)), ..asked(Some(3)) },
        Asked { network_id: "0".repeat(64), ..asked(Some(3)) },
    ] {
        write(&site.settled, &asked, &[(address, 1)]).unwrap();
        assert!(on_chain("")["said"].is_null());
    }
    std::fs::write(site.settled.join("eip155-31337.txt"), "torn").unwrap();
    assert!(on_chain("")["said"].is_null());
}

#[test]
fn verdicts_add_up_to_what_the_statement_counts_in_every_form() {
    let site = small(&PLAIN);
    for statement in &site.closed {
        let path = format!("/epochs/{}/verdicts", statement.number);
        let csv = rows(&site.page(&format!("{path}.csv")));
        let json = site.json(&format!("{path}.json"));
        let subjects: u64 = statement.classes.iter().map(|class| class.subjects).sum();
        assert_eq!((csv.len() as u64, json["total"].as_u64()), (subjects, Some(subjects)));
        let weight: u128 = csv.iter().map(|row| row[7].parse::<u128>().unwrap()).sum();
        let mut pools = statement.pools.iter().map(|pool| pool.weight);
        assert!(pools.any(|of_pool| of_pool == weight), "one pool shares by every verdict: {weight}");
        for (row, verdict) in csv.iter().zip(json["verdicts"].as_array().unwrap()) {
            assert_eq!(Some(row[1].as_str()), verdict["device"].as_str());
            assert_eq!(Some(row[6].parse().unwrap()), verdict["score_ppm"].as_u64());
        }
    }
}

#[test]
fn as_of_an_epoch_nothing_later_is_told_whatever_closes() {
    let site = small(&PLAIN);
    let path = format!("/accounts/{}", site.devices[0].account);
    let all = rows(&site.page(&format!("{path}.csv")));
    for statement in &site.closed {
        let number = statement.number;
        let json = site.json(&format!("{path}.json?as_of={number}"));
        assert_eq!(json["source"]["as_of"]["number"].as_u64(), Some(number));
        let csv = rows(&site.page(&format!("{path}.csv?as_of={number}")));
        let until: Vec<_> = all.iter().filter(|row| row[0].parse::<u64>().unwrap() <= number).cloned().collect();
        assert_eq!(csv, until);
        assert_eq!(json["cumulative"].as_str(), Some(sum(until.iter().map(|row| &row[2])).as_str()));
        let later = site.closed.iter().filter(|other| other.number > number);
        let html = site.page(&format!("{path}?as_of={number}"));
        for other in later {
            assert!(!html.contains(&other.hash().to_hex()), "{number} shows epoch {}", other.number);
        }
    }
    assert_eq!(site.get(&format!("{path}?as_of=99")).code, Some("NET-NO-EPOCH"));
    let path = format!("/devices/{}", site.devices[1].id);
    let all = rows(&site.page(&format!("{path}.csv")));
    for statement in &site.closed {
        let number = statement.number;
        let csv = rows(&site.page(&format!("{path}.csv?as_of={number}")));
        let until: Vec<_> = all.iter().filter(|row| row[0].parse::<u64>().unwrap() <= number).cloned().collect();
        assert_eq!(csv, until);
        let json = site.json(&format!("{path}.json?as_of={number}"));
        assert_eq!(json["earned"].as_str(), Some(sum(until.iter().map(|row| &row[4])).as_str()));
        let shown = json["readings_of"]["number"].as_u64();
        assert_eq!(shown, until.first().map(|row| row[0].parse().unwrap()), "the newest of them is shown");
    }
    assert_eq!(site.get(&format!("{path}?as_of=0&epoch=1")).code, Some("NET-QUERY"));
}

#[test]
fn a_device_was_there_in_the_slots_it_was_judged_for_and_every_reason_has_its_entries() {
    let site = small(&PLAIN);
    for device in &site.devices[..5] {
        let path = format!("/devices/{}", device.id);
        for epoch in 0..site.closed.len() {
            let json = site.json(&format!("{path}.json?epoch={epoch}"));
            let judged: Vec<_> = json["epochs"].as_array().unwrap().clone();
            let Some(row) = judged.iter().find(|row| row["epoch"]["number"].as_u64() == Some(epoch as u64)) else {
                assert!(json["slots"].is_null());
                continue;
            };
            let slots = &json["slots"][0];
            assert_eq!((&row["slots"], slots["possible"].as_u64()), (slots, Some(7)), "a week of days");
            let why = site.json(&format!("/why/{}/{epoch}.json", device.id));
            let of_why = why["slots"].as_array().unwrap();
            assert_eq!(of_why.len() as u64, slots["reported"].as_u64().unwrap() + slots["late"].as_u64().unwrap());
            let reasons: Vec<_> =
                of_why.iter().flat_map(|slot| slot["verdict"]["reasons"].as_array().unwrap()).collect();
            let losing: Vec<_> = reasons.iter().filter(|reason| reason["lost_ppm"].as_u64() != Some(0)).collect();
            let listed = json["lost"].as_array().unwrap();
            assert_eq!(listed.len(), losing.len());
            for (listed, reason) in listed.iter().zip(losing) {
                assert_eq!((&listed["code"], &listed["sentence"]), (&reason["code"], &reason["sentence"]));
                assert!(!listed["evidence"].as_array().unwrap().is_empty());
            }
            assert_eq!(json["readings"]["not_reproduced"].as_u64(), Some(0), "{}", json["readings"]);
            let readings = rows(&site.page(&format!("{path}/readings.csv?epoch={epoch}")));
            assert_eq!(readings.len(), json["readings"]["series"]["points"].as_array().unwrap().len());
        }
    }
    let of = |query: &str| site.get(&format!("/devices/{}{query}", site.devices[0].id)).code;
    assert_eq!(of("?quantity=nonsense"), Some("NET-QUERY"));
    assert_eq!(of("?epoch=99"), Some("NET-NO-EPOCH"));
    assert_eq!(of("/readings?epoch=99"), Some("NET-NO-EPOCH"));
}

#[test]
fn every_internal_link_leads_to_a_page() {
    let site = small(&PLAIN);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut waiting = vec!["/network".to_owned()];
    while let Some(address) = waiting.pop() {
        let path = address.split('?').next().unwrap();
        // Routes of the gateway's own are followed where there is a gateway.
        if ["/v1/", "/log/", "/health"].iter().any(|ahead| path.starts_with(ahead)) || !seen.insert(address.clone()) {
            continue;
        }
        let answer = site.get(&address);
        assert_eq!(answer.status, 200, "{address}");
        if answer.header("content-type").unwrap().starts_with("text/html") {
            let (tags, _) = parse(core::str::from_utf8(&answer.body).unwrap());
            let links = tags.iter().filter_map(|tag| tag.attribute("href").or(tag.attribute("action")));
            // A place within a page is no page of its own.
            waiting.extend(
                links.filter_map(|link| link.split('#').next()).filter(|link| !link.is_empty()).map(str::to_owned),
            );
        }
    }
    assert!(seen.len() > 3 * usize::try_from(site.log.size()).unwrap(), "every entry is linked: {} pages", seen.len());
}

#[test]
fn a_file_in_pieces_is_the_file_in_one_piece() {
    let site = small(&PLAIN);
    let whole = site.page("/epochs/1/payouts.csv");
    for after in 0..6 {
        let page = site.get(&format!("/epochs/1/payouts.csv?after={after}"));
        assert!(page.more.is_none());
        let rest = rows(core::str::from_utf8(&page.body).unwrap());
        assert_eq!(rest, rows(&whole)[after..]);
    }
}

/// What holds for every answer.
fn headers(site: &Site, address: &str) {
    let answer = site.get(address);
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"));
    // Scripts are allowed to pages that have some, and then those of this site alone.
    let has_script = core::str::from_utf8(&answer.body).is_ok_and(|text| text.contains("<script"));
    let allowed = policy.split("; ").find(|directive| directive.starts_with("script-src"));
    assert_eq!(allowed, has_script.then_some("script-src 'self'"), "{address}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let cache = if address.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    assert_eq!(answer.header("cache-control"), Some(cache), "{address}");
    assert!(answer.body.len() < 100_000, "{address} has {} bytes", answer.body.len());
    let tag = answer.header("etag").unwrap().to_owned();
    assert_eq!(site.get(address).header("etag"), Some(tag.as_str()), "{address} is the same when asked again");
    if answer.status == 200 {
        assert_eq!(answer.unless_known(Some(&tag)).status, 304);
    }
}

#[test]
fn every_answer_is_small_and_has_the_headers_that_hold_for_all() {
    let site = small(&PLAIN);
    let (tags, _) = parse(&site.page("/network"));
    let linked = tags.iter().filter(|tag| tag.name == "link").map(|tag| tag.attribute("href").unwrap().to_owned());
    let (scripts, _) = parse(&site.page("/entries/0"));
    let scripts = scripts.iter().filter(|tag| tag.name == "script").map(|tag| tag.attribute("src").unwrap().to_owned());
    let assets: Vec<String> = linked.chain(scripts).collect();
    assert!(assets.len() == 3 && assets.iter().all(|path| path.starts_with("/assets/")));
    for asset in assets {
        headers(&site, &asset);
    }
    let device = site.devices[1].id;
    for address in [
        "/network".to_owned(),
        "/epochs".to_owned(),
        "/epochs/1".to_owned(),
        "/epochs/1/payouts".to_owned(),
        "/map".to_owned(),
        "/map?layer=untested&as_of=1".to_owned(),
        format!("/cells/{}", site.cells()[0]),
        "/status".to_owned(),
        "/jobs".to_owned(),
        "/auditors".to_owned(),
        "/denials".to_owned(),
        "/policies".to_owned(),
        "/search".to_owned(),
        "/search?q=nothing".to_owned(),
        "/epochs/99".to_owned(),
        "/entries/0".to_owned(),
        "/entries/1".to_owned(),
        format!("/devices/{device}"),
        format!("/why/{device}/0"),
        "/epochs/1/verdicts".to_owned(),
        format!("/devices/{device}/readings?epoch=0"),
        format!("/accounts/{}", site.devices[1].account),
        format!("/accounts/{}/tax", site.devices[1].account),
    ] {
        headers(&site, &address);
    }
}

#[test]
fn what_is_not_there_or_not_asked_rightly_says_so_in_every_form() {
    let site = small(&PLAIN);
    let stranger = cairn_testkit::network::SeededDevice::of(99).id;
    for (path, query, status, code) in [
        ("/epochs/99".to_owned(), "", 404, "NET-NO-EPOCH"),
        ("/epochs/x".to_owned(), "", 400, "NET-NUMBER"),
        ("/epochs".to_owned(), "?befor=1", 400, "NET-QUERY"),
        ("/epochs/1/payouts".to_owned(), "?after=x", 400, "NET-QUERY"),
        ("/network".to_owned(), "?x=1", 400, "NET-QUERY"),
        ("/devices/x".to_owned(), "", 400, "NET-NAME"),
        (format!("/devices/{stranger}"), "", 404, "NET-NO-DEVICE"),
        (format!("/why/{stranger}/0"), "", 404, "NET-NO-DEVICE"),
        (format!("/why/{}/99", site.devices[0].id), "", 404, "NET-NO-EPOCH"),
        ("/accounts/nobody".to_owned(), "", 400, "NET-NAME"),
        ("/entries/1000000".to_owned(), "", 404, "LOG-NOT-COVERED"),
    ] {
        let page = site.get(&format!("{path}{query}"));
        assert_eq!((page.status, page.code), (status, Some(code)), "{path}");
        assert!(parse(core::str::from_utf8(&page.body).unwrap()).1.contains(code));
        for twin in [".json", ".csv"] {
            let problem = site.get(&format!("{path}{twin}{query}"));
            assert_eq!(problem.header("content-type"), Some("application/problem+json"), "{path}{twin}");
            let problem: cairn_api::Problem = serde_json::from_slice(&problem.body).unwrap();
            assert_eq!((problem.status, problem.code.as_str()), (status, code), "{path}{twin}");
        }
    }
}

#[test]
fn what_is_pasted_leads_to_its_page() {
    let site = small(&PLAIN);
    let (device, account) = (site.devices[0].id.to_string(), site.devices[0].account.to_string());
    let address = account.rsplit(':').next().unwrap();
    let hash = site.closed[1].hash().to_hex();
    for (query, to) in [
        (device.as_str(), format!("/devices/{device}")),
        (&device.to_uppercase().replace("DEV1", "dev1"), format!("/devices/{device}")),
        (&account, format!("/accounts/{account}")),
        (address, format!("/accounts/{account}")),
        (&hash, "/epochs/1".to_owned()),
        (&format!("%20{hash}+"), "/epochs/1".to_owned()),
        ("20", "/entries/20".to_owned()),
    ] {
        let answer = site.get(&format!("/search?q={query}"));
        assert_eq!((answer.status, answer.header("location")), (303, Some(to.as_str())), "{query}");
        assert_eq!(site.get(&to).status, 200);
        assert_eq!(site.json(&format!("/search.json?q={query}"))["found"][0]["path"].as_str(), Some(to.as_str()));
    }
    let both = site.page("/search?q=1");
    assert!(both.contains("/epochs/1") && both.contains("/entries/1"));
    assert!(site.page("/search?q=nothing").contains("Nothing here has that name."));
}
