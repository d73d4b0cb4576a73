//! Where the gateway listens, and its limits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cairn_console::basemap::Basemap;

use crate::address::{Block, ProxyHeader};
use crate::blobs::BlobOptions;
use crate::buckets::Rate;
use crate::histogram::Histogram;
use crate::mqtt::BrokerOptions;
use crate::till::Till;
use crate::tls::TlsOptions;
use crate::witnessing::WitnessingOptions;

/// Where the gateway listens, and what it takes at most. The defaults suit one machine with a few GiB of memory.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Address and port, `127.0.0.1:8640` by default; port 0 takes a free one.
    pub listen: String,
    /// Where the operator's own listener is: metrics, readiness, draining. `None`, the default, has none.
    pub admin_listen: Option<String>,
    /// Whether `/metrics` is on the public listener too. Default no.
    pub metrics_public: bool,
    /// TLS on the public listener. Default none.
    pub tls: Option<TlsOptions>,
    /// How often due epochs are closed and, while the log grows, a checkpoint is published. Default 1 s.
    pub checkpoint: Duration,
    /// `/health` fails when the checkpoint was not brought up to date for so much longer than that. Default 30 s.
    pub checkpoint_stale: Duration,
    /// Bytes of a request's head; a little more memory than that is kept for each connection. Default 32 KiB.
    pub head_bytes_max: usize,
    /// Bytes of one request's body. Default 8 MiB.
    pub body_bytes_max: usize,
    /// Bytes of all requests and answers held in memory at once; past it requests are told to come back. Default 256 MiB.
    pub bytes_in_flight_max: u64,
    /// Of those, bytes for one address. Default 32 MiB.
    pub bytes_per_address_max: u64,
    /// Reports (or statements, or observations) in one request. Default 4,096. A promise has room for 60,000.
    pub items_per_request_max: usize,
    /// Requests that are being worked on at once: files read, signatures checked. Default 256.
    pub requests_in_flight_max: usize,
    /// Connections open at once; further ones are told to come back. Default 1,024.
    pub connections_max: u32,
    /// Of those, connections of one address. Default 64.
    pub connections_per_address_max: u32,
    /// Requests of one address. Default 200 a second, 2,000 at once.
    pub address_requests: Rate,
    /// Reports, statements and observations from one address. Default 2,000 a second, 20,000 at once.
    pub address_items: Rate,
    /// Reports of one device, once their signatures verified. Default 10 a second, 1,000 at once.
    pub device_reports: Rate,
    /// Addresses, and devices, whose rates are remembered at once; about 200 bytes each. Default 65,536.
    pub buckets_max: usize,
    /// Addresses without limits of their own. Default this machine's.
    pub unlimited: Vec<Block>,
    /// Proxies whose word on the client's address is taken. Default none.
    pub trusted_proxies: Vec<Block>,
    /// The header that they name it in. Default `X-Forwarded-For`.
    pub proxy_header: ProxyHeader,
    /// How long a connection may take to send a request's head, and may stay idle between requests. Default 30 s.
    pub header_timeout: Duration,
    /// How long a body may make no progress. Default 10 s.
    pub body_timeout: Duration,
    /// How long a client may take to take 64 KiB of its answer. Default 30 s.
    pub write_timeout: Duration,
    /// How long a request may take, from its head to its answer. Default 60 s.
    pub request_timeout: Duration,
    /// Requests that wait for the writer at once; past it requests are told to come back. Default 256.
    pub queue_requests_max: usize,
    /// Items that are made durable together, unless one request alone has more. Default 4,096.
    pub group_items_max: usize,
    /// Those who listen to what changes (`/events`) at once. Default 256.
    pub listeners_max: u32,
    /// Of those, listeners of one address. Default 8.
    pub listeners_per_address_max: u32,
    /// How often listeners are told at most. Default 1 s.
    pub events_every: Duration,
    /// How long a listener hears nothing at most: a comment comes then. Default 15 s.
    pub events_heartbeat: Duration,
    /// Where the log's disk counts how long its syncs take, microseconds; shown in the metrics. Default nowhere.
    pub syncs_us: Option<Arc<Histogram>>,
    /// The witnesses of the log's checkpoints. Default none.
    pub witnessing: Option<WitnessingOptions>,
    /// The folder of the signatures of auditors. Without one, the default, none are taken.
    pub signatures: Option<PathBuf>,
    /// The folder of what chains said that they paid, as `cairn chain record` writes it, for pages. Default none.
    pub settled: Option<PathBuf>,
    /// The base map of the console's maps. Default none: the outlines of the world alone.
    pub basemap: Option<Arc<Basemap>>,
    /// The blobs of jobs. Without a folder, the default, none are kept.
    pub blobs: Option<BlobOptions>,
    /// The broker that devices publish their reports at. Default none.
    pub broker: Option<BrokerOptions>,
    /// The till that sells to whoever has no account here. Default none.
    pub till: Option<Arc<dyn Till>>,
    /// How long requests under way may go on after the gateway was told to end. Default 10 s.
    pub shutdown_grace: Duration,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8640".to_owned(),
            admin_listen: None,
            metrics_public: false,
            tls: None,
            checkpoint: Duration::from_secs(1),
            checkpoint_stale: Duration::from_secs(30),
            head_bytes_max: 32 << 10,
            body_bytes_max: 8 << 20,
            bytes_in_flight_max: 256 << 20,
            bytes_per_address_max: 32 << 20,
            items_per_request_max: 4_096,
            requests_in_flight_max: 256,
            connections_max: 1_024,
            connections_per_address_max: 64,
            address_requests: Rate { per_s: 200, burst: 2_000 },
            address_items: Rate { per_s: 2_000, burst: 20_000 },
            device_reports: Rate { per_s: 10, burst: 1_000 },
            buckets_max: 65_536,
            unlimited: Block::LOOPBACK.to_vec(),
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::XForwardedFor,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            queue_requests_max: 256,
            group_items_max: 4_096,
            listeners_max: 256,
            listeners_per_address_max: 8,
            events_every: Duration::from_secs(1),
            events_heartbeat: Duration::from_secs(15),
            syncs_us: None,
            witnessing: None,
            signatures: None,
            settled: None,
            basemap: None,
            blobs: None,
            broker: None,
            till: None,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
