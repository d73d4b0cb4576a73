//! What a gateway and a till say to each other: a till takes payments from whoever has no account here and orders for them.
//!
//! The gateway knows nothing of chains: a till is handed to it ([`crate::GatewayOptions::till`]), and in return is handed the
//! few things that it needs of the ledger and the writer. Everything here may read files or ask a chain, so it is called on
//! threads that may wait.

use std::sync::Arc;

use cairn_api::{OrderTerms, Purchase};
use cairn_core::statement::{Order, Signer};
use cairn_core::{Account, Amount, Hash, JobId, NetworkId};
use cairn_x402::{Demand, Payment, PaymentId, X402Error};

/// What a till asks of its gateway.
pub trait Orders: Send + Sync {
    /// The network.
    fn network(&self) -> NetworkId;

    /// The network's time, ms since 1970 UTC.
    fn now_ms(&self) -> u64;

    /// What would be locked for an order now, by the rules that will admit it, `most` among them.
    ///
    /// # Errors
    /// [`Unplaced`].
    fn quote(&self, order: &Order) -> Result<Amount, Unplaced>;

    /// The credit that a buyer has left in the network's own asset.
    ///
    /// # Errors
    /// [`Unplaced`].
    fn credit(&self, buyer: &Account) -> Result<Amount, Unplaced>;

    /// The last nonce of a signer of statements; 0 for one who never signed.
    ///
    /// # Errors
    /// [`Unplaced`].
    fn last_nonce(&self, signer: &Signer) -> Result<u64, Unplaced>;

    /// Has a statement logged, and waits until it is durable.
    ///
    /// # Errors
    /// [`Unplaced::Refused`] where it is not logged for sure, [`Unplaced::Unknown`] where it may be.
    fn submit(&self, statement: Vec<u8>) -> Result<(), Unplaced>;

    /// The order of a job, while the network remembers it.
    ///
    /// # Errors
    /// [`Unplaced`].
    fn placed(&self, job: &JobId) -> Result<Option<Placed>, Unplaced>;
}

/// An order in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its entry.
    pub index: u64,
    /// What was locked for it, base units.
    pub locked: Amount,
}

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unplaced {
    /// It is refused, and not in the log.
    Refused {
        /// A stable code.
        code: &'static str,
        /// What was refused, by which rule.
        detail: String,
    },
    /// Nobody knows at the moment.
    Unknown {
        /// What happened.
        what: String,
    },
}

/// What a till asks for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What is to be paid, and to whom.
    pub demand: Demand,
    /// Hash of the terms: the quote's name.
    pub quote: Hash,
    /// What would be locked now, base units; the rest of what is asked for is the till's own.
    pub locked: Amount,
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The terms are not well formed.
    Malformed,
    /// They cannot be bought here, now.
    Unsold,
    /// Something else was said before.
    Conflict,
    /// Not at the moment; nothing was taken.
    Busy,
}

/// Why a till does not sell or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TillRefusal {
    /// What kind.
    pub kind: RefusalKind,
    /// A stable code.
    pub code: &'static str,
    /// What was refused, by which rule.
    pub detail: String,
    /// The way out, where there is one.
    pub hint: Option<&'static str>,
}

impl TillRefusal {
    /// A refusal without a hint.
    #[must_use]
    pub fn of(kind: RefusalKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, code, detail: detail.into(), hint: None }
    }

    /// With the way out.
    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// Why a payment was not taken. Nothing was moved, and nothing is remembered of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// The payment is not what was asked for.
    Payment(X402Error, Box<Asked>),
    /// The payment is all right, or was not looked at.
    Refused(TillRefusal),
}

/// A till: takes payments over HTTP 402, orders with its own credit, gives back what it did not need.
pub trait Till: Send + Sync {
    /// Begins its work; called once, before anything else.
    fn begin(&self, orders: Arc<dyn Orders>);

    /// What terms cost now.
    ///
    /// # Errors
    /// [`TillRefusal`].
    fn ask(&self, terms: &OrderTerms) -> Result<Asked, TillRefusal>;

    /// Takes a payment, durably, and has it settled; the same payment again is the same purchase. Answers how far it is at
    /// once: whoever wants to wait asks [`Till::find`] again.
    ///
    /// # Errors
    /// [`NotTaken`].
    fn take(&self, terms: &OrderTerms, payment: &Payment) -> Result<Purchase, NotTaken>;

    /// The purchase of a payment.
    ///
    /// # Errors
    /// [`TillRefusal`].
    fn find(&self, payment: &PaymentId) -> Result<Option<Purchase>, TillRefusal>;

    /// Ends its work, and waits until it has: what is under way goes on when it begins again.
    fn end(&self);
}

impl core::fmt::Debug for dyn Till {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Till")
    }
}
