//! Every edge case of the points in a signature, alone, in batches, and beside an independent implementation of ZIP-215.
//!
//! The cases are those that the C2SP vectors for Ed25519 (CCTV, `ed25519`) enumerate, made here from their description:
//! `A` and `R` each of low order in every encoding, canonical or not, or of prime order with every low-order part; with a
//! low-order residue and without; and with `k` over canonical encodings where the signature has others.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use p256::elliptic_curve::rand_core;
use sha2::{Digest, Sha512};

use cairn_core::ed25519::{BatchItem, Signature, SigningKey, VerifyingKey, verify_batch};

/// A point as `A` or `R`: its encoding, its part of low order, and the scalar of the rest.
#[derive(Clone, Copy)]
struct Point {
    encoding: [u8; 32],
    canonical: [u8; 32],
    torsion: EdwardsPoint,
    scalar: Scalar,
}

/// All points of low order in all their encodings, and points of prime order with every part of low order added.
fn points(scalar: u64) -> Vec<Point> {
    let mut all = Vec::new();
    for torsion in EIGHT_TORSION {
        let low = torsion.compress().0;
        for encoding in encodings(low) {
            all.push(Point { encoding, canonical: low, torsion, scalar: Scalar::ZERO });
        }
        let scalar = Scalar::from(scalar);
        let mixed = (ED25519_BASEPOINT_POINT * scalar + torsion).compress().0;
        all.push(Point { encoding: mixed, canonical: mixed, torsion, scalar });
    }
    all
}

/// The canonical encoding, and the others: `y + p` where that fits 255 bits, and the sign of `x` flipped where `x = 0`.
fn encodings(canonical: [u8; 32]) -> Vec<[u8; 32]> {
    let sign = canonical[31] & 0x80;
    let y_low = canonical[0];
    let is_small = canonical[1..31].iter().all(|byte| *byte == 0) && canonical[31] & 0x7f == 0 && y_low < 19;
    let mut all = vec![canonical];
    if is_small {
        let mut plus_p = [0xff; 32];
        plus_p[0] = 0xed + y_low;
        plus_p[31] = 0x7f | sign;
        all.push(plus_p);
    }
    // x = 0 for y = 1 and y = -1 alone.
    let is_minus_one = canonical[0] == 0xec && canonical[1..31].iter().all(|byte| *byte == 0xff);
    if (is_small && y_low == 1) || is_minus_one {
        let flipped: Vec<[u8; 32]> = all.iter().map(|encoding| flip_sign(*encoding)).collect();
        all.extend(flipped);
    }
    all
}

fn flip_sign(mut encoding: [u8; 32]) -> [u8; 32] {
    encoding[31] ^= 0x80;
    encoding
}

fn challenge(r: &[u8; 32], a: &[u8; 32], message: &[u8]) -> Scalar {
    let digest = Sha512::new().chain_update(r).chain_update(a).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&digest.into())
}

struct Vector {
    name: String,
    key: [u8; 32],
    message: Vec<u8>,
    signature: Signature,
    /// What ZIP-215 says; `None` where only the other implementation says it.
    holds: Option<bool>,
}

fn vectors() -> Vec<Vector> {
    let mut all = Vec::new();
    for (a_at, a) in points(7).into_iter().enumerate() {
        for (r_at, r) in points(11).into_iter().enumerate() {
            let is_canonical = a.encoding == a.canonical && r.encoding == r.canonical;
            for reencoded in [false, true] {
                if reencoded && is_canonical {
                    continue;
                }
                for wants_residue in [false, true] {
                    let name = format!("A {a_at} R {r_at} residue {wants_residue} re-encoded {reencoded}");
                    all.extend(vector(name, &a, &r, reencoded, wants_residue));
                }
            }
        }
    }
    all
}

/// A signature by the equation, over the first message that leaves a residue or none; `None` where no message does.
fn vector(name: String, a: &Point, r: &Point, reencoded: bool, wants_residue: bool) -> Option<Vector> {
    for number in 0..64u8 {
        let message = vec![b'm', number];
        let (a_bytes, r_bytes) = if reencoded { (&a.canonical, &r.canonical) } else { (&a.encoding, &r.encoding) };
        let k = challenge(r_bytes, a_bytes, &message);
        let has_residue = !(a.torsion * k + r.torsion).is_identity();
        if has_residue != wants_residue {
            continue;
        }
        let s = r.scalar + k * a.scalar;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r.encoding);
        signature[32..].copy_from_slice(s.as_bytes());
        let holds = (!reencoded).then_some(true);
        return Some(Vector { name, key: a.encoding, message, signature, holds });
    }
    None
}

/// A generator for the other implementation's coefficients; a test needs no better.
struct Counter(u64);

impl rand_core::TryRng for Counter {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| (word >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Ok(mixed ^ (mixed >> 27))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counter {}

fn zebra_alone(vector: &Vector) -> bool {
    let signature = ed25519_zebra::Signature::from_bytes(&vector.signature);
    ed25519_zebra::VerificationKey::try_from(vector.key)
        .is_ok_and(|key| key.verify(&signature, &vector.message).is_ok())
}

fn zebra_in_a_batch(vector: &Vector) -> bool {
    let mut batch = ed25519_zebra::batch::Verifier::new();
    let signature = ed25519_zebra::Signature::from_bytes(&vector.signature);
    batch.queue((ed25519_zebra::VerificationKeyBytes::from(vector.key), signature, &vector.message));
    batch.verify(Counter(1)).is_ok()
}

/// The verdicts of one batch, in the order given.
fn batched(keys: &[VerifyingKey], vectors: &[Vector], order: &[usize]) -> Vec<bool> {
    let item =
        |&at: &usize| BatchItem { key: &keys[at], message: &vectors[at].message, signature: &vectors[at].signature };
    verify_batch(&order.iter().map(item).collect::<Vec<_>>())
}

fn keys_of(vectors: &[Vector]) -> Vec<VerifyingKey> {
    vectors.iter().map(|vector| VerifyingKey::from_bytes(vector.key).expect("ZIP-215 decodes it")).collect()
}

#[test]
fn there_are_all_encodings_of_low_order_and_as_many_cases_as_the_published_vectors() {
    let low = points(7).iter().filter(|point| point.scalar == Scalar::ZERO).count();
    assert_eq!(low, 14, "encodings of the points of low order");
    assert!(vectors().len() >= 914, "{}", vectors().len());
}

#[test]
fn alone_every_edge_case_has_the_verdict_of_an_independent_zip_215() {
    let vectors = vectors();
    let mut refused = 0;
    for (vector, key) in vectors.iter().zip(keys_of(&vectors)) {
        let alone = key.verify(&vector.message, &vector.signature);
        assert_eq!(alone, zebra_alone(vector), "{}", vector.name);
        assert_eq!(alone, zebra_in_a_batch(vector), "{}", vector.name);
        if let Some(holds) = vector.holds {
            assert_eq!(alone, holds, "{}", vector.name);
        }
        refused += usize::from(!alone);
    }
    assert!(refused > 0, "some cases of k over another encoding do not hold");
}

#[test]
fn among_honest_signatures_every_edge_case_has_the_verdict_that_it_has_alone() {
    let vectors = vectors();
    let honest = SigningKey::from_seed([3; 32]);
    let (honest_key, honest_signature) = (honest.verifying_key(), honest.sign(b"honest"));
    let even = BatchItem { key: &honest_key, message: b"honest", signature: &honest_signature };
    for (vector, key) in vectors.iter().zip(keys_of(&vectors)) {
        let alone = key.verify(&vector.message, &vector.signature);
        for place in [0, 5, 11] {
            let mut items = [even; 12];
            items[place] = BatchItem { key: &key, message: &vector.message, signature: &vector.signature };
            let mut expected = vec![true; 12];
            expected[place] = alone;
            assert_eq!(verify_batch(&items), expected, "{} at {place}", vector.name);
        }
    }
}

#[test]
fn in_whatever_order_they_are_batched_all_edge_cases_keep_their_verdicts() {
    let vectors = vectors();
    let keys = keys_of(&vectors);
    let count = vectors.len();
    let alone: Vec<bool> =
        vectors.iter().zip(&keys).map(|(vector, key)| key.verify(&vector.message, &vector.signature)).collect();
    // Everything is coprime to a large prime, so that a stride of one meets every case.
    let strides = [1, 104_729, 15_485_863];
    let mut orders: Vec<Vec<usize>> =
        strides.iter().map(|stride| (0..count).map(|at| at * stride % count).collect()).collect();
    orders.push((0..count).rev().collect());
    for order in orders {
        let mut met = order.clone();
        met.sort_unstable();
        assert!(met.iter().copied().eq(0..count), "an order meets every case once");
        for part in [count, 512, 64, 10] {
            for piece in order.chunks(part) {
                let expected: Vec<bool> = piece.iter().map(|&at| alone[at]).collect();
                assert_eq!(batched(&keys, &vectors, piece), expected);
            }
        }
    }
}
