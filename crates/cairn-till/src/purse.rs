//! What a till needs of a chain: to look whether money was moved, and to have it moved.

use cairn_x402::{Signed, Word, X402Error};

use crate::error::TillError;

/// Where a chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last block that is not taken back.
    pub final_number: u64,
    /// Its time, seconds since 1970 UTC.
    pub final_time_s: u64,
}

/// What the chain says of an authorization, up to its last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Its nonce was not used.
    Nowhere,
    /// It moved its money.
    Moved {
        /// By this transaction.
        transaction: Word,
        /// In this block.
        block: u64,
    },
    /// Its nonce was used for something else, or cancelled.
    Elsewhere {
        /// In this block.
        block: u64,
    },
}

/// Why something was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// The token refuses it, or refused it; what was sent of it did nothing.
    Refused(X402Error),
    /// Not known now; it may be under way.
    Unknown(String),
}

/// The till's account at a token.
pub trait Purse: Send + Sync {
    /// Where the chain is.
    ///
    /// # Errors
    /// [`TillError`] when it cannot be asked.
    fn head(&self) -> Result<Head, TillError>;

    /// Whether an authorization was used, in this block or a later one.
    ///
    /// # Errors
    /// [`TillError`] when the chain cannot be asked, or contradicts itself.
    fn seen(&self, signed: &Signed, from_block: u64) -> Result<Seen, TillError>;

    /// Whether the token would take it now.
    ///
    /// # Errors
    /// [`Unsent`].
    fn probe(&self, signed: &Signed) -> Result<(), Unsent>;

    /// Sends an authorization and waits until it counts; the transaction. Called by one thread at a time. What was under way is
    /// finished first.
    ///
    /// # Errors
    /// [`Unsent`].
    fn send(&self, purpose: &str, signed: &Signed) -> Result<Word, Unsent>;
}
