//! Commands that need no gateway, and calls that are refused before one is asked.

use std::path::Path;

use crate::transcript::Transcript;

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn a_recording_is_judged_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    let mut csv = String::from("timestamp,sensor_id,lat,lon,temperature,humidity,note\n");
    for minute in [0, 20, 40] {
        for sensor in 1..=5 {
            let temperature = if sensor == 5 && minute == 40 { "35.0".to_owned() } else { format!("10.{sensor}") };
            csv.push_str(&format!(
                "2026-01-01T00:{minute:02}:00,s{sensor},53.5{sensor},9.99,{temperature},80,\"a, b\"\n"
            ));
        }
    }
    csv.push_str("2026-01-01T00:50:00,s1,53.51,9.99,warm,80,\n2026-01-01T00:50:00,s1,53.51,9.99,99,80\n");
    csv.push_str("2026-01-01T00:55:00,far,10.0,9.99,25.5,80,\n2026-01-01T00:55:00,s1,53.51,9.99,99.0,,\n");
    write(folder.path(), "data.csv", &csv);
    terminal.run("judge sensing --data data.csv");
    let (rows, code) = terminal.json("judge sensing --data data.csv --profile sensing-station --revision 1", "");
    assert_eq!((rows.as_array().unwrap().len(), code), (17, 0));
    write(folder.path(), "rows.csv", "date,station,pm10_ug_m3\n2026-01-01,a,14.6\n2026-01-02,a,15\n");
    write(folder.path(), "places.csv", "station,lat,lon\na,50,7\n");
    terminal.run("judge sensing --data rows.csv --stations places.csv");
    terminal.run("judge sensing --data rows.csv");
    terminal.run("judge sensing --data nowhere.csv");
    terminal.run("judge sensing --data data.csv --revision 9");
    terminal.run("judge sensing --data data.csv --profile nowhere.toml");
    terminal.run("judge sensing --data data.csv --profile places.csv");
    terminal.compare("judge.txt");
}

#[test]
fn a_folder_is_made_examined_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    let treasury = "eip155:31337:0x00000000000000000000000000000000000000aa";
    terminal.json(&format!("init net --treasury {treasury} --recorded-clock-from 1767225600000"), "");
    terminal.run("doctor net");
    terminal.json("doctor net", "");
    terminal.run("policy check net/policy.toml");
    terminal.json("policy check net/policy.toml", "");
    let policy = std::fs::read_to_string(folder.path().join("net/policy.toml")).unwrap();
    write(folder.path(), "next.toml", &policy.replace("late_ppm = 500_000", "late_ppm = 250_000"));
    terminal.run("policy diff net/policy.toml next.toml");
    terminal.run("policy diff net/policy.toml net/policy.toml");
    terminal.json("policy diff net/policy.toml next.toml", "");
    write(folder.path(), "float.toml", &policy.replace("late_ppm = 500_000", "late_ppm = 0.5"));
    terminal.run("policy check float.toml");
    terminal.json("policy check float.toml", "");
    terminal.run("policy propose next.toml --from 3 --dir nowhere");
    terminal.run("profile check net/profiles/sensing-station.toml");
    terminal.json("profile check net/profiles/sensing-station.toml", "");
    terminal.run("profile check next.toml");
    terminal.run("profile check next.toml --class sensing/9");
    terminal.run("log check net");
    terminal.run("log export nowhere out");
    terminal.json("keygen a.key", "");
    terminal.run("keygen a.key");
    std::fs::remove_file(folder.path().join("net/keys/promise.key")).unwrap();
    std::fs::write(folder.path().join("net/policy.toml"), "nothing").unwrap();
    terminal.run("doctor net");
    terminal.compare("folder.txt");
}

#[test]
fn a_call_that_is_wrong_exits_2_and_a_gateway_that_is_gone_exits_3() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    for call in [
        "enrol",
        "proof",
        "proof verify x --vkey x",
        "explain dev1nonsense 0",
        "account nonsense",
        "device nonsense",
        "audit nowhere",
        "audit . --network nonsense",
        "audit . --operator nonsense",
        "status --url nonsense",
        "log check nowhere",
        "up nowhere",
        "epoch show",
    ] {
        assert_eq!(terminal.run(call).code, 2, "{call}");
    }
    let gone = "the port of `discard`, on which nothing listens here";
    terminal.note(gone);
    assert_eq!(terminal.run("status").code, 3);
    let (document, code) = terminal.json("audit", "");
    assert_eq!((document["error"]["code"].as_str(), code), (Some("NET-CONNECTION"), 3));
    terminal.compare("refused.txt");
}
