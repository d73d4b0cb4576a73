//! Emission, pools and exact-integer allocation.
