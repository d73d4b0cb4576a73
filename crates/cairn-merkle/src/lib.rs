//! RFC 6962 trees, tiles, checkpoints, signed notes and proofs; the claim tree.
