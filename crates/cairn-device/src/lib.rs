//! Signs a report on a microcontroller.
//!
//! A report is a reading or many, the time, and a signature; the bytes made here are those of `cairn-core`, byte for byte,
//! and a gateway takes them as they are. There is no allocator and no standard library: everything is written into one
//! buffer of the caller's, where the payload stands once and is hashed in place. Keys are Ed25519, or P-256 in a secure
//! element that signs a digest.
//!
//! ```
//! use cairn_device::{DeviceKey, Measured, NetworkId, Quantity, Reading, Report, Restart};
//!
//! let key = DeviceKey::from_seed(&[7; 32]);              // the 32 bytes of the device's key file
//! let network = NetworkId([9; 32]);                      // as `cairn status` shows it
//! let restart = Restart::after(41)?;                     // the boot counter that was stored last
//! // ... here the device stores `restart.boot()`, and only then goes on:
//! let mut sequence = restart.stored();
//!
//! let values = [Measured::of(Quantity::AIR_TEMPERATURE, -250), Measured::of(Quantity::PM10, 146)];
//! let reading = Reading { after_ms: 0, values: &values };
//! let mut buffer = [0; 512];
//! let report = Report::sensing(sequence.take()?, 1_700_000_000_000, &reading);
//! let signed = report.sign(&key, key.device(), &network, &mut buffer)?;
//! assert_eq!(signed.bytes().len(), 128);
//! # Ok::<(), cairn_device::Error>(())
//! ```
//!
//! **Promised**: no panic, no recursion, no `unsafe`; what is refused is refused with a number, a code and what would be
//! right; nothing is signed that the format does not allow; the same inputs give the same bytes (for Ed25519 the signature
//! too). What a [`Body::Encoded`] means is its class's business: here it is held to the form of CBOR alone.
//!
//! **Not done here**: sending, keeping, and asking the time; making keys, which wants true randomness; enrolling, which
//! `cairn enrol` does with the key's file before the seed goes into the device.

#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod error;
mod form;
mod key;
mod report;
mod sensing;
mod sequence;
mod sign;
pub mod size;
mod writer;

pub use error::Error;
pub use key::{DeviceId, DeviceKey, NetworkId, compress_p256};
pub use report::{Blob, Body, ClockSource, Place, Report, flag};
pub use sensing::{AFTER_MAX_MS, Measured, Quantity, READINGS_MAX, Reading, Readings, SENSING, VALUE_MAX};
pub use sequence::{BootRecord, Name, Restart, Sequence};
pub use sign::{Algorithm, Signature, Signed, Unsigned};
