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
    terminal.run("judge sensing --data data.csv --summary");
    terminal.run("judge sensing --data data.csv --explain");
    terminal.run("judge sensing --data data.csv --station far --station s5");
    let (accounts, code) = terminal.json("judge sensing --data data.csv --station s5", "");
    assert_eq!((accounts["stations"].as_array().unwrap().len(), code), (1, 0));
    terminal.run("judge sensing --data data.csv --station s6");
    terminal.run("judge sensing --data data.csv --summary --explain");
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

/// A profile of a network's own, generous to everybody.
const CALM_AIR: &str = "\
# Calm air.
class = \"sensing/1\"
form = 2
slot_ms = 3_600_000
future_ms = 300_000
weights = { place_most = 3, anchor = 16, seniority = [[0, 1]] }
memory = { slots = 336, least_slots = 72 }
copies = { window_slots = 24, least_slots = 12, least_values = 8, run_readings = 12, run_values = 8 }

[quantities.temperature]
range = { min = 1_100, max = 1_200, lost_ppm = 1_000_000 } # too narrow

[quantities.temperature.neighbours]
nearest = 9
region = 15
radius_m = 20_000
half_m = 5_000
least = 3
plane = false
curve = [[1_000_000, 0], [1_666_666, 1_000_000]]

# Far too wide.
tolerance = { floor = 300, above_ppm = 0, below_ppm = 0 }
";

#[test]
fn a_profile_is_held_against_a_recording_and_fitted_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    // Twelve stations in four weeks of calm air, the last one ten degrees off.
    let mut csv = String::from("timestamp,station,lat,lon,temperature\n");
    for hour in 0..672u64 {
        for station in 0..12u64 {
            let off = if station == 11 { 1_000 } else { 0 };
            // Air that all share, and noise of one's own that nobody repeats.
            let dice = |of: u64| {
                (of + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
            };
            let value = 1_000 + dice(hour) % 200 + dice(hour * 12 + station + 1_000) % 40 + off;
            let time_ms = 1_767_225_600_000 + hour * 3_600_000;
            csv.push_str(&format!(
                "{time_ms},s{station},53.{:02},9.99,{}.{:02}\n",
                10 + station,
                value / 100,
                value % 100
            ));
        }
    }
    write(folder.path(), "history.csv", &csv);
    let document = CALM_AIR;
    write(folder.path(), "mine.toml", document);
    terminal.run("profile check mine.toml --data history.csv");
    terminal.json("profile check mine.toml --data history.csv", "");
    terminal.run("profile fit --data history.csv --profile mine.toml");
    assert_eq!(std::fs::read_to_string(folder.path().join("mine.toml")).unwrap(), document);
    terminal.run("profile fit --data history.csv --profile sensing-station --write");
    let (fitted, code) = terminal.json("profile fit --data history.csv --profile mine.toml --write", "");
    assert_eq!((fitted["written"].as_bool(), code), (Some(true), 0));
    assert_ne!(std::fs::read_to_string(folder.path().join("mine.toml")).unwrap(), document);
    terminal.run("profile check mine.toml");
    terminal.compare("fit.txt");
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
        "credit show nonsense",
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
