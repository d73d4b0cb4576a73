//! Every number is the statement's, in every form; and every page is small, cached right and bound to its own site.

use std::collections::BTreeSet;

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
        assert_eq!((&shown[0], &shown[1..=given.len()]), (&sum(&given), given.as_slice()), "{account}");
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
            waiting.extend(links.filter(|link| *link != "#main").map(str::to_owned));
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
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe") && !policy.contains("script"));
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
    let assets: Vec<String> = linked.collect();
    assert!(assets.len() == 2 && assets.iter().all(|path| path.starts_with("/assets/")));
    for asset in assets {
        headers(&site, &asset);
    }
    let device = site.devices[1].id;
    for address in [
        "/network".to_owned(),
        "/epochs".to_owned(),
        "/epochs/1".to_owned(),
        "/epochs/1/payouts".to_owned(),
        "/status".to_owned(),
        "/search".to_owned(),
        "/search?q=nothing".to_owned(),
        "/epochs/99".to_owned(),
        "/entries/0".to_owned(),
        "/entries/1".to_owned(),
        format!("/devices/{device}"),
        format!("/why/{device}/0"),
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
