//! Money that comes by itself: what a relayer may do, earns, and cannot do.

use cairn_settle::abi::{Arguments, uint_word};
use cairn_settle::{ManyClaims, calls};

use crate::chain::number;
use crate::world::{ONE, PUSH_MIN, RELAY_FEE, RELAYER, World, person};

fn pool(world: &mut World) -> u128 {
    world.chain.number(world.payout, "relayPool()", Arguments::new())
}

fn pushed(receipt: &crate::chain::Receipt) -> (u128, u128) {
    let word = |i: usize| number(&receipt.output[32 * i..32 * (i + 1)].try_into().unwrap());
    (word(0), word(1))
}

#[test]
fn anyone_pushes_every_increase_and_is_paid_from_the_pool_that_the_log_grants() {
    let mut world = World::new();
    let payout = world.payout;
    let claims = |times: u128| -> Vec<_> {
        let mut all: Vec<_> = (0..20).map(|i| (person(i), times * 10 * ONE)).collect();
        all.push((payout, times * 30 * RELAY_FEE));
        all
    };
    let zero = world.epoch(0, &claims(1));
    world.settle(&zero);
    let all: Vec<usize> = (0..20).collect();
    let receipt = world.call_payout(zero.push(&all[..5])).unwrap();
    assert_eq!(pushed(&receipt), (5, 50 * ONE));
    assert_eq!(world.balance(RELAYER), 0, "the pool is empty: pushing is not worth it yet, and works");
    world.call_payout(zero.claim(20)).unwrap();
    assert_eq!(pool(&mut world), 30 * RELAY_FEE);
    assert_eq!(world.call_payout(zero.claim(20)).unwrap_err(), "NothingDue");
    assert_eq!(pushed(&world.call_payout(zero.push_all()).unwrap()), (15, 150 * ONE), "each once");
    assert_eq!(world.balance(RELAYER), 15 * RELAY_FEE);
    assert_eq!(pushed(&world.call_payout(zero.push_all()).unwrap()), (0, 0), "nothing is earned by pushing nothing");
    assert_eq!((world.balance(RELAYER), pool(&mut world)), (15 * RELAY_FEE, 15 * RELAY_FEE));
    let one = world.epoch(1, &claims(2));
    world.settle(&one);
    world.call_payout(one.push(&all)).unwrap();
    assert_eq!((world.balance(RELAYER), pool(&mut world)), (30 * RELAY_FEE, 0), "no more than the pool holds");
    assert!((0..20).all(|i| world.balance(person(i)) == 20 * ONE));
}

#[test]
fn pushing_one_increase_epoch_by_epoch_earns_no_more_than_pushing_it_once() {
    let mut world = World::new();
    let payout = world.payout;
    let claims = |times: u128| [(person(1), times * 10 * ONE), (payout, 100 * RELAY_FEE)];
    let epochs = [1u128, 2, 3].map(|times| world.epoch(times as u64 - 1, &claims(times)));
    epochs.iter().for_each(|epoch| drop(world.settle(epoch)));
    world.call_payout(epochs[2].claim(1)).unwrap();
    for (epoch, earned) in epochs.iter().zip([0, 0, RELAY_FEE]) {
        assert_eq!(pushed(&world.call_payout(epoch.push(&[0])).unwrap()), (1, 10 * ONE));
        assert_eq!(world.balance(RELAYER), earned);
    }
}

#[test]
fn whom_a_relayer_skips_claims_for_himself_or_is_pushed_by_another() {
    let mut world = World::new();
    let zero = world.epoch(0, &[(person(1), 5 * ONE), (person(2), 5 * ONE), (person(3), 5 * ONE)]);
    world.settle(&zero);
    world.call_payout(zero.push(&[0])).unwrap();
    world.chain.send(person(7), world.payout, zero.push(&[1])).unwrap();
    world.chain.send(person(3), world.payout, zero.claim(2)).unwrap();
    assert!((1..=3).all(|i| world.balance(person(i)) == 5 * ONE));
}

#[test]
fn a_batch_is_not_spoiled_by_one_of_its_accounts() {
    let mut world = World::new();
    let payout = world.payout;
    let accounts = [
        (person(1), 5 * ONE),
        (person(2), 5 * ONE),
        (person(3), PUSH_MIN - 1),
        ([0; 20], 5 * ONE),
        (person(4), 5 * ONE),
        (payout, 5 * ONE),
        (person(5), 5 * ONE),
    ];
    let zero = world.epoch(0, &accounts);
    world.settle(&zero);
    let wish = |wish: u128| Arguments::new().uint(wish).call("setThreshold(uint128)");
    world.chain.send(person(4), world.payout, wish(u128::MAX)).unwrap();
    world.chain.send(person(5), world.payout, wish(1)).unwrap();
    // Somebody claims just before the batch comes.
    world.chain.send(person(1), world.payout, zero.claim(0)).unwrap();
    assert_eq!(pushed(&world.call_payout(zero.push_all()).unwrap()), (2, 10 * ONE), "accounts 2 and 5");
    let balances = [1, 2, 3, 4, 5].map(|i| world.balance(person(i)));
    assert_eq!(balances, [5 * ONE, 5 * ONE, 0, 0, 5 * ONE]);
    assert_eq!(pool(&mut world), 0, "the pool is claimed, not pushed");
    world.call_payout(zero.claim(2)).expect("below the threshold there is still the claim");
    world.call_payout(zero.claim(4)).expect("and for those who refuse pushes");
    let mut later = accounts.to_vec();
    later[6].1 += PUSH_MIN - 1;
    later.push((person(6), 20 * ONE));
    // A wish below the contract's own threshold changes nothing.
    let one = world.epoch(1, &later);
    world.settle(&one);
    assert_eq!(pushed(&world.call_payout(one.push_all()).unwrap()), (1, 20 * ONE));
}

#[test]
fn one_claim_named_twice_in_a_batch_is_paid_once() {
    let mut world = World::new();
    let zero = world.epoch(0, &[(person(1), 5 * ONE), (person(2), 5 * ONE)]);
    world.settle(&zero);
    // The verifier's own freedom: both leaves, each twice, joined in pairs, never lead to the root.
    let many = ManyClaims::of(&zero.tree, &zero.leaves, &[0, 1]).unwrap();
    let mut twice = many.clone();
    twice.claims.push(many.claims[0]);
    for flags in [vec![true, true], vec![true, false], vec![false, true], vec![true]] {
        for proof in [vec![], vec![many.claims[1].hash()], vec![many.claims[0].hash(); 2]] {
            let forged = ManyClaims { flags: flags.clone(), proof, ..twice.clone() };
            let refused = world.call_payout(calls::pay_many(0, &forged)).unwrap_err();
            assert!(
                ["NotProven", "MerkleProofInvalidMultiproof", "panic 0x32"].contains(&refused.as_str()),
                "{refused}"
            );
        }
    }
    assert_eq!(world.balance(person(1)), 0);
}

#[test]
fn forged_batches_are_refused_whole() {
    let mut world = World::new();
    let claims: Vec<_> = (0..9).map(|i| (person(i), 5 * ONE)).collect();
    let zero = world.epoch(0, &claims);
    world.settle(&zero);
    let many = ManyClaims::of(&zero.tree, &zero.leaves, &[1, 4, 7]).unwrap();
    let mut richer = many.clone();
    richer.claims[1].cumulative += 1;
    let mut other = many.clone();
    other.claims[0].account = uint_word(1u8);
    let mut cut = many.clone();
    cut.proof.pop();
    let mut turned = many.clone();
    turned.flags[0] = !turned.flags[0];
    let mut reordered = many.clone();
    reordered.claims.swap(0, 2);
    // A root as the only hash of the proof, and nothing to pay.
    let root = ManyClaims { claims: vec![], proof: vec![zero.tree.root()], flags: vec![] };
    for (what, forged) in [
        ("richer", richer),
        ("other", other),
        ("cut", cut),
        ("turned", turned),
        ("reordered", reordered),
        ("root", root),
    ] {
        let refused = world.call_payout(calls::pay_many(0, &forged)).unwrap_err();
        assert!(
            ["NotProven", "MerkleProofInvalidMultiproof", "panic 0x32"].contains(&refused.as_str()),
            "{what}: {refused}"
        );
    }
    let uneven = Arguments::new().uint(0u8).words([[0; 32]]).words([]).words([]).words([]);
    assert_eq!(world.call_payout(uneven.call(calls::signature::PAY_MANY)).unwrap_err(), "Lengths");
    world.call_payout(calls::pay_many(0, &many)).unwrap();
    assert_eq!([1, 4, 7].map(|i| world.balance(person(i))), [5 * ONE; 3]);
}
