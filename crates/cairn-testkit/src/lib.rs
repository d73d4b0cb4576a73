//! Seeded devices, virtual clock, faulty disk and attackers for tests.

pub mod disk;
pub mod fair;
pub mod injector;
pub mod mosquitto;
pub mod network;
pub mod random;
