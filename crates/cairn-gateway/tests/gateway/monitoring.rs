//! The dashboard and the alerts that come with Cairn ask for what a gateway prints, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};

use cairn_gateway::{BlobOptions, GatewayOptions, sync_times_us};
use serde_json::Value;

use crate::support::{Client, Device, Net};
use crate::witnessed::{cosigner, settle, witness, witnessed_by};

const DASHBOARD: &str = include_str!("../../../../docs/monitoring/grafana.json");
const ALERTS: &str = include_str!("../../../../docs/monitoring/alerts.yml");

/// Labels by metric, with the values that were seen.
type Printed = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// What `/metrics` prints once everything that it can tell of has happened.
fn printed() -> Printed {
    let net = Net::found();
    let (one, folder) = (cosigner("one.example", 41), tempfile::tempdir().unwrap());
    let first = witness(&net, folder.path(), &one, "127.0.0.1:0");
    let witnesses = [(one.verifier().clone(), format!("http://{}", first.address()))];
    let blobs = BlobOptions { free_bytes_min: 0, ..BlobOptions::in_folder(net.folder.path().join("blobs")) };
    let running = net.start_with(GatewayOptions {
        blobs: Some(blobs),
        syncs_us: Some(sync_times_us()),
        ..witnessed_by(&net, &witnesses)
    });
    let mut client = Client::to(&running);
    assert_eq!(client.report(&net.report(&Device::of(9), 1, 2_000)).results[0].index, None, "nobody's report");
    assert_eq!(client.get("/no-such-page").status, 404);
    settle(&running, &net, &[one.verifier()]);
    let page = client.get("/metrics").text().to_owned();
    drop(client);
    running.shutdown().unwrap();
    let mut printed = Printed::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let seen = printed.entry(name.to_owned()).or_default();
        for (label, value) in matchers(labels.strip_suffix('}').unwrap()) {
            seen.entry(label).or_default().insert(value);
        }
    }
    printed
}

/// The labels of `a="b",c=~"d"`, with their values; an empty one where the value is a pattern.
fn matchers(text: &str) -> Vec<(String, String)> {
    let one = |matcher: &str| {
        let (label, value) = matcher.split_once('=').unwrap();
        let exact = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        (label.trim_end_matches('!').to_owned(), exact.unwrap_or_default().to_owned())
    };
    text.split(',').filter(|matcher| !matcher.is_empty()).map(one).collect()
}

/// Every text under `"expr"`, and what variables are filled from.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "expr" || (name == "query" && text.contains('(')) => {
                        found.push(text.clone());
                    }
                    _ => expressions(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

/// The metrics that an expression names, each with what stands in braces behind it.
fn named(expression: &str) -> Vec<(&str, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = expression.match_indices("cairn_").map(|(at, _)| &expression[at..]);
    let one = |rest: &'_ str| rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    starts
        .map(|rest| {
            let (name, behind) = rest.split_at(one(rest));
            (name, behind.strip_prefix('{').and_then(|labels| labels.split('}').next()).unwrap_or_default())
        })
        .collect()
}

#[test]
fn every_metric_and_label_of_the_dashboard_and_the_alerts_is_one_that_a_gateway_prints() {
    let printed = printed();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions_of = Vec::new();
    expressions(&dashboard, &mut expressions_of);
    expressions_of.extend(ALERTS.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).map(str::to_owned));
    assert!(expressions_of.len() > 40, "{} expressions", expressions_of.len());
    // What Prometheus itself adds.
    let added = ["instance", "job"];
    for expression in &expressions_of {
        let named = named(expression);
        assert!(!named.is_empty(), "{expression}");
        for (name, labels) in &named {
            let Some(seen) = printed.get(*name) else { panic!("`/metrics` does not print {name}: {expression}") };
            for (label, value) in matchers(labels).iter().filter(|(label, _)| !added.contains(&label.as_str())) {
                let Some(values) = seen.get(label) else { panic!("{name} has no label {label}: {expression}") };
                // Codes are printed once one was told.
                assert!(value.is_empty() || label == "code" || values.contains(value), "{value}: {expression}");
            }
        }
        let grouped = expression.split("by (").skip(1).flat_map(|rest| rest.split(')').next().unwrap().split(", "));
        for label in grouped.filter(|label| !added.contains(label)) {
            assert!(named.iter().all(|(name, _)| printed[*name].contains_key(label)), "{label}: {expression}");
        }
    }
}

#[test]
fn every_panel_is_told_apart_and_every_alert_says_how_bad_it_is_and_what_happened() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let texts = |field: &str| panels.iter().map(|panel| panel[field].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(
        (texts("id").len(), texts("title").len(), texts("gridPos").len()),
        (panels.len(), panels.len(), panels.len())
    );
    let alerts: Vec<&str> = ALERTS.split("- alert: ").skip(1).collect();
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.lines().next().unwrap()).collect();
    assert_eq!(names.len(), alerts.len());
    for alert in alerts {
        for part in ["\n        expr: ", "\n          severity: ", "\n          summary: \""] {
            assert_eq!(alert.matches(part).count(), 1, "{part} in {alert}");
        }
    }
}
