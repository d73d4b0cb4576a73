//! `cairn bench`: what it says and what it leaves behind. How fast anything is, is not asked.

use cairn_api::ResultStatus;
use cairn_client::Client;
use serde_json::Value;

use crate::transcript::cairn;
use crate::up::Up;

/// A port on which nothing listens.
const NOBODY: &str = "http://127.0.0.1:9";

#[test]
fn a_short_measurement_has_every_figure_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    for (batch, p256) in [("4", "50"), ("1", "0")] {
        let call = [
            "bench",
            "ingest",
            "--devices",
            "8",
            "--batch",
            batch,
            "--connections",
            "2",
            "--seconds",
            "1",
            "--p256-share",
            p256,
            "--dir",
            ".",
            "--json",
        ];
        let ran = cairn(folder.path(), NOBODY, &call, "");
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        for name in ["acked_per_s", "verify_per_s", "bytes_per_report", "acked", "requests", "promises_checked"] {
            assert!(found[name].as_u64().is_some_and(|value| value > 0), "{name}: {found}");
        }
        for name in ["ratio_wall", "p50_ms", "p99_ms", "seconds"] {
            assert!(found[name].as_f64().is_some_and(|value| value >= 0.0), "{name}: {found}");
        }
        let told_by_linux =
            ["ratio", "cpu_s_per_million", "verify_cpu_s_per_million", "client_cpu_s_per_million", "peak_rss_bytes"];
        for name in told_by_linux {
            assert_eq!(found[name].is_number(), cfg!(target_os = "linux"), "{name}: {found}");
        }
        assert!(found["half_load"]["p99_ms"].is_number(), "{found}");
        assert_eq!(found["limits"]["device_reports_per_s"], 0, "what was lifted is said");
        assert!(!found["rehearsed"].as_array().unwrap().is_empty(), "{found}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the network is gone");
    }
}

#[test]
fn a_measurement_that_cannot_be_made_is_refused_as_a_wrong_call() {
    let folder = tempfile::tempdir().unwrap();
    for call in [
        &["bench"][..],
        &["bench", "ingest", "--devices", "3", "--connections", "4"],
        &["bench", "ingest", "--batch", "0"],
        &["bench", "ingest", "--p256-share", "101"],
        &["bench", "gen"],
    ] {
        assert_eq!(cairn(folder.path(), NOBODY, call, "").code, 2, "{call:?}");
    }
}

#[test]
fn bodies_made_for_other_tools_are_accepted_once() {
    let folder = tempfile::tempdir().unwrap();
    let treasury = "eip155:31337:0x00000000000000000000000000000000000000aa";
    let init = ["init", "net", "--treasury", treasury, "--rehearsed", "simulated devices"];
    assert_eq!(cairn(folder.path(), NOBODY, &init, "").code, 0);
    let up = Up::start(folder.path());
    let call = ["bench", "gen", "out", "--devices", "3", "--requests", "4", "--p256-share", "1", "--json"];
    let ran = cairn(folder.path(), &up.url, &call, "");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let index: Value = serde_json::from_slice(&std::fs::read(folder.path().join("out/index.json")).unwrap()).unwrap();
    assert_eq!(
        (index["path"].as_str(), index["content_type"].as_str()),
        (Some("/v1/reports"), Some("application/cose"))
    );
    let files: Vec<&str> = index["files"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(files.len(), 4);
    let bodies: Vec<Vec<u8>> =
        files.iter().map(|name| std::fs::read(folder.path().join("out").join(name)).unwrap()).collect();
    let client = Client::at(&up.url).unwrap();
    for expected in [ResultStatus::Accepted, ResultStatus::Duplicate] {
        let answer = client.submit_reports(&bodies).unwrap().response;
        assert!(answer.results.iter().all(|row| row.status == expected), "{answer:?}");
    }
    assert_eq!(up.end(), 0);
}

#[test]
fn simulated_devices_join_no_network_that_is_real() {
    let folder = tempfile::tempdir().unwrap();
    let treasury = "eip155:31337:0x00000000000000000000000000000000000000aa";
    assert_eq!(cairn(folder.path(), NOBODY, &["init", "net", "--treasury", treasury], "").code, 0);
    let up = Up::start(folder.path());
    let ran = cairn(folder.path(), &up.url, &["bench", "gen", "out"], "");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("NET-NOT-REHEARSED") && ran.stderr.contains("hint: "), "{}", ran.stderr);
    assert!(!folder.path().join("out").exists());
}
