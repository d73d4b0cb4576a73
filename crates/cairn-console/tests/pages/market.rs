//! Jobs from order to receipt, over a month on the market with whoever would cheat it.

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::{Hash, JobId, Sale};
use cairn_testkit::fair::month::{BUYER, Month, month};
use cairn_testkit::network::SeededDevice;

use crate::support::{Site, parse};

/// The month up to a day in its middle, so that jobs stand in every way; and the same as a site.
fn middle() -> (Month, Site) {
    let month = month(true);
    let mut network = month.fair.network.clone();
    // What the log was a little after orders of the twentieth day came: some jobs are open, some are settled.
    let orders = network.entries.iter().enumerate().filter(|(_, bytes)| is_order(bytes));
    let cut = orders.map(|(at, _)| at).nth(119).unwrap() + 9;
    network.entries.truncate(cut);
    network.closed.retain(|closed| closed.statement.to < cut as u64);
    let site = Site::of(&network, month.workers.clone());
    (month, site)
}

fn is_order(bytes: &[u8]) -> bool {
    use cairn_core::entry::{Entry, EntryKind};
    use cairn_core::statement::{Body, Statement};
    let entry = Entry::decode(bytes).unwrap();
    entry.kind == EntryKind::Statement
        && Statement::parse(entry.body).is_ok_and(|statement| matches!(statement.body, Body::Order(_)))
}

fn amounts(html: &str) -> Vec<String> {
    let (tags, _) = parse(html);
    let money = tags.iter().filter(|tag| tag.name == "data" && tag.attribute("class") == Some("money"));
    money.map(|tag| tag.attribute("value").unwrap().to_owned()).collect()
}

fn all_jobs(site: &Site, query: &str) -> Vec<serde_json::Value> {
    let (mut jobs, mut after) = (Vec::new(), String::new());
    loop {
        let page = site.json(&format!("/jobs.json?{query}{after}"));
        jobs.extend(page["jobs"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return jobs,
        }
    }
}

#[test]
fn every_job_is_listed_once_and_every_state_filter_is_a_part_of_all() {
    let (_, site) = middle();
    let all = all_jobs(&site, "");
    let names: BTreeSet<&str> = all.iter().map(|job| job["job"].as_str().unwrap()).collect();
    let ledger = site.ledger.read().unwrap();
    let known: Vec<String> = ledger.state().market.jobs().map(|(id, _)| id.to_string()).collect();
    drop(ledger);
    assert_eq!((names.len(), known.len()), (all.len(), all.len()));
    assert!(known.iter().all(|job| names.contains(job.as_str())));
    let mut by_state = BTreeMap::new();
    for state in ["open", "done", "drawn", "settled"] {
        for job in all_jobs(&site, &format!("state={state}")) {
            assert!(names.contains(job["job"].as_str().unwrap()), "{state}");
            *by_state.entry(state).or_insert(0) += 1;
        }
    }
    assert!(["open", "settled"].iter().all(|state| by_state.contains_key(state)), "{by_state:?}");
    assert_eq!(by_state["open"] + by_state.get("done").unwrap_or(&0) + by_state["settled"], all.len());
    let worker = all[0]["workers"][0].as_str().unwrap().to_owned();
    for job in all_jobs(&site, &format!("worker={worker}")) {
        assert!(job["workers"].as_array().unwrap().iter().any(|one| one == worker.as_str()));
    }
    let buyer = SeededDevice::of(BUYER).account.to_string();
    assert_eq!(all_jobs(&site, &format!("buyer={buyer}")).len(), all.len());
    let html = site.page(&format!("/jobs?state=settled&worker={worker}"));
    assert!(html.contains(&worker) && html.len() < 100_000);
    for (query, code) in
        [("state=x", "NET-QUERY"), ("worker=x", "NET-NAME"), ("buyer=x", "NET-NAME"), ("after=x", "NET-NAME")]
    {
        assert_eq!(site.get(&format!("/jobs?{query}")).code, Some(code), "{query}");
    }
}

#[test]
fn a_job_shows_its_lottery_its_words_and_what_auditors_found_in_every_state() {
    let (_, site) = middle();
    let mut seen = BTreeSet::new();
    for job in all_jobs(&site, "") {
        let id = job["job"].as_str().unwrap();
        let (html, page) = (site.page(&format!("/jobs/{id}")), site.json(&format!("/jobs/{id}.json")));
        assert!(html.len() < 100_000, "{id} has {} bytes", html.len());
        parse(&html);
        seen.insert(page["phase"].as_str().unwrap().to_owned());
        let candidates = page["lottery"]["candidates"].as_array().unwrap();
        let chosen: Vec<&str> =
            candidates.iter().filter(|one| one["chosen"] == true).map(|one| one["device"].as_str().unwrap()).collect();
        let workers: Vec<&str> =
            page["workers"].as_array().unwrap().iter().map(|one| one["device"].as_str().unwrap()).collect();
        assert_eq!(chosen, workers, "{id}");
        let numbers: Vec<&str> = candidates.iter().map(|one| one["number"].as_str().unwrap()).collect();
        assert!(numbers.is_sorted() && numbers.iter().all(|number| html.contains(number)), "{id}");
        // Whoever has the seed computes the numbers.
        let hash = |name: &str| Hash::from_hex(page["lottery"][name].as_str().unwrap()).unwrap();
        let seed = Hash::of_parts(&[&hash("root").0, &hash("leaf").0]);
        assert_eq!(seed, hash("seed"));
        let index = page["index"].as_u64().unwrap();
        assert_eq!(site.log.root_at(index).unwrap(), hash("root"));
        let device = cairn_core::DeviceId::parse(candidates[0]["device"].as_str().unwrap()).unwrap();
        let number = cairn_classes::compute::market::lottery(&seed, &JobId::parse(id).unwrap(), &device);
        assert_eq!(number.to_hex(), numbers[0]);
        for replay in page["replays"].as_array().unwrap() {
            assert!(html.contains(&format!("/entries/{}", replay["index"])), "{id}");
        }
        if let Some(truth) = page["truth"].as_str() {
            seen.insert("truth".to_owned());
            assert!(html.contains(truth));
        }
        let is_settled = page["phase"] == "settled";
        assert_eq!(page["receipt"].is_null(), !is_settled, "{id}");
    }
    assert!(["settled", "truth"].iter().all(|one| seen.contains(*one)) && seen.len() > 2, "{seen:?}");
}

#[test]
fn a_receipt_is_the_sale_under_the_statement_and_adds_up_however_long_ago_it_was() {
    let (month, site) = middle();
    let closed = month.fair.network.closed.iter().filter(|closed| site.closed.contains(&closed.statement));
    let mut receipts = 0;
    for closed in closed {
        let number = closed.statement.number;
        let sales: Vec<Sale> = closed.sales.iter().map(|row| Sale::decode(row).unwrap()).collect();
        let listed = site.json(&format!("/epochs/{number}/sales.json"));
        let names: Vec<&str> =
            listed["sales"].as_array().unwrap().iter().map(|sale| sale["job"].as_str().unwrap()).collect();
        assert_eq!(names, sales.iter().map(|sale| sale.job.to_string()).collect::<Vec<_>>());
        assert_eq!(listed["source"]["as_of"]["statement"].as_str(), Some(&*closed.statement.hash().to_hex()));
        let html = site.page(&format!("/epochs/{number}/sales"));
        for (sale, shown) in sales.iter().zip(amounts(&html).chunks(5)) {
            let shown: Vec<u128> = shown.iter().map(|units| units.parse().unwrap()).collect();
            assert_eq!((shown[0], shown[1..].iter().sum::<u128>()), (sale.locked.0, sale.locked.0), "{}", sale.job);
            let page = site.json(&format!("/jobs/{}.json?epoch={number}", sale.job));
            assert_eq!(
                (&page["receipt"]["holds"], page["locked"].as_str()),
                (&true.into(), Some(&*sale.locked.to_string()))
            );
            assert_eq!(page["source"]["as_of"]["number"], number);
            assert_eq!(page["index"], sale.order);
            let judged: Vec<&serde_json::Value> = page["workers"].as_array().unwrap().iter().collect();
            assert!(
                judged.iter().all(|worker| worker["verdict"]["reasons"][0]["code"]
                    .as_str()
                    .is_some_and(|code| code.starts_with("CMP-"))),
                "{page}"
            );
            let right = judged.iter().filter(|worker| worker["verdict"]["score_ppm"] == 1_000_000).count();
            assert_eq!(right, sale.work.len(), "{}", sale.job);
            let html = site.page(&format!("/jobs/{}?epoch={number}", sale.job));
            for work in &sale.work {
                assert!(amounts(&html).contains(&work.work.to_string()) && html.contains(&work.account.to_string()));
            }
            // Without the epoch it is looked for among the last ones.
            assert_eq!(site.get(&format!("/jobs/{}", sale.job)).status, 200);
            receipts += 1;
        }
        let epoch = site.page(&format!("/epochs/{number}"));
        assert_eq!(epoch.contains(&format!("/epochs/{number}/sales")), !sales.is_empty());
    }
    assert!(receipts > 50, "{receipts}");
    let nobodys = Hash::of(b"no job").to_hex();
    assert_eq!(site.get(&format!("/jobs/{nobodys}")).code, Some("NET-NO-JOB"));
    assert_eq!(site.get("/jobs/x").code, Some("NET-NAME"));
    let job = month.fair.network.closed.iter().find_map(|closed| closed.sales.first()).unwrap();
    let job = Sale::decode(job).unwrap().job.to_string();
    let found = site.get(&format!("/search?q={job}"));
    assert_eq!(found.header("location"), Some(&*format!("/jobs/{job}")));
}
