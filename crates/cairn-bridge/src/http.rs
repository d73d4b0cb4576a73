//! The listener: bounded bodies, bounded connections, a secret where one is set, and JSON answers with a code.
//!
//! Loopback by default: see the crate's own words on who may post. What takes part here decides nothing: the [`Desk`] does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cairn_edge::Clock;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::senml::Form;
use crate::{Adapter, Answer, BridgeError, Desk, Limits, Taken};

/// Connections at once; one more waits to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// What is read of a request's head, bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long a head may take to come.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a body may.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may last in all.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// A bridge about to listen.
pub struct Bridge {
    /// What decides.
    pub desk: Desk,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The adapters that are on, each with the header and value that it asks for.
    pub secrets: BTreeMap<Adapter, Option<(String, String)>>,
    /// How much is taken.
    pub limits: Limits,
    /// How everything else is, for `GET /status`.
    pub status: Status,
}

/// Says how everything else is: an object, to which what became of requests is added.
pub type Status = Box<dyn Fn() -> serde_json::Value + Send + Sync>;

struct Shared {
    desk: Mutex<Desk>,
    clock: Arc<dyn Clock>,
    secrets: BTreeMap<Adapter, Option<(String, String)>>,
    body_bytes: usize,
    status: Status,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bridge that listens, until it is dropped.
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Where.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it after the requests that are under way.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl Bridge {
    /// Listens, on a thread of its own.
    ///
    /// # Errors
    /// `BRG-LISTEN`, `BRG-IO` when it cannot.
    pub fn listen(self, address: SocketAddr) -> Result<Running, BridgeError> {
        let listener = StdListener::bind(address).map_err(|why| BridgeError::Listen { address, why })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let shared = Arc::new(Shared {
            desk: Mutex::new(self.desk),
            clock: self.clock,
            secrets: self.secrets,
            body_bytes: self.limits.body_bytes,
            status: self.status,
        });
        let (stop, ending) = watch::channel(false);
        let thread = std::thread::spawn(move || {
            runtime.block_on(serve(listener, router(shared), ending));
        });
        Ok(Running { address, stop, thread: Some(thread) })
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/senml", post(senml))
        .route("/chirpstack", post(chirpstack))
        .route("/v1/push-sensor-data", post(community))
        .route("/v1/push-sensor-data/", post(community))
        .route("/status", get(status))
        .with_state(shared)
}

async fn serve(listener: StdListener, router: Router, mut ending: watch::Receiver<bool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            _ = ending.wait_for(|ending| *ending) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let mut ending = ending.clone();
        tokio::spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            builder.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX).half_close(false);
            let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
            let whole = async {
                let is_over = tokio::select! {
                    _ = connection.as_mut() => true,
                    _ = ending.wait_for(|ending| *ending) => false,
                };
                if !is_over {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            };
            let _ = timeout(CONNECTION_TIMEOUT, whole).await;
            drop(place);
        });
    }
    // Whoever has a place may finish.
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = timeout(BODY_TIMEOUT, places.acquire_many(all)).await;
}

type Handled = Result<Response, Infallible>;

async fn senml(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Handled {
    let media = text_of(&headers, header::CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
    let form = match media.split(';').next().unwrap_or_default().trim() {
        "application/senml+json" | "application/json" => Some(Form::Json),
        "application/senml+cbor" | "application/cbor" => Some(Form::Cbor),
        _ => None,
    };
    Ok(take(shared, Adapter::Senml, &headers, body, move |body, desk, now| {
        let why = "the media type is application/senml+json or application/senml+cbor".to_owned();
        let form = form.ok_or(BridgeError::Payload { expected: "SenML pack", why })?;
        desk.receive(&Taken::Senml(form, body), now)
    })
    .await)
}

#[derive(Deserialize)]
struct Event {
    event: Option<String>,
}

async fn chirpstack(
    State(shared): State<Arc<Shared>>,
    Query(Event { event }): Query<Event>,
    headers: HeaderMap,
    body: Body,
) -> Handled {
    Ok(take(shared, Adapter::ChirpStack, &headers, body, move |body, desk, now| {
        desk.receive(&Taken::ChirpStack { event: event.as_deref().unwrap_or("up"), body }, now)
    })
    .await)
}

async fn community(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Handled {
    let (sensor, pin) = (text_of(&headers, "x-sensor").unwrap_or_default(), text_of(&headers, "x-pin"));
    Ok(take(shared, Adapter::Community, &headers, body, move |body, desk, now| {
        desk.receive(&Taken::Community { sensor: &sensor, pin: pin.as_deref(), body }, now)
    })
    .await)
}

async fn status(State(shared): State<Arc<Shared>>) -> Handled {
    let mut said = (shared.status)();
    let desk = shared.desk();
    let requests: Vec<_> =
        desk.counts().map(|(adapter, code, count)| json!({"adapter": adapter, "code": code, "count": count})).collect();
    drop(desk);
    said["requests"] = json!(requests);
    Ok(answer(StatusCode::OK, &said))
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Checks, reads and hands over a request; the desk's work, which writes to the disk, blocks no other connection.
async fn take(
    shared: Arc<Shared>,
    adapter: Adapter,
    headers: &HeaderMap,
    body: Body,
    hand: impl FnOnce(&[u8], &mut Desk, cairn_edge::Stamp) -> Result<Answer, BridgeError> + Send + 'static,
) -> Response {
    match shared.secrets.get(&adapter) {
        None => {
            return answer(
                StatusCode::NOT_FOUND,
                &json!({"code": "BRG-OFF", "detail": "bridge.toml does not take this"}),
            );
        }
        Some(Some((name, value))) if !text_of(headers, name).is_some_and(|found| is_same(&found, value)) => {
            shared.desk().count(adapter, BridgeError::Secret.code());
            return refused(&BridgeError::Secret);
        }
        Some(_) => {}
    }
    let Ok(Ok(bytes)) = timeout(BODY_TIMEOUT, to_bytes(body, shared.body_bytes)).await else {
        shared.desk().count(adapter, "BRG-TOO-LARGE");
        let detail = format!("the body is longer than {} bytes, broke off, or took too long", shared.body_bytes);
        return answer(StatusCode::PAYLOAD_TOO_LARGE, &json!({"code": "BRG-TOO-LARGE", "detail": detail}));
    };
    let work = move || {
        let now = shared.clock.now();
        hand(&bytes, &mut shared.desk(), now)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(taken)) => answer(StatusCode::OK, &json!(taken)),
        Ok(Err(error)) => refused(&error),
        Err(_) => refused(&BridgeError::Kept("the bridge failed".to_owned())),
    }
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
fn is_same(found: &str, secret: &str) -> bool {
    let differs = found.bytes().zip(secret.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    found.len() == secret.len() && core::hint::black_box(differs) == 0
}

fn refused(error: &BridgeError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let said = json!({"code": error.code(), "detail": error.to_string(), "hint": error.hint()});
    let mut response = answer(status, &said);
    if let BridgeError::TooFast { wait_ms, .. } = error {
        response.headers_mut().insert(header::RETRY_AFTER, wait_ms.div_ceil(1_000).into());
    }
    response
}

fn answer(status: StatusCode, said: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], said.to_string()).into_response()
}

#[cfg(test)]
mod tests;
