//! Accepts reports and statements over HTTP and serves the log and the ledger.
