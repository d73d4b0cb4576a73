//! Recomputes a whole network from what it serves and compares every byte.
