//! What the network refuses for good is listed with the reason, and sent again when its owner says so.

use std::io::Write;

use crate::life::{Running, node, until};
use crate::{done, refused, run};

#[test]
fn what_is_refused_for_good_is_set_aside_listed_and_sent_again_when_its_owner_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (up, _) = node(folder);
    // Each line says when it was measured: long before there was a network.
    let config = folder.join("node/node.toml");
    let map = "map = { format = \"csv\", columns = [\"time\", \"co2\"], time = { at = \"time\", as = \"s\" }, field = [{ quantity = \"co2\", at = \"co2\" }] }";
    let text = std::fs::read_to_string(&config).unwrap();
    let (before, after) = text.split_once("map = ").unwrap();
    let after = after.split_once('\n').map_or("", |(_, after)| after);
    std::fs::write(&config, format!("{before}{map}\n{after}")).unwrap();
    let mut file = std::fs::File::create(folder.join("air.txt")).unwrap();
    (0..3).for_each(|n| writeln!(file, "{},{}", 1_700_000_000 + 60 * n, 400 + n).unwrap());

    let running = Running::start(folder);
    let listed = || done(folder, "node refused --dir node")["refused"].as_array().unwrap().clone();
    until(folder, "what is refused", || folder.join("node/receipts").is_dir() && listed().len() == 3);
    let rows = listed();
    assert!(rows.iter().all(|row| row["code"].as_str() == Some("RPT-BEFORE-START")), "{rows:?}");
    assert_eq!(rows[0]["gateways"][0].as_str(), Some(up.url.as_str()));
    assert_eq!(rows[0]["schema"].as_str(), Some("sensing/1"));
    let shown = run(folder, "node refused --dir node");
    assert!(shown.stdout.contains("cairn node refused again"), "{}", shown.stdout);
    assert_eq!(refused(folder, "node refused again --dir node --code CLS-MODEL"), (1, "NODE-REFUSED".to_owned()));

    // Nothing of it can be taken by this network: it is refused once more, under the names that it had, and not sent by itself.
    assert_eq!(done(folder, "node refused again --dir node --code RPT-BEFORE-START")["again"].as_u64(), Some(3));
    let names = |rows: &[serde_json::Value]| rows.iter().map(|row| row["seq"].as_u64()).collect::<Vec<_>>();
    let times = |rows: &[serde_json::Value]| rows.iter().map(|row| row["at_ms"].as_u64()).collect::<Vec<_>>();
    let is_newer =
        |now: &[serde_json::Value]| now.len() == 3 && times(now).iter().zip(times(&rows)).all(|(now, was)| *now > was);
    until(folder, "the second refusal", || is_newer(&listed()));
    assert_eq!(names(&listed()), names(&rows));
    let said = std::fs::read_to_string(folder.join("node.log")).unwrap();
    let events = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let again: u64 = events.filter(|event| event["event"] == "again").filter_map(|event| event["count"].as_u64()).sum();
    assert_eq!(again, 3, "{said}");
    assert_eq!(running.end(), 0);
    let stopped = run(folder, "node refused --dir node");
    assert!(shown.code == 0 && stopped.stdout.contains("3 refused reports are set aside"), "{}", stopped.stdout);
    assert_eq!(up.end(), 0);
}
