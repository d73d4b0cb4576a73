//! The HTTP client of a gateway: submits, keeps promises, fetches.
