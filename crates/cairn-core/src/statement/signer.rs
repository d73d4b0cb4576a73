//! Who signs a statement, and how each kind of signer's signature is checked.

use super::{SIGNERS_MAX, StatementError};
use crate::cbor::{Decoder, Encoder};
use crate::cose::{self, Purpose};
use crate::ed25519::VerifyingKey;
use crate::key::{PublicKey, SecretKey};
use crate::wallet::{self, WalletKey};
use crate::{Address, NetworkId};

/// A signer, by the scheme that its signatures follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signer {
    /// Scheme 0: COSE with a detached payload; device, operator, observer and auditor keys.
    Key(PublicKey),
    /// Scheme 1: EIP-712; EVM wallets.
    Evm([u8; 20]),
    /// Scheme 2: Ed25519 over a readable line; Solana wallets.
    Solana([u8; 32]),
}

impl Signer {
    /// The signer that an account's address is.
    #[must_use]
    pub const fn of_address(address: &Address) -> Self {
        match address {
            Address::Evm(address) => Self::Evm(*address),
            Address::Solana(key) => Self::Solana(*key),
        }
    }

    /// The bytes that name the signer: multicodec key, address, or key.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Key(key) => key.multicodec(),
            Self::Evm(address) => address.to_vec(),
            Self::Solana(key) => key.to_vec(),
        }
    }

    const fn scheme(&self) -> u64 {
        match self {
            Self::Key(_) => 0,
            Self::Evm(_) => 1,
            Self::Solana(_) => 2,
        }
    }

    fn from_parts(scheme: u64, bytes: &[u8]) -> Option<Self> {
        match scheme {
            0 => PublicKey::from_multicodec(bytes).map(Self::Key),
            1 => bytes.try_into().ok().map(Self::Evm),
            2 => bytes.try_into().ok().map(Self::Solana),
            _ => None,
        }
    }
}

/// One signature under a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// Who.
    pub signer: Signer,
    /// The signature: 64 bytes, or 65 (`r || s || v`) of an EVM wallet.
    pub signature: Vec<u8>,
}

impl Signed {
    pub(super) fn by_key(key: &SecretKey, network: Option<&NetworkId>, payload: &[u8]) -> Self {
        let public = key.public();
        let protected = cose::protected_header(public.algorithm(), None);
        let message = cose::sig_structure(&protected, Purpose::Statement, network, payload);
        Self { signer: Signer::Key(public), signature: key.sign(&message).to_vec() }
    }

    pub(super) fn by_wallet(key: &WalletKey, network: &NetworkId, schema: &str, payload: &[u8]) -> Self {
        let signature = key.sign_digest(&wallet::statement_digest(network, schema, payload));
        Self { signer: Signer::of_address(&key.address()), signature: signature.to_vec() }
    }

    /// Whether the signature is the signer's over this payload in this network.
    #[must_use]
    pub fn verifies(&self, network: Option<&NetworkId>, schema: &str, payload: &[u8]) -> bool {
        match (&self.signer, network) {
            (Signer::Key(key), _) => {
                let protected = cose::protected_header(key.algorithm(), None);
                let message = cose::sig_structure(&protected, Purpose::Statement, network, payload);
                self.signature.as_slice().try_into().is_ok_and(|signature| key.verify(&message, signature))
            }
            (Signer::Evm(address), Some(network)) => {
                let digest = wallet::statement_digest(network, schema, payload);
                wallet::recover_evm(&digest, &self.signature).as_ref() == Some(address)
            }
            (Signer::Solana(key), Some(network)) => {
                let line = wallet::statement_line(network, payload);
                let key = VerifyingKey::from_bytes(*key).filter(VerifyingKey::enrolable);
                let signature = self.signature.as_slice().try_into();
                matches!((key, signature), (Some(key), Ok(signature)) if key.verify(line.as_bytes(), signature))
            }
            (Signer::Evm(_) | Signer::Solana(_), None) => false,
        }
    }
}

pub(super) fn read_all(input: &mut Decoder<'_>) -> Result<Vec<Signed>, StatementError> {
    let count = input.array()?;
    if count == 0 || count > SIGNERS_MAX {
        return Err(StatementError::Signers { what: "one to sixteen are read" });
    }
    let mut all: Vec<Signed> = Vec::new();
    for _ in 0..count {
        input.array_exact(3)?;
        let name = input.bytes()?;
        let scheme = input.uint()?;
        let signature = input.bytes()?.to_vec();
        input.leave();
        let signer = Signer::from_parts(scheme, name)
            .ok_or(StatementError::Signers { what: "a signer is not of its scheme's form" })?;
        if all.iter().any(|other| other.signer == signer) {
            return Err(StatementError::Signers { what: "a signer signs twice" });
        }
        all.push(Signed { signer, signature });
    }
    input.leave();
    Ok(all)
}

pub(super) fn write_all(out: &mut Encoder, all: &[Signed]) {
    out.array(all.len());
    for signed in all {
        out.array(3).bytes(&signed.signer.bytes()).uint(signed.signer.scheme()).bytes(&signed.signature);
    }
}
