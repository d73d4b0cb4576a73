//! How much one address and one device may send: three tables of token buckets, and what is answered when one is empty.
//!
//! An address pays before anything is looked at, whatever becomes of it. A device pays only for reports whose signature
//! verified, and gets back what turned out to be a repeat: nobody else can empty its bucket.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::StatusCode;
use cairn_core::DeviceId;

use crate::GatewayOptions;
use crate::address::{Client, Source};
use crate::buckets::{Buckets, Wait};
use crate::problem::Refused;

/// The token buckets of a gateway.
pub(crate) struct Rates {
    started: Instant,
    requests: Mutex<Buckets<Source>>,
    items: Mutex<Buckets<Source>>,
    devices: Mutex<Buckets<DeviceId>>,
    /// Whether devices have a rate at all.
    limits_devices: bool,
}

impl Rates {
    pub fn of(options: &GatewayOptions) -> Self {
        let places = options.buckets_max;
        Self {
            started: Instant::now(),
            requests: Mutex::new(Buckets::of(options.address_requests, places)),
            items: Mutex::new(Buckets::of(options.address_items, places)),
            devices: Mutex::new(Buckets::of(options.device_reports, places)),
            limits_devices: options.device_reports.per_s > 0,
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Charges an address for a request.
    ///
    /// # Errors
    /// `NET-RATE-REQUESTS`.
    pub fn request(&self, client: Client) -> Result<(), Refused> {
        let Some(client) = client.limited else { return Ok(()) };
        hold(&self.requests).take(Source::of(client), 1, self.now_ms()).map_err(|wait| {
            let detail = format!("{client} sends requests faster than one address may");
            too_fast("NET-RATE-REQUESTS", detail, wait)
        })
    }

    /// Charges an address for the items of a request.
    ///
    /// # Errors
    /// `NET-RATE-ITEMS`.
    pub fn items(&self, client: Client, items: usize) -> Result<(), Refused> {
        let Some(client) = client.limited else { return Ok(()) };
        hold(&self.items).take(Source::of(client), items as u64, self.now_ms()).map_err(|wait| {
            let detail = format!("{client} sends reports, statements or observations faster than one address may");
            too_fast("NET-RATE-ITEMS", detail, wait)
        })
    }

    /// Whether a device may send a report now; charges nothing.
    pub fn look_at_device(&self, device: DeviceId) -> Result<(), Wait> {
        if !self.limits_devices {
            return Ok(());
        }
        hold(&self.devices).look(device, 1, self.now_ms())
    }

    /// Charges a device for a report that it signed.
    pub fn charge_device(&self, device: DeviceId) -> Result<(), Wait> {
        if !self.limits_devices {
            return Ok(());
        }
        hold(&self.devices).take(device, 1, self.now_ms())
    }

    /// Gives back what a device was charged for a report that was not logged.
    pub fn repay_device(&self, device: DeviceId) {
        if !self.limits_devices {
            return;
        }
        hold(&self.devices).put_back(device, self.now_ms());
    }
}

/// A table is whole between two calls, so one that somebody panicked with is as good as any.
fn hold<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Too much from one; 429 with the time to come back.
pub(crate) fn too_fast(code: &'static str, detail: impl Into<String>, wait: Wait) -> Refused {
    Refused::of(StatusCode::TOO_MANY_REQUESTS, code, detail)
        .hint("wait as long as `Retry-After` says; the operator's limits are in `[gateway.limits]`")
        .retry_after(seconds(wait))
}

/// A wait in whole seconds, rounded up.
pub(crate) fn seconds(wait: Wait) -> u32 {
    u32::try_from(wait.ms.div_ceil(1_000)).unwrap_or(u32::MAX)
}
