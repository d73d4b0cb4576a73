//! Names: devices, networks, accounts and assets.

use core::fmt;
use std::sync::Arc;

use data_encoding::{BASE32_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use thiserror::Error;

use crate::Hash;
use crate::cbor::{self, CborError, Decoder, Encoder};

/// SHA-256 of the payload of entry 0, the operator's `genesis` statement. Every signature is bound to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NetworkId(pub Hash);

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A job: SHA-256 of the payload of the statement that ordered it, which names buyer and nonce.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(pub Hash);

impl JobId {
    /// Parses 64 hexadecimal digits (either case).
    ///
    /// # Errors
    /// [`BadName`].
    pub fn parse(text: &str) -> Result<Self, BadName> {
        Hash::from_hex(text).map(Self).ok_or_else(|| BadName::of(text, "a job: 64 hexadecimal digits"))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Text that does not name what it should.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not {expected}")]
pub struct BadName {
    /// The text refused.
    pub text: String,
    /// What it should have been, with its shape.
    pub expected: &'static str,
}

impl BadName {
    fn of(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

/// A device: the first 16 bytes of SHA-256 over its first key's multicodec form. It survives `rotate`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub [u8; 16]);

impl DeviceId {
    /// The id that a first key gives.
    #[must_use]
    pub fn of_key(multicodec: &[u8]) -> Self {
        let mut id = [0u8; 16];
        id.copy_from_slice(&Hash::of(multicodec).0[..16]);
        Self(id)
    }

    /// Parses `dev1` and 26 base32 characters (either case).
    ///
    /// # Errors
    /// [`BadName`].
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let bad = || BadName::of(text, "a device id: `dev1` and 26 characters a-z, 2-7");
        let rest = text.strip_prefix("dev1").ok_or_else(bad)?;
        let bytes = BASE32_NOPAD.decode(rest.to_ascii_uppercase().as_bytes()).map_err(|_| bad())?;
        Ok(Self(bytes.try_into().map_err(|_| bad())?))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dev1{}", BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where an account's money lives: a chain by its CAIP-2 id, `eip155:<chain>` or `solana:<genesis>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Parses a CAIP-2 id of a supported namespace.
    ///
    /// # Errors
    /// [`BadName`].
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let bad = || BadName::of(text, "a CAIP-2 chain id: `eip155:<number>` or `solana:<reference>`");
        let (namespace, reference) = text.split_once(':').ok_or_else(bad)?;
        let fits = match namespace {
            "eip155" => {
                !reference.starts_with('0')
                    && reference.bytes().all(|byte| byte.is_ascii_digit())
                    && reference.parse::<u64>().is_ok()
            }
            "solana" => {
                (1..=32).contains(&reference.len()) && reference.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }
            _ => false,
        };
        if fits { Ok(Self(text.into())) } else { Err(bad()) }
    }

    /// The CAIP-2 text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The EVM chain id, for `eip155` domains.
    #[must_use]
    pub fn evm_chain(&self) -> Option<u64> {
        self.0.strip_prefix("eip155:")?.parse().ok()
    }

    /// The `uint256` that stands for the domain in a claim leaf: the EVM chain id, else keccak256 of the CAIP-2 id.
    #[must_use]
    pub fn claim_word(&self) -> [u8; 32] {
        match self.evm_chain() {
            Some(chain) => {
                let mut word = [0u8; 32];
                word[24..].copy_from_slice(&chain.to_be_bytes());
                word
            }
            None => crate::keccak256(self.0.as_bytes()),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address part of an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address {
    /// A 20-byte EVM address.
    Evm([u8; 20]),
    /// A 32-byte Solana key.
    Solana([u8; 32]),
}

impl Address {
    /// The 32-byte word that stands for the address in a claim leaf: EVM addresses are padded on the left with zeros.
    #[must_use]
    pub fn claim_word(&self) -> [u8; 32] {
        match self {
            Self::Evm(address) => {
                let mut word = [0u8; 32];
                word[12..].copy_from_slice(address);
                word
            }
            Self::Solana(key) => *key,
        }
    }
}

/// Who is paid: an address on a chain, written as CAIP-10 (`eip155:1:0x…` in lower case, `solana:<genesis>:<base58>`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    domain: Domain,
    address: Address,
}

impl Account {
    /// The account of an address on a chain.
    ///
    /// # Errors
    /// [`BadName`] when the address is of another kind than the chain.
    pub fn at(domain: Domain, address: Address) -> Result<Self, BadName> {
        if domain.evm_chain().is_some() == matches!(address, Address::Evm(_)) {
            Ok(Self { domain, address })
        } else {
            Err(BadName::of(domain.as_str(), "a chain of the address's kind"))
        }
    }

    /// Parses CAIP-10. EVM addresses may be in mixed case (checksums are not enforced; the account is its bytes).
    ///
    /// # Errors
    /// [`BadName`].
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let bad =
            || BadName::of(text, "a CAIP-10 account: `eip155:<chain>:0x<40 hex digits>` or `solana:<ref>:<base58>`");
        let (domain, address) = text.rsplit_once(':').ok_or_else(bad)?;
        let domain = Domain::parse(domain).map_err(|_| bad())?;
        let address = if domain.evm_chain().is_some() {
            let hex = address.strip_prefix("0x").ok_or_else(bad)?;
            let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| bad())?;
            Address::Evm(bytes.try_into().map_err(|_| bad())?)
        } else {
            let bytes = bs58::decode(address).into_vec().map_err(|_| bad())?;
            Address::Solana(bytes.try_into().map_err(|_| bad())?)
        };
        Ok(Self { domain, address })
    }

    /// The chain.
    #[must_use]
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The address on it.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Writes the CAIP-10 text.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.text(&self.to_string());
    }

    /// Reads CAIP-10 text in its canonical (lower-case) form.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(decoder: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = decoder.position();
        let text = decoder.text()?;
        match Self::parse(text) {
            Ok(account) if account.to_string() == text => Ok(account),
            _ => Err(CborError::Range { at, what: "not a canonical CAIP-10 account" }),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Evm(address) => write!(f, "{}:0x{}", self.domain, HEXLOWER.encode(address)),
            Address::Solana(key) => write!(f, "{}:{}", self.domain, bs58::encode(key).into_string()),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_have_one_text_and_both_cases_parse() {
        let id = DeviceId::of_key(b"key");
        let text = id.to_string();
        assert_eq!(text.len(), 30);
        assert_eq!(DeviceId::parse(&text), Ok(id));
        assert_eq!(DeviceId::parse(&format!("dev1{}", text[4..].to_uppercase())), Ok(id));
        for bad in ["", "dev1", "dev2aaaaaaaaaaaaaaaaaaaaaaaaaa", &text[..29], &format!("{text}a")] {
            assert!(DeviceId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn accounts_are_caip_10_and_nothing_else() {
        let evm = Account::parse("eip155:31337:0x00000000000000000000000000000000000000Ab").unwrap();
        assert_eq!(evm.to_string(), "eip155:31337:0x00000000000000000000000000000000000000ab");
        assert_eq!(evm.domain().evm_chain(), Some(31337));
        let solana = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv";
        assert_eq!(Account::parse(solana).unwrap().to_string(), solana);
        let bad = [
            "",
            "eip155:1",
            "eip155:01:0x00000000000000000000000000000000000000ab",
            "eip155:1:00000000000000000000000000000000000000ab",
            "eip155:1:0x000000000000000000000000000000000000ab",
            "solana:x:0x00000000000000000000000000000000000000ab",
            "cosmos:hub:cosmos1abc",
        ];
        for text in bad {
            assert!(Account::parse(text).is_err(), "{text}");
        }
        assert!(Account::at(Domain::parse("eip155:1").unwrap(), Address::Solana([0; 32])).is_err());
    }

    #[test]
    fn domains_are_chain_ids_or_hashes() {
        let word = |text: &str| Domain::parse(text).unwrap().claim_word();
        let mut one = [0; 32];
        one[31] = 1;
        assert_eq!(word("eip155:1"), one);
        let solana = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";
        assert_eq!(word(solana), crate::keccak256(solana.as_bytes()));
        for bad in ["eip155:", "eip155:01", "eip155:-1", "eip155:0x1", "eip155:18446744073709551616"] {
            assert!(Domain::parse(bad).is_err(), "{bad}");
        }
    }
}
