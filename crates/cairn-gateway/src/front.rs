//! What every handler shares.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use cairn_core::NetworkId;
use cairn_ledger::{Ledger, NetworkClock};
use cairn_log::LogReader;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::GatewayOptions;
use crate::address::{Client, Proxies};
use crate::blobs::Blobs;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::mqtt;
use crate::problem::{Refused, report_failure};
use crate::rates::Rates;
use crate::serve::Door;
use crate::shares::Shares;
use crate::signatures::Signatures;
use crate::verifiers::Verifiers;
use crate::witnessing::Witnessed;
use crate::writer::WriterQueue;

/// What every handler shares.
pub(crate) struct Front {
    pub network: NetworkId,
    pub ledger: Arc<RwLock<Ledger>>,
    pub log: LogReader,
    pub clock: NetworkClock,
    pub writer: WriterQueue,
    /// What waits to be checked before it.
    pub verifiers: Verifiers,
    pub options: GatewayOptions,
    pub metrics: Metrics,
    /// What witnesses said, if any were ever asked.
    pub witnessed: Option<Arc<Witnessed>>,
    /// The signatures of auditors.
    pub signatures: Signatures,
    /// The blobs of jobs, if they are kept.
    pub blobs: Option<Arc<Blobs>>,
    /// What came over the operator's broker, if there is one.
    pub mqtt: Option<Arc<mqtt::Counts>>,
    /// Those who listen to what changes.
    pub events: Events,
    /// When the gateway started.
    pub started: Instant,
    /// The public listener.
    pub door: Arc<Door>,
    pub rates: Arc<Rates>,
    /// Bytes of requests and answers.
    pub memory: Arc<Shares>,
    /// A permit for each request that is being worked on.
    pub work: Arc<Semaphore>,
    /// Set once: nothing more is taken.
    pub draining: AtomicBool,
}

impl Front {
    /// Runs what reads files or computes on a blocking thread.
    ///
    /// # Errors
    /// Those of `work`, `NET-BUSY-REQUESTS` while as many are at it as may be, and `NET-PANIC` if it panics.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let permit = self.permit()?;
        let front = self.clone();
        let worked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&front)
        });
        worked.await.unwrap_or_else(|error| {
            report_failure(&error);
            Err(panicked())
        })
    }

    /// A place among the requests that are worked on.
    ///
    /// # Errors
    /// `NET-BUSY-REQUESTS` while there is none.
    pub fn permit(&self) -> Result<OwnedSemaphorePermit, Refused> {
        let busy = |_| Refused::busy("NET-BUSY-REQUESTS", "the gateway works on as many requests as it may");
        self.work.clone().try_acquire_owned().map_err(busy)
    }

    /// Reads the ledger on a blocking thread.
    ///
    /// # Errors
    /// As [`Front::blocking`] and [`Front::ledger`].
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, &Ledger) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        self.blocking(move |front| work(front, &*front.ledger()?)).await
    }

    /// The ledger, for a short while: the writer waits for whoever reads.
    ///
    /// # Errors
    /// `NET-STOPPED` when the writer panicked in the middle of a change.
    pub fn ledger(&self) -> Result<RwLockReadGuard<'_, Ledger>, Refused> {
        self.ledger.read().map_err(|_| {
            let detail = "the ledger is unusable: the writer failed in the middle of a change";
            Refused::of(StatusCode::SERVICE_UNAVAILABLE, "NET-STOPPED", detail)
        })
    }

    /// How long the gateway has been at work; no clock that anybody sets changes it.
    pub fn since_start(&self) -> Duration {
        self.started.elapsed()
    }

    /// Who makes a request.
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> Client {
        let options = &self.options;
        let proxies = Proxies { trusted: &options.trusted_proxies, header: options.proxy_header };
        let address = proxies.client(peer, headers);
        let is_unlimited = options.unlimited.iter().any(|block| block.holds(address));
        Client { limited: (!is_unlimited).then_some(address) }
    }
}

/// The refusal of a request at which a thread panicked.
pub(crate) fn panicked() -> Refused {
    Refused::of(StatusCode::INTERNAL_SERVER_ERROR, "NET-PANIC", "the gateway failed at this request")
}
