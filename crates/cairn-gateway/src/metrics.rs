//! `GET /metrics`: what the gateway counts, in the text format of Prometheus (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use cairn_api::{ResultRow, ResultStatus};

use crate::front::Front;

/// Counters since the gateway started.
#[derive(Default)]
pub(crate) struct Metrics {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    /// By code, of which there are a fixed few.
    rejected: Mutex<BTreeMap<String, u64>>,
    /// By status.
    responses: Mutex<BTreeMap<u16, u64>>,
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
    pub fn count_response(&self, status: u16) {
        *self.responses.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
    }
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counters and gauges for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(front): State<Arc<Front>>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], render(&front)).into_response()
}

/// Reads no ledger, so it answers however busy the writer is.
fn render(front: &Front) -> String {
    let metrics = &front.metrics;
    let standing = front.writer.standing();
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut page = Page::default();
    page.head("cairn_items_total", "counter", "Reports, statements and observations answered, by result.");
    page.line("cairn_items_total", "result", "accepted", load(&metrics.accepted));
    page.line("cairn_items_total", "result", "duplicate", load(&metrics.duplicate));
    let rejected = metrics.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone();
    page.line("cairn_items_total", "result", "rejected", rejected.values().sum::<u64>());
    page.head("cairn_rejected_total", "counter", "Items rejected, by code.");
    for (code, count) in &rejected {
        page.line("cairn_rejected_total", "code", code, *count);
    }
    page.head("cairn_responses_total", "counter", "HTTP responses, by status.");
    for (status, count) in metrics.responses.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        page.line("cairn_responses_total", "status", &status.to_string(), *count);
    }
    page.gauge(
        "cairn_requests_under_way",
        "HTTP requests not answered yet, this one included.",
        load(&metrics.under_way),
    );
    page.head("cairn_append_seconds", "summary", "Time to admit a group of requests and make it durable.");
    page.plain("cairn_append_seconds_sum", &seconds(load(&standing.busy_us)));
    page.plain("cairn_append_seconds_count", &load(&standing.groups).to_string());
    page.gauge(
        "cairn_queue_requests",
        "Requests waiting for the writer.",
        standing.waiting.load(Ordering::Relaxed) as u64,
    );
    page.head("cairn_append_items_total", "counter", "Items in those groups.");
    page.plain("cairn_append_items_total", &load(&standing.items).to_string());
    page.gauge("cairn_writer_up", "1 while the writer works.", u64::from(standing.refusal().is_none()));
    page.gauge("cairn_log_entries", "Durable entries in the log.", front.log.size());
    let published = front.log.published().map_or(0, |checkpoint| checkpoint.size());
    page.gauge("cairn_checkpoint_entries", "Entries under the published checkpoint.", published);
    page.head("cairn_checkpoint_age_seconds", "gauge", "Since the checkpoint last covered the whole log.");
    page.plain("cairn_checkpoint_age_seconds", &seconds(standing.checkpoint_age_ms().saturating_mul(1_000)));
    page.gauge("cairn_epoch", "The epoch that is open.", load(&standing.epoch));
    page.text
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
