//! `cairn demo`: recorded stations, a job that is bought live, and everything paid on a chain.

use serde_json::Value;

use crate::ran::cairn;

/// The document of a demo over some days, run to its end.
fn demo(arguments: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("demo --once --json --dir net {arguments}");
    let ran = cairn(folder.path(), "", &arguments.split_whitespace().collect::<Vec<_>>(), "");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn units(value: &Value) -> u128 {
    value.as_str().unwrap_or_else(|| panic!("{value} is no amount")).parse().unwrap()
}

#[test]
fn a_forecast_is_bought_live_run_again_paid_and_settled_beside_the_recorded_stations() {
    let said = demo("--days 21");
    assert_eq!(said["audit"], "PASS");
    assert_eq!((&said["settlement"]["agrees"], &said["balance"]["balances"]), (&true.into(), &true.into()), "{said}");
    let live = &said["live"];
    // One worker that nobody knows: all three auditors ran the job again, and so did the buyer.
    assert_eq!((&live["agrees"], &live["replays"]), (&true.into(), &3.into()), "{live}");
    let [locked, work, burned, licence, returned, due] =
        ["locked", "work", "burned", "licence", "returned", "worker_due"].map(|part| units(&live[part]));
    assert_eq!(locked, work + licence + returned);
    assert_eq!((work, burned > 0), (due + burned, true));
    assert_eq!([units(&live["paid_on_chain"][0]), units(&live["paid_on_chain"][1])], [due, licence]);
    // What the buyer burned on the chain is what the log took in, and what is not sold is its credit.
    let deposited = units(&live["deposited"]);
    assert_eq!((units(&said["settlement"]["burned"]), units(&said["balance"]["deposited"])), (deposited, deposited));
    assert_eq!(units(&said["balance"]["credit"]), deposited - work - licence);
    assert_eq!(said["settlement"]["epoch"], live["epoch"]);
    let forecast = &live["forecast"];
    assert_eq!(forecast["last_day"], 14_609);
    for value in ["said", "tomorrow"] {
        assert!((0..3_000).contains(&forecast[value].as_i64().unwrap()), "{forecast}");
    }
    let rehearsed = said["rehearsed"].to_string();
    assert!(rehearsed.contains("one machine buys and sells the live job"), "{rehearsed}");
}

#[test]
fn without_compute_the_demo_sells_nothing_and_says_nothing_of_it() {
    let said = demo("--days 8 --no-compute --no-attackers");
    assert_eq!((&said["audit"], &said["settlement"]["agrees"]), (&"PASS".into(), &true.into()), "{said}");
    assert!(said.get("live").is_none() && !said["rehearsed"].to_string().contains("live job"), "{said}");
    assert_eq!((units(&said["balance"]["deposited"]), units(&said["settlement"]["burned"])), (0, 0));
}

#[test]
fn where_no_forecast_can_be_made_the_demo_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (1..9).map(|day| format!("2024-01-0{day},a,50.0,10.0,{day}.5\n")).collect();
    std::fs::write(folder.path().join("own.csv"), format!("date,station,lat,lon,temperature\n{rows}")).unwrap();
    let ran = cairn(folder.path(), "", &["demo", "--once", "--json", "--dir", "net", "--dataset", "own.csv"], "");
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &said["settlement"]["agrees"]), (0, &true.into()), "{}{}", ran.stdout, ran.stderr);
    assert!(said["live"]["nothing_bought"].as_str().unwrap().starts_with("no station has PM10"), "{said}");
}
