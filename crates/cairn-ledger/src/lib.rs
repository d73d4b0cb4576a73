//! The state folded from the log, its snapshots and the views served from it.
