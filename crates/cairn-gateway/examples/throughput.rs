//! How many reports per second one gateway acknowledges on this machine, over loopback, durable and promised.
//!
//! `cargo run --release -p cairn-gateway --example throughput`. Signing is done before the clock starts; client and
//! gateway share the cores.

#![allow(clippy::unwrap_used)]

#[path = "../tests/gateway/support.rs"]
mod support;

use std::time::Instant;

use support::{Client, Device, Net, rows};

const DEVICES: u8 = 64;
const BATCH: usize = 512;

fn main() {
    let net = Net::found();
    let running = net.start();
    let devices: Vec<Device> = (0..DEVICES).map(Device::of).collect();
    let mut client = Client::to(&running);
    for device in &devices {
        assert!(rows(&client.statement(&net.enrol(device)))[0].starts_with("accepted"));
    }
    let mut next_seq = 0;
    for (connections, per_device) in [(1, 400), (4, 800)] {
        let share = devices.len() / connections;
        let reports = signed(&net, &devices, &mut next_seq, per_device);
        let batches: Vec<Vec<Vec<u8>>> =
            reports.chunks(share).map(|own| own.concat().chunks(BATCH).map(<[Vec<u8>]>::concat).collect()).collect();
        measure(&running, &format!("batches of {BATCH}, {connections} connections"), "application/cbor-seq", &batches);
    }
    for (connections, per_device) in [(1, 10), (16, 50), (64, 100)] {
        let share = devices.len() / connections;
        let reports = signed(&net, &devices, &mut next_seq, per_device);
        let singles: Vec<Vec<Vec<u8>>> = reports.chunks(share).map(<[Vec<Vec<u8>>]>::concat).collect();
        measure(&running, &format!("single reports, {connections} connections"), "application/cose", &singles);
    }
    running.shutdown().unwrap();
}

/// Reports of each device, with names that follow each other.
fn signed(net: &Net, devices: &[Device], next_seq: &mut u32, per_device: u32) -> Vec<Vec<Vec<u8>>> {
    let seqs = *next_seq..*next_seq + per_device;
    *next_seq = seqs.end;
    devices.iter().map(|device| seqs.clone().map(|seq| net.report(device, seq, 1_500)).collect()).collect()
}

/// Sends each connection's bodies one after the other, all connections at once.
fn measure(running: &cairn_gateway::Running, what: &str, content_type: &str, bodies: &[Vec<Vec<u8>>]) {
    let start = Instant::now();
    let accepted: usize = std::thread::scope(|scope| {
        let senders: Vec<_> = bodies
            .iter()
            .map(|own| {
                scope.spawn(move || {
                    let mut client = Client::to(running);
                    let mut accepted = 0;
                    for body in own {
                        let answer: cairn_api::SubmitResponse = client.post("/v1/reports", content_type, body).json();
                        assert!(rows(&answer).iter().all(|row| row.starts_with("accepted")), "{:?}", rows(&answer));
                        accepted += answer.results.len();
                    }
                    accepted
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    });
    let ms = start.elapsed().as_millis().max(1);
    let per_second = accepted as u128 * 1_000 / ms;
    println!("{what:<36} {accepted:>6} reports in {ms:>6} ms: {per_second:>6} per second");
}
