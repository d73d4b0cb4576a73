//! `GET /events`: what changes, told while it does, as server-sent events (HTML standard, section 9.2).
//!
//! What is told is where things stand, not what happened: a listener that missed something needs only the latest. One task
//! looks once in [`GatewayOptions::events_every`], without the ledger but when an epoch has closed; whoever listens reads what
//! it saw. So a thousand listeners cost the writer nothing, and nobody is told more often than that.
//!
//! An event's id is all that its listener knows by then (entries, entries under the checkpoint, the open epoch), so whoever
//! comes back with `Last-Event-ID` is told what differs and nothing else, also by another process. Every stream ends when the
//! gateway drains or is told to end. Listeners are limited in all and for each address.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use cairn_api::{EpochRef, Problem};
use hyper::body::Frame;
use tokio::sync::{mpsc, watch};

use crate::GatewayOptions;
use crate::address::Client;
use crate::front::Front;
use crate::health;
use crate::problem::Refused;
use crate::shares::{NoShare, Share, Shares};

/// How long a browser waits before it comes back, ms.
const RETRY_MS: u64 = 5_000;

/// Where things stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Now {
    /// Durable entries in the log.
    entries: u64,
    /// Entries under the published checkpoint, and its root.
    checkpoint: (u64, String),
    /// The epoch that is open.
    open: u64,
    /// The last closed one.
    closed: Option<EpochRef>,
    /// Nothing more will be told.
    is_over: bool,
}

/// What a listener knows: entries, entries under the checkpoint, the open epoch.
type Known = Option<(u64, u64, u64)>;

/// What was seen last.
type Told = Option<Arc<Now>>;

/// Those who listen, and what they are told.
pub(crate) struct Events {
    /// `None` until it was looked for the first time.
    now: watch::Sender<Told>,
    listeners: Arc<Shares>,
    every: Duration,
    heartbeat: Duration,
}

impl Events {
    /// Nothing is told yet.
    pub fn of(options: &GatewayOptions) -> Self {
        Self {
            now: watch::Sender::default(),
            listeners: Shares::of(options.listeners_max.into(), options.listeners_per_address_max.into()),
            every: options.events_every.max(Duration::from_millis(1)),
            heartbeat: options.events_heartbeat,
        }
    }

    /// Those who listen.
    pub fn listeners(&self) -> u64 {
        self.listeners.taken()
    }
}

/// Looks again and again, until the gateway drains or ends; then every stream ends.
pub(crate) async fn keep_telling(front: Arc<Front>, mut ending: watch::Receiver<bool>) {
    let events = &front.events;
    loop {
        let is_over = front.draining.load(Ordering::Relaxed) || *ending.borrow();
        let before = events.now.borrow().clone();
        let now = Now { is_over, ..look(&front, before.as_deref()).await };
        if before.as_deref() != Some(&now) {
            events.now.send_replace(Some(Arc::new(now)));
        }
        if is_over {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(events.every) => {}
            _ = ending.wait_for(|ending| *ending) => {}
        }
    }
}

/// Where things stand now. The ledger is asked only when another epoch is open than before.
async fn look(front: &Arc<Front>, before: Option<&Now>) -> Now {
    let entries = front.log.size();
    let checkpoint = front.log.published().map(|checkpoint| (checkpoint.size(), checkpoint.root().to_hex()));
    let standing_epoch = front.writer.standing().epoch.load(Ordering::Relaxed);
    let (mut open, mut closed) = before.map_or((0, None), |before| (before.open, before.closed.clone()));
    if before.is_none() || standing_epoch != open {
        // The gateway's own look takes no place from those who ask; what it does not see now it sees at the next one.
        let asked = front.clone();
        let read = tokio::task::spawn_blocking(move || {
            asked.ledger().ok().map(|ledger| (ledger.state().epoch.number, ledger.last_closed()))
        });
        if let Ok(Some(found)) = read.await {
            (open, closed) = found;
        }
    }
    Now { entries, checkpoint: checkpoint.unwrap_or_default(), open, closed, is_over: false }
}

impl Now {
    /// The events for a listener that knows this, who then knows more.
    fn since(&self, known: &mut Known, text: &mut String) {
        let (mut entries, mut checkpoint, mut open) = known.unwrap_or((u64::MAX, u64::MAX, u64::MAX));
        let mut event = |name: &str, data: serde_json::Value, id: (u64, u64, u64)| {
            let _ = write!(text, "event: {name}\nid: {}-{}-{}\ndata: {data}\n\n", id.0, id.1, id.2);
        };
        if entries != self.entries {
            entries = self.entries;
            event("entry", serde_json::json!({ "entries": entries }), (entries, checkpoint, open));
        }
        if checkpoint != self.checkpoint.0 {
            checkpoint = self.checkpoint.0;
            let data = serde_json::json!({ "entries": checkpoint, "root": self.checkpoint.1 });
            event("checkpoint", data, (entries, checkpoint, open));
        }
        if open != self.open {
            open = self.open;
            event("epoch", serde_json::json!({ "open": open, "closed": self.closed }), (entries, checkpoint, open));
        }
        *known = Some((entries, checkpoint, open));
    }
}

/// Reads what a listener knew when it left.
fn known(id: &str) -> Known {
    let mut numbers = id.split('-').map(|number| number.parse().ok());
    let known = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(known)
}

/// What changes, while it does: server-sent events.
///
/// `entry`: durable entries in the log, at most once a second; `checkpoint`: the published checkpoint; `epoch`: the open epoch
/// and the last closed one with its statement. The first events say how things stand; an id is all that its listener knows,
/// so with `Last-Event-ID` only what differs from it is told. A comment comes when nothing else does. The stream has no end of
/// its own; it ends when the gateway drains.
#[utoipa::path(get, path = "/events", tag = "operation",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was heard.")),
    responses((status = 200, description = "The stream.", body = String, content_type = "text/event-stream"),
        (status = "default", description = "Refused: `NET-LISTENERS`, `NET-ADDRESS-LISTENERS`, `NET-DRAINING`.", body = Problem,
            content_type = "application/problem+json")))]
pub(crate) async fn events(State(front): State<Arc<Front>>, request: Request) -> Result<Response, Refused> {
    if let Some(draining) = health::draining(&front) {
        return Err(draining);
    }
    let client = request.extensions().get::<Client>().copied().unwrap_or(Client { limited: None });
    let share = front.events.listeners.take(client.limited, 1).map_err(no_place)?;
    let id = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let known = id.and_then(known);
    // One piece waits for a client at most; a slow one hears the latest when it has taken it.
    let (told, hears) = mpsc::channel(1);
    tokio::spawn(tell(front.events.now.subscribe(), known, front.events.heartbeat, told));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Proxies that hold answers back would hold this one for ever.
        (axum::http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::new(Listener { hears, _share: share })).into_response())
}

fn no_place(why: NoShare) -> Refused {
    let hint = "reload the page instead of listening, or close other pages of this site";
    match why {
        NoShare::Full => Refused::busy("NET-LISTENERS", "as many listen to this gateway as may").retry_after(30),
        NoShare::Crowded => {
            let detail = "as many listen from this address as may";
            Refused::of(StatusCode::TOO_MANY_REQUESTS, "NET-ADDRESS-LISTENERS", detail).hint(hint).retry_after(30)
        }
    }
}

/// Tells one listener, until it leaves or everything is over.
async fn tell(mut now: watch::Receiver<Told>, mut known: Known, heartbeat: Duration, told: mpsc::Sender<Bytes>) {
    let mut text = format!("retry: {RETRY_MS}\n\n");
    loop {
        let latest = now.borrow_and_update().clone();
        if let Some(latest) = &latest {
            latest.since(&mut known, &mut text);
        }
        if !text.is_empty() && told.send(core::mem::take(&mut text).into()).await.is_err() {
            return;
        }
        if latest.is_some_and(|latest| latest.is_over) {
            return;
        }
        tokio::select! {
            changed = now.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(heartbeat) => text.push_str(":\n\n"),
            () = told.closed() => return,
        }
    }
}

/// A stream of events on its way to one listener.
struct Listener {
    hears: mpsc::Receiver<Bytes>,
    _share: Share,
}

impl HttpBody for Listener {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.hears.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_back_is_told_what_differs_and_nothing_else() {
        let closed = Some(EpochRef { number: 6, statement: "ff".to_owned() });
        let now = Now { entries: 10, checkpoint: (9, "ab".to_owned()), open: 7, closed, is_over: false };
        let entry = "event: entry\nid: 10-{c}-{o}\ndata: {\"entries\":10}\n\n";
        let checkpoint = "event: checkpoint\nid: 10-9-{o}\ndata: {\"entries\":9,\"root\":\"ab\"}\n\n";
        let epoch = "event: epoch\nid: 10-9-7\ndata: {\"closed\":{\"number\":6,\"statement\":\"ff\"},\"open\":7}\n\n";
        let with = |parts: &[&str], c: u64, o: u64| {
            parts.concat().replace("{c}", &c.to_string()).replace("{o}", &o.to_string())
        };
        let none = u64::MAX;
        for (id, expected) in [
            ("10-9-7", String::new()),
            ("8-9-7", with(&[entry], 9, 7)),
            ("8-8-7", with(&[entry, checkpoint], 8, 7)),
            ("10-9-6", with(&[epoch], 9, 6)),
            // Another log's, or a future that a crash took back.
            ("11-10-8", with(&[entry, checkpoint, epoch], 10, 8)),
            ("", with(&[entry, checkpoint, epoch], none, none)),
            ("10-9", with(&[entry, checkpoint, epoch], none, none)),
            ("10-9-7-1", with(&[entry, checkpoint, epoch], none, none)),
            ("x-9-7", with(&[entry, checkpoint, epoch], none, none)),
        ] {
            let (mut knows, mut text) = (known(id), String::new());
            now.since(&mut knows, &mut text);
            assert_eq!(text, expected, "{id}");
            assert_eq!(knows, Some((10, 9, 7)), "{id}");
        }
    }
}
