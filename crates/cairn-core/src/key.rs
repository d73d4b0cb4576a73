//! Keys of devices, operators, observers and auditors: Ed25519 (ZIP-215) and P-256, published as `did:key`.
//!
//! P-256 is for secure elements, TPMs and phones. Either `s` is valid here, because secure elements emit both; contracts
//! normalise.

use core::fmt;

use p256::elliptic_curve::sec1::ToSec1Point;

use crate::Hash;
use crate::ed25519::{Signature, VerifyingKey};
use crate::id::BadName;

const MULTICODEC_ED25519: [u8; 2] = [0xed, 0x01];
const MULTICODEC_P256: [u8; 2] = [0x80, 0x24];

/// A signature algorithm as COSE numbers it; both the fully specified and the older polymorphic ids are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// Ed25519: -19 (RFC 9864), or -8 (`EdDSA`).
    Ed25519,
    /// ECDSA with P-256 and SHA-256: -9 (`ESP256`, RFC 9864), or -7 (`ES256`).
    P256,
}

impl Algorithm {
    /// The algorithm of a COSE id.
    #[must_use]
    pub const fn from_cose(id: i64) -> Option<Self> {
        match id {
            -8 | -19 => Some(Self::Ed25519),
            -7 | -9 => Some(Self::P256),
            _ => None,
        }
    }

    /// The fully specified COSE id, which Cairn writes.
    #[must_use]
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::Ed25519 => -19,
            Self::P256 => -9,
        }
    }
}

/// A public key that statements and reports are checked against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519.
    Ed25519(VerifyingKey),
    /// P-256.
    P256(P256Key),
}

/// A P-256 key: the compressed point, as published, and the uncompressed one, as verified against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct P256Key {
    compressed: [u8; 33],
    uncompressed: [u8; 65],
}

impl PublicKey {
    /// Reads the multicodec form: `ed 01` and 32 bytes, or `80 24` and a 33-byte compressed point.
    #[must_use]
    pub fn from_multicodec(bytes: &[u8]) -> Option<Self> {
        let (codec, key) = bytes.split_at_checked(2)?;
        if codec == MULTICODEC_ED25519 {
            return Some(Self::Ed25519(VerifyingKey::from_bytes(key.try_into().ok()?)?));
        }
        if codec == MULTICODEC_P256 {
            let compressed: [u8; 33] = key.try_into().ok()?;
            // SEC 1 has more forms of 33 bytes; with any of them one key would have two ids.
            if !matches!(compressed[0], 2 | 3) {
                return None;
            }
            let point = p256::PublicKey::from_sec1_bytes(&compressed).ok()?;
            let uncompressed = point.to_sec1_point(false).as_bytes().try_into().ok()?;
            return Some(Self::P256(P256Key { compressed, uncompressed }));
        }
        None
    }

    /// The multicodec form.
    #[must_use]
    pub fn multicodec(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => [&MULTICODEC_ED25519[..], key.as_bytes()].concat(),
            Self::P256(key) => [&MULTICODEC_P256[..], &key.compressed].concat(),
        }
    }

    /// `did:key:z…` (base58btc of the multicodec form).
    #[must_use]
    pub fn did(&self) -> String {
        format!("did:key:z{}", bs58::encode(self.multicodec()).into_string())
    }

    /// Parses `did:key:z…`.
    ///
    /// # Errors
    /// [`BadName`].
    pub fn parse_did(text: &str) -> Result<Self, BadName> {
        let bytes = text.strip_prefix("did:key:z").and_then(|rest| bs58::decode(rest).into_vec().ok());
        let key = bytes.and_then(|bytes| Self::from_multicodec(&bytes));
        key.ok_or_else(|| BadName { text: text.to_owned(), expected: "a did:key of an Ed25519 or P-256 key" })
    }

    /// The first 16 bytes of SHA-256 over the multicodec form, which headers name the key by.
    #[must_use]
    pub fn key_id(&self) -> [u8; 16] {
        let mut id = [0u8; 16];
        id.copy_from_slice(&Hash::of(&self.multicodec()).0[..16]);
        id
    }

    /// Whether the key may be let in: canonical, and in the prime-order group.
    #[must_use]
    pub fn enrolable(&self) -> bool {
        match self {
            Self::Ed25519(key) => key.enrolable(),
            Self::P256(_) => true,
        }
    }

    /// The algorithm that the key signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::P256(_) => Algorithm::P256,
        }
    }

    /// Verifies one signature over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        match self {
            Self::Ed25519(key) => key.verify(message, signature),
            Self::P256(key) => {
                ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, &key.uncompressed)
                    .verify(message, signature)
                    .is_ok()
            }
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.did())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.did())
    }
}

/// A secret key that signs reports, statements or observations. One key, one purpose.
#[derive(Clone)]
pub enum SecretKey {
    /// Ed25519, by its seed.
    Ed25519(crate::ed25519::SigningKey),
    /// P-256.
    P256(p256::ecdsa::SigningKey),
}

impl SecretKey {
    /// An Ed25519 key from its 32-byte seed.
    #[must_use]
    pub fn ed25519(seed: [u8; 32]) -> Self {
        Self::Ed25519(crate::ed25519::SigningKey::from_seed(seed))
    }

    /// A P-256 key from its 32-byte scalar; `None` for zero or a scalar past the order.
    #[must_use]
    pub fn p256(scalar: [u8; 32]) -> Option<Self> {
        p256::ecdsa::SigningKey::from_slice(&scalar).ok().map(Self::P256)
    }

    /// The seed or scalar, for writing a key file.
    #[must_use]
    pub fn secret_bytes(&self) -> [u8; 32] {
        match self {
            Self::Ed25519(key) => key.seed(),
            Self::P256(key) => key.to_bytes().into(),
        }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key()),
            Self::P256(key) => {
                let point = key.verifying_key().to_sec1_point(true);
                let multicodec = [&MULTICODEC_P256[..], point.as_bytes()].concat();
                PublicKey::from_multicodec(&multicodec).expect("a signing key's own point is on the curve")
            }
        }
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        match self {
            Self::Ed25519(key) => key.sign(message),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, message);
                signature.to_bytes().into()
            }
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn did_keys_of_the_specification_round_trip() {
        // did:key specification, sections on Ed25519 and P-256 test vectors.
        for did in [
            "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        ] {
            let key = PublicKey::parse_did(did).unwrap();
            assert_eq!(key.did(), did);
            assert_eq!(PublicKey::from_multicodec(&key.multicodec()), Some(key));
        }
        for bad in ["", "did:key:z", "did:key:z6Mk", "did:web:example.com"] {
            assert!(PublicKey::parse_did(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn both_algorithms_sign_what_they_verify_and_nothing_else() {
        for secret in [SecretKey::ed25519([7; 32]), SecretKey::p256([7; 32]).unwrap()] {
            let public = secret.public();
            let mut signature = secret.sign(b"said");
            assert!(public.verify(b"said", &signature));
            assert!(!public.verify(b"sai", &signature));
            signature[40] ^= 1;
            assert!(!public.verify(b"said", &signature));
        }
    }

    #[test]
    fn either_s_of_a_p256_signature_is_valid() {
        let secret = SecretKey::p256([7; 32]).unwrap();
        for message in [&b"a"[..], b"b", b"c", b"d"] {
            let made = p256::ecdsa::Signature::from_slice(&secret.sign(message)).unwrap();
            let (r, s) = made.split_scalars();
            let other = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
            assert_ne!(made.to_bytes(), other.to_bytes());
            for signature in [made, other] {
                assert!(secret.public().verify(message, &signature.to_bytes().into()));
                assert!(!secret.public().verify(b"another", &signature.to_bytes().into()));
            }
        }
    }

    #[test]
    fn a_p256_key_has_one_encoding() {
        let key = SecretKey::p256([7; 32]).unwrap().public().multicodec();
        for form in 0..=255 {
            let mut other = key.clone();
            other[2] = form;
            assert_eq!(PublicKey::from_multicodec(&other).is_some(), matches!(form, 2 | 3), "{form}");
        }
    }

    #[test]
    fn small_order_and_non_canonical_keys_are_not_enrolable() {
        let identity = {
            let mut bytes = [0u8; 32];
            bytes[0] = 1;
            bytes
        };
        let mut high_identity = [0xff; 32];
        high_identity[0] = 0xee; // y = p + 1, a second encoding of the identity
        high_identity[31] = 0x7f;
        for bytes in [identity, high_identity, [0; 32]] {
            assert!(!VerifyingKey::from_bytes(bytes).unwrap().enrolable(), "{bytes:?}");
        }
        assert!(SecretKey::ed25519([1; 32]).public().enrolable());
    }
}
