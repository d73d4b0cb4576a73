//! Looking at the process from outside while it works: its memory, its counters, its checkpoints.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::books::{Books, Tally};
use crate::server::Server;
use crate::stage::Stage;
use crate::wire::{Wire, get, source};

/// The process at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// Since the run began.
    pub at_s: u64,
    /// Since this life of the process began.
    pub life_s: u64,
    /// Which life it is, from 1.
    pub life: u64,
    pub phase: &'static str,
    pub resident_bytes: u64,
    pub log_entries: u64,
}

/// The counters of `/metrics` by name and labels; those that are no whole numbers are left out.
pub fn metrics(server: &Server) -> Option<BTreeMap<String, u64>> {
    let mut wire = Wire::open(source(0, 1), server.admin).ok()?;
    let answer = wire.ask(&get("/metrics")).ok()?;
    let text = String::from_utf8(answer.body).ok()?;
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    Some(text.lines().filter(|text| !text.starts_with('#')).filter_map(line).collect())
}

const ACCEPTED: &str = "cairn_items_total{result=\"accepted\"}";
const DUPLICATE: &str = "cairn_items_total{result=\"duplicate\"}";
const REJECTED: &str = "cairn_rejected_total{code=\"";

/// What a life of the process began with, and how far it is.
pub struct Watch<'a> {
    pub began: Instant,
    pub life: u64,
    pub server: &'a Server,
}

impl Watch<'_> {
    /// Looks once; `started` is when the run began.
    pub fn look(&self, stage: &Stage, started: Instant, phase: &'static str) -> Option<Sample> {
        let heard = stage.books.tally().accepted;
        let counted = metrics(self.server);
        let sent = stage.books.tally().sent;
        let Some(counted) = counted else {
            if !stage.is_ending() {
                stage.books.wrong("the operator's listener does not answer");
            }
            return None;
        };
        let accepted = counted.get(ACCEPTED).copied().unwrap_or(0);
        if accepted < heard || accepted > sent {
            stage.books.wrong(format!("/metrics counts {accepted} accepted; {heard} were heard of, {sent} items sent"));
        }
        let log_entries = counted.get("cairn_log_entries").copied().unwrap_or(0);
        let (at_s, life_s) = (started.elapsed().as_secs(), self.began.elapsed().as_secs());
        let resident_bytes = self.server.resident()?;
        Some(Sample { at_s, life_s, life: self.life, phase, resident_bytes, log_entries })
    }
}

/// Drains the process over the operator's listener.
pub fn drain(server: &Server, books: &Books) {
    let request = b"POST /v1/admin/drain HTTP/1.1\r\nhost: soak\r\ncontent-length: 0\r\n\r\n";
    let answer = Wire::open(source(0, 1), server.admin).and_then(|mut wire| wire.ask(request));
    if !matches!(&answer, Ok(answer) if answer.status == 202) {
        books.wrong(format!("draining is answered {answer:?}"));
    }
}

/// Holds the counters of a drained process, which nobody asks for anything any more, against everything that was heard.
pub fn compare(server: &Server, books: &Books) {
    let since = Instant::now();
    let counted = loop {
        let Some(counted) = metrics(server) else { return books.wrong("a drained process does not show its metrics") };
        let waiting = counted.get("cairn_queue_requests").copied().unwrap_or(0);
        let under_way = counted.get("cairn_requests_under_way").copied().unwrap_or(0);
        if waiting == 0 && under_way == 0 || since.elapsed() > Duration::from_secs(60) {
            break counted;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let Tally { accepted, duplicate, rejected, unheard, .. } = books.tally();
    // Only attackers leave without their answer; what they sent may have been counted, and is never accepted.
    let slack = unheard * 10;
    let get = |name: &str| counted.get(name).copied().unwrap_or(0);
    let mut differing = Vec::new();
    if get(ACCEPTED) != accepted {
        differing.push(format!("accepted {} / {accepted}", get(ACCEPTED)));
    }
    let mut within = |what: &str, counted: u64, heard: u64| {
        if counted < heard || counted > heard + slack {
            differing.push(format!("{what} {counted} / {heard}"));
        }
    };
    within("duplicate", get(DUPLICATE), duplicate);
    for (code, heard) in &rejected {
        within(code, get(&format!("{REJECTED}{code}\"}}")), *heard);
    }
    let unheard_of = counted.iter().filter_map(|(name, count)| {
        let code = name.strip_prefix(REJECTED)?.strip_suffix("\"}")?;
        (!rejected.contains_key(code)).then(|| (code.to_owned(), *count))
    });
    for (code, count) in unheard_of.collect::<Vec<_>>() {
        within(&code, count, 0);
    }
    books.event("lives whose counters were compared");
    if !differing.is_empty() {
        books.wrong(format!("/metrics and the harness differ (counted / heard, {unheard} unheard): {differing:?}"));
    }
}
