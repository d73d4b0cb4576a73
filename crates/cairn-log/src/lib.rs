//! The log on disk: sequencer, segments, recovery, promises and receipts.
