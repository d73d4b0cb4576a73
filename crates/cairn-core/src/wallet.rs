//! Signatures of wallets over statements: EIP-712 for EVM accounts, a readable line for Solana accounts.

use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use k256::elliptic_curve::scalar::IsHigh;

use crate::{Address, Hash, NetworkId, keccak256};

/// The EIP-712 type that a wallet shows: the network, the statement's schema, and SHA-256 of its payload.
const STATEMENT_TYPE: &[u8] = b"CairnStatement(bytes32 network,string schema,bytes32 payloadHash)";
const DOMAIN_TYPE: &[u8] = b"EIP712Domain(string name,string version)";

/// The EIP-712 digest of a statement, in the domain `{name: "Cairn", version: "1"}`.
///
/// The domain names no chain: a statement is said to the log, whatever chain the wallet is on.
#[must_use]
pub fn statement_digest(network: &NetworkId, schema: &str, payload: &[u8]) -> [u8; 32] {
    let domain = keccak256(&[keccak256(DOMAIN_TYPE), keccak256(b"Cairn"), keccak256(b"1")].concat());
    let message = keccak256(
        &[keccak256(STATEMENT_TYPE), network.0.0, keccak256(schema.as_bytes()), Hash::of(payload).0].concat(),
    );
    keccak256(&[&[0x19, 0x01][..], &domain, &message].concat())
}

/// The ASCII line that a Solana wallet signs.
#[must_use]
pub fn statement_line(network: &NetworkId, payload: &[u8]) -> String {
    format!("cairn statement {} {}", network, Hash::of(payload))
}

/// The address that made a 65-byte `r || s || v` signature (`v` 27 or 28) over `digest`; high `s` is refused (EIP-2).
#[must_use]
pub fn recover_evm(digest: &[u8; 32], signature: &[u8]) -> Option<[u8; 20]> {
    let (rs, v) = signature.split_at_checked(64)?;
    let [v] = *v else { return None };
    let recovery = RecoveryId::from_byte(v.checked_sub(27)?).filter(|id| !id.is_x_reduced())?;
    let signature = Signature::from_slice(rs).ok()?;
    if bool::from(signature.s().is_high()) {
        return None;
    }
    let key = VerifyingKey::recover_from_prehash(digest, &signature, recovery).ok()?;
    Some(evm_address(&key))
}

fn evm_address(key: &VerifyingKey) -> [u8; 20] {
    let point = key.to_sec1_point(false);
    let digest = keccak256(&point.as_bytes()[1..]);
    let mut address = [0u8; 20];
    address.copy_from_slice(&digest[12..]);
    address
}

/// A secp256k1 key that signs statements as an EVM account.
#[derive(Clone)]
pub struct WalletKey(SigningKey);

impl WalletKey {
    /// The key of a 32-byte scalar; `None` for zero or a scalar past the order.
    #[must_use]
    pub fn from_bytes(scalar: [u8; 32]) -> Option<Self> {
        SigningKey::from_slice(&scalar).ok().map(Self)
    }

    /// The scalar, for writing a key file.
    #[must_use]
    pub fn secret_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// The account's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::Evm(evm_address(self.0.verifying_key()))
    }

    /// Signs a 32-byte digest into `r || s || v`, low `s`.
    #[must_use]
    pub fn sign_digest(&self, digest: &[u8; 32]) -> [u8; 65] {
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest);
        let mut out = [0u8; 65];
        out[..64].copy_from_slice(&signature.to_bytes());
        out[64] = 27 + recovery.to_byte();
        out
    }
}

impl core::fmt::Debug for WalletKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "WalletKey({:?})", self.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_known_key_is_the_known_address() {
        // The first account of the development mnemonic `test test ... junk`, public in every EVM tool's documentation.
        let scalar = data_encoding::HEXLOWER
            .decode(b"ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
            .unwrap();
        let key = WalletKey::from_bytes(scalar.try_into().unwrap()).unwrap();
        let Address::Evm(address) = key.address() else { panic!("an EVM key has an EVM address") };
        assert_eq!(data_encoding::HEXLOWER.encode(&address), "f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    }

    #[test]
    fn recovery_names_the_signer_and_refuses_other_forms() {
        let key = WalletKey::from_bytes([5; 32]).unwrap();
        let network = NetworkId(Hash::of(b"n"));
        let digest = statement_digest(&network, "enrol", b"payload");
        let signature = key.sign_digest(&digest);
        assert_eq!(recover_evm(&digest, &signature).map(Address::Evm), Some(key.address()));
        assert_ne!(statement_digest(&network, "enrol", b"payloae"), digest);
        assert_ne!(statement_digest(&network, "payee", b"payload"), digest);
        for bad_v in [0, 1, 26, 29, 30] {
            let mut other = signature;
            other[64] = bad_v;
            assert_eq!(recover_evm(&digest, &other), None, "v {bad_v}");
        }
        assert_eq!(recover_evm(&digest, &signature[..64]), None);
        let negated = Signature::from_slice(&signature[..64]).unwrap();
        let high = Signature::from_scalars(negated.r(), -*negated.s()).unwrap();
        let high = [&high.to_bytes()[..], &[55 - signature[64]]].concat();
        assert_eq!(recover_evm(&digest, &high), None, "high s");
    }
}
