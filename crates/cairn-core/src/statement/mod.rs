//! Statements: somebody with rights says something, signed for the network.
//!
//! `statement = [payload: bstr, [+ [signer: bstr, scheme: uint, signature: bstr]]]`,
//! `payload = {1: schema, 2: body, 3: nonce, 4: expiry_ms}`. This module reads, writes and checks signatures; what a
//! statement may do is decided by `admit`.

mod body;
mod device;
mod market;
mod operator;
mod read;
mod signer;
#[cfg(test)]
mod tests;

pub use body::{Body, Schema};
pub use device::{Appeal, Conflict, Enrol, Mobility, PayeeChoice, Role, Rotate, Transfer};
pub use market::{
    Blob, CAPACITY_MAX, LICENCE_MODULES_MAX, Licence, ORDER_ARGUMENTS_MAX, ORDER_GAS_MAX, ORDER_INPUTS_MAX, Offer,
    Order, REPLICAS_MAX, Replay, RunProfile,
};
pub use operator::{
    AuditorSet, Deny, DomainTerms, Genesis, PolicyDocument, ProfileDocument, RECORDED_CLOCK, Successor,
};
pub use signer::{Signed, Signer};
use thiserror::Error;

use crate::cbor::{CborError, Decoder, Encoder};
use crate::{Hash, NetworkId};

/// The most bytes of one statement.
pub const STATEMENT_BYTES_MAX: usize = 65_000;

/// The most signatures under one statement.
pub const SIGNERS_MAX: usize = 16;

/// Why bytes are not a statement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StatementError {
    /// Longer than [`STATEMENT_BYTES_MAX`].
    #[error("the statement has {bytes} bytes; at most {STATEMENT_BYTES_MAX} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not the deterministic CBOR of a statement.
    #[error("the statement: {0}")]
    Cbor(#[from] CborError),
    /// A schema that this version does not know.
    #[error("statement schema `{schema}` is not known here")]
    Schema {
        /// The schema found.
        schema: String,
    },
    /// No signatures, too many, or one of a shape that no scheme has.
    #[error("the statement's signatures: {what}")]
    Signers {
        /// The rule broken.
        what: &'static str,
    },
}

impl StatementError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "STM-TOO-LARGE",
            Self::Cbor(_) => "STM-CBOR",
            Self::Schema { .. } => "STM-SCHEMA",
            Self::Signers { .. } => "STM-SIGNERS",
        }
    }
}

/// A parsed statement. Says nothing of its signatures until [`Statement::signatures_hold`].
#[derive(Debug, Clone)]
pub struct Statement {
    /// The payload's bytes, as signed.
    pub payload: Vec<u8>,
    /// What it says.
    pub body: Body,
    /// Strictly increasing per signer.
    pub nonce: u64,
    /// Received later than this, it is void; milliseconds since 1970 UTC.
    pub expiry_ms: u64,
    /// Who signed.
    pub signed: Vec<Signed>,
}

impl Statement {
    /// Parses the bytes of one statement.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(StatementError::TooLarge { bytes: bytes.len() });
        }
        let mut input = Decoder::over(bytes);
        input.array_exact(2)?;
        let payload = input.bytes()?.to_vec();
        let signed = signer::read_all(&mut input)?;
        input.leave();
        input.end()?;
        let (body, nonce, expiry_ms) = parse_payload(&payload)?;
        Ok(Self { payload, body, nonce, expiry_ms, signed })
    }

    /// The statement's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(2).bytes(&self.payload);
        signer::write_all(&mut out, &self.signed);
        out.into_bytes()
    }

    /// SHA-256 of the payload.
    #[must_use]
    pub fn payload_hash(&self) -> Hash {
        Hash::of(&self.payload)
    }

    /// Whether every signature verifies. `network` is `None` for the genesis statement only.
    #[must_use]
    pub fn signatures_hold(&self, network: Option<&NetworkId>) -> bool {
        let schema = self.body.schema();
        self.signed.iter().all(|signed| signed.verifies(network, schema.as_str(), &self.payload))
    }

    /// Whether `signer` is among those who signed.
    #[must_use]
    pub fn is_signed_by(&self, signer: &Signer) -> bool {
        self.signed.iter().any(|signed| &signed.signer == signer)
    }
}

/// The genesis statement that a payload holds.
///
/// # Errors
/// [`StatementError`] when it is another statement's payload, or none.
pub fn genesis_of_payload(payload: &[u8]) -> Result<Genesis, StatementError> {
    match parse_payload(payload)?.0 {
        Body::Genesis(genesis) => Ok(genesis),
        other => Err(StatementError::Schema { schema: other.schema().as_str().to_owned() }),
    }
}

fn parse_payload(payload: &[u8]) -> Result<(Body, u64, u64), StatementError> {
    let mut input = Decoder::over(payload);
    let mut keys = input.map()?;
    let (mut schema, mut raw, mut nonce, mut expiry_ms) = (None, None, None, None);
    while let Some(key) = keys.next_key(&mut input)? {
        match key {
            1 => schema = Some(input.text()?.to_owned()),
            2 => raw = Some(input.raw_value()?),
            3 => nonce = Some(input.uint()?),
            4 => expiry_ms = Some(input.uint()?),
            _ => keys.unknown(&input, key)?,
        }
    }
    input.leave();
    input.end()?;
    let schema = keys.required(1, schema)?;
    let raw = keys.required(2, raw)?;
    let schema = Schema::parse(&schema).ok_or(StatementError::Schema { schema })?;
    Ok((Body::decode(schema, raw)?, keys.required(3, nonce)?, keys.required(4, expiry_ms)?))
}

/// A statement being made: the payload, to which signatures are added.
#[derive(Debug, Clone)]
pub struct Draft {
    statement: Statement,
    network: Option<NetworkId>,
}

impl Draft {
    /// A payload to sign. `network` is `None` for the genesis statement only.
    #[must_use]
    pub fn of(network: Option<NetworkId>, body: Body, nonce: u64, expiry_ms: u64) -> Self {
        let mut out = Encoder::empty();
        out.map(4).int(1).text(body.schema().as_str()).int(2).encoded(&body.encode());
        out.int(3).uint(nonce).int(4).uint(expiry_ms);
        let payload = out.into_bytes();
        Self { statement: Statement { payload, body, nonce, expiry_ms, signed: Vec::new() }, network }
    }

    /// Adds the signature of a device, operator, auditor or observer key (scheme 0).
    #[must_use]
    pub fn signed_by(mut self, key: &crate::key::SecretKey) -> Self {
        self.statement.signed.push(Signed::by_key(key, self.network.as_ref(), &self.statement.payload));
        self
    }

    /// Adds the signature of an EVM wallet (scheme 1).
    ///
    /// # Panics
    /// For a genesis statement, which wallets do not sign.
    #[must_use]
    pub fn signed_by_wallet(mut self, wallet: &crate::wallet::WalletKey) -> Self {
        let network = self.network.as_ref().expect("wallets sign for a network that exists");
        let schema = self.statement.body.schema();
        self.statement.signed.push(Signed::by_wallet(wallet, network, schema.as_str(), &self.statement.payload));
        self
    }

    /// The finished statement.
    #[must_use]
    pub fn finish(self) -> Statement {
        self.statement
    }
}
