//! Clients without haste: heads and bodies byte by byte, bodies that stop, answers that are not taken.

use std::io::Write;
use std::time::{Duration, Instant};

use super::BLOCK;
use crate::plan::Random;
use crate::stage::Stage;
use crate::wire::{HANG, Wire, post, source};

/// Between two bytes of one who drips.
const DRIP: Duration = Duration::from_millis(250);

/// One who does everything slowly.
pub struct Sluggard {
    number: u8,
    random: Random,
}

impl Sluggard {
    pub fn of(number: u8, seed: u64) -> Self {
        Self { number, random: Random::of(seed, 300 + u64::from(number)) }
    }

    /// Wastes the gateway's time until everybody goes home or the process is gone.
    pub fn send(&mut self, stage: &Stage) {
        while !stage.is_ending() {
            let host = 100 + self.number * 10 + u8::try_from(self.random.below(8)).unwrap();
            let Ok(wire) = Wire::open(source(BLOCK, host), stage.address) else {
                stage.wait(Duration::from_millis(500));
                continue;
            };
            match self.random.below(4) {
                0 => drip(stage, wire, "slow head", b"GET /health HTTP/1.1\r\nx: ", &["closed", "408"]),
                1 => {
                    let head = b"POST /v1/reports HTTP/1.1\r\nhost: soak\r\ncontent-type: application/cose\r\n\
                        content-length: 100000\r\n\r\n";
                    drip(stage, wire, "slow body", head, &["closed", "504 NET-TIMEOUT"]);
                }
                2 => stop(stage, wire),
                _ => ask_and_never_read(stage, wire),
            }
            stage.wait(Duration::from_millis(500));
        }
    }
}

/// Sends a byte now and then until the gateway has had enough, and holds it to having enough in time.
fn drip(stage: &Stage, mut wire: Wire, name: &'static str, start: &[u8], expected: &[&str]) {
    let since = Instant::now();
    let _ = wire.send(start);
    let _ = wire.stream().set_read_timeout(Some(DRIP));
    let mut first = [0];
    while since.elapsed() < HANG {
        if stage.is_ending() {
            return;
        }
        let is_gone = wire.send(b"y").is_err();
        // Whatever is there to be read says that it has had enough.
        if is_gone || !matches!(wire.stream().peek(&mut first), Err(error) if is_patience(&error)) {
            let _ = wire.stream().set_read_timeout(Some(HANG));
            let word = wire.receive().map_or_else(|_| "closed".to_owned(), |answer| answer.word());
            stage.books.answered(name, &word);
            if !expected.contains(&word.as_str()) && !stage.is_ending() {
                stage.books.wrong(format!("{name}: answered {word}"));
            }
            return;
        }
    }
    stage.books.wrong(format!("{name}: still there after {} s", HANG.as_secs()));
}

fn is_patience(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// Half a body, and nothing more.
fn stop(stage: &Stage, mut wire: Wire) {
    let request = post("/v1/statements", "application/cbor", &[1; 2_000]);
    let _ = wire.send(&request[..request.len() - 1_000]);
    let answer = wire.receive();
    if stage.is_ending() && answer.is_err() {
        return;
    }
    let word = answer.as_ref().map_or_else(|mute| format!("{mute:?}"), crate::wire::Answer::word);
    stage.books.answered("stopped body", &word);
    let is_fine = ["408 NET-SLOW-BODY", "503 NET-DRAINING", "503 NET-STOPPED"].contains(&word.as_str());
    if !is_fine {
        stage.books.wrong(format!("stopped body: answered {word}"));
    }
}

/// Asks for page after page and takes none.
fn ask_and_never_read(stage: &Stage, wire: Wire) {
    let name = "answers not taken";
    let since = Instant::now();
    let ask = b"GET /openapi.json HTTP/1.1\r\nhost: soak\r\n\r\n".repeat(50);
    let _ = wire.stream().set_write_timeout(Some(DRIP));
    while since.elapsed() < HANG {
        if stage.is_ending() {
            return;
        }
        match wire.stream().write(&ask) {
            Err(error) if is_patience(&error) => {}
            Err(_) => return stage.books.answered(name, "closed"),
            Ok(_) => {}
        }
    }
    stage.books.wrong(format!("{name}: still served after {} s", HANG.as_secs()));
}
