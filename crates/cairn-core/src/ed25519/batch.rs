//! Many signatures at once, each with the verdict that it has alone.
//!
//! What it promises: the verdict of every signature is that of [`VerifyingKey::verify`]; and whatever the signatures are,
//! a batch of `n` puts at most [`EQUATIONS_MAX`]` * n` signatures into equations and checks at most `n` alone. In an
//! equation a signature costs at most half of what it costs alone, so nobody can make a batch cost more than twice what
//! its signatures cost one by one.

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use sha2::Digest;

use super::{Prepared, Signature, VerifyingKey};
use crate::Hash;

/// In how many equations a signature takes part, at most, on the average of its batch.
const EQUATIONS_MAX: usize = 2;

/// So few signatures are checked alone: an equation over them costs more than half as much.
const ALONE_MAX: usize = 8;

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
/// Items of one key cost least when they stand side by side. A batch that fails is halved until the bad ones are found or
/// its share of equations is used up; what is in doubt then is checked one by one.
#[must_use]
pub fn verify_batch(items: &[BatchItem<'_>]) -> Vec<bool> {
    verify_counted(items).0
}

/// What was done for a batch, in signatures.
#[derive(Default)]
struct Work {
    in_equations: usize,
    alone: usize,
}

fn verify_counted(items: &[BatchItem<'_>]) -> (Vec<bool>, Work) {
    let mut verdicts = vec![false; items.len()];
    let mut read = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let prepared = Prepared::of(item.key, item.message, item.signature);
        read.extend(prepared.map(|prepared| Doubted { at, signature: item.signature, prepared }));
    }
    let mut search = Search { verdicts: &mut verdicts, work: Work::default(), budget: EQUATIONS_MAX * read.len() };
    search.settle(&read);
    let work = search.work;
    (verdicts, work)
}

/// A signature whose verdict is open.
struct Doubted<'a> {
    at: usize,
    signature: &'a Signature,
    prepared: Prepared<'a>,
}

/// What is found of several signatures at once.
enum Found {
    AllHold,
    /// Some do not, and it is known which.
    NotAll,
    /// Some do not.
    Open,
}

struct Search<'a> {
    verdicts: &'a mut [bool],
    work: Work,
    /// Signatures that may still be put into equations.
    budget: usize,
}

impl Search<'_> {
    /// Finds every verdict: larger runs before smaller ones, so that the budget is spent where it settles most.
    fn settle(&mut self, all: &[Doubted<'_>]) {
        let mut open = std::collections::VecDeque::new();
        if matches!(self.ask(all), Found::Open) {
            open.push_back(all);
        }
        while let Some(run) = open.pop_front() {
            let (left, right) = run.split_at(run.len() / 2);
            let found = self.ask(left);
            if matches!(found, Found::Open) {
                open.push_back(left);
            }
            // An equation over signatures that all hold never fails: one of the run does not, so it is on the right.
            let is_right_open = matches!(found, Found::AllHold) && right.len() > ALONE_MAX;
            if is_right_open || matches!(self.ask(right), Found::Open) {
                open.push_back(right);
            }
        }
    }

    /// Asks one equation for a run, or checks each alone where the run is short or the budget used up.
    fn ask(&mut self, run: &[Doubted<'_>]) -> Found {
        if run.len() <= ALONE_MAX || self.budget < run.len() {
            return if self.check_alone(run) { Found::AllHold } else { Found::NotAll };
        }
        self.budget -= run.len();
        self.work.in_equations += run.len();
        if !equation_holds(run) {
            return Found::Open;
        }
        run.iter().for_each(|one| self.verdicts[one.at] = true);
        Found::AllHold
    }

    fn check_alone(&mut self, doubted: &[Doubted<'_>]) -> bool {
        self.work.alone += doubted.len();
        let mut all = true;
        for one in doubted {
            let holds = one.prepared.holds();
            self.verdicts[one.at] = holds;
            all &= holds;
        }
        all
    }
}

/// `[8] ( [-sum z_i s_i] B + sum [z_i] R_i + sum_keys [sum z_i k_i] A ) = 0` with 128-bit `z_i`.
fn equation_holds(doubted: &[Doubted<'_>]) -> bool {
    let seed = batch_seed(doubted);
    let mut scalars = Vec::with_capacity(2 * doubted.len() + 1);
    let mut points = Vec::with_capacity(2 * doubted.len() + 1);
    let mut base = Scalar::ZERO;
    let mut key_scalar = Scalar::ZERO;
    for (position, Doubted { prepared: item, .. }) in doubted.iter().enumerate() {
        let z = coefficient(&seed, position);
        base -= z * item.s;
        key_scalar -= z * item.k;
        scalars.push(z);
        points.push(item.r);
        let next = doubted.get(position + 1);
        if next.is_none_or(|next| next.prepared.key.bytes != item.key.bytes) {
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
fn batch_seed(doubted: &[Doubted<'_>]) -> Hash {
    let mut hasher = sha2::Sha256::new();
    hasher.update(b"cairn/batch/1");
    for one in doubted {
        hasher.update(one.signature);
        hasher.update(one.prepared.k.as_bytes());
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
    use crate::ed25519::SigningKey;

    /// Verifies signatures of one message by a few keys, of which those in `bad` are spoiled; the verdicts and the work.
    fn work_for(count: usize, is_bad: impl Fn(usize) -> bool) -> (Vec<bool>, Work) {
        let keys: Vec<SigningKey> = (0..7).map(|seed| SigningKey::from_seed([seed; 32])).collect();
        let public: Vec<VerifyingKey> = keys.iter().map(SigningKey::verifying_key).collect();
        let good: Vec<Signature> = keys.iter().map(|key| key.sign(b"said")).collect();
        let bad: Vec<Signature> = keys.iter().map(|key| key.sign(b"else")).collect();
        let signature = |at: usize| if is_bad(at) { &bad[at % 7] } else { &good[at % 7] };
        let item = |at: usize| BatchItem { key: &public[at % 7], message: b"said", signature: signature(at) };
        verify_counted(&(0..count).map(item).collect::<Vec<_>>())
    }

    fn assert_within(count: usize, work: &Work) {
        assert!(work.in_equations <= EQUATIONS_MAX * count, "{count}: {} in equations", work.in_equations);
        assert!(work.alone <= count, "{count}: {} alone", work.alone);
    }

    #[test]
    fn honest_batches_cost_one_equation_and_nothing_more() {
        for count in [ALONE_MAX + 1, 64, 512] {
            let (verdicts, work) = work_for(count, |_| false);
            assert!(verdicts.iter().all(|holds| *holds));
            assert_eq!((work.in_equations, work.alone), (count, 0));
        }
    }

    #[test]
    fn no_bad_signatures_make_a_batch_cost_more_than_its_budget() {
        for count in [1, ALONE_MAX, ALONE_MAX + 1, 63, 64, 200] {
            for every in [1, 2, 3, 7, 16, 50, 199] {
                for offset in [0, every / 2, every - 1] {
                    let is_bad = |at: usize| at % every == offset;
                    let (verdicts, work) = work_for(count, is_bad);
                    let expected: Vec<bool> = (0..count).map(|at| !is_bad(at)).collect();
                    assert_eq!(verdicts, expected, "{count} with every {every}th bad");
                    assert_within(count, &work);
                }
            }
        }
    }

    #[test]
    fn one_bad_signature_never_has_more_than_half_of_its_batch_checked_alone() {
        for bad in 0..256 {
            let (_, work) = work_for(256, |at| at == bad);
            assert_within(256, &work);
            assert!(work.alone <= 128, "{bad}: {} alone", work.alone);
        }
    }

    #[test]
    fn signatures_that_cannot_be_read_cost_no_equation() {
        let key = SigningKey::from_seed([1; 32]).verifying_key();
        let unreadable = [0xff; 64];
        let items = vec![BatchItem { key: &key, message: b"said", signature: &unreadable }; 100];
        let (verdicts, work) = verify_counted(&items);
        assert!(verdicts.iter().all(|holds| !holds));
        assert_eq!((work.in_equations, work.alone), (0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_batch_gives_every_signature_the_verdict_it_has_alone(
            signers in proptest::collection::vec((0u8..5, proptest::bool::weighted(0.2), 0usize..64), 0..60),
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
            let (verdicts, work) = verify_counted(&items);
            prop_assert_eq!(verdicts, alone);
            prop_assert!(work.in_equations <= EQUATIONS_MAX * items.len() && work.alone <= items.len());
        }
    }
}
