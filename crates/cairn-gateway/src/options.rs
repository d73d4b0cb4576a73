//! Where the gateway listens, and its limits.

use std::time::Duration;

/// Where the gateway listens, and what it takes at most. The defaults suit one machine with a few GiB of memory.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Address and port, `127.0.0.1:8640` by default; port 0 takes a free one.
    pub listen: String,
    /// How often due epochs are closed and, while the log grows, a checkpoint is published. Default 1 s.
    pub checkpoint: Duration,
    /// `/health` fails when the checkpoint was not brought up to date for so much longer than that. Default 30 s.
    pub checkpoint_stale: Duration,
    /// Bytes of one request's body. Default 8 MiB.
    pub body_bytes_max: usize,
    /// Bytes of all bodies held in memory at once; past it requests are told to come back. Default 256 MiB.
    pub bodies_bytes_max: usize,
    /// Reports (or statements, or observations) in one request. Default 4,096. A promise has room for 60,000.
    pub items_per_request_max: usize,
    /// Connections open at once; further ones wait to be accepted. Default 1,024.
    pub connections_max: u32,
    /// How long a connection may take to send a request's head, and may stay idle between requests. Default 30 s.
    pub header_timeout: Duration,
    /// How long a request may take, from its head to its answer. Default 60 s.
    pub request_timeout: Duration,
    /// Requests that wait for the writer at once; past it requests are told to come back. Default 256.
    pub queue_requests_max: usize,
    /// Items that are made durable together, unless one request alone has more. Default 4,096.
    pub group_items_max: usize,
    /// How long requests under way may go on after the gateway was told to end. Default 10 s.
    pub shutdown_grace: Duration,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8640".to_owned(),
            checkpoint: Duration::from_secs(1),
            checkpoint_stale: Duration::from_secs(30),
            body_bytes_max: 8 << 20,
            bodies_bytes_max: 256 << 20,
            items_per_request_max: 4_096,
            connections_max: 1_024,
            header_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            queue_requests_max: 256,
            group_items_max: 4_096,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
