//! What a till writes down of a payment: what was paid and for what, and how far the purchase is.

use cairn_api::OrderTerms;
use cairn_core::Hash;
use cairn_x402::{EvmAddress, Payment, PaymentId, SIGNATURE_BYTES, Signed, TokenDomain, Word};
use serde::{Deserialize, Serialize};

use crate::error::TillError;
use crate::text;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// A stable code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// The payment protocol's word, where it was the payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A job that was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sold {
    /// The job.
    #[serde(with = "text::fixed")]
    pub job: [u8; 32],
    /// What was locked for it, base units.
    #[serde(with = "text::units")]
    pub locked: u128,
}

/// What goes back to the payer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    /// Base units.
    #[serde(with = "text::units")]
    pub amount: u128,
    /// The till's signature over the transfer.
    #[serde(with = "text::fixed")]
    pub signature: [u8; SIGNATURE_BYTES],
}

/// How far a purchase is, and what was decided on the way. Each is written down before anything is done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", deny_unknown_fields)]
pub enum Stage {
    /// Taken; to be settled.
    Taken {},
    /// The till will not send it, unless it is presented again; but others might, until it expires.
    Lapsed {
        /// Why it was not moved.
        why: Why,
    },
    /// The money is there; an order is to be made.
    Paid {
        /// The transaction that moved it.
        #[serde(with = "text::fixed")]
        transaction: Word,
    },
    /// The order is signed; to be submitted until it is in the log or refused.
    Ordering {
        /// The transaction that moved the money.
        #[serde(with = "text::fixed")]
        transaction: Word,
        /// The statement's bytes.
        #[serde(with = "text::bytes")]
        statement: Vec<u8>,
        /// Its nonce.
        nonce: u64,
        /// The job that it orders, and what would have been locked for it just before.
        order: Sold,
    },
    /// Money is to go back.
    Returning {
        /// The transaction that moved the money here.
        #[serde(with = "text::fixed")]
        transaction: Word,
        /// The job that was ordered: what goes back is change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sold: Option<Sold>,
        /// Why it was not: all of it goes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Why>,
        /// What goes back.
        back: Back,
    },
    /// It is over.
    Over {
        /// How it ended.
        end: End,
    },
}

/// How a purchase ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "was", deny_unknown_fields)]
pub enum End {
    /// Nothing was moved, and this payment cannot move anything here any more.
    Unpaid {
        /// Why.
        why: Why,
    },
    /// Ordered, and the change, if there was any, went back.
    Bought {
        /// The transaction that moved the money here.
        #[serde(with = "text::fixed")]
        transaction: Word,
        /// The job.
        sold: Sold,
        /// The change, and the transaction by which it went back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back: Option<Returned>,
    },
    /// Not ordered, and all of it went back.
    Refunded {
        /// The transaction that moved the money here.
        #[serde(with = "text::fixed")]
        transaction: Word,
        /// Why.
        why: Why,
        /// The refund.
        back: Returned,
    },
}

/// What went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returned {
    /// What.
    pub back: Back,
    /// By which transaction.
    #[serde(with = "text::fixed")]
    pub transaction: Word,
}

/// A payment and its purchase.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The payment's name.
    pub id: PaymentId,
    /// What is bought.
    pub terms: OrderTerms,
    /// Hash of that.
    pub quote: Hash,
    /// The payment as it was taken.
    pub payment: Payment,
    /// Base units.
    pub amount: u128,
    /// Before this block the chain holds nothing of it.
    pub from_block: u64,
    /// When it was taken, ms since 1970 UTC.
    pub taken_ms: u64,
    /// How far it is.
    pub stage: Stage,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordJson {
    format: u32,
    terms: OrderTerms,
    quote: String,
    payment: serde_json::Value,
    #[serde(with = "text::units")]
    amount: u128,
    from_block: u64,
    taken_ms: u64,
    stage: Stage,
}

const FORMAT: u32 = 1;

impl Record {
    /// What the payer signed.
    #[must_use]
    pub const fn signed(&self) -> &Signed {
        &self.payment.signed
    }

    /// Who paid.
    #[must_use]
    pub const fn payer(&self) -> EvmAddress {
        self.payment.signed.authorization.from
    }

    /// Whether nothing is left to be done.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over { .. })
    }

    /// Base units that the till may still have to lock for it.
    #[must_use]
    pub const fn reserved(&self) -> u128 {
        match self.stage {
            Stage::Taken {} | Stage::Lapsed { .. } | Stage::Paid { .. } | Stage::Ordering { .. } => self.amount,
            Stage::Returning { .. } | Stage::Over { .. } => 0,
        }
    }

    /// The same, further on.
    #[must_use]
    pub fn at(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    /// The file: a checksum and a line of JSON.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let json = RecordJson {
            format: FORMAT,
            terms: self.terms.clone(),
            quote: self.quote.to_hex(),
            payment: self.payment.document(),
            amount: self.amount,
            from_block: self.from_block,
            taken_ms: self.taken_ms,
            stage: self.stage.clone(),
        };
        let json = serde_json::to_vec(&json).expect("texts, numbers and maps by text are always written");
        [format!("{:08x}\n", crc32c::crc32c(&json)).as_bytes(), &json, b"\n"].concat()
    }

    /// Reads the file of a payment of this token.
    ///
    /// # Errors
    /// [`TillError::Damaged`].
    pub fn read(id: PaymentId, domain: &TokenDomain, file: &[u8]) -> Result<Self, TillError> {
        let damaged = |what: &str| TillError::Damaged { file: id.to_string(), what: what.to_owned() };
        let (sum, rest) = file.split_at_checked(9).ok_or_else(|| damaged("it is too short"))?;
        let json = rest.strip_suffix(b"\n").ok_or_else(|| damaged("its end is missing"))?;
        if sum != format!("{:08x}\n", crc32c::crc32c(json)).as_bytes() {
            return Err(damaged("its checksum is another"));
        }
        let read: RecordJson = serde_json::from_slice(json).map_err(|error| damaged(&error.to_string()))?;
        if read.format != FORMAT {
            return Err(damaged("it is of another format"));
        }
        let payment = Payment::from_document(read.payment).map_err(|error| damaged(&error.to_string()))?;
        if PaymentId::of(domain, &payment.signed) != id {
            return Err(damaged("it is of another payment or token"));
        }
        let quote = Hash::from_hex(&read.quote).ok_or_else(|| damaged("its quote is no hash"))?;
        Ok(Self {
            id,
            terms: read.terms,
            quote,
            payment,
            amount: read.amount,
            from_block: read.from_block,
            taken_ms: read.taken_ms,
            stage: read.stage,
        })
    }
}
