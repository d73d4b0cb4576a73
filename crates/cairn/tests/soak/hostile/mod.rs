//! Hostile traffic. Each attack names the answers that it may get; any other is wrong, and so is none at all.

mod flood;
mod http;
mod items;
mod slow;

pub use flood::Flooder;
pub use slow::Sluggard;

use crate::plan::Random;
use crate::stage::Stage;
use crate::wire::{Mute, Wire, post, source};

/// The block of addresses that attackers come from.
const BLOCK: u8 = 66;
/// So many addresses has each attacker.
const ADDRESSES: u64 = 8;

/// What anybody may be told who is one of too many; counted apart.
const LIMITED: [&str; 7] = [
    "429 NET-RATE-REQUESTS",
    "429 NET-RATE-ITEMS",
    "429 NET-ADDRESS-CONNECTIONS",
    "429 NET-ADDRESS-BYTES",
    "503 NET-BUSY",
    "503 NET-BUSY-REQUESTS",
    "503 NET-BUSY-BYTES",
];

/// What may become of an attack.
#[derive(Clone, Copy)]
pub struct Expected {
    /// Words of rows; a word that ends with `*` stands for all that begin so.
    rows: &'static [&'static str],
    /// Status and code of refusals, likewise.
    refusals: &'static [&'static str],
    /// Whether the connection may just be closed.
    may_close: bool,
}

/// Something sent in bad faith.
pub struct Attack {
    name: &'static str,
    request: Vec<u8>,
    /// Items that the process may count.
    items: u64,
    expected: Expected,
}

fn fits(word: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == *pattern,
    })
}

impl Attack {
    /// Reports, or statements, or observations, that are answered in rows.
    fn items(name: &'static str, path: &str, items: &[Vec<u8>], rows: &'static [&'static str]) -> Self {
        let single = if path == "/v1/statements" { "application/cbor" } else { "application/cose" };
        let request = match items {
            [one] => post(path, single, one),
            many => post(path, "application/cbor-seq", &many.concat()),
        };
        let expected = Expected { rows, refusals: &["429 RPT-RATE"], may_close: false };
        Self { name, request, items: items.len() as u64, expected }
    }

    /// Bytes that are refused whole.
    fn refused(name: &'static str, request: Vec<u8>, refusals: &'static [&'static str]) -> Self {
        Self { name, request, items: 0, expected: Expected { rows: &[], refusals, may_close: false } }
    }

    /// The same where closing the connection will do.
    fn or_closed(self) -> Self {
        Self { expected: Expected { may_close: true, ..self.expected }, ..self }
    }
}

/// An attacker who sends one thing after another.
pub struct Attacker {
    number: u8,
    random: Random,
}

impl Attacker {
    pub fn of(number: u8, seed: u64) -> Self {
        Self { number, random: Random::of(seed, 200 + u64::from(number)) }
    }

    /// Attacks until everybody goes home or the process is gone.
    pub fn send(&mut self, stage: &Stage) {
        while !stage.is_over() {
            let attack = if self.random.below(3) == 0 { self.http(stage) } else { self.report_or_statement(stage) };
            if !self.try_it(stage, &attack) && stage.is_ending() {
                return;
            }
            stage.pace(2, stage.rate_mhz);
        }
    }

    /// Tries an attack over a connection of its own; false when there was no connection to be had.
    fn try_it(&mut self, stage: &Stage, attack: &Attack) -> bool {
        let host = u8::try_from(self.random.below(ADDRESSES)).unwrap() + 1 + self.number * 10;
        let Ok(mut wire) = Wire::open(source(BLOCK, host), stage.address) else {
            if !stage.is_ending() {
                stage.books.wrong(format!("{}: no connection while the process lives", attack.name));
            }
            return false;
        };
        let answer = wire.ask(&attack.request);
        judge(stage, attack, &answer);
        answer.is_ok()
    }
}

/// Holds an answer against what is expected of it.
fn judge(stage: &Stage, attack: &Attack, answer: &Result<crate::wire::Answer, Mute>) {
    let (books, name) = (stage.books, attack.name);
    let answer = match answer {
        Ok(answer) => answer,
        Err(mute) => {
            if attack.items > 0 || attack.request.starts_with(b"POST") {
                books.unheard();
            }
            if stage.is_ending() && *mute == Mute::Gone {
                return;
            }
            if *mute == Mute::Gone && attack.expected.may_close {
                return books.answered(name, "closed");
            }
            return books.wrong(format!("{name}: {mute:?}; sent {}", shown(&attack.request)));
        }
    };
    books.count_rows(answer, attack.items);
    let word = answer.word();
    let is_end = stage.is_ending() && ["503 NET-DRAINING", "503 NET-STOPPED"].contains(&word.as_str());
    if answer.rows.is_empty() {
        books.answered(name, &word);
        let is_fine = fits(&word, attack.expected.refusals) || LIMITED.contains(&word.as_str()) || is_end;
        if !is_fine {
            books.wrong(format!("{name}: answered {word}; sent {}", shown(&attack.request)));
        }
        return;
    }
    books.promised(stage.facts, answer);
    for row in &answer.rows {
        books.answered(name, row.word());
        if !fits(row.word(), attack.expected.rows) {
            books.wrong(format!("{name}: a row says {row:?}; sent {}", shown(&attack.request)));
        }
    }
}

/// A request for people: its head as text, its body in hexadecimal, and not too much of either.
fn shown(request: &[u8]) -> String {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n").map_or(request.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&request[..end.min(300)]).into_owned();
    let body: String = request[end..].iter().take(400).map(|byte| format!("{byte:02x}")).collect();
    format!("{head:?} {body}")
}
