//! Seeded devices, virtual clock, faulty disk and attackers for tests.
