//! A listener and its connections: who gets a place, and what bounds each connection.
//!
//! A connection costs at most one buffer for a head, one for an answer, and what its request may hold; a client that is
//! slow with any of them is cut off. A connection without a place is told so in one write and closed.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::GatewayOptions;
use crate::address::{Block, Peer};
use crate::buckets::Wait;
use crate::metrics::Refusals;
use crate::paced::{Paced, Traffic};
use crate::problem::{Refused, report_failure};
use crate::rates::too_fast;
use crate::shares::{NoShare, Share, Shares};
use crate::tls::Tls;

/// How long to wait after the system refused to accept a connection, as it does when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// The smallest buffer that the HTTP implementation takes.
const BUFFER_BYTES_MIN: usize = 8 << 10;
/// What is read, at most, of a client that gets no place, so that closing does not take the answer back.
const LAST_READ_BYTES: usize = 4 << 10;

/// What became of connections.
#[derive(Default)]
pub(crate) struct Conversations {
    pub accepted: AtomicU64,
    /// Handshakes that failed or took too long.
    pub tls_failed: AtomicU64,
    /// Connections cut off because the client was slow.
    pub slow: AtomicU64,
    /// Connections on which no HTTP was spoken.
    pub malformed: AtomicU64,
}

/// A listener's rules.
pub(crate) struct Door {
    places: Arc<Shares>,
    /// Those who may have as many connections as there are.
    unlimited: Vec<Block>,
    tls: Option<Arc<Tls>>,
    head_bytes_max: usize,
    header_timeout: Duration,
    write_timeout: Duration,
    shutdown_grace: Duration,
    traffic: Arc<Traffic>,
    pub conversations: Conversations,
    refusals: Arc<Refusals>,
}

impl Door {
    /// The rules for a listener with so many places.
    pub fn of(options: &GatewayOptions, connections_max: u32, tls: Option<Arc<Tls>>, refusals: Arc<Refusals>) -> Self {
        Self {
            places: Shares::of(connections_max.into(), options.connections_per_address_max.into()),
            unlimited: [options.unlimited.as_slice(), &options.trusted_proxies].concat(),
            tls,
            head_bytes_max: options.head_bytes_max.max(BUFFER_BYTES_MIN),
            header_timeout: options.header_timeout,
            write_timeout: options.write_timeout,
            shutdown_grace: options.shutdown_grace,
            traffic: Arc::default(),
            conversations: Conversations::default(),
            refusals,
        }
    }

    /// Connections open.
    pub fn open(&self) -> u64 {
        self.places.taken()
    }

    /// Bytes that came and went.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    fn place(&self, peer: SocketAddr) -> Result<Share, NoShare> {
        let is_unlimited = self.unlimited.iter().any(|block| block.holds(peer.ip()));
        self.places.take((!is_unlimited).then(|| peer.ip()), 1)
    }

    /// Tells a client that it has no place. A client that speaks TLS is told nothing: a handshake costs more than it.
    fn turn_away(&self, stream: TcpStream, peer: SocketAddr, why: NoShare) {
        let refused = match why {
            NoShare::Full => Refused::busy("NET-CONNECTIONS", "there are as many connections as there may be"),
            NoShare::Crowded => {
                let detail = format!("{} has as many connections as one address may", peer.ip());
                too_fast("NET-ADDRESS-CONNECTIONS", detail, Wait { ms: 1_000 })
            }
        };
        self.refusals.count(refused.code());
        if self.tls.is_some() {
            return;
        }
        // It is non-blocking, and what cannot be said at once is not said.
        if let Ok(mut stream) = stream.into_std() {
            let _ = stream.write(&refused.raw());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; LAST_READ_BYTES]);
        }
    }

    /// Serves one connection until it closes, or is asked to after its request.
    async fn receive(self: Arc<Self>, stream: TcpStream, peer: Peer, router: Router, ending: watch::Receiver<bool>) {
        let Some(tls) = &self.tls else { return self.converse(stream, peer, router, ending).await };
        match timeout(tls.options.handshake_timeout, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.converse(stream, peer, router, ending).await,
            _ => {
                self.conversations.tls_failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        peer: Peer,
        router: Router,
        mut ending: watch::Receiver<bool>,
    ) {
        let stream = Paced::over(stream, self.write_timeout, self.traffic.clone());
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(self.head_bytes_max)
            .pipeline_flush(false)
            .half_close(false);
        let router = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.call(request)
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            _ = ending.wait_for(|ending| *ending) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            self.note(&error);
        }
    }

    /// How a connection ends is its client's business, but it is counted.
    fn note(&self, error: &hyper::Error) {
        let timed_out = std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<std::io::Error>())
            .is_some_and(|source| source.kind() == std::io::ErrorKind::TimedOut);
        if error.is_timeout() || timed_out {
            self.conversations.slow.fetch_add(1, Ordering::Relaxed);
        } else if error.is_parse() {
            self.conversations.malformed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Serves a listener until told to end; then lets requests under way finish.
pub(crate) async fn serve(listener: TcpListener, door: Arc<Door>, router: Router, mut ending: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = ending.wait_for(|ending| *ending) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => match door.place(peer) {
                Ok(place) => {
                    door.conversations.accepted.fetch_add(1, Ordering::Relaxed);
                    let _ = stream.set_nodelay(true);
                    let conversation = door.clone().receive(stream, Peer(peer), router.clone(), ending.clone());
                    connections.spawn(async move {
                        conversation.await;
                        drop(place);
                    });
                }
                Err(why) => door.turn_away(stream, peer, why),
            },
            Err(error) => {
                report_failure(&format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(door.shutdown_grace, all).await;
}

/// Reads the files of TLS again and again; never ends.
pub(crate) async fn keep_fresh(tls: Arc<Tls>) {
    loop {
        tokio::time::sleep(tls.options.reload).await;
        let files = tls.clone();
        match tokio::task::spawn_blocking(move || files.reload()).await {
            Ok(Err(error)) => report_failure(&format_args!("TLS goes on as it was: {error}")),
            Ok(Ok(true)) => report_failure(&"the certificate and its key were read anew"),
            Ok(Ok(false)) | Err(_) => {}
        }
    }
}

/// The refusal where an address, or everybody, holds as many bytes as may be.
pub(crate) fn no_bytes(why: NoShare) -> Refused {
    match why {
        NoShare::Full => {
            Refused::busy("NET-BUSY-BYTES", "the gateway holds as many bytes of requests and answers as it may")
        }
        NoShare::Crowded => {
            let detail = "as many bytes of requests and answers are under way as one address may have";
            Refused::busy("NET-ADDRESS-BYTES", detail).status(StatusCode::TOO_MANY_REQUESTS)
        }
    }
}
