//! Cells say what devices and epochs say, wherever they are looked at.

use std::collections::BTreeMap;

use cairn_core::DeviceId;
use cairn_core::geo::Cell;
use cairn_core::statement::{Body, Draft, Enrol, Mobility, Role};
use cairn_ledger::PlacedDevice;
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms};
use serde_json::Value;

use crate::support::{PLAIN, Site, small};

fn units(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap()
}

/// What is said of the cells of a view, added up.
fn added(cells: &[&Value]) -> (u64, u64, u128) {
    let number = |cell: &Value, name: &str| cell[name].as_u64().unwrap();
    cells.iter().fold((0, 0, 0), |(devices, judged, paid), cell| {
        (devices + number(cell, "devices"), judged + number(cell, "judged"), paid + units(&cell["paid"]))
    })
}

#[test]
fn cells_of_every_view_and_page_add_up_to_what_the_epoch_paid_for_devices() {
    let site = small(&PLAIN);
    for statement in &site.closed {
        let epoch = statement.number;
        let earned = units(&site.json(&format!("/epochs/{epoch}.json"))["distribution"]["total"]);
        let page = site.json(&format!("/map.json?as_of={epoch}"));
        let rows: Vec<&Value> = list(&page, "cells").iter().collect();
        let (devices, judged, paid) = added(&rows);
        assert_eq!((devices, paid), (site.devices.len() as u64, earned), "epoch {epoch}");
        for layer in ["score", "devices", "pay", "untested"] {
            for zoom in [0, 4, 8, 12, 24] {
                let view = site.json(&format!("/map/cells.json?layer={layer}&zoom={zoom}&epoch={epoch}"));
                let features = list(&view, "features");
                let cells: Vec<&Value> = features.iter().map(|feature| &feature["properties"]).collect();
                assert_eq!(added(&cells), (devices, judged, paid), "{layer} of epoch {epoch} at zoom {zoom}");
                assert_eq!(view["source"]["as_of"]["statement"].as_str(), Some(&*statement.hash().to_hex()));
                let in_steps: u64 = list(&view, "legend").iter().map(|step| step["cells"].as_u64().unwrap()).sum();
                let with_value = cells.iter().filter(|cell| !cell["step"].is_null()).count();
                assert_eq!(in_steps, with_value as u64, "{layer} of epoch {epoch} at zoom {zoom}");
            }
        }
        let csv = site.page(&format!("/map.csv?as_of={epoch}"));
        let lines = csv.lines().filter(|line| !line.starts_with('#')).skip(1);
        let in_csv: u128 = lines.map(|line| line.rsplit(',').next().unwrap().parse::<u128>().unwrap()).sum();
        assert_eq!(in_csv, paid, "epoch {epoch}");
    }
}

#[test]
fn devices_taken_down_a_few_at_a_time_are_all_of_them_once() {
    let site = small(&PLAIN);
    let ledger = site.ledger.read().unwrap();
    let ids = |devices: Vec<PlacedDevice>| -> Vec<DeviceId> { devices.iter().map(PlacedDevice::id).collect() };
    let whole = ids(ledger.placed_devices(None, usize::MAX));
    assert_eq!(whole.len(), site.devices.len());
    for at_once in 1..=whole.len() {
        let mut pieces: Vec<DeviceId> = Vec::new();
        loop {
            let piece = ids(ledger.placed_devices(pieces.last().copied(), at_once));
            pieces.extend(&piece);
            if piece.len() < at_once {
                break;
            }
        }
        assert_eq!(pieces, whole);
    }
}

#[test]
fn a_cell_says_of_its_devices_what_their_own_pages_say() {
    let site = small(&PLAIN);
    for (device, cell) in site.devices.iter().zip(site.cells()) {
        let own = site.json(&format!("/devices/{}.json", device.id));
        for epoch in list(&own, "epochs") {
            let number = &epoch["epoch"]["number"];
            let page = site.json(&format!("/cells/{cell}.json?as_of={number}"));
            let told = list(&page, "devices").iter().find(|told| told["device"] == device.id.to_string()).unwrap();
            assert_eq!((&told["score_ppm"], &told["paid"]), (&epoch["score_ppm"], &epoch["paid"]), "in epoch {number}");
            let past = list(&page, "history").iter().find(|past| past["epoch"]["number"] == *number).unwrap();
            assert_eq!((&past["score_ppm"], &past["paid"]), (&epoch["score_ppm"], &epoch["paid"]), "in epoch {number}");
        }
        // Coarser cells hold what is below them.
        for resolution in [0, 3, 7] {
            let above = site.json(&format!("/cells/{}.json", cell.parent(resolution).unwrap()));
            let there = list(&above, "devices").iter().filter(|told| told["device"] == device.id.to_string()).count();
            assert_eq!(there, 1, "resolution {resolution}");
            let (parts, ..) = added(&list(&above, "children").iter().collect::<Vec<_>>());
            assert_eq!(Some(parts), above["cell"]["devices"].as_u64());
        }
    }
}

#[test]
fn a_newcomer_shares_the_epochs_own_pools() {
    let site = small(&PLAIN);
    let cell = site.cells()[0];
    for statement in &site.closed {
        let page = site.json(&format!("/cells/{cell}.json?as_of={}", statement.number));
        let told = list(&page, "newcomer");
        let delivered = statement.classes.iter().any(|class| class.subjects > 0);
        assert_eq!(told.iter().any(|pool| units(&pool["paid"]) > 0), delivered, "{told:?}");
        for pool in told {
            let summary = statement.pools.iter().find(|summary| pool["pool"] == summary.name).unwrap();
            let amount = u128::from(pool["amount"].as_u64().unwrap());
            assert_eq!(units(&pool["size"]), summary.size.0);
            assert_eq!(units(&pool["weight"]), summary.weight + amount);
            assert_eq!(pool["devices"].as_u64(), Some(summary.devices + 1));
        }
        let html = site.page(&format!("/cells/{cell}?as_of={}", statement.number));
        assert!(html.contains(&format!("If it had been there in epoch {}", statement.number)));
        assert!(html.contains("It is no promise"));
    }
}

#[test]
fn a_view_holds_the_cells_of_its_box_as_closed_rings() {
    let site = small(&PLAIN);
    let cell = site.cells()[2];
    let centre = cell.center();
    let degrees = |e7: i32| f64::from(e7 / 10) / 1e6;
    let (lat, lon) = (degrees(centre.lat_e7), degrees(centre.lon_e7));
    let view = site.json(&format!("/map/cells.json?zoom=24&bbox={lon},{lat},{lon},{lat}"));
    let features = list(&view, "features");
    assert!(features.iter().any(|feature| feature["properties"]["cell"] == cell.to_string()));
    assert!(features.len() < site.devices.len(), "{}", features.len());
    for feature in features {
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
        assert!(ring.len() >= 6 && ring.first() == ring.last(), "{ring:?}");
    }
    let elsewhere = site.json("/map/cells.json?zoom=24&bbox=100,-50,120,-40");
    assert_eq!(list(&elsewhere, "features").len(), 0);
}

#[test]
fn maps_and_cells_that_are_asked_for_wrongly_say_so() {
    let site = small(&PLAIN);
    for (address, status, code) in [
        ("/map?layer=height", 400, "NET-QUERY"),
        ("/map?as_of=99", 404, "NET-NO-EPOCH"),
        ("/map?after=x", 400, "NET-NAME"),
        ("/map/cells.json?bbox=1,2,3", 400, "NET-QUERY"),
        ("/map/cells.json?bbox=1,2,3,<script>", 400, "NET-QUERY"),
        ("/map/cells.json?zoom=25", 400, "NET-QUERY"),
        ("/map/cells.json?epoch=99", 404, "NET-NO-EPOCH"),
        ("/map/cells.json?as_of=1", 400, "NET-QUERY"),
        ("/cells/nowhere", 400, "NET-NAME"),
        ("/cells/000000000000000", 400, "NET-NAME"),
        ("/cells/881f1d4895fffff?as_of=99", 404, "NET-NO-EPOCH"),
    ] {
        let answer = site.get(address);
        assert_eq!((answer.status, answer.code), (status, Some(code)), "{address}");
    }
    for path in ["/map/cells", "/map/cells.csv", "/map/cells/x"] {
        assert!(!cairn_console::is_page(path), "{path}");
    }
    // A place where nobody is has a page, for who thinks of standing there.
    assert_eq!(site.json("/cells/88be0e35cbfffff.json")["cell"]["devices"], 0);
}

/// A hundred and thirty devices in one cell, over one epoch.
fn crowd() -> (Site, Cell) {
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    let position = cairn_core::geo::Position::of(0, 1_799_999_000).unwrap();
    let cell = Cell::containing(position, 8).unwrap();
    let devices: Vec<SeededDevice> = (1..=130).map(SeededDevice::of).collect();
    for device in &devices {
        let enrol = Enrol {
            key: device.key.public(),
            owner: device.account.clone(),
            role: Role::Device,
            classes: vec![CLASS.into()],
            model: "W".repeat(64),
            mobility: Mobility::Fixed,
            cell: cell.index(),
            exact: None,
            altitude_cm: None,
        };
        let nonce = network.next_nonce();
        let statement = Draft::of(Some(network.id), Body::Enrol(enrol), nonce, u64::MAX >> 1)
            .signed_by(&device.key)
            .signed_by_wallet(&device.wallet)
            .finish();
        assert_eq!(network.log(cairn_core::entry::EntryKind::Statement, &statement.encode()).1, None);
        network.send(device, 0, terms.zero_ms, 200);
    }
    network.pass_to(terms.zero_ms + 9 * DAY_MS);
    (Site::of(&network, devices), cell)
}

#[test]
fn a_crowded_cell_is_told_in_small_pages_that_hold_each_device_once() {
    let (site, cell) = crowd();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut address = format!("/cells/{cell}");
    loop {
        let html = site.page(&address);
        assert!(html.len() < 100_000, "{} bytes", html.len());
        for device in &site.devices {
            *seen.entry(device.id.to_string()).or_default() +=
                u32::from(html.contains(&format!("/devices/{}\"", device.id)));
        }
        let Some((ahead, _)) = html.split_once("\" rel=\"next\">Next devices") else { break };
        address = ahead.rsplit_once("href=\"").unwrap().1.replace("&amp;", "&");
    }
    assert!(seen.len() == 130 && seen.values().all(|times| *times == 1), "{seen:?}");
    let ring =
        site.json("/map/cells.json?zoom=20&bbox=179,-1,181,1")["features"][0]["geometry"]["coordinates"][0].clone();
    let lons: Vec<f64> = ring.as_array().unwrap().iter().map(|point| point[0].as_f64().unwrap()).collect();
    let (least, most) = lons.iter().fold((f64::MAX, f64::MIN), |(least, most), lon| (lon.min(least), lon.max(most)));
    assert!(most > 179.9 && least.abs() > 179.9 && (least > 0.0) == (most > 0.0), "{least} to {most}");
}

#[test]
fn what_is_kept_packed_is_unpacked_for_who_cannot() {
    let site = small(&PLAIN);
    let html = site.page("/map");
    for name in ["data-library", "data-worker", "data-world"] {
        let path = html.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let packed = site.get(path);
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), (Some("gzip"), Some("accept-encoding")));
        assert_eq!(packed.body[..2], [0x1f, 0x8b], "{path}");
        let whole = packed.clone().unpacked();
        assert_eq!((whole.header("content-encoding"), whole.header("vary")), (None, Some("accept-encoding")));
        assert_ne!(whole.header("etag"), packed.header("etag"));
        assert!(whole.body.len() > 2 * packed.body.len(), "{path}");
        assert_eq!(whole.clone().unpacked().body, whole.body);
    }
}
