//! The band behind readings: what their verdicts were made from, and nothing else.

use std::sync::RwLock;

use cairn_ledger::{Ledger, LedgerOptions};
use cairn_testkit::network::{DAY_MS, MemoryNetwork, SeededDevice, Terms};

use crate::support::Site;

/// A town whose third station is far off on some days.
fn town() -> Site {
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    let devices = network.enrol_grid(16);
    for day in 0..16u32 {
        let time_ms = terms.zero_ms + u64::from(day) * DAY_MS;
        network.pass_to(time_ms + DAY_MS);
        for (place, device) in (0..).zip(&devices) {
            let usual = 200 + i64::from(day) * 13 % 40 + place;
            let off = if place == 2 && day % 4 == 1 { 1_500 } else { 0 };
            network.send(device, day, time_ms + 3_600_000, usual + off);
        }
    }
    network.pass_to(terms.zero_ms + 30 * DAY_MS);
    Site::of(&network, devices)
}

#[test]
fn the_band_behind_readings_is_what_their_verdicts_were_made_from() {
    let site = town();
    let (mut bands_in_all, mut flagged) = (0, 0);
    for device in &site.devices {
        for epoch in 0..2 {
            let json = site.json(&format!("/devices/{}.json?epoch={epoch}", device.id));
            assert_eq!(json["readings"]["not_reproduced"].as_u64(), Some(0), "{}", json["readings"]);
            let bands = json["readings"]["series"]["bands"].as_array().unwrap();
            bands_in_all += bands.len();
            let why = site.json(&format!("/why/{}/{epoch}.json", device.id));
            for slot in why["slots"].as_array().unwrap() {
                let band = bands.iter().find(|band| band["slot_ms"] == slot["verdict"]["slot_ms"]);
                let reasons = slot["verdict"]["reasons"].as_array().unwrap();
                let said = reasons.iter().find(|reason| reason["code"].as_str().unwrap().starts_with("SEN-NEIGHBOUR"));
                let Some(band) = band else {
                    assert!(said.is_none(), "{slot}");
                    continue;
                };
                let number = |name: &str| band[name].as_i64().unwrap();
                let is_within = (number("low")..=number("high")).contains(&number("compared"));
                assert_eq!(is_within, said.is_none(), "{slot} {band}");
                flagged += usize::from(said.is_some());
            }
        }
    }
    assert!(bands_in_all > 100 && flagged > 2, "{bands_in_all} bands, {flagged} flagged");
}

#[test]
fn bands_are_the_same_by_blocks_of_memory_and_by_all_of_it_and_none_is_of_memory_that_changed() {
    let mut site = town();
    let views = site.settled.with_file_name("views");
    let before = views.join("epochs/0000000000");
    let (carry, blocks) = (before.join("carry.cborseq"), before.join("carry.blocks"));
    let (right, where_it_is) = (std::fs::read(&carry).unwrap(), std::fs::read(&blocks).unwrap());
    let told = |site: &Site| -> Vec<serde_json::Value> {
        let of = |device: &SeededDevice| site.json(&format!("/devices/{}.json?epoch=1", device.id))["readings"].take();
        site.devices.iter().map(of).collect()
    };
    let by_blocks = told(&site);
    assert!(by_blocks.iter().all(|readings| readings["series"]["bands"].as_array().unwrap().len() > 3));
    // Whoever begins again remembers no band.
    let again = |site: &mut Site| {
        let ledger = Ledger::open(&views, site.log.clone(), LedgerOptions::default(), &mut |_, _| {});
        site.ledger = RwLock::new(ledger.unwrap());
    };
    let mut changed = right.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let sums = before.join("SHA256SUMS");
    let summed = std::fs::read_to_string(&sums).unwrap();
    let others: Vec<&str> = summed.lines().filter(|line| !line.ends_with("carry.cborseq")).collect();
    assert_eq!(others.len() + 1, summed.lines().count());
    for beside in [None, Some(&where_it_is[..where_it_is.len() - 1]), Some(&where_it_is[..])] {
        match beside {
            Some(bytes) => std::fs::write(&blocks, bytes).unwrap(),
            None => std::fs::remove_file(&blocks).unwrap(),
        }
        again(&mut site);
        assert_eq!(told(&site), by_blocks);
        let by_itself = |site: &Site, (device, right): (&SeededDevice, &serde_json::Value)| {
            let answer = site.get(&format!("/devices/{}.json?epoch=1", device.id));
            let json = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
            assert!(answer.status == 500 || json["readings"] == *right, "{json}");
            answer.status == 200
        };
        let answered = |site: &Site| site.devices.iter().zip(&by_blocks).filter(|of| by_itself(site, *of)).count();
        std::fs::write(&carry, &changed).unwrap();
        again(&mut site);
        assert!(answered(&site) < site.devices.len(), "{:?}", beside.map(<[u8]>::len));
        std::fs::write(&carry, &right).unwrap();
        // Whoever reads it whole holds it to its sum, and whoever reads its blocks does not look there.
        std::fs::write(&sums, others.join("\n")).unwrap();
        again(&mut site);
        let is_by_blocks = beside.is_some_and(|bytes| bytes.len() == where_it_is.len());
        assert_eq!(answered(&site), if is_by_blocks { site.devices.len() } else { 0 });
        std::fs::write(&sums, &summed).unwrap();
    }
}
