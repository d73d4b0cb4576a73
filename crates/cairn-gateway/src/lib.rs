//! The HTTP front of a network: takes reports, statements and observations, serves the log and the ledger.
//!
//! What it promises:
//! * Nobody is told `accepted` before the entry is durable; the answer carries the promise.
//! * One bad item never sinks its neighbours; what is known to be void never reaches the log.
//! * Every number served comes from the log or from a closed epoch's statement, and names it.
//! * Every limit is in [`GatewayOptions`]; past it a request is refused, with a code and a way out.
//! * When the writer stops, reading goes on and `/health` says so.
//!
//! What it does not do: MQTT, pages; nor TLS, rate limits for each client, or a limit on how slowly a client reads its
//! answer: put a reverse proxy in front of a gateway that strangers reach.
//!
//! How it runs: one thread owns the sequencer and groups what waits for it; one runtime serves HTTP; everything that
//! reads files or computes runs on blocking threads, never on those that serve connections.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accept;
mod body;
mod epochs;
mod error;
mod front;
mod health;
mod ledger_pages;
mod log_files;
mod metrics;
mod openapi;
mod options;
mod problem;
mod routes;
mod screen;
mod sequence;
mod server;
mod submit;
mod writer;

pub use error::GatewayError;
pub use openapi::openapi_json;
pub use options::GatewayOptions;
pub use server::{Gateway, Running};
