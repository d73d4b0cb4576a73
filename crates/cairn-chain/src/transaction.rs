//! Transactions as a chain takes them: type 2 (EIP-1559, without an access list) and those before it with the chain's id in
//! their signature (EIP-155).
//!
//! Promises: the same fields, key and chain give the same bytes; what is read is written again as the very bytes that were
//! read, and its sender is who signed it. What is not here: whether a chain will take it, transactions of other types, and
//! signatures that name no chain, which could be sent again on any other.

use cairn_core::wallet::{WalletKey, recover_evm};
use cairn_core::{Address, keccak256};
use cairn_settle::{EvmAddress, Word};
use thiserror::Error;

use crate::rlp::{Items, RlpError, without_zeros, write_bytes, write_list, write_uint};
use crate::{Call, Fees};

/// The type of EIP-1559 (EIP-2718's first byte).
const DYNAMIC: u8 = 2;
/// Added to twice the chain's id and to the parity of the signature (EIP-155).
const EIP_155: u128 = 35;

/// Why bytes are not a signed transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// They are not the RLP that a transaction is.
    #[error("the transaction is not in its one form: {0}")]
    Form(#[from] RlpError),
    /// A type that is not known here.
    #[error("transactions of type {0:#04x} are not taken")]
    Type(u8),
    /// An access list that is not empty.
    #[error("transactions with an access list are not taken")]
    AccessList,
    /// It could be sent on any chain.
    #[error("the transaction names no chain")]
    NoChain,
    /// No key made this signature, or its `s` is high (EIP-2).
    #[error("the signature is nobody's")]
    Signature,
}

impl TransactionError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "STL-TX-FORM",
            Self::Type(_) => "STL-TX-TYPE",
            Self::AccessList => "STL-TX-ACCESS-LIST",
            Self::NoChain => "STL-TX-NO-CHAIN",
            Self::Signature => "STL-TX-SIGNATURE",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Form(_) => "hand over the raw bytes as they were signed",
            Self::Type(_) | Self::AccessList => {
                "sign a transaction of type 2 with an empty access list, or of the form before it"
            }
            Self::NoChain => "sign for this chain, as EIP-155 says",
            Self::Signature => "sign again with the wallet's key",
        }
    }
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The chain's id (EIP-155), not 0.
    pub chain_id: u64,
    /// How many transactions the sender had sent before.
    pub nonce: u64,
    /// What gas may cost; says the type, too.
    pub fees: Fees,
    /// The most gas.
    pub gas_limit: u64,
    /// To whom, with how much coin, and what.
    pub call: Call,
}

impl Transaction {
    /// keccak256 over what is signed.
    #[must_use]
    pub fn signing_hash(&self) -> Word {
        let mut items = self.items();
        if let Fees::Legacy { .. } = self.fees {
            write_uint(&mut items, self.chain_id);
            write_bytes(&mut items, &[]);
            write_bytes(&mut items, &[]);
        }
        keccak256(&self.enveloped(&items))
    }

    /// Signs it. Signing the same again gives the same bytes (RFC 6979).
    #[must_use]
    pub fn sign(&self, key: &WalletKey) -> SignedTransaction {
        let Address::Evm(sender) = key.address() else { unreachable!("the key of an EVM wallet has an EVM address") };
        let signature = key.sign_digest(&self.signing_hash());
        SignedTransaction::new(self.clone(), sender, &signature)
    }

    /// The fields that both forms have, in order, and what stands before them and among them.
    fn items(&self) -> Vec<u8> {
        let mut items = Vec::with_capacity(self.call.data.len() + 200);
        let out = &mut items;
        if let Fees::Dynamic { .. } = self.fees {
            write_uint(out, self.chain_id);
        }
        write_uint(out, self.nonce);
        match self.fees {
            Fees::Dynamic { max, priority } => {
                write_uint(out, priority);
                write_uint(out, max);
            }
            Fees::Legacy { price } => write_uint(out, price),
        }
        write_uint(out, self.gas_limit);
        write_bytes(out, self.call.to.as_ref().map_or(&[], |to| &to[..]));
        write_uint(out, self.call.value);
        write_bytes(out, &self.call.data);
        if let Fees::Dynamic { .. } = self.fees {
            write_list(out, &[]);
        }
        items
    }

    /// The list of these items behind the type.
    fn enveloped(&self, items: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(items.len() + 10);
        if let Fees::Dynamic { .. } = self.fees {
            out.push(DYNAMIC);
        }
        write_list(&mut out, items);
        out
    }
}

/// A transaction with its sender and the bytes that a chain takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    transaction: Transaction,
    sender: EvmAddress,
    raw: Vec<u8>,
    hash: Word,
}

impl SignedTransaction {
    /// Of a signature `r || s || v`, `v` 27 or 28, that `sender` made over the signing hash.
    fn new(transaction: Transaction, sender: EvmAddress, signature: &[u8; 65]) -> Self {
        let parity = signature[64] - 27;
        let mut items = transaction.items();
        match transaction.fees {
            Fees::Dynamic { .. } => write_uint(&mut items, parity),
            Fees::Legacy { .. } => {
                write_uint(&mut items, EIP_155 + 2 * u128::from(transaction.chain_id) + u128::from(parity));
            }
        }
        write_bytes(&mut items, without_zeros(&signature[..32]));
        write_bytes(&mut items, without_zeros(&signature[32..64]));
        let raw = transaction.enveloped(&items);
        let hash = keccak256(&raw);
        Self { transaction, sender, raw, hash }
    }

    /// Reads the bytes that a chain takes, and finds who signed them.
    ///
    /// # Errors
    /// [`TransactionError`] where they are not a signed transaction, in its one form.
    pub fn decode(raw: &[u8]) -> Result<Self, TransactionError> {
        let (transaction, signature) = match raw.split_first() {
            Some((&DYNAMIC, list)) => decode_dynamic(Items::of_list(list)?)?,
            Some((&kind, _)) if kind < 0x80 => return Err(TransactionError::Type(kind)),
            _ => decode_legacy(Items::of_list(raw)?)?,
        };
        if transaction.chain_id == 0 {
            return Err(TransactionError::NoChain);
        }
        let sender = recover_evm(&transaction.signing_hash(), &signature).ok_or(TransactionError::Signature)?;
        Ok(Self::new(transaction, sender, &signature))
    }

    /// What was signed.
    #[must_use]
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Who signed it.
    #[must_use]
    pub const fn sender(&self) -> EvmAddress {
        self.sender
    }

    /// The bytes that a chain takes.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Its hash, by which a chain names it.
    #[must_use]
    pub const fn hash(&self) -> Word {
        self.hash
    }
}

/// A transaction and its signature `r || s || v`, `v` 27 or 28.
type Unchecked = (Transaction, [u8; 65]);

fn decode_dynamic(mut items: Items<'_>) -> Result<Unchecked, TransactionError> {
    let chain_id = items.uint64()?;
    let nonce = items.uint64()?;
    let priority = items.uint()?;
    let max = items.uint()?;
    let gas_limit = items.uint64()?;
    let call = decode_call(&mut items)?;
    if items.list()?.end().is_err() {
        return Err(TransactionError::AccessList);
    }
    let parity = items.uint()?;
    let signature = decode_signature(items, parity)?;
    Ok((Transaction { chain_id, nonce, fees: Fees::Dynamic { max, priority }, gas_limit, call }, signature))
}

fn decode_legacy(mut items: Items<'_>) -> Result<Unchecked, TransactionError> {
    let nonce = items.uint64()?;
    let price = items.uint()?;
    let gas_limit = items.uint64()?;
    let call = decode_call(&mut items)?;
    let v = items.uint()?;
    let above = v.checked_sub(EIP_155).ok_or(TransactionError::NoChain)?;
    let chain_id = u64::try_from(above / 2).map_err(|_| RlpError::Width)?;
    let signature = decode_signature(items, above % 2)?;
    Ok((Transaction { chain_id, nonce, fees: Fees::Legacy { price }, gas_limit, call }, signature))
}

fn decode_call(items: &mut Items<'_>) -> Result<Call, TransactionError> {
    let to = match items.bytes()? {
        [] => None,
        address => Some(address.try_into().map_err(|_| RlpError::Width)?),
    };
    Ok(Call { to, value: items.uint()?, data: items.bytes()?.to_vec() })
}

/// The last two items, behind the parity.
fn decode_signature(mut items: Items<'_>, parity: u128) -> Result<[u8; 65], TransactionError> {
    let mut signature = [0; 65];
    signature[..32].copy_from_slice(&items.number::<32>()?);
    signature[32..64].copy_from_slice(&items.number::<32>()?);
    signature[64] = match parity {
        0 => 27,
        1 => 28,
        _ => return Err(TransactionError::Signature),
    };
    items.end()?;
    Ok(signature)
}

#[cfg(test)]
mod tests;
