//! Floods: more requests, items, connections or bytes than one address may have.

use std::time::{Duration, Instant};

use super::{Attack, Expected, judge};
use crate::network::{REQUESTS_BURST, REQUESTS_PER_S};
use crate::plan::Random;
use crate::stage::Stage;
use crate::wire::{Mute, Wire, get, source};

/// The block of addresses that floods come from.
const BLOCK: u8 = 99;
/// Requests of a flood: three times a burst, so that what the rate adds meanwhile is less than what is too much.
const REQUESTS: u64 = 1_200;
/// Connections of a flood: twice as many as an address may have.
const CONNECTIONS: usize = 64;

/// One who sends everything at once, rests, and does it again.
pub struct Flooder {
    random: Random,
    rest: Duration,
}

impl Flooder {
    pub fn of(seed: u64, rest: Duration) -> Self {
        Self { random: Random::of(seed, 400), rest }
    }

    /// Floods until everybody goes home or the process is gone.
    pub fn send(&mut self, stage: &Stage) {
        while !stage.is_ending() {
            let host = u8::try_from(self.random.below(4)).unwrap() + 1;
            match self.random.below(4) {
                0 => requests(stage, host),
                1 => self.items(stage, host + 10),
                2 => connections(stage, host + 20),
                _ => bytes(stage, host + 30),
            }
            let rest = if stage.is_full_speed() { self.rest / 4 } else { self.rest };
            stage.wait(rest);
        }
    }

    /// Known reports by the hundred: repeats, until the address has had its items.
    fn items(&mut self, stage: &Stage, host: u8) {
        for _ in 0..20 {
            let known: Vec<Vec<u8>> =
                (0..200).filter_map(|_| stage.gossip.a_report(&mut self.random)).map(|known| known.bytes).collect();
            if known.len() < 200 || stage.is_ending() {
                return;
            }
            let Ok(mut wire) = Wire::open(source(BLOCK, host), stage.address) else { return };
            let rows = &["duplicate", "RPT-TOO-LATE", "RPT-RETIRED"];
            let attack = Attack::items("flood of items", "/v1/reports", &known, rows);
            let answer = wire.ask(&attack.request);
            judge(stage, &attack, &answer);
        }
    }
}

/// Requests in one go: no more are served than a burst, and what the rate adds while it lasts.
fn requests(stage: &Stage, host: u8) {
    let name = "flood of requests";
    let Ok(mut wire) = Wire::open(source(BLOCK, host), stage.address) else { return };
    let since = Instant::now();
    let _ = wire.send(&get("/health").repeat(usize::try_from(REQUESTS).unwrap()));
    let mut served = 0;
    for _ in 0..REQUESTS {
        match wire.receive() {
            Ok(answer) => {
                let word = answer.word();
                stage.books.answered(name, &word);
                served += u64::from(word == "200");
                if !["200", "429 NET-RATE-REQUESTS", "503 NET-BUSY-REQUESTS"].contains(&word.as_str())
                    && !stage.is_ending()
                {
                    stage.books.wrong(format!("{name}: answered {word}"));
                }
            }
            Err(_) if stage.is_ending() => return,
            Err(mute) => return stage.books.wrong(format!("{name}: {mute:?} after {served} answers")),
        }
    }
    let limit = REQUESTS_BURST + REQUESTS_PER_S * (since.elapsed().as_secs() + 2);
    if served > limit {
        stage.books.wrong(format!("{name}: {served} were served where {limit} may be"));
    }
}

/// More connections than an address may have; none of them says anything.
fn connections(stage: &Stage, host: u8) {
    let open = || Wire::open(source(BLOCK, host), stage.address).ok();
    let wires: Vec<Wire> = (0..CONNECTIONS).filter_map(|_| open()).collect();
    hear(stage, "flood of connections", wires, &["429 NET-ADDRESS-CONNECTIONS", "503 NET-CONNECTIONS"]);
}

/// Bodies that are large and never end.
fn bytes(stage: &Stage, host: u8) {
    let head = "POST /v1/reports HTTP/1.1\r\nhost: soak\r\ncontent-type: application/cbor-seq\r\ncontent-length: 1048576\r\n\r\n";
    let most = [head.as_bytes(), &[1; 900_000]].concat();
    let mut wires = Vec::new();
    for _ in 0..12 {
        let Ok(mut wire) = Wire::open(source(BLOCK, host), stage.address) else { return };
        let _ = wire.stream().set_write_timeout(Some(Duration::from_secs(3)));
        let _ = wire.send(&most);
        wires.push(wire);
    }
    let refusals = &["429 NET-ADDRESS-BYTES", "408 NET-SLOW-BODY", "503 NET-BUSY-BYTES"];
    hear(stage, "flood of bytes", wires, refusals);
}

/// Hears what connections are told; to be closed is as good, to be left alone is not.
fn hear(stage: &Stage, name: &'static str, wires: Vec<Wire>, refusals: &'static [&'static str]) {
    let expected = Expected { rows: &[], refusals, may_close: true };
    for mut wire in wires {
        let answer = wire.receive();
        let hangs = matches!(answer, Err(Mute::Hangs));
        judge(stage, &Attack { name, request: Vec::new(), items: 0, expected }, &answer);
        if hangs {
            return;
        }
    }
}
