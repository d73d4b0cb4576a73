//! `GET /metrics` on the operator's listener: what the gateway counts, in the text format of Prometheus (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use cairn_api::{ResultRow, ResultStatus};
use cairn_console::word::{Figure, Unit};

use crate::front::Front;
use crate::histogram::Histogram;
use crate::problem::Code;
use crate::serve::Door;
use crate::signatures::Signatures;

/// Refusals by code, of which there are a fixed few.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<&'static str, u64>>);

impl Refusals {
    /// Counts one.
    pub fn count(&self, code: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }
}

/// Counters since the gateway started.
#[derive(Default)]
pub(crate) struct Metrics {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    /// By code, of which there are a fixed few.
    rejected: Mutex<BTreeMap<String, u64>>,
    /// By status.
    responses: Mutex<BTreeMap<u16, u64>>,
    /// Requests and connections refused.
    pub refusals: Arc<Refusals>,
    /// Signatures of reports that were checked before the writer.
    signatures: AtomicU64,
    under_way: AtomicU64,
}

/// A request under way, until it is answered or given up.
pub(crate) struct UnderWay<'a>(&'a Metrics);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts the answers to a submission.
    pub fn count(&self, rows: &[ResultRow]) {
        for row in rows {
            match row.status {
                ResultStatus::Accepted => add_one(&self.accepted),
                ResultStatus::Duplicate => add_one(&self.duplicate),
                ResultStatus::Rejected => {
                    let code = row.code.clone().unwrap_or_default();
                    *self.rejected.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
                }
            }
        }
    }

    /// Counts a request as under way.
    pub fn begin(&self) -> UnderWay<'_> {
        add_one(&self.under_way);
        UnderWay(self)
    }

    /// Counts a response.
    pub fn count_response(&self, response: &Response) {
        let status = response.status().as_u16();
        *self.responses.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
        if let Some(Code(code)) = response.extensions().get() {
            self.refusals.count(code);
        }
    }

    /// Counts signatures that are about to be checked.
    pub fn count_signatures(&self, count: usize) {
        self.signatures.fetch_add(count as u64, Ordering::Relaxed);
    }
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counters and gauges for Prometheus.
pub(crate) async fn metrics(State(front): State<Arc<Front>>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], render(&front)).into_response()
}

/// Reads no ledger, so it answers however busy the writer is.
fn render(front: &Front) -> String {
    let mut page = Page::default();
    items(&mut page, &front.metrics);
    requests(&mut page, front);
    connections(&mut page, &front.door);
    writer(&mut page, front);
    witnesses(&mut page, front);
    auditors(&mut page, &front.signatures);
    blobs(&mut page, front);
    messages(&mut page, front);
    page.text
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn items(page: &mut Page, metrics: &Metrics) {
    page.head("cairn_items_total", "counter", "Reports, statements and observations answered, by result.");
    page.line("cairn_items_total", "result", "accepted", load(&metrics.accepted));
    page.line("cairn_items_total", "result", "duplicate", load(&metrics.duplicate));
    let rejected = metrics.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone();
    page.line("cairn_items_total", "result", "rejected", rejected.values().sum::<u64>());
    page.head("cairn_rejected_total", "counter", "Items rejected, by code.");
    for (code, count) in &rejected {
        page.line("cairn_rejected_total", "code", code, *count);
    }
    page.counter("cairn_signatures_checked_total", "Signatures of reports checked.", load(&metrics.signatures));
}

fn requests(page: &mut Page, front: &Front) {
    let metrics = &front.metrics;
    page.head("cairn_responses_total", "counter", "HTTP responses, by status.");
    for (status, count) in metrics.responses.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        page.line("cairn_responses_total", "status", &status.to_string(), *count);
    }
    page.head("cairn_refused_total", "counter", "Requests and connections refused, by code.");
    for (code, count) in metrics.refusals.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        page.line("cairn_refused_total", "code", code, *count);
    }
    page.gauge("cairn_requests_under_way", "HTTP requests not answered yet.", load(&metrics.under_way));
    page.gauge("cairn_listeners", "Clients that listen to events.", front.events.listeners());
    page.gauge("cairn_bytes_held", "Bytes of requests and answers held in memory.", front.memory.taken());
}

fn connections(page: &mut Page, door: &Door) {
    let seen = &door.conversations;
    page.gauge("cairn_connections", "Connections open.", door.open());
    page.counter("cairn_connections_total", "Connections that got a place.", load(&seen.accepted));
    page.head("cairn_connections_failed_total", "counter", "Connections that failed, by reason.");
    for (reason, count) in [("tls", &seen.tls_failed), ("slow", &seen.slow), ("malformed", &seen.malformed)] {
        page.line("cairn_connections_failed_total", "reason", reason, load(count));
    }
    page.head("cairn_bytes_total", "counter", "Bytes of HTTP, by direction.");
    page.line("cairn_bytes_total", "direction", "received", load(&door.traffic().received));
    page.line("cairn_bytes_total", "direction", "sent", load(&door.traffic().sent));
}

fn writer(page: &mut Page, front: &Front) {
    let standing = front.writer.standing();
    page.head("cairn_append_seconds", "histogram", "Time to admit a group of requests and make it durable.");
    page.histogram("cairn_append_seconds", &standing.busy_us, seconds);
    page.head("cairn_group_items", "histogram", "Items made durable together.");
    page.histogram("cairn_group_items", &standing.groups, |items| items.to_string());
    if let Some(syncs) = &front.options.syncs_us {
        page.head("cairn_sync_seconds", "histogram", "Time that the disk takes to make a file durable.");
        page.histogram("cairn_sync_seconds", syncs, seconds);
    }
    let waiting = standing.waiting.load(Ordering::Relaxed) as u64;
    page.gauge("cairn_queue_requests", "Requests waiting for the writer.", waiting);
    page.gauge("cairn_writer_up", "1 while the writer works.", u64::from(standing.refusal().is_none()));
    page.gauge("cairn_draining", "1 when nothing more is taken.", u64::from(front.draining.load(Ordering::Relaxed)));
    page.gauge("cairn_log_entries", "Durable entries in the log.", front.log.size());
    let published = front.log.published().map_or(0, |checkpoint| checkpoint.size());
    page.gauge("cairn_checkpoint_entries", "Entries under the published checkpoint.", published);
    page.head("cairn_checkpoint_age_seconds", "gauge", "Since the checkpoint last covered the whole log.");
    page.plain("cairn_checkpoint_age_seconds", &seconds(standing.checkpoint_age_ms().saturating_mul(1_000)));
    page.gauge("cairn_epoch", "The epoch that is open.", load(&standing.epoch));
    page.head("cairn_clock_behind_seconds", "gauge", "How far the machine's clock is behind the log's last entry.");
    page.plain("cairn_clock_behind_seconds", &seconds(load(&standing.clock_behind_ms).saturating_mul(1_000)));
}

fn witnesses(page: &mut Page, front: &Front) {
    let Some(witnessed) = front.witnessed.as_ref().filter(|witnessed| !witnessed.standings.is_empty()) else { return };
    let standings = &witnessed.standings;
    page.head("cairn_witness_cosignatures_total", "counter", "Cosignatures that verified, by witness.");
    for witness in standings {
        page.line("cairn_witness_cosignatures_total", "witness", &label(&witness.name), load(&witness.cosignatures));
    }
    page.head("cairn_witness_failures_total", "counter", "Checkpoints that a witness did not cosign, by witness.");
    for witness in standings {
        page.line("cairn_witness_failures_total", "witness", &label(&witness.name), load(&witness.failures));
    }
    page.head("cairn_witness_entries", "gauge", "Entries under the checkpoint cosigned last, by witness.");
    for witness in standings {
        page.line("cairn_witness_entries", "witness", &label(&witness.name), load(&witness.size));
    }
    page.head("cairn_witness_age_seconds", "gauge", "Since a witness cosigned last, by witness; absent before.");
    for (witness, age_ms) in standings.iter().filter_map(|witness| Some((witness, witness.age_ms()?))) {
        let age = seconds(age_ms.saturating_mul(1_000));
        page.plain(&format!("cairn_witness_age_seconds{{witness=\"{}\"}}", label(&witness.name)), &age);
    }
    page.head("cairn_witness_clock_offset_seconds", "gauge", "A witness's clock less this machine's, by witness.");
    for witness in standings {
        let offset_s = witness.offset_s.load(Ordering::Relaxed).to_string();
        page.plain(&format!("cairn_witness_clock_offset_seconds{{witness=\"{}\"}}", label(&witness.name)), &offset_s);
    }
    page.gauge("cairn_witnessed_history", "Cosigned checkpoints in the history.", witnessed.history.count());
}

fn auditors(page: &mut Page, signatures: &Signatures) {
    let counts = &signatures.counts;
    page.head("cairn_auditor_signatures_total", "counter", "Signatures of auditors over epochs, by result.");
    for (result, count) in [("kept", &counts.kept), ("known", &counts.known), ("contradiction", &counts.contradictions)]
    {
        page.line("cairn_auditor_signatures_total", "result", result, load(count));
    }
}

fn blobs(page: &mut Page, front: &Front) {
    let Some(blobs) = &front.blobs else { return };
    let (count, bytes, staged) = blobs.totals();
    page.gauge("cairn_blobs", "Blobs of jobs held.", count);
    page.gauge("cairn_blob_bytes", "Bytes of blobs held.", bytes);
    page.gauge(
        "cairn_blob_staged_bytes",
        "Bytes that count as staged: of blobs that no job needs, and on their way.",
        staged,
    );
    page.counter("cairn_blobs_kept_total", "Blobs that came.", load(&blobs.counts.kept));
    page.counter("cairn_blobs_collected_total", "Blobs that no job needed in time.", load(&blobs.counts.collected));
}

fn messages(page: &mut Page, front: &Front) {
    let Some(mqtt) = &front.mqtt else { return };
    let is_connected = u64::from(mqtt.connected.load(Ordering::Relaxed));
    page.gauge("cairn_mqtt_connected", "Whether the broker delivers: 1 or 0.", is_connected);
    for (name, help, counter) in [
        ("cairn_mqtt_received_total", "Messages delivered by the broker.", &mqtt.received),
        ("cairn_mqtt_acknowledged_total", "Messages acknowledged to it, once decided.", &mqtt.acknowledged),
        ("cairn_mqtt_dropped_total", "Messages sent without acknowledgement while too many were here.", &mqtt.dropped),
        ("cairn_mqtt_waited_total", "Tries again while the log took nothing.", &mqtt.waited),
        ("cairn_mqtt_unsaid_total", "Answers that no device got.", &mqtt.unsaid),
        ("cairn_mqtt_broken_total", "Connections to the broker that broke or were not made.", &mqtt.broken),
    ] {
        page.counter(name, help, load(counter));
    }
}

/// What the console shows of the machine: disk, memory, queue and the times of syncs.
pub(crate) fn figures(front: &Front) -> Vec<Figure> {
    let figure = |metric, name, value, unit| Figure { metric, name, value, unit };
    let standing = front.writer.standing();
    let waiting = standing.waiting.load(Ordering::Relaxed) as u64;
    let mut figures = vec![
        figure("cairn_queue_requests", "Requests that wait for the log", waiting, Unit::Count),
        figure(
            "cairn_requests_under_way",
            "Requests that are not answered yet",
            load(&front.metrics.under_way),
            Unit::Count,
        ),
        figure("cairn_connections", "Connections open", front.door.open(), Unit::Count),
        figure("cairn_listeners", "Pages that listen to changes", front.events.listeners(), Unit::Count),
        figure("cairn_bytes_held", "Memory held for requests and answers", front.memory.taken(), Unit::Bytes),
    ];
    let (_, busy_us, groups) = standing.busy_us.read();
    if let Some(mean_us) = busy_us.checked_div(groups) {
        figures.push(figure(
            "cairn_append_seconds",
            "Mean time to make a group of requests durable",
            mean_us,
            Unit::Us,
        ));
    }
    if let Some(syncs) = &front.options.syncs_us {
        let (rows, sum_us, count) = syncs.read();
        if let Some(mean_us) = sum_us.checked_div(count) {
            figures.push(figure(
                "cairn_sync_seconds",
                "Mean time of the disk to make a file durable",
                mean_us,
                Unit::Us,
            ));
        }
        let most = rows.iter().find(|(_, below)| count > 0 && below.saturating_mul(100) >= count.saturating_mul(99));
        if let Some((bound_us, _)) = most {
            figures.push(figure("cairn_sync_seconds", "Of a hundred syncs 99 take at most", *bound_us, Unit::Us));
        }
    }
    if let Some(blobs) = &front.blobs {
        let (count, bytes, _) = blobs.totals();
        figures.push(figure("cairn_blobs", "Programs, inputs and outputs of jobs on the disk", count, Unit::Count));
        figures.push(figure("cairn_blob_bytes", "Room that they take on the disk", bytes, Unit::Bytes));
    }
    figures
}

/// A name as the value of a label.
fn label(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, label: &str, value: &str, count: u64) {
        let _ = writeln!(self.text, "{name}{{{label}=\"{value}\"}} {count}");
    }

    fn plain(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.plain(name, &value.to_string());
    }

    fn histogram(&mut self, name: &str, histogram: &Histogram, unit: impl Fn(u64) -> String) {
        let (rows, sum, all) = histogram.read();
        let bucket = format!("{name}_bucket");
        for (bound, count) in rows {
            self.line(&bucket, "le", &unit(bound), count);
        }
        self.line(&bucket, "le", "+Inf", all);
        self.plain(&format!("{name}_sum"), &unit(sum));
        self.plain(&format!("{name}_count"), &all.to_string());
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.plain(name, &value.to_string());
    }
}

fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_are_shown_as_seconds() {
        for (us, text) in [(0, "0.000000"), (1, "0.000001"), (1_500_000, "1.500000"), (60_000_001, "60.000001")] {
            assert_eq!(seconds(us), text);
        }
    }
}
