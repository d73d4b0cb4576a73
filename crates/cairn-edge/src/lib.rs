//! The contributor's side, next to the hardware: readings come in, are dated honestly, wait on disk, and are sent until the
//! network has promised to keep them.
//!
//! What it promises:
//! * What was taken into the queue is sent once under one name, whatever crashes, in the order in which it was measured.
//! * A time that is not known is not claimed: every report says where its time came from and how far off it may be.
//! * Nothing leaves the queue but against a promise, a refusal with its reason, or a loss that is counted and said.
//!
//! What it does not do: judge whether a reading is plausible (that is the profile's business), or keep a key safe from who can
//! read its file.
//!
//! [`Source`] is where readings come from, [`Clock`] what time it is and how sure that is, [`Signer`] who signs, [`Item`] what
//! waits to be sent.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation))]

pub mod alert;
mod asking;
pub mod broker;
mod clock;
mod error;
pub mod home;
pub mod intake;
mod item;
pub mod map;
mod mark;
pub mod queue;
pub mod reduce;
pub mod send;
pub mod service;
mod signer;
pub mod source;
pub mod station;
mod stop;
pub mod time;
#[cfg(feature = "pkcs11")]
pub mod token;

pub use clock::{Clock, ClockSource, Stamp};
pub use error::EdgeError;
pub use item::{Item, When};
pub use mark::{Mark, Stretch};
pub use queue::{Queue, QueueLimits};
pub use send::{HttpGateway, Sender};
pub use signer::{SignError, Signer, sign_payload};
pub use source::{Ended, Raw, Reading, Source, SourceTrouble};
pub use stop::Stop;
