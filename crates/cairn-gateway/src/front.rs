//! What every handler shares.

use std::sync::{Arc, RwLock, RwLockReadGuard};

use axum::http::StatusCode;
use cairn_core::NetworkId;
use cairn_ledger::{Ledger, NetworkClock};
use cairn_log::LogReader;
use tokio::sync::Semaphore;

use crate::GatewayOptions;
use crate::metrics::Metrics;
use crate::problem::{Refused, report_failure};
use crate::writer::WriterQueue;

/// What every handler shares.
pub(crate) struct Front {
    pub network: NetworkId,
    pub ledger: Arc<RwLock<Ledger>>,
    pub log: LogReader,
    pub clock: NetworkClock,
    pub writer: WriterQueue,
    pub options: GatewayOptions,
    pub metrics: Metrics,
    /// A permit for each byte of a body in memory.
    pub body_bytes: Arc<Semaphore>,
}

impl Front {
    /// Runs what reads files or computes on a blocking thread.
    ///
    /// # Errors
    /// Those of `work`, and `NET-PANIC` if it panics.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let front = self.clone();
        let worked = tokio::task::spawn_blocking(move || work(&front)).await;
        worked.unwrap_or_else(|error| {
            report_failure(&error);
            Err(Refused::of(StatusCode::INTERNAL_SERVER_ERROR, "NET-PANIC", "the gateway failed at this request"))
        })
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
}
