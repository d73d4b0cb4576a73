//! What statements say: one type per schema, each with its canonical bytes.

use super::StatementError;
use super::device::{Appeal, Conflict, Enrol, PayeeChoice, Rotate, Transfer};
use super::market::{Licence, Offer, Order, Replay};
use super::operator::{AuditorSet, Deny, DomainTerms, Genesis, PolicyDocument, ProfileDocument, Successor};
use crate::cbor::{Decoder, Encoder};
use crate::{DeviceId, JobId};

macro_rules! schemas {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $name:literal,)+) => {
        /// The schemas of statements, v1.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Schema {
            $($(#[$doc])* $variant,)+
        }

        impl Schema {
            /// Every schema.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The text in the payload.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The schema of a text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        /// A statement's body.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Body {
            $($(#[$doc])* $variant($body),)+
        }

        impl Body {
            /// Its schema.
            #[must_use]
            pub const fn schema(&self) -> Schema {
                match self { $(Self::$variant(_) => Schema::$variant,)+ }
            }

            /// The canonical bytes.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                let mut out = Encoder::empty();
                match self { $(Self::$variant(body) => body.write(&mut out),)+ }
                out.into_bytes()
            }

            /// Reads a body of `schema`.
            ///
            /// # Errors
            /// [`StatementError`].
            pub fn decode(schema: Schema, bytes: &[u8]) -> Result<Self, StatementError> {
                let mut input = Decoder::over(bytes);
                let body = match schema { $(Schema::$variant => Self::$variant(<$body>::read(&mut input)?),)+ };
                input.end()?;
                Ok(body)
            }
        }
    };
}

schemas! {
    /// Entry 0: what the network is.
    Genesis(Genesis) = "genesis",
    /// A device joins an owner.
    Enrol(Enrol) = "enrol",
    /// A device changes owner.
    Transfer(Transfer) = "transfer",
    /// A device leaves.
    Retire(DeviceId) = "retire",
    /// A device changes its key.
    Rotate(Rotate) = "rotate",
    /// An owner names the account that is paid.
    Payee(PayeeChoice) = "payee",
    /// The rules of money from an epoch on.
    Policy(PolicyDocument) = "policy",
    /// A class's thresholds from an epoch on.
    Profile(ProfileDocument) = "profile",
    /// Two payloads under one name.
    Conflict(Conflict) = "conflict",
    /// The operator stops paying a device, with reasons.
    Deny(Deny) = "deny",
    /// An owner answers a denial.
    Appeal(Appeal) = "appeal",
    /// A settlement chain.
    Domain(DomainTerms) = "domain",
    /// The auditors whose signatures count.
    AuditorSet(AuditorSet) = "auditor-set",
    /// Where the log continues.
    Successor(Successor) = "successor",
    /// A worker offers to work.
    Offer(Offer) = "offer",
    /// The owner of a content says what its use costs.
    Licence(Licence) = "licence",
    /// A buyer orders work.
    Order(Order) = "order",
    /// A buyer takes an order back.
    Cancel(JobId) = "cancel",
    /// An auditor ran a job again.
    Replay(Replay) = "replay",
}
