//! A score of 0 is a score; where nothing was scored there is none, wherever it is told.

use cairn_classes::Flags;
use cairn_core::cbor::Value;
use cairn_core::entry::EntryKind;
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::statement::{Body, Deny};
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms};

use crate::support::{Site, parse};

/// Three epochs of three devices. In epoch 1 the first is under maintenance, and the second is denied: the one is not scored, the
/// other has a score of 0.
fn site() -> Site {
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    let devices: Vec<SeededDevice> = network.enrol_grid(3);
    for day in 0..21u32 {
        let time_ms = terms.zero_ms + u64::from(day) * DAY_MS;
        network.pass_to(time_ms + DAY_MS);
        for (at, device) in devices.iter().enumerate() {
            // Not alike, so that nobody seems to copy.
            let value = 200 + (i64::from(day) * 7 + i64::try_from(at).unwrap() * 13) % 40;
            if at == 0 && (7..14).contains(&day) {
                let body = ReportBody::of(0, day, time_ms, CLASS, Value::map(vec![(4, Value::Int(value))]));
                let body = ReportBody { flags: Flags::MAINTENANCE.into(), ..body };
                let report = sign_report(&device.key, device.id, &network.id, &body);
                assert_eq!(network.log(EntryKind::Report, &report).1, None);
            } else {
                assert_eq!(network.send(device, day, time_ms, value).1, None);
            }
        }
        if day == 6 {
            let deny = Deny {
                device: devices[1].id,
                reason: "TEST".into(),
                evidence: vec![1],
                until_ms: terms.zero_ms + 15 * DAY_MS,
            };
            assert_eq!(network.operate(Body::Deny(deny)).1, None);
        }
    }
    network.pass_to(terms.zero_ms + 22 * DAY_MS + 1);
    Site::of(&network, devices)
}

fn scores(json: &serde_json::Value) -> Vec<(u64, Option<u64>)> {
    let score = |row: &serde_json::Value| {
        assert!(row.as_object().unwrap().contains_key("score_ppm"), "told as null, not left out: {row}");
        (row["epoch"]["number"].as_u64().unwrap(), row["score_ppm"].as_u64())
    };
    json["epochs"].as_array().unwrap().iter().map(score).collect()
}

#[test]
fn an_epoch_that_did_not_score_a_device_has_no_score_and_one_that_took_all_has_0() {
    let site = site();
    let told = |at: usize| {
        let id = site.devices[at].id;
        let page = scores(&site.json(&format!("/devices/{id}.json")));
        let info = serde_json::to_value(site.ledger.read().unwrap().device_info(&id).unwrap()).unwrap();
        assert_eq!(page, scores(&info), "the page and the API");
        let csv = site.page(&format!("/devices/{id}.csv"));
        let rows = csv.lines().filter(|line| !line.starts_with('#')).skip(1);
        let cells = rows.map(|row| row.split(',').nth(3).unwrap().parse().ok()).collect::<Vec<Option<u64>>>();
        assert_eq!(page.iter().map(|(_, score)| *score).collect::<Vec<_>>(), cells, "the page and its CSV");
        page
    };
    let (unscored, denied) = (told(0), told(1));
    assert!(matches!(unscored[..], [(2, Some(1..)), (1, None), (0, Some(1..))]), "{unscored:?}");
    assert!(matches!(denied[..], [(2, Some(1..)), (1, Some(0)), (0, Some(1..))]), "{denied:?}");
    for (at, points, is_said) in [(0, 2, true), (1, 3, false)] {
        let html = site.page(&format!("/devices/{}", site.devices[at].id));
        let (tags, _) = parse(&html);
        let drawn = tags.iter().find(|tag| tag.name == "polyline").and_then(|tag| tag.attribute("points")).unwrap();
        assert_eq!(drawn.split(' ').count(), points, "{drawn}");
        assert_eq!(html.contains(">not scored<"), is_said);
    }
}

#[test]
fn a_cell_whose_devices_were_judged_and_not_scored_has_no_score() {
    let site = site();
    let cells = site.cells();
    for (at, epoch, score) in [(0, 1, None), (1, 1, Some(0))] {
        let path = format!("/cells/{}.json?as_of={epoch}", cells[at]);
        let page = site.json(&path);
        for told in [&page["cell"], &page["devices"][0]] {
            assert!(told["score_ppm"].as_u64() == score && told["judged"] != 0 && told["judged"] != false, "{told}");
        }
        assert_eq!(page["cell"]["judged"], 1);
        let html = site.page(&path.replace(".json", ""));
        assert_eq!(
            (html.contains("nobody was scored"), html.contains("not scored")),
            (score.is_none(), score.is_none())
        );
        let (lat_e7, lon_e7) = (cells[at].center().lat_e7, cells[at].center().lon_e7);
        let (lat, lon) = (f64::from(lat_e7 / 10) / 1e6, f64::from(lon_e7 / 10) / 1e6);
        let bbox = format!("{lon},{lat},{lon},{lat}");
        let view = site.json(&format!("/map/cells.json?layer=score&zoom=24&bbox={bbox}&epoch={epoch}"));
        let features = view["features"].as_array().unwrap();
        let cell = features.iter().find(|one| one["properties"]["cell"] == cells[at].to_string()).unwrap();
        assert_eq!(cell["properties"]["step"].is_null(), score.is_none());
    }
    // The mean of the epoch is over those who have a score: 0 and the third one's.
    let total = &site.json("/map.json?as_of=1")["total"];
    let third = scores(&site.json(&format!("/devices/{}.json", site.devices[2].id)))[1].1.unwrap();
    assert_eq!((total["judged"].as_u64(), total["score_ppm"].as_u64()), (Some(3), Some(third / 2)));
}
