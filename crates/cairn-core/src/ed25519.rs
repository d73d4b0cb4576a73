//! Ed25519 under the ZIP-215 rules, one signature at a time or many at once, always with the same verdict.
//!
//! RFC 8032 leaves open what a verifier does with encodings that no honest signer makes, and libraries differ: a hostile
//! device could make the gateway and an auditor disagree. ZIP-215 closes the gap: point encodings may be
//! non-canonical, `s` must be canonical, and the equation is multiplied by the cofactor:
//! `[8][s]B = [8]R + [8][k]A` with `k = SHA-512(R || A || M) mod l`. A random linear combination of such equations has
//! the same solutions, so a batch can never disagree with a single check.
//!
//! Signing is that of RFC 8032. This module draws no randomness: the coefficients of a batch come from a hash over the
//! whole batch, so an attacker who chooses the signatures has chosen the coefficients too late to use them.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use ed25519_dalek::Signer;
use sha2::{Digest, Sha512};

mod batch;

pub use batch::{BatchItem, verify_batch};

/// A 64-byte signature: `R || s`.
pub type Signature = [u8; 64];

/// A verification key: the 32 bytes as its owner published them, and the decoded point.
#[derive(Clone, Copy)]
pub struct VerifyingKey {
    bytes: [u8; 32],
    minus_a: EdwardsPoint,
}

impl VerifyingKey {
    /// Decodes a key under ZIP-215: any encoding of a point of the curve.
    ///
    /// This is the rule for verifying; [`VerifyingKey::enrolable`] is the rule for letting a key in.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Option<Self> {
        let a = CompressedEdwardsY(bytes).decompress()?;
        Some(Self { bytes, minus_a: -a })
    }

    /// Whether the key may be enrolled: canonically encoded, not the identity, in the prime-order subgroup.
    #[must_use]
    pub fn enrolable(&self) -> bool {
        let a = -self.minus_a;
        a.compress().0 == self.bytes && !a.is_identity() && a.is_torsion_free()
    }

    /// The published bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Verifies one signature over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        Prepared::of(self, message, signature).is_some_and(|prepared| prepared.holds())
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for VerifyingKey {}

impl core::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.bytes))
    }
}

/// A signature read, with the challenge that it answers: what is left to check is one equation.
struct Prepared<'a> {
    key: &'a VerifyingKey,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

impl<'a> Prepared<'a> {
    /// `None` when `R` is no point or `s` is not canonical.
    fn of(key: &'a VerifyingKey, message: &[u8], signature: &Signature) -> Option<Self> {
        let (r_bytes, s_bytes) = signature.split_at(32);
        let r = CompressedEdwardsY(r_bytes.try_into().ok()?).decompress()?;
        let s: Option<Scalar> = Scalar::from_canonical_bytes(s_bytes.try_into().ok()?).into();
        let digest = Sha512::new().chain_update(r_bytes).chain_update(key.bytes).chain_update(message).finalize();
        Some(Self { key, r, s: s?, k: Scalar::from_bytes_mod_order_wide(&digest.into()) })
    }

    /// `[8]([s]B - [k]A - R) = 0`.
    fn holds(&self) -> bool {
        let sb_minus_ka = EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &self.key.minus_a, &self.s);
        (sb_minus_ka - self.r).mul_by_cofactor().is_identity()
    }
}

/// A signing key made from a 32-byte seed (RFC 8032, section 5.1.5).
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The seed, for writing it to a key file.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half, as bytes.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The public half, ready to verify.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::from_bytes(self.public_bytes()).expect("a signing key's public point is on the curve")
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SigningKey({:?})", self.verifying_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings of the eight torsion points and of two more with non-canonical `y`, which verifiers disagree about.
    fn odd_encodings() -> Vec<[u8; 32]> {
        let mut all: Vec<[u8; 32]> =
            curve25519_dalek::constants::EIGHT_TORSION.iter().map(|point| point.compress().0).collect();
        let mut y_is_p = [0xff; 32];
        y_is_p[0] = 0xed;
        y_is_p[31] = 0x7f;
        let mut y_is_p_plus_1 = y_is_p;
        y_is_p_plus_1[0] = 0xee;
        let mut minus_zero = [0; 32];
        minus_zero[0] = 1;
        minus_zero[31] = 0x80;
        all.extend([y_is_p, y_is_p_plus_1, minus_zero]);
        all
    }

    #[test]
    fn small_order_keys_and_points_verify_as_zip_215_says_alone_and_in_a_batch() {
        // With A and R of small order and s = 0 the cofactored equation holds whatever the message.
        for a in odd_encodings() {
            for r in odd_encodings() {
                let key = VerifyingKey::from_bytes(a).expect("ZIP-215 decodes it");
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(&r);
                assert!(key.verify(b"anything", &signature), "{a:?} {r:?}");
                let honest = SigningKey::from_seed([1; 32]);
                let (honest_key, honest_signature) = (honest.verifying_key(), honest.sign(b"honest"));
                let odd = BatchItem { key: &key, message: b"anything", signature: &signature };
                let even = BatchItem { key: &honest_key, message: b"honest", signature: &honest_signature };
                let items: Vec<BatchItem<'_>> = (0..20).map(|at| if at % 2 == 0 { odd } else { even }).collect();
                assert_eq!(verify_batch(&items), vec![true; 20]);
            }
        }
    }

    #[test]
    fn s_must_be_canonical() {
        let key = SigningKey::from_seed([2; 32]);
        let mut signature = key.sign(b"m");
        assert!(key.verifying_key().verify(b"m", &signature));
        // s + l: the same scalar, another encoding.
        let order: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        assert!(!key.verifying_key().verify(b"m", &signature));
    }
}
