//! The HTTP front of a network: takes reports, statements and observations, serves the log and the ledger.
//!
//! What it promises:
//! * Nobody is told `accepted` before the entry is durable; the answer carries the promise.
//! * One bad item never sinks its neighbours; what is known to be void never reaches the log.
//! * Every number served comes from the log or from a closed epoch's statement, and names it.
//! * Every limit is in [`GatewayOptions`]; past it a request is refused, with a code and a way out.
//! * When the writer stops, reading goes on and `/health` says so.
//!
//! * Memory has a limit in all and for each address, and is refused with 503 or 429 before it is taken.
//! * A client that is slow with its handshake, its head, its body or its answer is cut off.
//!
//! What it does not do: MQTT, HTTP/2, what is on the console's pages (`cairn-console`), which it serves; nor does it withstand more traffic than its line and its system's network
//! stack do: many thousand attackers at once are work for those before it.
//!
//! How it runs: one thread owns the sequencer and groups what waits for it; a thread for each core checks the reports that
//! wait, of many requests together; one runtime serves HTTP; everything else that reads files or computes runs on blocking
//! threads, never on those that serve connections.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accept;
mod address;
mod admin;
mod auditors;
mod blobs;
mod body;
mod buckets;
mod buying;
mod charges;
mod console;
mod epochs;
mod error;
mod events;
mod forked;
mod front;
mod health;
mod held;
mod histogram;
mod jobs;
mod ledger_pages;
mod leftover;
mod log_files;
mod mcp;
mod metrics;
mod mqtt;
mod openapi;
mod options;
mod order_terms;
mod orders;
mod paced;
mod problem;
mod rates;
mod rounds;
mod routes;
mod sales;
mod screen;
mod sequence;
mod serve;
mod server;
mod shares;
mod signatures;
mod streamed;
mod submit;
mod sync_times;
mod till;
mod tls;
mod verifiers;
mod witnessed;
mod witnessing;
mod writer;

pub use address::{Block, ProxyHeader, client_behind};
pub use blobs::BlobOptions;
pub use buckets::Rate;
pub use error::GatewayError;
pub use histogram::Histogram;
pub use mqtt::BrokerOptions;
pub use openapi::openapi_json;
pub use options::GatewayOptions;
pub use order_terms::{BadTerms, order_of};
pub use sequence::{Items, Rest, split as split_sequence};
pub use server::{Gateway, Running};
pub use sync_times::{TimedDisk, sync_times_us};
pub use till::{Asked, NotTaken, Orders, Placed, RefusalKind, Till, TillRefusal, Unplaced};
pub use tls::{ClientCertificates, TlsOptions};
pub use witnessing::{WITNESSED_FILE, WitnessingOptions};
