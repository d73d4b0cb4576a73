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

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use ed25519_dalek::Signer;
use sha2::{Digest, Sha512};

use crate::Hash;

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
        let Some((r, s)) = decode_signature(signature) else { return false };
        let k = challenge(signature, &self.bytes, message);
        let sb_minus_ka = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &self.minus_a, &s);
        (sb_minus_ka - r).mul_by_cofactor().is_identity()
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

fn decode_signature(signature: &Signature) -> Option<(EdwardsPoint, Scalar)> {
    let (r, s) = signature.split_at(32);
    let r = CompressedEdwardsY(r.try_into().ok()?).decompress()?;
    let s: Option<Scalar> = Scalar::from_canonical_bytes(s.try_into().ok()?).into();
    Some((r, s?))
}

fn challenge(signature: &Signature, key: &[u8; 32], message: &[u8]) -> Scalar {
    let digest = Sha512::new().chain_update(&signature[..32]).chain_update(key).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&digest.into())
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

/// One signature to check in a batch.
#[derive(Clone, Copy)]
pub struct BatchItem<'a> {
    /// The signer.
    pub key: &'a VerifyingKey,
    /// What was signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

/// Verifies many signatures, each with the verdict that [`VerifyingKey::verify`] gives it.
///
/// Items of one key cost least when they stand side by side. A failing batch is halved until the bad ones are found, so
/// `b` bad signatures among `n` cost about `b * log2(n)` smaller batches more.
#[must_use]
pub fn verify_batch(items: &[BatchItem<'_>]) -> Vec<bool> {
    let mut prepared = Vec::with_capacity(items.len());
    for item in items {
        let challenge = challenge(item.signature, &item.key.bytes, item.message);
        prepared.push(decode_signature(item.signature).map(|(r, s)| Prepared { r, s, k: challenge, key: item.key }));
    }
    let mut verdicts = vec![false; items.len()];
    let decoded: Vec<usize> = (0..items.len()).filter(|&i| prepared[i].is_some()).collect();
    let prepared: Vec<Prepared<'_>> = prepared.into_iter().flatten().collect();
    settle(items, &decoded, &prepared, &mut verdicts);
    verdicts
}

struct Prepared<'a> {
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
    key: &'a VerifyingKey,
}

/// Below this many items single checks are as cheap as another batch.
const SINGLE_MAX: usize = 4;

fn settle(items: &[BatchItem<'_>], at: &[usize], prepared: &[Prepared<'_>], verdicts: &mut [bool]) {
    if at.len() <= SINGLE_MAX {
        for &i in at {
            verdicts[i] = items[i].key.verify(items[i].message, items[i].signature);
        }
        return;
    }
    if equation_holds(items, at, prepared) {
        for &i in at {
            verdicts[i] = true;
        }
        return;
    }
    let half = at.len() / 2;
    settle(items, &at[..half], &prepared[..half], verdicts);
    settle(items, &at[half..], &prepared[half..], verdicts);
}

/// `[8] ( [-sum z_i s_i] B + sum [z_i] R_i + sum_keys [sum z_i k_i] A ) = 0` with 128-bit `z_i`.
fn equation_holds(items: &[BatchItem<'_>], at: &[usize], prepared: &[Prepared<'_>]) -> bool {
    let seed = batch_seed(items, at, prepared);
    let mut scalars = Vec::with_capacity(2 * at.len() + 1);
    let mut points = Vec::with_capacity(2 * at.len() + 1);
    let mut base = Scalar::ZERO;
    let mut key_scalar = Scalar::ZERO;
    for (position, item) in prepared.iter().enumerate() {
        let z = coefficient(&seed, position);
        base -= z * item.s;
        key_scalar -= z * item.k;
        scalars.push(z);
        points.push(item.r);
        let last_of_key = prepared.get(position + 1).is_none_or(|next| next.key.bytes != item.key.bytes);
        if last_of_key {
            scalars.push(key_scalar);
            points.push(item.key.minus_a);
            key_scalar = Scalar::ZERO;
        }
    }
    scalars.push(base);
    points.push(ED25519_BASEPOINT_POINT);
    EdwardsPoint::vartime_multiscalar_mul(&scalars, &points).mul_by_cofactor().is_identity()
}

/// Binds every coefficient to every signature, key and message of the batch (`k` is a hash of all three but `s`).
fn batch_seed(items: &[BatchItem<'_>], at: &[usize], prepared: &[Prepared<'_>]) -> Hash {
    let mut hasher = sha2::Sha256::new();
    hasher.update(b"cairn/batch/1");
    for (&i, item) in at.iter().zip(prepared) {
        hasher.update(items[i].signature);
        hasher.update(item.k.as_bytes());
    }
    Hash(hasher.finalize().into())
}

fn coefficient(seed: &Hash, position: usize) -> Scalar {
    let digest = Hash::of_parts(&[&seed.0, &(position as u64).to_le_bytes()]);
    let mut low = [0u8; 16];
    low.copy_from_slice(&digest.0[..16]);
    Scalar::from(u128::from_le_bytes(low) | 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_batch_gives_every_signature_the_verdict_it_has_alone(
            signers in proptest::collection::vec((0u8..5, any::<bool>(), 0usize..64), 0..40),
        ) {
            let made: Vec<(VerifyingKey, Vec<u8>, Signature)> = signers
                .iter()
                .enumerate()
                .map(|(at, &(seed, spoiled, byte))| {
                    let key = SigningKey::from_seed([seed; 32]);
                    let message = vec![u8::try_from(at).unwrap(); 9];
                    let mut signature = key.sign(&message);
                    if spoiled {
                        signature[byte] ^= 1;
                    }
                    (key.verifying_key(), message, signature)
                })
                .collect();
            let items: Vec<BatchItem<'_>> =
                made.iter().map(|(key, message, signature)| BatchItem { key, message, signature }).collect();
            let alone: Vec<bool> = made.iter().map(|(key, message, signature)| key.verify(message, signature)).collect();
            prop_assert_eq!(verify_batch(&items), alone);
        }
    }
}
