//! How long pages take, of a network as large as one asks for: a measurement, so it is run by hand and asserts nothing of time.
//!
//! `CAIRN_DEVICES=20000 CAIRN_WEEKS=10 cargo test --release -p cairn-console --test pages -- --ignored --nocapture how_long`

use std::time::Instant;

use cairn_core::Account;
use cairn_core::DeviceId;
use cairn_core::entry::EntryKind;
use cairn_core::key::SecretKey;
use cairn_core::wallet::WalletKey;
use cairn_testkit::network::{DAY_MS, MemoryNetwork, SeededDevice, Terms, chain};

use crate::support::Site;

/// Requests of each kind of page.
const REQUESTS: usize = 200;

fn device(number: u32) -> SeededDevice {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&(number + 1).to_be_bytes());
    let key = SecretKey::ed25519(seed);
    let wallet = WalletKey::from_bytes(seed).unwrap();
    let account = Account::at(chain(), wallet.address()).unwrap();
    SeededDevice { id: DeviceId::of_key(&key.public().multicodec()), key, wallet, account }
}

fn of_environment(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
#[ignore = "a measurement: minutes, and nothing that can fail"]
fn how_long_pages_take() {
    let (count, weeks) = (of_environment("CAIRN_DEVICES", 1_000), of_environment("CAIRN_WEEKS", 4));
    let terms = Terms::default();
    let mut network = MemoryNetwork::daily(terms);
    let devices: Vec<SeededDevice> = (0..count).map(device).collect();
    for (at, device) in (0..).zip(&devices) {
        let (row, column) = (at / 300, at % 300);
        let statement = network.enrolment(device, 300_000_000 + row * 300_000, -300_000_000 + column * 500_000);
        assert_eq!(network.log(EntryKind::Statement, &statement.encode()).1, None);
    }
    for day in 0..weeks * 7 {
        let time_ms = terms.zero_ms + u64::from(day) * DAY_MS;
        network.pass_to(time_ms + DAY_MS);
        for (at, device) in (0..).zip(&devices) {
            let off = if at % 97 == 3 { 900 } else { 0 };
            network.send(device, day, time_ms + 3_600_000, 200 + i64::from(day) * 13 % 40 + at % 9 + off);
        }
    }
    network.pass_to(terms.zero_ms + u64::from(weeks * 7 + 9) * DAY_MS);
    let closed = network.closed.len() as u64;
    let site = Site::of(&network, Vec::new());
    println!("{count} devices, {closed} epochs, {} entries", site.log.size());
    let of = |n: usize| &devices[n * 7_919 % devices.len()];
    let pages: [(&str, &dyn Fn(usize) -> String); 9] = [
        ("network", &|_| "/network".to_owned()),
        ("epochs", &|_| "/epochs".to_owned()),
        ("epoch", &|n| format!("/epochs/{}", n as u64 % closed)),
        ("payouts", &|n| format!("/epochs/{}/payouts?after={}", n as u64 % closed, n * 31)),
        ("device", &|n| format!("/devices/{}", of(n).id)),
        ("device as of", &|n| format!("/devices/{}?as_of={}", of(n).id, n as u64 % closed)),
        ("account", &|n| format!("/accounts/{}", of(n).account)),
        ("tax", &|n| format!("/accounts/{}/tax", of(n).account)),
        ("why", &|n| format!("/why/{}/{}", of(n).id, n as u64 % closed)),
    ];
    for (name, address) in pages {
        let mut taken: Vec<u128> = (0..REQUESTS)
            .map(|n| {
                let (address, start) = (address(n), Instant::now());
                site.page(&address);
                start.elapsed().as_micros()
            })
            .collect();
        taken.sort_unstable();
        let at = |parts: usize| taken[(REQUESTS * parts / 100).min(REQUESTS - 1)];
        println!("{name:>14}: median {} us, p99 {} us", at(50), at(99));
    }
}
